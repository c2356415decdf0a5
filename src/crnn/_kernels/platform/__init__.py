"""Vector instructions, barriers, memory, and what the processor can do."""
