"""Model files: their contents, checks and writing."""
