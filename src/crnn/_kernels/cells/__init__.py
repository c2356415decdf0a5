"""The cells and the element-wise mathematics."""
