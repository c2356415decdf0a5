"""The most probable originals of damaged texts."""
