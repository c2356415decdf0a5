"""What is shown while training runs."""
