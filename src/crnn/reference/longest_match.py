"""The longest match of a text's last symbols in a learned text, straight from its definition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LENGTHS = (8, 16)  # the longer length is searched for first
CLASSES = (8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 28, 32)  # a match belongs to the last class that it is as long as
PRIOR = 8.0  # matches of each class that are counted before any match


def first_hits() -> NDArray[np.float64]:
    """Return the hits and matches (13, 2) of each class before any match: longer matches are trusted more."""
    lengths = np.array(CLASSES, np.float64)
    return np.column_stack([PRIOR * (1 - CLASSES[0] / (2 * lengths)), np.full(len(lengths), PRIOR)])


def length_before(history: Sequence[int], place: int, text: Sequence[int]) -> int:
    """Return how many symbols before a place of the history equal the last symbols of a text, at most 32."""
    length = 0
    while (
        length < min(CLASSES[-1], place, len(text))
        and text[-1 - length] >= 0
        and text[-1 - length] == history[place - 1 - length]
    ):
        length += 1
    return length


def longest_match(history: Sequence[int], text: Sequence[int]) -> tuple[int, int] | None:
    """Return the last place of the history after the text's last 16 symbols, or its last 8, and the match's length.

    Negative numbers stand for no symbol and match nothing.
    """
    places = [place for place in range(len(history)) if history[place] >= 0]
    for least in reversed(LENGTHS):
        found = [place for place in places if length_before(history, place, text) >= least]
        if found:
            return found[-1], length_before(history, found[-1], text)
    return None


def match_row(
    history: Sequence[int], text: Sequence[int], hits: NDArray[np.float64], V: int
) -> tuple[NDArray[np.float64], int, int]:
    """Return the logits (V,) after a text, and the match's symbol and class, which are -1 without a match.

    All logits are 0, but for the matched symbol: its log odds over one of the other symbols.
    """
    row = np.zeros(V)
    found = longest_match(history, text)
    if found is None:
        return row, -1, -1
    place, length = found
    of_class = max(k for k, least in enumerate(CLASSES) if least <= length)
    right, matches = hits[of_class]
    symbol = history[place]
    if V > 1:
        row[symbol] = max(0.0, np.log(right * (V - 1) / (matches - right)))
    return row, symbol, of_class
