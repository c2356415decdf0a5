"""N-gram models: counting, smoothing, and the network interface for sampling and scoring."""
