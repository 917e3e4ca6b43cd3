"""Encoders: images to features. A file for each family, with the schema of its settings."""
