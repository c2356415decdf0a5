"""Beam search: the most probable continuations of a text."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...runtime.free_memory import available_bytes
from ...text.symbols.vocabulary import Vocabulary
from ..matching.goal import Guide
from ..network.context import Context
from ..network.protocol import InferenceNetwork, State, log_softmax
from .stopping import encoded_stops
from .text_drawing import encoded_prime

BYTES_PER_SYMBOL = 40  # of each beam: five arrays of 8 bytes per symbol of the vocabulary
LONG = 64  # symbols: even of two, more continuations than any number of beams
GB = 1e9
SMALL = 0.1 * GB  # bytes; below it, free memory is not asked for: that would take longer than a short search


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
    _check_free_memory(len(vocabulary), n, beams)
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    found = beam_search(network, state, n, beams, forbidden=forbidden, end=vocabulary.boundary, guide=guide)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in found]


def best_completions(
    network: InferenceNetwork, vocabulary: Vocabulary, state: State, n: int, beams: int, stop: Any
) -> list[tuple[Any, float]]:
    """Return the results of `completions` after a state as texts, each with its log P in nats, the best first."""
    _check_free_memory(len(vocabulary), n, beams)
    stops = encoded_stops(stop, vocabulary)
    for i, ids in enumerate(stops):
        if len(ids) > 1:
            raise InvalidInputError(
                f"stop[{i}] is {vocabulary.decode(ids)!r}, but beam_search needs stops of one character, whose "
                'probabilities add up. Pass a list such as [" ", ".", ","].'
            )
    ends = np.unique([int(ids[0]) for ids in stops] + [i for i in (vocabulary.boundary,) if i is not None])
    forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
    found = completions(network, state, n, beams, ends.astype(np.intp), forbidden)
    return [(vocabulary.decode(ids), log_prob) for ids, log_prob in found]


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
    texts, log_p = np.empty((1, 0), np.int32), np.zeros(1)
    found: list[tuple[NDArray[np.int32], float]] = []
    for t in range(n + 1):
        follow = log_softmax(network.logits_after(state))[:, : network.symbols]
        follow[:, list(forbidden)] = -np.inf
        if t:
            complete = log_p + np.logaddexp.reduce(follow[:, ends], axis=1)
            found += zip(texts, complete.tolist(), strict=True)
            found = sorted(found, key=lambda item: -item[1])[:beams]
        follow[:, ends] = -np.inf
        total = (log_p[:, None] + follow).ravel()
        best = _largest(total, beams)
        least = found[-1][1] if len(found) == beams else -math.inf
        best = best[total[best] > least]
        if t == n or not len(best):
            break
        parent, symbol = np.divmod(best, follow.shape[1])
        texts, log_p = np.column_stack([texts[parent], symbol.astype(np.int32)]), total[best]
        state = network.select(state, parent)
        network.feed(np.ascontiguousarray(texts[:, -1:].T), state)
    return found


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
    texts, log_p = np.empty((1, 0), np.int32), np.zeros(1)
    q = np.array([0 if guide is None else guide.goal.start])
    ended: list[tuple[NDArray[np.int32], float]] = []
    if guide is not None and guide.goal.start == len(guide.goal.rows):
        return [(texts[0], 0.0)]  # the empty continuation matches
    for t in range(n if guide is None or end < 0 else n + 1):  # a document of n symbols matches if it then ends
        follow = log_softmax(network.logits_after(state))[:, : network.symbols]
        follow[:, list(forbidden)] = -np.inf
        total = log_p[:, None] + follow
        promise = total if guide is None else total + guide.log_values_within(state, q, n - t - 1)
        # Finished continuations compete with unfinished ones.
        best = _largest(np.concatenate([[p for _, p in ended], promise.ravel()]), beams)
        old, new = best[best < len(ended)], best[best >= len(ended)] - len(ended)
        parent, symbol = np.divmod(new, follow.shape[1])
        q = q[parent] if guide is None else guide.goal.rows[q[parent], symbol]
        done = symbol == end if guide is None else q == len(guide.goal.rows)
        log_p = total[parent, symbol]
        texts = np.column_stack([texts[parent], symbol.astype(np.int32)])
        ended = [ended[i] for i in old]
        ended += [(texts[i, : t + (symbol[i] != end)], float(log_p[i])) for i in np.flatnonzero(done)]
        texts, log_p, q = texts[~done], log_p[~done], q[~done]
        if not len(texts):
            break
        state = network.select(state, parent[~done])
        network.feed(np.ascontiguousarray(texts[:, -1:].T), state)
    found = ended if guide is not None else [*ended, *zip(texts, log_p.tolist(), strict=True)]
    return sorted(found, key=lambda item: -item[1])


def _check_free_memory(vocab_size: int, n: int, beams: int) -> None:
    """Raise an error if the arrays of a step would not fit in memory, the networks' states not counted."""
    needed = min(beams, vocab_size ** min(n, LONG)) * vocab_size * BYTES_PER_SYMBOL
    available = available_bytes() if needed > SMALL else None
    if available is not None and needed > available:
        raise InvalidInputError(
            f"beams is {beams}, and so many continuations need at least {needed / GB:,.1f} GB of memory, but "
            f"{available / GB:,.1f} GB are available. Pass fewer beams."
        )


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the indices of the `count` largest values above -inf, in descending order, ties in ascending order."""
    places = np.flatnonzero(values > -np.inf)
    if len(places) > count:
        # Sort the candidates only. All ties of the smallest one are candidates, so that the first of them is kept.
        smallest = np.partition(values[places], len(places) - count)[len(places) - count]
        places = places[values[places] >= smallest]
    return places[np.argsort(-values[places], kind="stable")][:count]
