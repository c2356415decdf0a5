"""The entry points that Python calls, and the table of kernels behind them."""
