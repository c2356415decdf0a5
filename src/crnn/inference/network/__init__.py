"""The packed network, and the state of a text that it reads."""
