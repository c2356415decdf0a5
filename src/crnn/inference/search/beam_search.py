"""Beam search: the most probable continuations of a text."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...runtime.free_memory import check_free_memory
from ...text.symbols.vocabulary import Vocabulary
from ..matching.goal import Guide
from ..network.context import Context
from ..network.protocol import InferenceNetwork, State, largest, log_softmax, stream_blocks
from ..sampling.stopping import encoded_stops
from ..sampling.text_drawing import encoded_prime

BYTES_PER_SYMBOL = 8  # of each beam: room for the logits in the memory of a network's call
LONG = 64  # symbols: even of two, more continuations than any number of beams


def best_continuations(
    network: InferenceNetwork, vocabulary: Vocabulary, n: int, prime: Any, beams: int, guide: Guide | None = None
) -> list[tuple[Any, float]]:
    """Return the most probable continuations of a text, each with its log P in nats, the best first."""
    state = Context.after(network, encoded_prime(prime, vocabulary)).state
    return continuations_after(network, vocabulary, state, n, beams, guide)


def continuations_after(
    network: InferenceNetwork, vocabulary: Vocabulary, state: State, n: int, beams: int, guide: Guide | None = None
) -> list[tuple[Any, float]]:
    """Return the results of `beam_search` as texts, each with its log P in nats, the best first."""
    check_beam_memory(len(vocabulary), n, beams)
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    best = beam_search(network, state, n, beams, forbidden=forbidden, end=vocabulary.boundary, guide=guide)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in best]


def best_completions(
    network: InferenceNetwork, vocabulary: Vocabulary, state: State, n: int, beams: int, stop: Any
) -> list[tuple[Any, float]]:
    """Return the results of `completions` after a state as texts, each with its log P in nats, the best first."""
    check_beam_memory(len(vocabulary), n, beams)
    stops = encoded_stops(stop, vocabulary)
    for i, ids in enumerate(stops):
        if len(ids) > 1:
            raise InvalidInputError(
                f"stop[{i}] is {vocabulary.decode(ids)!r}, but beam_search needs stops of one character, whose "
                'probabilities add up. Pass a list such as [" ", ".", ","].'
            )
    ends = np.unique([int(ids[0]) for ids in stops] + [i for i in (vocabulary.boundary,) if i is not None])
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    best = completions(network, state, n, beams, ends.astype(np.intp), forbidden)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in best]


def completions(
    network: InferenceNetwork,
    state: State,
    n: int,
    beams: int,
    ends: NDArray[np.intp],
    forbidden: Collection[int] = (),
) -> list[tuple[NDArray[np.int32], float]]:
    """Return up to `beams` texts of 1 to n symbols before any of the symbols `ends`, the best first.

    The probabilities of the ends add up: log P counts the text and an end after it. The search is over when no
    unfinished text can be among the best any more.
    """
    texts, log_p, V = np.empty((1, 0), np.int32), np.zeros(1), network.symbols
    completed: list[tuple[NDArray[np.int32], float]] = []
    for t in range(n + 1):
        best = NOTHING
        for part, of_part in stream_blocks(network, state, len(texts)):
            follow = log_softmax(network.logits_after(of_part))[:, :V]
            follow[:, list(forbidden)] = -np.inf
            if t:
                complete = log_p[part] + np.logaddexp.reduce(follow[:, ends], axis=1)
                completed += zip(texts[part], complete.tolist(), strict=True)
            follow[:, ends] = -np.inf
            total = log_p[part, None] + follow
            best = best.among(part.start * V, total, total, beams)
        completed = sorted(completed, key=lambda item: -item[1])[:beams]
        least = completed[-1][1] if len(completed) == beams else -math.inf
        possible = np.count_nonzero(best.log_p > least)  # the first ones
        if t == n or not possible:
            break
        parent, symbol = np.divmod(best.numbers[:possible], V)
        texts, log_p = np.column_stack([texts[parent], symbol.astype(np.int32)]), best.log_p[:possible]
        state = network.select(state, parent)
        network.feed(np.ascontiguousarray(texts[:, -1:].T), state)
    return completed


def beam_search(
    network: InferenceNetwork,
    state: State,
    n: int,
    beams: int,
    *,
    forbidden: Collection[int] = (),
    end: int | None = None,
    guide: Guide | None = None,
) -> list[tuple[NDArray[np.int32], float]]:
    """Return the most probable continuations of n symbols that the search finds, the best first, each with its log P in
    nats.

    `beams` continuations are kept after each symbol; fewer are returned if there are no more. The `end` symbol ends a
    continuation; its probability counts, but it is not returned. With a guide, all continuations match its goal.
    """
    end = -1 if end is None else end
    texts, log_p, V = np.empty((1, 0), np.int32), np.zeros(1), network.symbols
    q = np.array([0 if guide is None else guide.goal.start])
    ended: list[tuple[NDArray[np.int32], float]] = []
    if guide is not None and guide.goal.start == len(guide.goal.rows):
        return [(texts[0], 0.0)]  # the empty continuation matches
    for t in range(n if guide is None or end < 0 else n + 1):  # a document of n symbols matches if it then ends
        of_ended = np.array([p for _, p in ended])  # finished continuations compete with unfinished ones
        best = _Best(np.arange(len(ended)), of_ended, of_ended)
        for part, of_part in stream_blocks(network, state, len(texts)):
            follow = log_softmax(network.logits_after(of_part))[:, :V]
            follow[:, list(forbidden)] = -np.inf
            total = log_p[part, None] + follow
            promise = total if guide is None else total + guide.log_values_within(of_part, q[part], n - t - 1)
            best = best.among(len(ended) + part.start * V, promise, total, beams)
        is_new = best.numbers >= len(ended)
        parent, symbol = np.divmod(best.numbers[is_new] - len(ended), V)
        q = q[parent] if guide is None else guide.goal.rows[q[parent], symbol]
        done = symbol == end if guide is None else q == len(guide.goal.rows)
        log_p = best.log_p[is_new]
        texts = np.column_stack([texts[parent], symbol.astype(np.int32)])
        ended = [ended[i] for i in best.numbers[~is_new]]
        ended += [(texts[i, : t + (symbol[i] != end)], float(log_p[i])) for i in np.flatnonzero(done)]
        texts, log_p, q = texts[~done], log_p[~done], q[~done]
        if not len(texts):
            break
        state = network.select(state, parent[~done])
        network.feed(np.ascontiguousarray(texts[:, -1:].T), state)
    candidates = ended if guide is not None else [*ended, *zip(texts, log_p.tolist(), strict=True)]
    return sorted(candidates, key=lambda item: -item[1])


class _Best(NamedTuple):
    """The most promising of some numbered continuations, the best first, ties in ascending order."""

    numbers: NDArray[np.intp]
    promise: NDArray[np.float64]
    log_p: NDArray[np.float64]

    def among(self, first: int, promise: NDArray[np.float64], log_p: NDArray[np.float64], count: int) -> _Best:
        """Return the `count` best of these and of further ones, numbered from `first`."""
        if not len(self.numbers):  # mostly: a few symbols take no second block
            chosen, same = largest(promise.ravel(), count), log_p is promise
            best = promise.ravel()[chosen]
            return _Best(chosen + first, best, best if same else log_p.ravel()[chosen])
        promise = np.concatenate([self.promise, promise.ravel()])
        chosen = largest(promise, count)
        numbers = np.concatenate([self.numbers, np.arange(first, first + log_p.size)])[chosen]
        return _Best(numbers, promise[chosen], np.concatenate([self.log_p, log_p.ravel()])[chosen])


NOTHING = _Best(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))


def check_beam_memory(vocab_size: int, n: int, beams: int) -> None:
    """Raise an error if the logits of all beams would not fit in memory, the networks' states not counted."""
    needed = min(beams, vocab_size ** min(n, LONG)) * vocab_size * BYTES_PER_SYMBOL
    check_free_memory(needed, f"beams is {beams}, and so many continuations", "Pass fewer beams.")
