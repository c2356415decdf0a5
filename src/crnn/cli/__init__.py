"""The command `crnn`."""
