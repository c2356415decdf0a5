"""The NumPy reference implementation of every kernel."""
