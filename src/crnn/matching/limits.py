"""MatchingLimits: what bounds the memory and the time of patterns and trials."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchingLimits:
    """Bounds of memory and time: they decide what is refused and how work is divided, never which texts are drawn."""

    # The automaton of a pattern.
    max_states: int = 5000
    max_transitions: int = 1 << 23  # a table of 34 MB, which one call of NumPy reads in less than 0.1 s
    max_places: int = 100_000  # of a pattern whose repetitions are written out
    # Trials before giving up: in all, and more for each sample found.
    max_trials: int = 1 << 18
    trials_per_sample: int = 1000
    # Trials at a time, and the maximum symbols of their texts.
    min_block: int = 64
    max_block: int = 1 << 10
    block_symbols: int = 1 << 20
    min_trials_per_thread: int = 256
    estimate_trials: int = 1 << 14  # of a probability that no sampler knows


LIMITS = MatchingLimits()  # of production; tests pass others
