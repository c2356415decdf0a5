"""Benchmarks of crnn beside the programs one would use instead of it."""
