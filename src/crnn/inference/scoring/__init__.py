"""The probabilities of texts and of many short strings."""
