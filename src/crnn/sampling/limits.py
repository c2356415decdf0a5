"""SamplingLimits: how many texts and symbols are drawn at a time, which changes no text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingLimits:
    """Sizes that bound the memory of sampling and the time of a call."""

    rows: int = 64  # texts drawn in parallel: enough for the register tile, and their states stay in the cache
    call_symbols: int = 1 << 15  # maximum symbols drawn in one call
    call_weights: int = 1 << 29  # maximum multiplications in one call: a tenth of a second, so that Ctrl-C is handled
    initial_room: int = 64  # symbols of initial memory for a text that may stop
    samples_per_task: int = 1024  # maximum samples that a thread draws at a time
    seen_bytes: int = 1 << 26  # of the flags for the symbols that each of a task's samples has, if these are penalized


LIMITS = SamplingLimits()
