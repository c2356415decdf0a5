"""Recommended parameters for a text and a time limit."""
