"""Structures and function types shared by all kernels."""
