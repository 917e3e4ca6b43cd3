"""The dark-matter classes, in the order every array, table and record of the project uses."""

#: Class names; the position is the integer label of the records (axion 0, cdm 1, no_sub 2).
CLASSES = ("axion", "cdm", "no_sub")
#: The least number of images of each class in a split. The interval of an AUC needs two.
MIN_IMAGES = {"train": 1, "validation": 1, "test": 2}
