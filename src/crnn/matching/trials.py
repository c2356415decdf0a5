"""Matching: exact samples of texts that match a pattern, and the probability of a match."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..errors import InvalidInputError, short_repr
from ..inference.network import Context, InferenceNetwork, State, largest, rows_of_call
from ..runtime.machine import check_free_memory
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads
from ..sampling.controls import OFF, SamplingControls, SamplingOptions, Uniforms, root
from ..sampling.text_sampler import (
    DEFAULT_MAX_LENGTH,
    TextRequest,
    document_head,
    draw_parts,
    encoded_prime,
    text_length,
    text_sampler,
)
from ..scoring.strings import Strings
from ..text.vocabulary import Vocabulary, immutable
from .pattern import DEAD, Automaton, automaton

T = TypeVar("T")
Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


class Trials(Protocol):
    """A sampler of texts that match: a trial returns a text that matches with probability p(text) / upper."""

    upper: float  # bounds of the probability of a match
    lower: float

    def probability(self, length: int | None) -> float | None:
        """Return the probability of a match within a number of symbols, if given; None if it can only be estimated."""
        return None

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], Integers]:
        """Try to draw a text that matches with each stream of random numbers.

        Returns the texts (B, n), of at most n symbols, and their lengths (B,), -1 where the trial has failed. A caller
        keeps the texts that succeeded: they have the model's distribution, given that they match.
        """


# ---------------------------------------------------------------- prefix tree

TREE_SIZES = (1024, 4096, 24576)  # prefixes in the tree; the next size if too few trials succeed
PILOT_TRIALS = 512  # trials that decide on the next size
ENOUGH_SUCCESSES = 0.5  # share of successful pilot trials above which the tree grows no more
PILOT_LENGTH = 1000  # maximum symbols of a pilot trial
# Prefixes read at a time: at least 64, and a fourth of those in the tree.
MIN_ROUND = 64
ROUND_FRACTION = 4
PLAIN_TRIALS = 0.05  # finish by plain sampling where at least this share of the trials leaves the tree
MAX_NUMBERS = 1 << 22  # probabilities of all prefixes
MAX_STATE_BYTES = 1 << 28  # of all prefixes' states


class _Prefixes(NamedTuple):
    """Prefixes: their probability, the prefix one symbol shorter, the last symbol, and the goal state."""

    p: Floats
    parents: Integers
    symbols: Integers
    q: Integers

    def take(self, chosen: Integers) -> _Prefixes:
        """Return the prefixes at these places, such as those to be read next."""
        return _Prefixes(self.p[chosen], self.parents[chosen], self.symbols[chosen], self.q[chosen])


class PrefixTree(Trials):
    """The most probable prefixes of texts that can match, with a bound on the probability of a match after each.

    For a prefix outside the tree the bound is 1. A trial draws each symbol with probability
    p * (bound after it) / (bound before it) and fails with what is left. The tree does not depend on the seed.
    """

    def __init__(self, network: InferenceNetwork, goal: Goal, state: State, controls: SamplingControls) -> None:
        self._network = network
        self._goal = goal
        self._controls = controls
        most = min(TREE_SIZES[-1], MAX_NUMBERS // network.symbols, MAX_STATE_BYTES // max(1, _n_bytes(state)))
        # The prefixes in the tree, round by round; p of the symbols after which they can match, and their states.
        self._rounds = list[_Prefixes]()
        self._p = list[Floats]()
        self._states = list[State]()
        self._size = 0
        nothing = np.zeros(0, np.intp)
        self._waiting = _Prefixes(np.zeros(0), nothing, nothing, nothing)
        self._read(network.copy(state), _Prefixes(np.ones(1), nothing, nothing, np.array([goal.start])))
        for size in TREE_SIZES:
            self._grow(min(size, most), most)
            self._freeze()
            if size >= most or self.lower >= ENOUGH_SUCCESSES * self.upper or not len(self._waiting.p):
                break
            _, lengths = self.run(Uniforms(root(0), range(PILOT_TRIALS)), PILOT_LENGTH)
            if (lengths >= 0).mean() >= ENOUGH_SUCCESSES:
                break

    def _grow(self, size: int, most: int) -> None:
        """Read the most probable waiting prefixes until the tree has this many, later at most `most`."""
        while self._size < size and len(self._waiting.p):
            check_canceled()
            order = largest(self._waiting.p, most)  # there will be no room for the others
            count = min(max(MIN_ROUND, self._size // ROUND_FRACTION), size - self._size, len(order))
            chosen = self._waiting.take(order[:count])
            self._waiting = self._waiting.take(order[count:])
            starts = np.cumsum([0, *(len(read.q) for read in self._rounds)])
            round_of_prefix = np.searchsorted(starts, chosen.parents, side="right") - 1
            chosen = chosen.take(np.argsort(round_of_prefix, kind="stable"))
            rounds, firsts = np.unique(np.sort(round_of_prefix), return_index=True)
            parents = zip(rounds, np.split(chosen.parents, firsts[1:]), strict=True)
            before = [self._network.select(self._states[k], part - starts[k]) for k, part in parents]
            state = self._network.join(before)
            self._network.feed(chosen.symbols.astype(np.int32)[None], state)
            self._read(state, chosen)

    def _read(self, state: State, prefixes: _Prefixes) -> None:
        """Add prefixes to the tree, and the prefixes one symbol longer to those that wait."""
        goal = self._goal
        S = len(self._goal.table)
        p = self._probabilities(state)
        after = goal.after_each(prefixes.q)
        p[after > S] = 0
        waits = (p > 0) & (after < S)
        waits[waits] = ~goal.certain[after[waits]]
        rows, symbols = np.nonzero(waits)
        more = (prefixes.p[:, None] * p)[waits], rows + self._size, symbols, after[waits].astype(np.intp)
        joined: Any = map(np.concatenate, zip(self._waiting, more, strict=True))
        self._waiting = _Prefixes(*joined)
        self._rounds.append(prefixes)
        self._p.append(p)
        self._states.append(state)
        self._size += len(p)

    def _freeze(self) -> None:
        """Sum the bounds from the longest prefixes to the empty one."""
        S = len(self._goal.table)
        p = np.concatenate(self._p)
        prefix_p, parents, symbols, self._q = map(np.concatenate, zip(*self._rounds, strict=True))
        after = self._goal.after_each(self._q)
        self._children = np.full(p.shape, -1, np.intp)
        self._children[parents, symbols] = np.arange(1, len(p))
        upper = p.copy()
        certain = after == S
        certain[after < S] = self._goal.certain[after[after < S]]
        lower = p * certain
        self._cumulated = np.empty_like(p)
        end = len(p)
        for round_p in self._p[::-1]:
            rows = slice(end - len(round_p), end)
            end -= len(round_p)
            self._cumulated[rows] = np.cumsum(upper[rows], axis=1)
            low = lower[rows].sum(axis=1)
            if end:
                parent_rows = slice(rows.start - 1, rows.stop - 1)  # the first prefix has no parent
                above = parents[parent_rows], symbols[parent_rows]
                upper[above] *= self._cumulated[rows, -1]
                lower[above] = p[above] * low
        self.upper = float(self._cumulated[0, -1])
        self.lower = float(lower[0].sum())
        # Where a document leaves the tree often, and matches whatever follows, it is drawn like any other text.
        self._plain = certain & (after < S) & (prefix_p[:, None] * p >= PLAIN_TRIALS * self.upper)
        self._state = self._network.join(self._states)

    def _probabilities(self, state: State) -> Floats:
        """Return the probabilities of the next symbols (B, V), after the controls."""
        y = np.array(self._network.logits_after(state)[:, : self._network.symbols], np.float64, order="C")
        order = np.empty(y.shape[1], np.int32)
        core.filter_logits(y, core.Controls(self._controls.numbers, bias=self._controls.bias, order=order))
        y /= y.sum(axis=1, keepdims=True)
        return y

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], Integers]:
        """Try to draw a text that matches with each stream of random numbers; see `Trials`."""
        trials = _Trials(self._goal, uniforms, n)
        rows = rows_of_call(self._network.symbols)
        for first in range(0, len(uniforms.states), rows):
            self._run(trials, uniforms, np.arange(first, min(first + rows, len(uniforms.states))))
        return trials.texts, trials.lengths

    def _run(self, trials: _Trials, uniforms: Uniforms, numbers: Integers) -> None:
        """Draw the texts of the trials with these numbers, and write them into `trials`.

        A trial begins within the tree, where its bounds are known. A trial that leaves the tree goes on with the
        network's probabilities, and fails where no match can follow.
        """
        left = self._draw_within_tree(trials, numbers)
        left = self._draw_plain(trials, uniforms, left)
        self._draw_beyond_tree(trials, left)

    def _draw_within_tree(self, trials: _Trials, numbers: Integers) -> _OpenTrials:
        """Draw symbols until each of the trials is complete, has failed, or has left the tree; return the latter.

        Each round draws one symbol of all trials that are still at a prefix of the tree, given by `nodes`.
        """
        nodes = np.zeros(len(numbers), np.intp)
        length = 0
        left = list[_OpenTrials]()
        while len(numbers):
            cumulated = self._cumulated[nodes]
            symbols = trials.choose(numbers, cumulated, cumulated[:, -1])
            q, going = trials.append(numbers, symbols, self._q[nodes], np.full(len(numbers), length))
            length += 1
            drawn = _OpenTrials(numbers, nodes, symbols, q, np.full(len(numbers), length)).take(going)
            children = self._children[drawn.nodes, drawn.symbols]
            left.append(drawn.take(children < 0))
            numbers = drawn.numbers[children >= 0]
            nodes = children[children >= 0]
        joined: Any = map(np.concatenate, zip(*left, strict=True))
        return _OpenTrials(*joined)

    def _draw_plain(self, trials: _Trials, uniforms: Uniforms, left: _OpenTrials) -> _OpenTrials:
        """Finish the trials that match whatever follows and left the tree at a frequent place; return the others.

        They are drawn like any other text, by a sampler for each of these places.
        """
        n = trials.texts.shape[1]
        is_plain = self._plain[left.nodes, left.symbols]
        plain = left.take(is_plain)
        for node, symbol in np.unique(np.stack([plain.nodes, plain.symbols], axis=1), axis=0).tolist():
            here = left.take((left.nodes == node) & (left.symbols == symbol))
            t = int(here.lengths[0])
            part = copy.copy(uniforms)
            state = self._network.select(self._state, np.array([node]))
            self._network.feed(np.full((1, 1), symbol, np.int32), state)
            part.states = uniforms.states[here.numbers]
            context = Context(state, np.zeros(self._network.symbols, np.bool_))
            sampler = text_sampler(self._network, context, n - t + 1, part, self._controls)  # the last is the end
            ids, lengths = sampler.run()
            rows, columns = np.nonzero(np.arange(n - t) < lengths[:, None])
            short = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < n - t
            trials.texts[here.numbers[rows], columns + t] = ids[short]
            trials.lengths[here.numbers] = np.where(sampler.ended_by(self._goal.end), t + lengths, -1)
        return left.take(~is_plain)

    def _draw_beyond_tree(self, trials: _Trials, left: _OpenTrials) -> None:
        """Finish trials by the network: each round reads their newest symbols, and draws one more of each."""
        state = self._network.select(self._state, left.nodes)
        while len(left.numbers):
            check_canceled()
            self._network.feed(left.symbols.astype(np.int32)[None], state)
            p = self._probabilities(state)
            totals = p.sum(axis=1)
            p[self._goal.after_each(left.q) > len(self._goal.table)] = 0
            symbols = trials.choose(left.numbers, np.cumsum(p, axis=1), totals)
            q, going = trials.append(left.numbers, symbols, left.q, left.lengths)
            left = left._replace(symbols=symbols, q=q, lengths=left.lengths + 1).take(going)
            state = self._network.select(state, np.flatnonzero(going))


class _OpenTrials(NamedTuple):
    """Trials that have left the tree; entry i of each array is about one of them."""

    numbers: Integers  # of the trials
    nodes: Integers  # the last prefix within the tree
    symbols: Integers  # the newest symbol, which the network has not read yet
    q: Integers  # the goal state after this symbol
    lengths: Integers  # how many symbols have been drawn

    def take(self, chosen: NDArray[Any]) -> _OpenTrials:
        """Return the trials at some places, given by a mask."""
        return _OpenTrials(*(array[chosen] for array in self))


class _Trials:
    """Trials under way: what they have drawn so far."""

    def __init__(self, goal: Goal, uniforms: Uniforms, n: int) -> None:
        self._goal = goal
        self._uniforms = uniforms
        B = len(uniforms.states)
        self.texts = np.empty((B, n), np.int32)
        self.lengths = np.full(B, -1, np.intp)

    def choose(self, trials: Integers, cumulated: Floats, totals: Floats) -> Integers:
        """Return a symbol for each trial, V if the trial fails."""
        states = self._uniforms.states[trials]
        u = np.empty((1, len(trials)))
        core.uniforms(states, self._uniforms.increment, u)
        self._uniforms.states[trials] = states
        return np.asarray((cumulated <= (u[0] * totals)[:, None]).sum(axis=1))

    def append(
        self, trials: Integers, symbols: Integers, q: Integers, times: Integers
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """Append symbols at their times; return the goal states after them, and the trials that continue."""
        goal = self._goal
        S = len(self._goal.table)
        n = self.texts.shape[1]
        drawn = symbols < len(goal.class_of)
        after = np.full(len(symbols), S + 1)
        after[drawn] = goal.after(q[drawn], symbols[drawn])
        is_text = drawn & (symbols != goal.end)
        fits = ~is_text | (times < n)
        written = is_text & fits
        self.texts[trials[written], times[written]] = symbols[written]
        done = fits & (after == S)
        self.lengths[trials[done]] = times[done] + is_text[done]
        going = written & (after < S)
        going[going] = goal.steps[after[going]] <= n - 1 - times[going]
        return after, going


def _n_bytes(state: Any) -> int:
    """Return the bytes of a network's state, made of arrays in tuples or lists, to limit the size of a tree."""
    return state.nbytes if isinstance(state, np.ndarray) else sum(map(_n_bytes, state))


# ---------------------------------------------------------------- goal


class Goal(NamedTuple):
    """The states of a text on its way to a match: at its end for a document, as soon as possible for running text."""

    table: NDArray[np.int32]  # (S, C): the state after each state and class; S: a match, S + 1: no text can match
    class_of: NDArray[np.int32]  # (V,): the class of each symbol
    steps: NDArray[np.int32]  # (S,): the least number of symbols to a match, not counting the end of a document
    certain: NDArray[np.bool_]  # (S,): whether a document matches whatever follows
    start: int  # the state after the prime; S if the empty text matches
    end: int  # the symbol that ends a document; -1 for running text

    @property
    def shortest(self) -> int:
        """The least number of symbols to a match, not counting the end of a document."""
        return int(self.steps[self.start]) if self.start < len(self.table) else 0

    @classmethod
    def of(cls, pattern: Any, vocabulary: Vocabulary, head: Any, bias: NDArray[np.float64] | None = None) -> Goal:
        """Return the goal of a pattern of the vocabulary's kind, for documents that begin with `head`.

        The head may have characters unknown to the model. Symbols with a `bias` (V,) of -inf never occur.
        """
        K, V = len(vocabulary.codes), len(vocabulary)
        symbols: list[Any] = [vocabulary[i] for i in range(K)]
        numbers = {symbol: i for i, symbol in enumerate(symbols)}
        head_ids = [numbers.setdefault(head[i : i + 1], len(numbers)) for i in range(len(head))]
        matcher = automaton(pattern, list(numbers))
        possible = np.ones(V, np.bool_) if bias is None else bias > -np.inf
        allowed = np.append(possible[:K], np.zeros(len(numbers) - K, np.bool_))
        start = matcher.after(head_ids)
        end = vocabulary.boundary
        if end is None:  # the text ends at its first match
            matcher.table[matcher.accepting] = DEAD
        least = matcher.minimal(start, allowed)
        if end is not None and not possible[end]:
            raise InvalidInputError("logit_bias forbids the end of a document, but a document must end to match.")
        if least is None:
            raise _nothing_matches(pattern, head if start == DEAD else "", matcher, forbidden=not possible[:K].all())
        S, C = least.table.shape  # two more classes: the end, and all other symbols without a character
        table = np.full((S, C + 2), S + 1, np.int32)
        table[:, :C] = np.where(least.table == DEAD, S + 1, least.table)
        class_of = np.full(V, C + 1, np.int32)
        class_of[:K] = least.class_of[:K]
        steps = least.steps_to_match()
        if end is None:
            table[:, :C][(least.table != DEAD) & least.accepting[least.table]] = S
            ended = bool(least.accepting[least.start])
            return cls(table, class_of, steps, np.zeros(S, np.bool_), S if ended else least.start, -1)
        table[least.accepting, C] = S
        class_of[end] = C
        return cls(table, class_of, steps, least.matches_whatever_follows(allowed), least.start, end)

    def after(self, q: NDArray[Any], symbols: NDArray[Any]) -> NDArray[np.int32]:
        """Follow one symbol from each of some states, and return the states that this leads to."""
        return np.asarray(self.table[q, self.class_of[symbols]])

    def after_each(self, q: Any) -> NDArray[np.int32]:
        """Follow every symbol from each of some states, less than S, and return the states, (…, V)."""
        return np.asarray(self.table[q][..., self.class_of])


class Guide:
    """What is known of a text's continuations: after each symbol, a bound of the most probable one that matches."""

    def __init__(self, goal: Goal, lookahead: Any = None) -> None:
        self.goal = goal
        self._lookahead = lookahead

    def log_values(self, state: Any, q: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the logarithms of the bounds, (B, V), for a network's state and goal states q."""
        if self._lookahead is not None:
            bounds: NDArray[np.float64] = self._lookahead.log_values(state, q)
            return bounds
        return np.where(self.goal.after_each(q) > len(self.goal.table), -np.inf, 0.0)

    def log_values_within(self, state: Any, q: NDArray[np.intp], n: int) -> NDArray[np.float64]:
        """Return the same, with -inf where n more symbols cannot suffice; -1 leaves only the end of a document."""
        bounds = self.log_values(state, q)
        after = self.goal.after_each(q)
        needed = np.append(self.goal.steps, [0, 0])[after]
        needed[:, [self.goal.end] if self.goal.end >= 0 else []] = -1
        return np.where(needed <= n, bounds, -np.inf)


def _nothing_matches(pattern: Any, head: Any, matcher: Automaton, *, forbidden: bool) -> InvalidInputError:
    """Return the error for a pattern that no text of the model matches."""
    text = f"matching is {short_repr(pattern)}, but no text of the model's symbols matches it"
    if len(head):
        return InvalidInputError(
            f"{text} and starts with prime={short_repr(head)}. The whole document must match, including the prime."
        )
    if matcher.lacking:
        characters = ", ".join(map(repr, matcher.lacking[:5]))
        return InvalidInputError(f"{text}: it has no {characters}. Write the pattern with characters of vocabulary_.")
    what = "the pattern, or what logit_bias forbids" if forbidden else "the pattern"
    return InvalidInputError(f"{text}. Change {what}.")


# ---------------------------------------------------------------- trials

# Trials before giving up: in all, and more for each sample found.
MAX_TRIALS = 1 << 18
TRIALS_PER_SAMPLE = 1000
# Trials at a time, and the maximum symbols of their texts.
MIN_BLOCK = 64
MAX_BLOCK = 1 << 10
BLOCK_SYMBOLS = 1 << 20
MIN_TRIALS_PER_THREAD = 256  # minimum trials of a thread
ESTIMATE_TRIALS = 1 << 14
MAX_CACHED_PATTERNS = 8  # patterns of a model
REFUSED_CONTROLS = ("repetition_penalty", "top_k", "top_p", "min_p", "stop")


@runtime_checkable
class HasLookahead(Protocol):
    """A network that can compute the probability of a match."""

    def lookahead(
        self,
        goal: Goal,
        state: State,
        temperature: float,
        bias: NDArray[np.float64] | None,
        *,
        maximum: bool = False,
    ) -> Trials | None:
        """Return a sampler for the goal after the state of one stream; None if it would take too much memory.

        With `maximum`, it knows bounds of the most probable match instead.
        """


class MatchProbability(NamedTuple):
    """The probability that a text matches a pattern.

    Attributes
    ----------
    estimate : float
        The estimated probability.
    lower : float
        A certain lower bound of the probability, equal to the estimate for a `CharNGram`.
    upper : float
        A certain upper bound of the probability, equal to the estimate for a `CharNGram`.
    """

    estimate: float
    lower: float
    upper: float


class Empty:
    """The sampler of a goal that the empty text meets."""

    upper = lower = 1.0

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Let every trial succeed with the empty text."""
        B = len(uniforms.states)
        return np.zeros((B, n), np.int32), np.zeros(B, np.intp)

    def probability(self, length: int | None) -> float:
        """Return 1: the empty text is within any length."""
        return 1.0


class LabelTrials(Trials):
    """The sampler of a model whose texts have one of several labels, drawn anew in each trial."""

    def __init__(self, log_weights: NDArray[np.float64], members: Sequence[Trials]) -> None:
        weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        self._members = members
        self._cumulated = np.cumsum([p * member.upper for p, member in zip(weights, members, strict=True)])
        self.upper = float(self._cumulated[-1])
        self.lower = float(sum(p * member.lower for p, member in zip(weights, members, strict=True)))

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Draw a label for each trial, and let the label's sampler make the trial."""
        labels = np.searchsorted(self._cumulated, uniforms.draw(1)[0] * self.upper, side="right")
        B = len(labels)
        texts = np.zeros((B, n), np.int32)
        lengths = np.full(B, -1, np.intp)
        for k in np.unique(labels).tolist():
            places = np.flatnonzero(labels == k)
            part = copy.copy(uniforms)
            part.states = uniforms.states[places]
            texts[places], lengths[places] = self._members[k].run(part, n)
        return texts, lengths


_caches: WeakKeyDictionary[Any, tuple[InferenceNetwork, dict[Any, Any]]] = WeakKeyDictionary()


def cached_per_model(owner: Any, network: InferenceNetwork, key: Any, make: Callable[[], T]) -> T:
    """Return what was made for a key, unless the model's predictions have changed since; the last ones are kept."""
    before, made = _caches.get(owner, (network, {}))
    if not network.same_as(before):
        made = {}
    _caches[owner] = network, made
    if key not in made:
        new = make()
        while len(made) >= MAX_CACHED_PATTERNS:
            made.pop(next(iter(made)), None)
        made[key] = new
    result: T = made[key]
    return result


def checked_controls(vocabulary: Vocabulary, options: SamplingOptions) -> SamplingControls:
    """Return the controls of samples that must match; controls that would make the samples inexact are refused."""
    controls = SamplingControls.check(vocabulary, options)
    for name in REFUSED_CONTROLS:
        if options.get(name) is not None if name == "stop" else controls.numbers[name] != OFF[name]:
            raise InvalidInputError(
                f"{name} does not work together with matching, which then could not be exact. Omit one of them; "
                "temperature and logit_bias may be combined with matching."
            )
    if controls.numbers["temperature"] == 0:
        raise InvalidInputError(
            "temperature is 0, which leaves one text, and matching needs several. Raise the temperature, or use "
            "enumerate_documents(1, matching=...) or beam_search(matching=...)."
        )
    return controls


def checked_pattern(pattern: Any, vocabulary: Vocabulary) -> Any:
    """Return a pattern after checking that it is of the vocabulary's kind."""
    vocabulary.check_kind(pattern.pattern if isinstance(pattern, re.Pattern) else pattern, "matching")
    return pattern if isinstance(pattern, re.Pattern) else immutable(pattern)


def trials_of(
    owner: Any,
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    request: TextRequest,
    controls: SamplingControls,
    *,
    any_length: bool = True,
) -> Trials:
    """Return the sampler of texts that match the request's pattern; it is kept with its owner, the model.

    Unless texts may have `any_length`, a pattern whose matches are all longer than requested is refused.
    """
    bias = controls.bias
    prime = immutable(request.prime)
    pattern = checked_pattern(request.matching, vocabulary)
    key = pattern, prime, controls.numbers["temperature"], None if bias is None else bias.tobytes()

    def make() -> tuple[Trials, int]:
        """Make the sampler: exact for counts of moderate size, otherwise a tree of prefixes."""
        goal = Goal.of(pattern, vocabulary, document_head(prime, vocabulary), bias)
        if not any_length:  # before the prefixes are read
            _refuse_longer(request, vocabulary, goal.shortest)
        if goal.start == len(goal.table):
            return Empty(), 0
        state = Context.after(network, encoded_prime(prime, vocabulary)).state
        lookahead = None
        if isinstance(network, HasLookahead):
            lookahead = network.lookahead(goal, state, temperature=controls.numbers["temperature"], bias=bias)
        return PrefixTree(network, goal, state, controls) if lookahead is None else lookahead, goal.shortest

    trials, shortest = cached_per_model(owner, network, key, make)
    if not any_length:
        _refuse_longer(request, vocabulary, shortest)
    return trials


def guide_of(owner: Any, network: InferenceNetwork, vocabulary: Vocabulary, pattern: Any, prime: Any) -> Guide:
    """Return the guide of a search for the most probable matches; it is kept with its owner, the model."""
    pattern = checked_pattern(pattern, vocabulary)
    prime = immutable(prime)

    def make() -> Guide:
        goal = Goal.of(pattern, vocabulary, document_head(prime, vocabulary))
        lookahead = None
        if isinstance(network, HasLookahead) and goal.start < len(goal.table):
            state = Context.after(network, encoded_prime(prime, vocabulary)).state
            lookahead = network.lookahead(goal, state, temperature=1.0, bias=None, maximum=True)
        return Guide(goal, lookahead)

    return cached_per_model(owner, network, (pattern, prime, "guide"), make)


class MatchingSamples:
    """Samples that match, found by trials; sample i depends only on `random_state` and i."""

    def __init__(
        self, trials: Trials, vocabulary: Vocabulary, request: TextRequest, random_state: Any, n_threads: int | None
    ) -> None:
        self._trials = trials
        self._vocabulary = vocabulary
        self._pattern = request.matching
        self._n_threads = n_threads
        self._head = document_head(request.prime, vocabulary)
        self._length = text_length(vocabulary, request.length, request.max_length, len(self._head))
        self._limit = _limit_name(request, vocabulary, self._length)
        self._bits = root(random_state)
        self._found = list[Any]()
        self._done = 0

    def texts(self, numbers: range) -> list[Any]:
        """Return the samples with these numbers, making trials until enough of them have succeeded."""
        found = self._found
        most = max(MIN_BLOCK, min(MAX_BLOCK, BLOCK_SYMBOLS // max(1, self._length)))
        while len(found) < numbers.stop:
            if self._done >= MAX_TRIALS + TRIALS_PER_SAMPLE * len(found):
                raise _too_rare(self._pattern, numbers.stop, len(found), self._done, self._trials)
            wanted = (numbers.stop - len(found)) * 1.1 * (self._done + 1) / (len(found) + 1)
            block = range(self._done, self._done + min(max(MIN_BLOCK, math.ceil(wanted)), most))
            strings = _successes(self._trials, self._bits, block, self._length, self._n_threads, limit=self._limit)
            found.extend(self._head + text for text in strings.decode(self._vocabulary))
            self._done = block.stop
        return found[numbers.start : numbers.stop]


def match_probability(trials: Trials, length: int | None, n_threads: int | None) -> MatchProbability:
    """Measure how probable it is that a text, of at most `length` symbols if given, matches.

    The result is exact if the sampler knows it; otherwise it is the share of successful trials, within the bounds.
    """
    if (exact := trials.probability(length)) is not None:
        return MatchProbability(exact, exact, exact)
    successes = 0
    bits = root(0)
    step = 1 << 10
    n = DEFAULT_MAX_LENGTH if length is None else length
    for first in range(0, ESTIMATE_TRIALS, step):
        successes += len(_successes(trials, bits, range(first, first + step), n, n_threads, limit="max_length").lengths)
    lower = trials.lower if length is None else 0.0
    estimate = trials.upper * successes / ESTIMATE_TRIALS
    return MatchProbability(min(max(estimate, lower), trials.upper), lower, trials.upper)


def _successes(
    trials: Trials, bits: np.random.PCG64, block: range, length: int, n_threads: int | None, *, limit: str
) -> Strings:
    """Return the texts of the trials with these numbers that succeed, in order.

    `limit` is the name of the argument that set the length, for the error of one too long for the memory.
    """
    needed = f"{limit} is {length:,}, and {len(block):,} trials of so many symbols"
    check_free_memory(4 * len(block) * length, needed, f"Pass a smaller {limit}.", argument=limit)
    threads = max(1, min(inference_threads(n_threads), len(block) // MIN_TRIALS_PER_THREAD))

    def run(part: range) -> Strings:
        texts, lengths = trials.run(Uniforms(bits, part), length)
        texts = texts[:, : max(0, lengths.max())]
        return Strings(texts[np.arange(texts.shape[1]) < lengths[:, None]], lengths[lengths >= 0])

    return draw_parts(block, threads, run, threads)


def _limit_name(request: TextRequest, vocabulary: Vocabulary, length: int) -> str:
    """Return the name of the argument that limits the samples to this length."""
    return "length" if vocabulary.boundary is None or request.length == length else "max_length"


def _refuse_longer(request: TextRequest, vocabulary: Vocabulary, shortest: int) -> None:
    """Raise an error if the shortest match has more symbols after the prime than requested."""
    head = len(document_head(request.prime, vocabulary))
    length = text_length(vocabulary, request.length, request.max_length, head)
    if shortest <= length:
        return
    name = _limit_name(request, vocabulary, length)
    by_length = name == "length"
    if by_length:
        limit = length
        needed = shortest
    else:
        limit = DEFAULT_MAX_LENGTH if request.max_length is None else request.max_length
        needed = head + shortest
    instead = ""
    if by_length and vocabulary.boundary is not None and limit > 1:
        instead = f" For {limit:,} documents, pass n_samples={limit}."
    raise InvalidInputError(
        f"{name} is {limit:,}, but the shortest text that matches {short_repr(request.matching)} has length {needed:,}"
        f"{' after the prime' if by_length and head else ''}. Raise {name} to {needed:,} or more, or write a "
        f"pattern with shorter matches.{instead}"
    )


def _too_rare(pattern: Any, wanted: int, found: int, done: int, trials: Trials) -> InvalidInputError:
    """Return the error for a pattern that matches too rarely."""
    estimate = trials.upper * max(found, 1) / done
    probability = f"about {estimate:.1g}" if found else f"probably below {3 * estimate:.1g}"
    return InvalidInputError(
        f"matching is {short_repr(pattern)}, and only {found:,} of {wanted:,} samples were found in {done:,} trials: "
        f"the probability of a match is {probability}. Request fewer samples, write a pattern that restricts the text "
        "earlier, or list the most probable texts with enumerate_documents(n_documents, matching=...)."
    )
