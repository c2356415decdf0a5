"""Drawing text: controls, random numbers, beam search."""
