"""Checks of the data and the memory before training starts."""
