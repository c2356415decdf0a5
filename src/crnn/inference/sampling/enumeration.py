"""Enumeration: a model's documents in order of decreasing probability, by best-first search.

No continuation of a string is more probable than the string. So if the most probable of all waiting strings is
complete, every more probable document has already been found.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.symbols.vocabulary import Vocabulary
from ..network.protocol import InferenceNetwork, State, log_softmax

BEGINNINGS = 64  # prefixes continued in parallel: enough for the register tile

Array = NDArray[Any]


class EnumeratedDocuments(NamedTuple):
    """The most probable documents, the most probable first."""

    documents: list[Any]
    log_probs: NDArray[np.float64]  # log P of each, including its end, in nats
    bound: float  # every document with a larger log P is in the list


def enumerated_documents(
    network: InferenceNetwork, vocabulary: Vocabulary, n: int, max_beginnings: int
) -> EnumeratedDocuments:
    """Return the n most probable documents; see `LanguageModel.enumerate_documents`."""
    if vocabulary.boundary is None:
        raise InvalidInputError(
            "enumerate_documents needs a model of documents, but this one was fitted on one text and has no document "
            "ends. Use beam_search(n), or fit on a list."
        )
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    found, bound = most_probable(network, n, max_beginnings, end=vocabulary.boundary, forbidden=forbidden)
    documents = [vocabulary.decode(np.array(ids, np.intp)) for ids, _ in found]
    return EnumeratedDocuments(documents, np.array([log_p for _, log_p in found]), bound)


class _Beginning:
    """A prefix that has been read: its ids, its state, and its possible next symbols, the most probable first."""

    __slots__ = ("ids", "log_p", "state", "symbols")

    def __init__(self, ids: tuple[int, ...], log_p: Array, state: State) -> None:
        self.ids, self.state = ids, state
        order = np.argsort(-log_p, kind="stable")
        self.symbols = order[: int(np.count_nonzero(log_p > -np.inf))].astype(np.int32)
        self.log_p = log_p[self.symbols]  # of the string with each of the symbols appended


def most_probable(
    network: InferenceNetwork, n: int, max_beginnings: int, *, end: int, forbidden: Collection[int] = ()
) -> tuple[list[tuple[tuple[int, ...], float]], float]:
    """Return up to n documents as ids with their log P, the most probable first, and a bound: every document with a
    larger log P is among them.

    At most `max_beginnings` prefixes are read, rounded up to a multiple of `BEGINNINGS`.
    """
    # The waiting strings: -log P, a tie-breaking number, a prefix, and the rank of its next symbol.
    # For each prefix, only the most probable string not yet taken is waiting.
    waiting: list[tuple[float, int, _Beginning, int]] = []
    numbers = itertools.count()
    n_read, found = 0, list[tuple[tuple[int, ...], float]]()

    def wait(beginning: _Beginning, rank: int) -> None:
        if rank < len(beginning.symbols):
            heapq.heappush(waiting, (-float(beginning.log_p[rank]), next(numbers), beginning, rank))

    start = network.start()
    first = _follow(network, start, np.zeros(1), forbidden)[0]
    wait(_Beginning((), first, start), 0)
    while waiting:
        taken = list[tuple[float, _Beginning, int]]()
        while waiting and len(taken) < BEGINNINGS:
            cost, _, beginning, rank = waiting[0]
            symbol = int(beginning.symbols[rank])
            if symbol == end and taken:
                break  # a continuation of those taken may be more probable
            heapq.heappop(waiting)
            wait(beginning, rank + 1)
            if symbol != end:
                taken.append((-cost, beginning, symbol))
                continue
            found.append((beginning.ids, -cost))
            if len(found) == n:
                return found, -cost
        if not taken:
            continue
        if n_read >= max_beginnings:
            return found, taken[0][0]
        n_read += len(taken)
        for new in _read(network, taken, forbidden):
            wait(new, 0)
    return found, -math.inf


def _read(
    network: InferenceNetwork, taken: list[tuple[float, _Beginning, int]], forbidden: Collection[int]
) -> list[_Beginning]:
    """Read strings, each a prefix plus one symbol, and return them as prefixes."""
    state = network.join([beginning.state for _, beginning, _ in taken])
    network.feed(np.array([[symbol for _, _, symbol in taken]], np.int32), state)
    log_p = _follow(network, state, np.array([log_p for log_p, _, _ in taken]), forbidden)
    return [
        _Beginning((*beginning.ids, symbol), log_p[k], network.select(state, np.array([k])))
        for k, (_, beginning, symbol) in enumerate(taken)
    ]


def _follow(network: InferenceNetwork, state: State, log_p: Array, forbidden: Collection[int]) -> Array:
    """Return log P (B, V) of strings with each symbol appended."""
    follow = log_softmax(network.logits_after(state))
    follow[:, list(forbidden)] = -np.inf
    return np.asarray(log_p[:, None] + follow)
