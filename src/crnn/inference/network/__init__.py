"""The packed network, and the state of a text being read."""
