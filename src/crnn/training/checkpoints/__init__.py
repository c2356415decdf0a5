"""The state of a training run, and the thread that saves it."""
