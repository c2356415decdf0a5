"""What a model is: the layout of its weights, its cells, all that it has learned."""
