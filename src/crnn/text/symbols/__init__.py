"""Symbols and their ids."""
