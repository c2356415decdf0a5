"""PrefixTree: texts that match, drawn from a tree of the likeliest beginnings."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..inference.network import Context, InferenceNetwork, State, largest, rows_of_call
from ..runtime.signals import check_canceled
from ..sampling.controls import CheckedControls, Uniforms, root
from ..sampling.text_sampler import (
    text_sampler,
)
from .goal import Floats, Goal, Integers


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

    def __init__(self, network: InferenceNetwork, goal: Goal, state: State, controls: CheckedControls) -> None:
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
