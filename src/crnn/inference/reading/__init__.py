"""Texts read step by step: states that predict, draw and score."""
