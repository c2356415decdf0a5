"""The texts before which a drawn text ends; of documents also the symbol that ends one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...parameters.checks import has_items
from ...text.symbols.vocabulary import Vocabulary

Ids = NDArray[Any]

_NONE = np.zeros(0, np.int32), np.zeros(0, np.intp)


class Stops:
    """Texts, as ids, before the first of which a drawn text ends.

    The first is the one that is complete first; of two that are complete at the same symbol, the longer. So a text ends
    at the same symbol however many symbols are drawn in one call. It is found by ``_kernels/inference/texts.pxd``.

    Parameters
    ----------
    texts : iterable of (N,) int arrays
        None of them empty.
    end : int, optional
        The id of the symbol that ends a text: a stop like a text of this one symbol.

    Examples
    --------
    >>> Stops([np.array([1, 2, 3]), np.array([2])]).begun(np.array([0, 1, 2]))  # 1, 2 may go on as 1, 2, 3
    2
    """

    def __init__(self, texts: Iterable[Ids], end: int | None = None) -> None:
        # As Python strings, which are searched in C: an id is never more than the largest code point.
        self._texts = [_as_text(ids) for ids in texts]
        if end is not None:
            self._texts.append(_as_text(np.array([end])))
        self._max_length = max(map(len, self._texts), default=0)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return the symbols of all of them, the longer stops first, and where each ends.

        Examples
        --------
        >>> Stops([np.array([3]), np.array([1, 2])]).packed()
        (array([1, 2, 3], dtype=int32), array([2, 3]))
        """
        if not self._texts:
            return _NONE
        texts = sorted(self._texts, key=len, reverse=True)
        symbols = np.array([*map(ord, "".join(texts))], np.int32)
        return symbols, np.cumsum([*map(len, texts)], dtype=np.intp)

    def begun(self, ids: Ids) -> int:
        """Return how many of the last symbols may be the beginning of a stop."""
        text = _as_text(ids[max(0, len(ids) - self._max_length + 1) :])
        for length in range(len(text), 0, -1):
            if any(len(stop) > length and stop.startswith(text[-length:]) for stop in self._texts):
                return length
        return 0


def encoded_stops(stop: Any, vocabulary: Vocabulary) -> list[Ids]:
    """Return the argument `stop` of sampling as ids, without the stops that hold a symbol that cannot be drawn.

    Examples
    --------
    >>> encoded_stops(["ab", "xy"], Vocabulary.from_text("abc"))
    [array([0, 1], dtype=uint8)]
    """
    if stop is None:
        return []
    if isinstance(stop, str | bytes | bytearray | memoryview):
        stops = {"stop": stop}
    elif has_items(stop) and not isinstance(stop, Mapping):
        stops = {f"stop[{i}]": text for i, text in enumerate(stop)}
    else:
        raise InvalidInputError(f"stop must be None, a text or a list of texts, not {type(stop).__name__}")
    encoded = []
    for name, text in stops.items():
        vocabulary.check_kind(text, name)
        if not len(text):
            raise InvalidInputError(f"{name} is empty: give the text that ends a sample, or None for no such text")
        if all(symbol in vocabulary for symbol in text):
            encoded.append(vocabulary.encode(text, name=name))
    return encoded


def _as_text(ids: Ids) -> str:
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
