"""PrefixTree: exact samples that match a goal, from any network, by rejection from the most probable prefixes."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...runtime.cancellation import check_canceled
from ..network.context import Context
from ..network.protocol import InferenceNetwork, State, largest, rows_of_call
from ..sampling.sampling_controls import SamplingControls
from ..sampling.text_sampler import text_sampler
from ..sampling.uniforms import Uniforms, root
from .goal import Goal

SIZES = (1024, 4096, 24576)  # prefixes; the next number if too few trials succeed
PILOT_TRIALS, SUCCESS = 512, 0.5  # trials that decide on the next size, and the rate that is enough
PILOT_LENGTH = 1000  # maximum symbols of such a trial
ROUND, ROUNDS = 64, 4  # prefixes read at a time: at least 64, and a fourth of those in the tree
PLAIN_SHARE = 0.05  # of the trials
MAX_NUMBERS = 1 << 22  # probabilities of all prefixes
MAX_STATE_BYTES = 1 << 28  # of all prefixes' states

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


class _Prefixes(NamedTuple):
    """Prefixes: their probability, the prefix one symbol shorter, the last symbol, and the goal state."""

    p: Floats
    parents: Integers
    symbols: Integers
    q: Integers

    def take(self, chosen: Integers) -> _Prefixes:
        """Return some of them."""
        return _Prefixes(self.p[chosen], self.parents[chosen], self.symbols[chosen], self.q[chosen])


class PrefixTree:
    """The most probable prefixes of texts that can match, with a bound on the probability of a match after each.

    For a prefix outside the tree the bound is 1. A trial draws each symbol with probability
    p * (bound after it) / (bound before it) and fails with what is left, so that a text that matches is drawn with
    probability p(text) / upper. The tree does not depend on the seed: it is complete before the first trial.

    Attributes
    ----------
    upper, lower : float
        Bounds of the probability of a match.
    """

    upper: float
    lower: float

    def __init__(self, network: InferenceNetwork, goal: Goal, state: State, controls: SamplingControls) -> None:
        self._network, self._goal, self._controls = network, goal, controls
        most = min(SIZES[-1], MAX_NUMBERS // network.symbols, MAX_STATE_BYTES // max(1, _n_bytes(state)))
        # The prefixes in the tree, round by round; p of the symbols after which they can match, and their states.
        self._rounds, self._p, self._states = list[_Prefixes](), list[Floats](), list[State]()
        self._size = 0
        nothing = np.zeros(0, np.intp)
        self._waiting = _Prefixes(np.zeros(0), nothing, nothing, nothing)
        self._read(network.copy(state), _Prefixes(np.ones(1), nothing, nothing, np.array([goal.start])))
        for size in SIZES:
            self._grow(min(size, most), most)
            self._freeze()
            if size >= most or self.lower >= SUCCESS * self.upper or not len(self._waiting.p):
                break
            _, lengths = self.run(Uniforms(root(0), range(PILOT_TRIALS)), PILOT_LENGTH)
            if (lengths >= 0).mean() >= SUCCESS:
                break

    # ------------------------------------------------------------------- growing

    def _grow(self, size: int, most: int) -> None:
        """Read the most probable waiting prefixes until the tree has this many, later at most `most`."""
        while self._size < size and len(self._waiting.p):
            check_canceled()
            order = largest(self._waiting.p, most)  # there will be no room for the others
            count = min(max(ROUND, self._size // ROUNDS), size - self._size, len(order))
            chosen, self._waiting = self._waiting.take(order[:count]), self._waiting.take(order[count:])
            starts = np.cumsum([0, *(len(read.q) for read in self._rounds)])
            of_round = np.searchsorted(starts, chosen.parents, side="right") - 1
            chosen = chosen.take(np.argsort(of_round, kind="stable"))
            rounds, firsts = np.unique(np.sort(of_round), return_index=True)
            parents = np.split(chosen.parents, firsts[1:])
            state = self._network.join([
                self._network.select(self._states[k], part - starts[k]) for k, part in zip(rounds, parents, strict=True)
            ])
            self._network.feed(chosen.symbols.astype(np.int32)[None], state)
            self._read(state, chosen)

    def _read(self, state: State, prefixes: _Prefixes) -> None:
        """Add prefixes to the tree, and the prefixes one symbol longer to those that wait."""
        goal, S = self._goal, len(self._goal.rows)
        p, after = self._probabilities(state), goal.rows[prefixes.q]
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
        S, p = len(self._goal.rows), np.concatenate(self._p)
        prefix_p, parents, symbols, self._q = map(np.concatenate, zip(*self._rounds, strict=True))
        after = self._goal.rows[self._q]
        self._children = np.full(p.shape, -1, np.intp)
        self._children[parents, symbols] = np.arange(1, len(p))
        upper = p.copy()
        known = after == S
        known[after < S] = self._goal.certain[after[after < S]]
        lower = p * known
        self._cumulated = np.empty_like(p)
        end = len(p)
        for of_round in self._p[::-1]:
            rows, end = slice(end - len(of_round), end), end - len(of_round)
            self._cumulated[rows] = np.cumsum(upper[rows], axis=1)
            low = lower[rows].sum(axis=1)
            if end:
                of_rows = slice(rows.start - 1, rows.stop - 1)  # the first prefix has no parent
                above = parents[of_rows], symbols[of_rows]
                upper[above] *= self._cumulated[rows, -1]
                lower[above] = p[above] * low
        self.upper, self.lower = float(self._cumulated[0, -1]), float(lower[0].sum())
        # Where a document leaves the tree often, and matches whatever follows, it is drawn like any other text.
        self._plain = known & (after < S) & (prefix_p[:, None] * p >= PLAIN_SHARE * self.upper)
        self._state = self._network.join(self._states)

    def _probabilities(self, state: State) -> Floats:
        """Return the probabilities of the next symbols (B, V), after the controls."""
        y = np.array(self._network.logits_after(state)[:, : self._network.symbols], np.float64, order="C")
        order = np.empty(y.shape[1], np.int32)
        core.filter_logits(y, core.Controls(self._controls.numbers, bias=self._controls.bias, order=order))
        y /= y.sum(axis=1, keepdims=True)
        return y

    # ------------------------------------------------------------------- drawing

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], Integers]:
        """Make a trial with each stream of random numbers; return texts (B, n) and lengths (B,), -1 for a failure."""
        trials, rows = _Trials(self._goal, uniforms, n), rows_of_call(self._network.symbols)
        for first in range(0, len(uniforms.states), rows):
            self._run(trials, uniforms, np.arange(first, min(first + rows, len(uniforms.states))))
        return trials.texts, trials.lengths

    def _run(self, trials: _Trials, uniforms: Uniforms, active: Integers) -> None:
        """Make some of the trials."""
        nodes, t = np.zeros(len(active), np.intp), 0
        left: list[tuple[Integers, ...]] = []  # trials that leave the tree: last prefix, symbol, goal state, time
        while len(active):
            cumulated = self._cumulated[nodes]
            symbols = trials.choose(active, cumulated, cumulated[:, -1])
            times = np.full(len(active), t)
            q, going = trials.append(active, symbols, self._q[nodes], times)
            children = self._children[nodes[going], symbols[going]]
            outside = np.flatnonzero(going)[children < 0]
            left.append(tuple(array[outside] for array in (active, nodes, symbols, q, times + 1)))
            active, nodes, t = active[going][children >= 0], children[children >= 0], t + 1
        joined: Any = map(np.concatenate, zip(*left, strict=True))
        active, nodes, symbols, q, times = self._draw_plain(trials, uniforms, *joined)
        state = self._network.select(self._state, nodes)
        while len(active):
            check_canceled()
            self._network.feed(symbols.astype(np.int32)[None], state)
            p = self._probabilities(state)
            totals = p.sum(axis=1)
            p[self._goal.rows[q] > len(self._goal.rows)] = 0
            symbols = trials.choose(active, np.cumsum(p, axis=1), totals)
            q, going = trials.append(active, symbols, q, times)
            active, symbols, q, times = active[going], symbols[going], q[going], times[going] + 1
            state = self._network.select(state, np.flatnonzero(going))

    def _draw_plain(
        self, trials: _Trials, uniforms: Uniforms, active: Integers, nodes: Integers, symbols: Integers, *rest: Integers
    ) -> tuple[Integers, ...]:
        """Finish the trials that match whatever follows and left the tree at one of its frequent places."""
        n, plain = trials.texts.shape[1], self._plain[nodes, symbols]
        for node, symbol in np.unique(np.stack([nodes[plain], symbols[plain]], axis=1), axis=0).tolist():
            which = np.flatnonzero((nodes == node) & (symbols == symbol))
            t, part = int(rest[-1][which[0]]), copy.copy(uniforms)
            state = self._network.select(self._state, np.array([node]))
            self._network.feed(np.full((1, 1), symbol, np.int32), state)
            part.states = uniforms.states[active[which]]
            context = Context(state, np.zeros(self._network.symbols, np.bool_))
            sampler = text_sampler(self._network, context, n - t + 1, part, self._controls)  # the last is the end
            ids, lengths = sampler.run()
            rows, columns = np.nonzero(np.arange(n - t) < lengths[:, None])
            short = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < n - t
            trials.texts[active[which][rows], columns + t] = ids[short]
            trials.lengths[active[which]] = np.where(sampler.ended_by(self._goal.end), t + lengths, -1)
        return tuple(array[~plain] for array in (active, nodes, symbols, *rest))


class _Trials:
    """Trials under way: what they have drawn so far."""

    def __init__(self, goal: Goal, uniforms: Uniforms, n: int) -> None:
        self._goal, self._uniforms, B = goal, uniforms, len(uniforms.states)
        self.texts, self.lengths = np.empty((B, n), np.int32), np.full(B, -1, np.intp)

    def choose(self, trials: Integers, cumulated: Floats, totals: Floats) -> Integers:
        """Return a symbol for each trial, V if the trial fails."""
        states, u = self._uniforms.states[trials], np.empty((1, len(trials)))
        core.uniforms(states, self._uniforms.increment, u)
        self._uniforms.states[trials] = states
        return np.asarray((cumulated <= (u[0] * totals)[:, None]).sum(axis=1))

    def append(
        self, trials: Integers, symbols: Integers, q: Integers, times: Integers
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """Append symbols at their times; return the goal states after them, and the trials that continue."""
        goal, S, n = self._goal, len(self._goal.rows), self.texts.shape[1]
        drawn = symbols < goal.rows.shape[1]
        after = np.full(len(symbols), S + 1)
        after[drawn] = goal.rows[q[drawn], symbols[drawn]]
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
    """Return the memory of a network's state, made of arrays in tuples or lists."""
    return state.nbytes if isinstance(state, np.ndarray) else sum(map(_n_bytes, state))
