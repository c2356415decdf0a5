"""The most probable texts: beam search, and enumeration of documents."""
