"""Drawing text: controls, random numbers, guess numbers."""
