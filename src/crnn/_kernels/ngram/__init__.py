"""Compiled counts of n-grams; `ngrams` is what Python calls."""
