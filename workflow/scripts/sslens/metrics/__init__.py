"""Metrics of predictions and of features, with their uncertainty."""
