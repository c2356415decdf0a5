"""The states of a text on its way to a match, and which symbols lead to one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, short_repr
from ..text.vocabulary import Vocabulary
from .pattern import DEAD, Automaton, automaton

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


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
