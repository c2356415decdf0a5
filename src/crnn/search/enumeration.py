"""Documents in descending order of probability."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.network import InferenceNetwork, State
from ..matching.goal import Guide
from ..text.vocabulary import Vocabulary
from .beam_search import following_symbols

# Best-first search: no continuation of a string is more probable than the string. So if the most probable of all
# waiting strings is complete, every more probable document has already been found. With a guide, it is A*.

PREFIXES_AT_A_TIME = 64  # prefixes continued in parallel: enough for the register tile


class EnumeratedDocuments(NamedTuple):
    """The most probable documents, the most probable first.

    Attributes
    ----------
    documents : list of str, or of bytes
        The documents.
    log_probs : ndarray of float64 and shape (n,)
        The log-probability of each document, including its end, in nats.
    bound : float
        Every document with a larger log-probability is in the list; with a pattern, every one that matches.
    match_log_prob : tuple of two floats
        Bounds of the log-probability that a document matches the pattern, equal for a `CharNGram`. Without a pattern
        every document matches, and both are 0.
    """

    documents: list[Any]
    log_probs: NDArray[np.float64]
    bound: float
    match_log_prob: tuple[float, float] = (0.0, 0.0)


def enumerated_documents(
    network: InferenceNetwork, vocabulary: Vocabulary, n_documents: int, max_prefixes: int, guide: Guide | None = None
) -> EnumeratedDocuments:
    """Return the `n_documents` most probable documents; see `LanguageModel.enumerate_documents`."""
    if vocabulary.boundary is None:
        raise InvalidInputError(
            "enumerate_documents needs a model of documents, but this one was fitted on one text and has no document "
            "ends. Use beam_search(length), or fit on a list."
        )
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    options: Any = {"end": vocabulary.boundary, "forbidden": forbidden, "guide": guide}
    best, bound, left = most_probable(network, n_documents, max_prefixes, **options)
    documents = [vocabulary.decode(np.array(ids, np.intp)) for ids, _ in best]
    log_probs = np.array([log_p for _, log_p in best])
    if guide is None:
        return EnumeratedDocuments(documents, log_probs, bound)
    total = float(np.exp(log_probs).sum())
    with np.errstate(divide="ignore"):
        lower, upper = np.log([total, min(total + left, 1.0)]).tolist()
    return EnumeratedDocuments(documents, log_probs, bound, (lower, upper))


class _Beginning:
    """A prefix that has been read: its ids, its state, and its possible next symbols, the most promising first.

    `q` is the state of the guide's pattern after the prefix, 0 without a guide.
    """

    __slots__ = ("ids", "log_p", "promise", "q", "state", "symbols")

    def __init__(self, ids: tuple[int, ...], log_p: Array, promise: Array, state: State, q: int) -> None:
        self.ids = ids
        self.state = state
        self.q = q
        order = np.argsort(-promise, kind="stable")
        self.symbols = order[: int(np.count_nonzero(promise > -np.inf))].astype(np.int32)
        # Of the string with each of the symbols appended: its log P, and a bound for those that begin with it.
        self.log_p = log_p[self.symbols]
        self.promise = promise[self.symbols]


def most_probable(
    network: InferenceNetwork,
    n_documents: int,
    max_prefixes: int,
    *,
    end: int,
    forbidden: Collection[int] = (),
    guide: Guide | None = None,
) -> tuple[list[tuple[tuple[int, ...], float]], float, float]:
    """Return the most probable documents as ids with their log P, a bound of the others' log P, and what is left.

    The documents are up to `n_documents`, the most probable first. What is left is the probability of the strings not
    yet continued.
    """
    # Of each prefix, the most promising string not yet taken is waiting: minus the bound of log P, a tie-breaking
    # number, the prefix, and the rank of the next symbol.
    waiting: list[tuple[float, int, _Beginning, int]] = []
    numbers = itertools.count()
    n_read = 0
    documents = list[tuple[tuple[int, ...], float]]()
    taken = list[tuple[_Beginning, int]]()

    def wait(beginning: _Beginning, rank: int) -> None:
        """Let the prefix with its next symbol of this rank wait, if there are so many symbols."""
        if rank < len(beginning.symbols):
            heapq.heappush(waiting, (-float(beginning.promise[rank]), next(numbers), beginning, rank))

    def search() -> float:
        """Read the most promising prefixes until the documents are complete; return the bound of all others.

        `taken` keeps the prefixes taken from the queue but not continued: their probability is left, too.
        """
        nonlocal n_read, taken
        state = network.start()
        q = np.array([0 if guide is None else guide.goal.start])
        log_p, promise = _follow(network, state, np.zeros(1), forbidden, guide, q)
        wait(_Beginning((), log_p[0], promise[0], state, int(q[0])), 0)
        while waiting:
            taken = []
            while waiting and len(taken) < PREFIXES_AT_A_TIME:
                cost, _, beginning, rank = waiting[0]
                symbol = int(beginning.symbols[rank])
                if symbol == end and taken:
                    break  # a continuation of those taken may be more probable
                heapq.heappop(waiting)
                wait(beginning, rank + 1)
                if symbol != end:
                    taken.append((beginning, rank))
                    continue
                documents.append((beginning.ids, -cost))
                if len(documents) == n_documents:
                    return -cost
            if not taken:
                continue
            if n_read >= max_prefixes:
                return float(taken[0][0].promise[taken[0][1]])
            n_read += len(taken)
            for new in _read(network, taken, forbidden, guide):
                wait(new, 0)
        taken = []
        return -math.inf

    bound = search()
    left = sum(float(np.exp(beginning.log_p[rank:]).sum()) for _, _, beginning, rank in waiting)
    left += sum(math.exp(beginning.log_p[rank]) for beginning, rank in taken)
    return documents, bound, left


def _read(
    network: InferenceNetwork, taken: list[tuple[_Beginning, int]], forbidden: Collection[int], guide: Guide | None
) -> list[_Beginning]:
    """Read strings, each a prefix plus one symbol, and return them as prefixes."""
    state = network.join([beginning.state for beginning, _ in taken])
    symbols = np.array([beginning.symbols[rank] for beginning, rank in taken], np.int32)
    network.feed(symbols[None], state)
    q = np.array([beginning.q for beginning, _ in taken])
    q = q if guide is None else guide.goal.after(q, symbols)
    before = np.array([beginning.log_p[rank] for beginning, rank in taken])
    log_p, promise = _follow(network, state, before, forbidden, guide, q)
    states = [network.select(state, np.array([k])) for k in range(len(taken))]
    ids = [(*beginning.ids, int(beginning.symbols[rank])) for beginning, rank in taken]
    return [_Beginning(*prefix) for prefix in zip(ids, log_p, promise, states, q.tolist(), strict=True)]


def _follow(
    network: InferenceNetwork, state: State, log_p: Array, forbidden: Collection[int], guide: Guide | None, q: Array
) -> tuple[Array, Array]:
    """Return log P (B, V) of strings with each symbol appended, and a bound for those that begin with it and match."""
    total = np.empty((len(log_p), network.symbols))
    promise = total if guide is None else np.empty_like(total)
    for part, part_state, follow in following_symbols(network, state, len(log_p), forbidden):
        np.add(log_p[part, None], follow, out=total[part])
        if guide is not None:
            np.add(total[part], guide.log_values(part_state, q[part]), out=promise[part])
    return total, promise
