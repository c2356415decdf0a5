"""A model's parts: cells, the layout of the weights, and everything the model has learned."""
