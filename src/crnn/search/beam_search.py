"""Beam search: the most probable continuations of a text."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.beams import check_beam_memory
from ..inference.network import InferenceNetwork, State, largest, log_softmax, stream_blocks
from ..matching.goal import Guide
from ..sampling.controls import encoded_stops
from ..text.vocabulary import Vocabulary


def best_continuations(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    state: State,
    length: int,
    n_beams: int,
    guide: Guide | None = None,
) -> list[tuple[Any, float]]:
    """Return the results of `beam_search` after a state as texts, each with its log P in nats, the best first."""
    check_beam_memory(len(vocabulary), length, n_beams)
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    best = beam_search(network, state, length, n_beams, forbidden=forbidden, end=vocabulary.boundary, guide=guide)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in best]


def best_completions(
    network: InferenceNetwork, vocabulary: Vocabulary, state: State, length: int, n_beams: int, stop: Any
) -> list[tuple[Any, float]]:
    """Return the results of `completions` after a state as texts, each with its log P in nats, the best first."""
    check_beam_memory(len(vocabulary), length, n_beams)
    stops = encoded_stops(stop, vocabulary)
    for i, ids in enumerate(stops):
        if len(ids) > 1:
            raise InvalidInputError(
                f"stop[{i}] is {vocabulary.decode(ids)!r}, but beam_search needs stops of one character, whose "
                'probabilities add up. Pass a list such as [" ", ".", ","].'
            )
    ends = np.unique([int(ids[0]) for ids in stops] + [i for i in (vocabulary.boundary,) if i is not None])
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    best = completions(network, state, length, n_beams, ends.astype(np.intp), forbidden)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in best]


def completions(
    network: InferenceNetwork,
    state: State,
    length: int,
    n_beams: int,
    ends: NDArray[np.intp],
    forbidden: Collection[int] = (),
) -> list[tuple[NDArray[np.int32], float]]:
    """Return up to `n_beams` texts of 1 to `length` symbols before any of the symbols `ends`, the best first.

    The probabilities of the ends add up: log P counts the text and an end after it.
    """
    texts = np.empty((1, 0), np.int32)
    log_p = np.zeros(1)
    V = network.symbols
    completed: list[tuple[NDArray[np.int32], float]] = []
    for t in range(length + 1):
        best = NO_STRINGS
        for part, _, follow in following_symbols(network, state, len(texts), forbidden):
            if t:
                complete = log_p[part] + np.logaddexp.reduce(follow[:, ends], axis=1)
                completed += zip(texts[part], complete.tolist(), strict=True)
            follow[:, ends] = -np.inf
            total = log_p[part, None] + follow
            best = best.among(part.start * V, total, total, n_beams)
        completed = sorted(completed, key=lambda item: -item[1])[:n_beams]
        least = completed[-1][1] if len(completed) == n_beams else -math.inf
        possible = np.count_nonzero(best.log_p > least)  # the first ones
        if t == length or not possible:
            break
        parent, symbol = np.divmod(best.numbers[:possible], V)
        texts = _append_symbols(texts, parent, symbol)
        log_p = best.log_p[:possible]
        state = network.select(state, parent)
        network.feed(symbol.astype(np.int32)[None], state)
    return completed


def beam_search(
    network: InferenceNetwork,
    state: State,
    length: int,
    n_beams: int,
    *,
    forbidden: Collection[int] = (),
    end: int | None = None,
    guide: Guide | None = None,
) -> list[tuple[NDArray[np.int32], float]]:
    """Return up to `n_beams` probable continuations of `length` symbols, the best first, each with its log P in nats.

    The `end` symbol ends a continuation; its probability counts, but it is not returned. With a guide, all match its
    goal.
    """
    end = -1 if end is None else end
    texts = np.empty((1, 0), np.int32)
    log_p = np.zeros(1)
    V = network.symbols
    q = np.array([0 if guide is None else guide.goal.start])
    ended: list[tuple[NDArray[np.int32], float]] = []
    if guide is not None and guide.goal.start == len(guide.goal.table):
        return [(texts[0], 0.0)]  # the empty continuation matches
    for t in range(length if guide is None or end < 0 else length + 1):  # a document matches if it then ends
        best = NO_STRINGS
        n_ended = len(ended)
        if ended:  # finished continuations compete with unfinished ones
            ended_log_p = np.array([p for _, p in ended])
            best = _Best(np.arange(n_ended), ended_log_p, ended_log_p)
        for part, part_state, follow in following_symbols(network, state, len(texts), forbidden):
            total = log_p[part, None] + follow
            promise = total if guide is None else total + guide.log_values_within(part_state, q[part], length - t - 1)
            best = best.among(n_ended + part.start * V, promise, total, n_beams)
        numbers = best.numbers
        log_p = best.log_p
        if ended:
            is_new = numbers >= n_ended
            ended = [ended[i] for i in numbers[~is_new]]
            numbers = numbers[is_new] - n_ended
            log_p = log_p[is_new]
        parent, symbol = np.divmod(numbers, V)
        q = q[parent] if guide is None else guide.goal.after(q[parent], symbol)
        done = symbol == end if guide is None else q == len(guide.goal.table)
        texts = _append_symbols(texts, parent, symbol)
        if done.any():
            ended += [(texts[i, : t + (symbol[i] != end)], float(log_p[i])) for i in np.flatnonzero(done)]
            texts, log_p, q, parent, symbol = (array[~done] for array in (texts, log_p, q, parent, symbol))
        if not len(texts):
            break
        state = network.select(state, parent)
        network.feed(symbol.astype(np.int32)[None], state)
    candidates = ended if guide is not None else [*ended, *zip(texts, log_p.tolist(), strict=True)]
    return sorted(candidates, key=lambda item: -item[1])


def following_symbols(
    network: InferenceNetwork, state: State, streams: int, forbidden: Collection[int]
) -> Iterator[tuple[slice, State, NDArray[np.float64]]]:
    """Yield some streams at a time, their state, and log P of their next symbols (B, V), -inf for forbidden ones."""
    for part, part_state in stream_blocks(network, state, streams):
        follow = log_softmax(network.logits_after(part_state))[:, : network.symbols]
        if forbidden:
            follow[:, list(forbidden)] = -np.inf
        yield part, part_state, follow


def _append_symbols(texts: NDArray[np.int32], parent: NDArray[np.intp], symbol: NDArray[np.intp]) -> NDArray[np.int32]:
    """Return some of the texts, each with a symbol appended."""
    return np.concatenate([texts[parent], symbol[:, None]], axis=1, dtype=np.int32, casting="same_kind")


class _Best(NamedTuple):
    """The most promising of some numbered continuations, the best first, ties in ascending order."""

    numbers: NDArray[np.intp]
    promise: NDArray[np.float64]
    log_p: NDArray[np.float64]

    def among(self, first: int, promise: NDArray[np.float64], log_p: NDArray[np.float64], count: int) -> _Best:
        """Return the `count` best of these and of further ones, numbered from `first`."""
        if not len(self.numbers):  # mostly: a few symbols take no second block
            chosen = largest(promise.ravel(), count)
            same = log_p is promise
            best = promise.ravel()[chosen]
            return _Best(chosen + first, best, best if same else log_p.ravel()[chosen])
        promise = np.concatenate([self.promise, promise.ravel()])
        chosen = largest(promise, count)
        numbers = np.concatenate([self.numbers, np.arange(first, first + log_p.size)])[chosen]
        return _Best(numbers, promise[chosen], np.concatenate([self.log_p, log_p.ravel()])[chosen])


NO_STRINGS = _Best(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))
