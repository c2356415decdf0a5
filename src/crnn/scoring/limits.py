"""ScoringLimits: how many texts and symbols are read at a time, which changes no score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoringLimits:
    """Sizes that bound the memory of scoring, and share its work among threads."""

    # Many strings
    block_strings: int = 1 << 15  # maximum strings held at a time
    block_symbols: int = 1 << 22  # maximum total symbols of these, unless one string has more
    rows: int = 128  # strings read in parallel: they fill the register tile often, and their states stay in the cache
    min_rows: int = 16  # minimum strings per thread
    recent_texts: int = 1 << 16  # maximum remembered texts of a generation; one block may exceed it
    recent_symbols: int = 1 << 22  # maximum symbols of these texts; one block may exceed it

    # One text
    call_symbols: int = 1 << 14  # symbols scored in one call of the kernel
    min_part_symbols: int = 2048  # minimum symbols of a part of a text: many more than its warm-up
    warm_up: int = 128  # symbols read before a part to compute its initial state
    max_parts: int = 512
    parts_at_a_time: int = 64  # parts read in parallel
    min_streams: int = 8  # minimum parts per thread: fewer leave the register tile mostly idle


LIMITS = ScoringLimits()
