"""The comparison: cells, summary, tables, and checks of where the cells come from."""
