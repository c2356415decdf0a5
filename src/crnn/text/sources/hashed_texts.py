"""HashedTexts: a membership test for very many texts, keeping only hashes."""

from __future__ import annotations

import numpy as np

from .lines import Lines


class HashedTexts:
    """The hashes of lines, 8 bytes each.

    A line is always found. A new text is mistaken for one of n lines with probability n / 2⁶⁴: the test compares
    Python's 64-bit hashes, whose key differs in each process.
    """

    def __init__(self, lines: Lines) -> None:
        hashes, n = np.empty(len(lines), np.int64), 0
        for batch in lines.batches():
            hashes[n : n + len(batch)] = np.fromiter(map(hash, batch), np.int64, len(batch))
            n += len(batch)
        hashes.sort()
        self._hashes = hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, text: object) -> bool:
        i = int(np.searchsorted(self._hashes, hash(text)))
        return i < len(self._hashes) and bool(self._hashes[i] == hash(text))
