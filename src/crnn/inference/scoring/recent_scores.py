"""RecentScores: the scores of the most recent texts, so that equal texts are scored once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_TEXTS = 1 << 16  # maximum remembered texts of a generation, and
MAX_SYMBOLS = 1 << 22  # their symbols; one block may exceed both

Scores = NDArray[np.float64]


class RecentScores:
    """Scores by text, forgetting texts not looked up recently.

    There are two generations. A text is looked up in both, and moves to the younger one. When that is full it becomes
    the older one, and the older one is dropped. So frequent texts stay, and memory is bounded.
    """

    def __init__(self) -> None:
        self._younger: dict[Any, float] = {}
        self._older: dict[Any, float] = {}
        self._symbols = 0  # of the younger texts

    def look_up(self, texts: list[Any], score: Callable[[list[Any]], Scores]) -> Scores:
        """Return the score of each text, NaN for None; `score` is called for new texts, each once."""
        younger, older = self._younger, self._older
        found: Scores | None = None
        absent = [text for text in dict.fromkeys(texts) if text not in younger]
        if absent:
            new = [text for text in absent if text not in older and text is not None]
            scores = score(new) if new else np.empty(0)
            if len(new) < len(absent):
                younger.update((text, older.get(text, math.nan)) for text in absent)
            younger.update(zip(new, scores.tolist(), strict=True))
            if len(new) == len(texts):  # all are new and different, so that their order is the same
                found = scores
        if found is None:
            found = np.fromiter(map(younger.__getitem__, texts), np.float64, len(texts))
        self._symbols += sum(len(text) for text in absent if text is not None)
        if len(younger) >= MAX_TEXTS or self._symbols >= MAX_SYMBOLS:
            self._younger, self._older, self._symbols = {}, younger, 0
        return found
