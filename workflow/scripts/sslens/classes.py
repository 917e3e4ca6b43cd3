"""The dark-matter classes, in the order every array, table and record of the project uses."""

#: Class names; the position is the integer label of the records (axion 0, cdm 1, no_sub 2).
CLASSES = ("axion", "cdm", "no_sub")
