"""The texts before which a drawn text ends, including the symbol that ends a document."""

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
    """Texts, as ids, that end a drawn text: it stops before the first.

    The first is the one completed first; of two completed by the same symbol, the longer. So a text ends at the same
    symbol however many symbols are drawn per call. Stops are found by ``_kernels/inference/texts.pxd``. `end` is a
    symbol that ends a text, equivalent to a stop of just this symbol.
    """

    def __init__(self, texts: Iterable[Ids], end: int | None = None) -> None:
        # As Python strings, for searching in C: an id never exceeds the largest code point.
        self._texts = [_as_text(ids) for ids in texts]
        if end is not None:
            self._texts.append(_as_text(np.array([end])))
        self._max_length = max(map(len, self._texts), default=0)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return the symbols of all stops, longer ones first, and the end of each."""
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
    """Return the `stop` argument of sampling as ids, omitting stops with symbols that cannot be drawn.

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
        raise InvalidInputError(f"stop is of type {type(stop).__name__}. Pass None, a text or a list of texts.")
    encoded = []
    for name, text in stops.items():
        vocabulary.check_kind(text, name)
        if not len(text):
            raise InvalidInputError(f"{name} is empty. Pass the text that ends a sample, or None for no such text.")
        if all(symbol in vocabulary for symbol in text):
            encoded.append(vocabulary.encode(text, name=name))
    return encoded


def _as_text(ids: Ids) -> str:
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
