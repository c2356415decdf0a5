"""Counts of any kind as arrays: n-grams with their counts, or frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from . import packed_counts
from .counts import Counts
from .frozen import FrozenCounts
from .loaded_counts import LoadedCounts

AnyCounts = Counts | LoadedCounts | FrozenCounts


def to_arrays(counts: AnyCounts) -> dict[str, NDArray[Any]]:
    """Return arrays from which `from_arrays` makes counts again."""
    return packed_counts.to_arrays(counts) if isinstance(counts, Counts) else dict(counts.arrays)


def from_arrays(arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> AnyCounts:
    """Return the counts in arrays made by `to_arrays`, possibly from an untrusted source."""
    if "shares" in arrays:
        return FrozenCounts(arrays, symbols, boundary)
    if "text" in arrays:
        return packed_counts.from_arrays(arrays, symbols, boundary)
    return LoadedCounts(arrays, symbols, boundary)


def packed(counts: Counts | LoadedCounts) -> dict[str, NDArray[Any]]:
    """Return all n-grams as arrays, even of counts that keep their text."""
    return packed_counts.pack(counts) if isinstance(counts, Counts) else counts.arrays


def growing(counts: Counts | LoadedCounts) -> Counts:
    """Return equal counts that can grow; the same ones, if they can."""
    return counts.growing() if isinstance(counts, LoadedCounts) else counts
