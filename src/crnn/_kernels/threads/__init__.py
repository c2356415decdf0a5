"""Threads that share the work of a step, and Ctrl-C within it."""
