"""HashedTexts: whether a text is one of very many, of which only hashes are held."""

from __future__ import annotations

import numpy as np

from .lines import Lines

__all__ = ["HashedTexts"]


class HashedTexts:
    """Lines as a set of hashes: 8 bytes a line.

    A line is always found. Another text is taken for one of n lines with a probability of n / 2⁶⁴: Python's hashes of
    64 bits are compared, whose key is drawn anew for each process.

    Parameters
    ----------
    lines : Lines

    Examples
    --------
    >>> import os
    >>> "Anna" in HashedTexts(Lines(os.devnull))
    False
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
