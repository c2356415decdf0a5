"""Search: the most probable continuations of a text, and documents in order of probability."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError, short_repr
from ..inference.network import InferenceNetwork, State, largest, log_softmax, stream_blocks
from ..matching.trials import Guide
from ..runtime.machine import check_free_memory
from ..sampling.controls import encoded_stops
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings
from ..text.vocabulary import Vocabulary, immutable

BYTES_PER_SYMBOL = 8  # of each beam: room for the logits in the memory of a network's call
MANY_SYMBOLS = 64  # symbols: even of two, more continuations than any number of beams


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


def best_of_list(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    state: State,
    among: Any,
    prime: Any,
    count: int,
    n_threads: int | None,
) -> list[tuple[Any, float]]:
    """Return the most probable of the texts that begin with the prime, without it, each with its log P in nats.

    `state` is the one after the prime. The log P of a document includes its end.
    """
    texts = checked_texts_of_list(as_list(among), vocabulary)
    rests = {text[len(prime) :]: i for i, text in reversed([*enumerate(texts)]) if text.startswith(prime)}
    if not rests:
        return []
    in_order = sorted(rests, key=lambda rest: rests[rest])
    end = np.array([] if vocabulary.boundary is None else [vocabulary.boundary], np.int32)
    ids = []
    for rest in in_order:
        encoded = vocabulary.encode(rest, name=f"among[{rests[rest]}]") if rest else end[:0]
        ids.append(np.append(encoded, end))
    log_p = log_likelihoods(network, Strings.join(ids), state, n_threads)
    best = np.argsort(-log_p, kind="stable")[:count]
    return [(in_order[k], float(log_p[k])) for k in best]


def as_list(among: Any) -> list[Any]:
    """Return the items of an iterable of texts as a list, a list itself unchanged."""
    if isinstance(among, str | bytes | bytearray | memoryview | Mapping) or not isinstance(among, Iterable):
        raise InvalidInputError(f"among must be a list of texts, not {short_repr(among)}")
    return among if type(among) is list else list(among)


def checked_texts_of_list(among: list[Any], vocabulary: Vocabulary) -> list[Any]:
    """Return the texts of a list after checking their kind."""
    texts = []
    for i, text in enumerate(among):
        vocabulary.check_kind(text, f"among[{i}]")
        texts.append(immutable(text))
    return texts


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
        for part, _, follow in _following(network, state, len(texts), forbidden):
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
        for part, part_state, follow in _following(network, state, len(texts), forbidden):
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


def _following(
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


def check_beam_memory(vocab_size: int, length: int, n_beams: int) -> None:
    """Raise an error if the logits of all beams would not fit in memory, the networks' states not counted."""
    needed = min(n_beams, vocab_size ** min(length, MANY_SYMBOLS)) * vocab_size * BYTES_PER_SYMBOL
    check_free_memory(needed, f"n_beams is {n_beams}, and so many continuations", "Pass fewer beams.")


# ---------------------------------------------------------------- enumeration
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
    """A prefix that has been read: its ids, its state, and its possible next symbols, the most promising first."""

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
        if rank < len(beginning.symbols):
            heapq.heappush(waiting, (-float(beginning.promise[rank]), next(numbers), beginning, rank))

    def search() -> float:
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
    for part, part_state, follow in _following(network, state, len(log_p), forbidden):
        np.add(log_p[part, None], follow, out=total[part])
        if guide is not None:
            np.add(total[part], guide.log_values(part_state, q[part]), out=promise[part])
    return total, promise
