"""A chunk of training, the update, and the threads that share them."""
