"""Probes: a task learned from the features of a frozen encoder. No network, and no GPU."""
