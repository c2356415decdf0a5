"""Vector instructions, barriers, memory, and the processor's features."""
