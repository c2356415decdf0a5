"""Context: the part of the text so far that determines the next symbol."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .protocol import InferenceNetwork, State

Ids = NDArray[Any]


class Context(NamedTuple):
    """The network's state after the text so far, and the symbols that the repetition penalty applies to.

    Its arrays are never changed, so that contexts may share them: copy the state before reading more.
    """

    state: State  # of one stream
    seen: NDArray[np.bool_]  # (V,): the symbols since the start of the text or document

    @classmethod
    def empty(cls, network: InferenceNetwork) -> Context:
        """Return the context before any text: a zero state."""
        return cls(network.empty_state(), np.zeros(network.symbols, np.bool_))

    @classmethod
    def after(cls, network: InferenceNetwork, ids: Ids) -> Context:
        """Return the context after the symbols `ids` (n,)."""
        if not len(ids):
            return cls.empty(network)
        if ids[0] == network.boundary:  # after which a network's state is always the same
            state, rest = network.start(), ids[1:]
        else:
            state, rest = network.zero_state(1), ids
        if len(rest):
            network.feed(rest.astype(np.int32).reshape(-1, 1), state)
        return cls(state, seen_after(np.zeros(network.symbols, np.bool_), ids, network.boundary))


def seen_after(seen: NDArray[np.bool_], ids: Ids, boundary: int | None) -> NDArray[np.bool_]:
    """Return the symbols seen after `ids`; a boundary clears the earlier ones and is not included.

    Examples
    --------
    >>> seen_after(np.array([True, False, False, False]), np.array([3, 1]), boundary=3)
    array([False,  True, False, False])
    """
    if len(ids) == 1 and (symbol := ids.item()) != boundary:  # the rest takes long for a character
        if not seen[symbol]:
            seen = seen.copy()
            seen[symbol] = True
        return seen
    seen = seen.copy()
    if boundary is not None and len(boundaries := np.flatnonzero(ids == boundary)):
        seen[:], ids = False, ids[boundaries[-1] + 1 :]
    seen[ids] = True
    return seen
