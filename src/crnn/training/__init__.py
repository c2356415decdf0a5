"""One call of `fit`: budget, schedule, validation, progress and the loop around the kernels."""
