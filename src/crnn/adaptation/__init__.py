"""Dynamic evaluation: weights that adapt to the text being read."""
