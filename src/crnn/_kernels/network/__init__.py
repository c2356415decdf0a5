"""A network: its weights, its layers, forward and back."""
