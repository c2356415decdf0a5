"""Dynamic evaluation: weights that follow the text that is read."""
