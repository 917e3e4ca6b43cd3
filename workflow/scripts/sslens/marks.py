"""Marks behind the titles of rows, which tables explain below."""

#: The pretraining uses what only a simulation knows.
OF_SIMULATOR = "‡"
#: The method is experimental.
EXPERIMENTAL = "§"
#: The encoder is from a file.
OF_FILE = "¶"
#: The pretraining reads labels, of all training images.
OF_LABELS = "‖"
#: The encoder or the fine-tuning is another one than that of the reference.
OTHER_SETTINGS = "◊"
