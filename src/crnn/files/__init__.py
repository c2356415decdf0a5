"""Model files: what is in one, how it is checked, how it is written."""
