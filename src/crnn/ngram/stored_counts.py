"""Counts of either kind as arrays: n-grams with their counts, or frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from . import packed_counts
from .counts import Counts
from .frozen import FrozenCounts

AnyCounts = Counts | FrozenCounts


def to_arrays(counts: AnyCounts) -> dict[str, NDArray[Any]]:
    """Return arrays from which `from_arrays` restores counts."""
    return dict(counts.arrays) if isinstance(counts, FrozenCounts) else packed_counts.to_arrays(counts)


def from_arrays(arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> AnyCounts:
    """Return the counts in arrays made by `to_arrays`, possibly from an untrusted source."""
    if "shares" in arrays:
        return FrozenCounts(arrays, symbols, boundary)
    return packed_counts.from_arrays(arrays, symbols, boundary)
