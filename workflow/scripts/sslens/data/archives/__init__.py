"""Imported images: files are found, read with distrust, checked and catalogued."""
