"""Compiled counts of n-grams; Python calls `ngrams`."""
