"""Goal: a pattern's automaton together with a text's end, which every look-ahead and sampler follows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...text.symbols.vocabulary import Vocabulary
from .pattern import DEAD, Automaton, automaton


class Goal(NamedTuple):
    """The states that a text passes through on its way to a match.

    A document matches when it ends in an accepting state, running text as soon as it reaches one.
    """

    rows: NDArray[np.int32]  # (S, V): the state after each state and symbol; S: a match, S + 1: no text can match
    steps: NDArray[np.int32]  # (S,): the least number of symbols to a match, not counting the end of a document
    certain: NDArray[np.bool_]  # (S,): whether a document matches whatever follows
    start: int  # the state after the prime; S if the empty text matches
    end: int  # the symbol that ends a document; -1 for running text

    @classmethod
    def of(cls, pattern: Any, vocabulary: Vocabulary, head: Any, bias: NDArray[np.float64] | None = None) -> Goal:
        """Return the goal of a pattern, a str, bytes or re.Pattern of the vocabulary's kind.

        `head` is the beginning of the document, empty for running text; it may have characters unknown to the model.
        Symbols with a `bias` of -inf, a (V,) array, never occur.
        """
        K, V = len(vocabulary.codes), len(vocabulary)
        symbols: list[Any] = [vocabulary[i] for i in range(K)]
        numbers = {symbol: i for i, symbol in enumerate(symbols)}
        of_head = [numbers.setdefault(head[i : i + 1], len(numbers)) for i in range(len(head))]
        matcher = automaton(pattern, list(numbers))
        possible = np.ones(V, np.bool_) if bias is None else bias > -np.inf
        allowed = np.append(possible[:K], np.zeros(len(numbers) - K, np.bool_))
        start, end = matcher.after(of_head), vocabulary.boundary
        if end is None:  # the text ends at its first match
            matcher.table[matcher.accepting] = DEAD
        least = matcher.minimized(start, allowed)
        if end is not None and not possible[end]:
            raise InvalidInputError("logit_bias forbids the end of a document, but a document must end to match.")
        if least is None:
            raise _nothing_matches(pattern, head if start == DEAD else "", matcher, forbidden=not possible[:K].all())
        table = least.table[:, :K]
        S = len(table)
        rows = np.full((S, V), S + 1, np.int32)
        rows[:, :K] = np.where(table == DEAD, S + 1, table)
        if end is None:
            rows[:, :K][(table != DEAD) & least.accepting[table]] = S
            ended = bool(least.accepting[least.start])
            return cls(rows, least.steps_to_match(), np.zeros(S, np.bool_), S if ended else least.start, -1)
        rows[:, end] = np.where(least.accepting, S, S + 1)
        certain = least.matches_whatever_follows(allowed)
        return cls(rows, least.steps_to_match(), certain, least.start, end)


class Guide:
    """What is known of a text's continuations: after each symbol, a bound of the most probable one that matches.

    Parameters
    ----------
    goal : Goal
    lookahead : Lookahead, optional
        Tighter bounds than 1 after symbols that leave a match possible.
    """

    def __init__(self, goal: Goal, lookahead: Any = None) -> None:
        self.goal, self._lookahead = goal, lookahead

    def log_values(self, state: Any, q: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the logarithms of the bounds, (B, V), for a network's state and goal states q."""
        if self._lookahead is not None:
            bounds: NDArray[np.float64] = self._lookahead.log_values(state, q)
            return bounds
        return np.where(self.goal.rows[q] > len(self.goal.rows), -np.inf, 0.0)

    def log_values_within(self, state: Any, q: NDArray[np.intp], n: int) -> NDArray[np.float64]:
        """Return the same, with -inf where n more symbols cannot suffice; -1 leaves only the end of a document."""
        bounds, after = self.log_values(state, q), self.goal.rows[q]
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
