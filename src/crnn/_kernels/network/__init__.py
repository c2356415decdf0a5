"""A network: its weights and layers, forward and back."""
