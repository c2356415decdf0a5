"""Where a text that is being drawn stops: before a given text, or before the symbol that ends a text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[Any]


class Stops:
    """Texts, as ids, before the first of which a text stops.

    The first is the one that is complete first; of two that are complete together, the longer. So a text stops at the
    same symbol however it is cut in blocks.

    Parameters
    ----------
    texts : iterable of (N,) int arrays
        None of them empty.
    end : int, optional
        The id of the symbol that ends a text: a stop like a text of this one symbol.

    Examples
    --------
    >>> stops = Stops([np.array([1, 2]), np.array([2])])
    >>> stops.first(np.array([0, 1, 2, 0]), new=4)  # both are complete at the 2, and [1, 2] is the longer
    1
    >>> stops.first(np.array([0, 1]), new=2) is None, stops.begun(np.array([0, 1]))
    (True, 1)
    """

    def __init__(self, texts: Iterable[Ids], end: int | None = None) -> None:
        # As texts of Python, which are searched in C: an id is never more than the largest code point.
        self._texts = [_as_text(ids) for ids in texts]
        if end is not None:
            self._texts.append(_as_text(np.array([end])))
        self._longest = max(map(len, self._texts), default=0)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return the symbols of all of them, the longer stops first, and where each ends.

        Examples
        --------
        >>> Stops([np.array([3]), np.array([1, 2])]).packed()
        (array([1, 2, 3], dtype=int32), array([2, 3]))
        """
        texts = sorted(self._texts, key=len, reverse=True)
        symbols = np.array([*map(ord, "".join(texts))], np.int32)
        return symbols, np.cumsum([*map(len, texts)], dtype=np.intp)

    def first(self, ids: Ids, new: int) -> int | None:
        """Return where the first stop in `ids` begins, or None.

        Parameters
        ----------
        ids : (N,) int array
            The text so far.
        new : int
            How many of its last symbols are new: in what is before them no stop is complete.
        """
        skipped = max(0, len(ids) - new - self._longest + 1)
        text = _as_text(ids[skipped:])
        found = [(at + len(stop), at) for stop in self._texts if (at := text.find(stop)) >= 0]
        return skipped + min(found)[1] if found else None

    def begun(self, ids: Ids) -> int:
        """Return how many of the last symbols may be the beginning of a stop: what follows decides."""
        text = _as_text(ids[max(0, len(ids) - self._longest + 1) :])
        for length in range(len(text), 0, -1):
            if any(len(stop) > length and stop.startswith(text[-length:]) for stop in self._texts):
                return length
        return 0


def _as_text(ids: Ids) -> str:
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
