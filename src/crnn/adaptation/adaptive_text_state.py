"""AdaptiveTextState: a text state that learns from the text it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.network.context import Context, seen_after
from ..inference.network.protocol import InferenceNetwork
from ..inference.network.text_state import Sums, TextState
from ..text.symbols.vocabulary import Vocabulary
from .reading import Reading

Ids = NDArray[Any]


class AdaptiveTextState(TextState):
    """A text state that learns from the text fed to it; made by ``model.start(adapt=True)``.

    The model itself does not change, and copies learn independently.
    """

    __slots__ = ("_reading",)

    def __init__(
        self, vocabulary: Vocabulary, reading: Reading, seen: NDArray[np.bool_], sums: Sums | None = None
    ) -> None:
        self._vocabulary, self._reading = vocabulary, reading
        self._context, self._sums = Context(reading.state, seen), sums or Sums()

    @property
    def _network(self) -> InferenceNetwork:  # type: ignore[override]  # requested again each time, since a failed call takes it
        return self._reading.network

    @classmethod
    def after(cls, vocabulary: Vocabulary, reading: Reading, ids: Ids) -> AdaptiveTextState:
        """Return the state after a prime, without learning from it."""
        reading, _ = reading.read(ids, learn=False)
        return cls(vocabulary, reading, seen_after(np.zeros(len(vocabulary), np.bool_), ids, vocabulary.boundary))

    def copy(self) -> AdaptiveTextState:
        """Return a state that reads and learns independently of this one."""
        return AdaptiveTextState(self._vocabulary, self._reading.copy(), self._context.seen, self._sums)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return AdaptiveTextState, (self._vocabulary, self._reading, self._context.seen, self._sums)

    def _advance(self, ids: Ids, *, learn: bool | None = None, drawn: bool = False) -> AdaptiveTextState:
        """Read ids, and learn from them unless they were drawn; an interruption leaves the state unchanged."""
        reading, surprisal = self._reading.read(ids, learn=not drawn and learn is not False)
        seen = seen_after(self._context.seen, ids, self._vocabulary.boundary)
        sums, context = self._sums.after(-surprisal), Context(reading.state, seen)
        self._reading, self._context, self._sums = reading, context, sums
        return self
