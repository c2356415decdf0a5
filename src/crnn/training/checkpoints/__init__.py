"""The state of a run, and the thread that saves it."""
