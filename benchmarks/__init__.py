"""Benchmarks of crnn and of the programs one would use instead."""
