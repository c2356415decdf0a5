"""The memory of beams, which searches check before they begin."""

from __future__ import annotations

from ..runtime.machine import check_free_memory

BYTES_PER_SYMBOL = 8  # of each beam: room for the logits in the memory of a network's call
MANY_SYMBOLS = 64  # symbols: even of two, more continuations than any number of beams


def check_beam_memory(vocab_size: int, length: int, n_beams: int) -> None:
    """Raise an error if the logits of all beams would not fit in memory, the networks' states not counted."""
    needed = min(n_beams, vocab_size ** min(length, MANY_SYMBOLS)) * vocab_size * BYTES_PER_SYMBOL
    check_free_memory(needed, f"n_beams is {n_beams}, and so many continuations", "Pass fewer beams.")
