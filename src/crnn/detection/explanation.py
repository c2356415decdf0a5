"""Explain a score by the characters that make the text improbable, and their most probable alternatives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..scoring.reductions import MEANS_IN_JOINT, Reduce
from ..text.vocabulary import BOUNDARY, Symbol, Text, Vocabulary, immutable
from ..text_states.text_state import TextState

SHOWN_POSITIONS = 3  # positions described in words


class Explanation(NamedTuple):
    """The explanation of a text's score.

    Attributes
    ----------
    text : str or bytes
        The explained text.
    score : float
        The text's score, as in `score_samples`.
    is_anomaly : bool
        Whether the score is below the threshold.
    symbols : list of str, bytes or `crnn.BOUNDARY`
        The characters, or bytes of length 1; the last is `crnn.BOUNDARY`, the end, if the model has document ends.
    surprisal : ndarray of float64 and shape (k,)
        -log P of each symbol given the preceding symbols, in nats. Infinite for a symbol unknown to the model, which is
        then skipped.
    alternatives : list of list of (symbol, float)
        The most probable symbols at each position, and their probabilities.
    reduce : str
        As in `AnomalyDetector`: whether a single place counts, all places together, or both.
    places : list of int, or None
        Where each symbol is in `text`, if a mask has changed the text that was read; None: at its own index.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn import BOUNDARY
    >>> from crnn.detection.explanation import Explanation
    >>> symbols = ["t", "o", BOUNDARY]
    >>> surprisal = np.array([0.5, 0.2, 5.2])
    >>> alternatives = [[("t", 0.6)], [("o", 0.8)], [(" ", 0.9)]]
    >>> print(Explanation("to", -11.1, True, symbols, surprisal, alternatives))
    anomaly, score -11.10: -5.2 for the least probable symbol, and 3 times the mean, -1.97
    to
      ^
    at 2: the end has 5.2 nats; expected ' ' (0.90)
    at 0: 't' has 0.5 nats; expected 't' (0.60)
    at 1: 'o' has 0.2 nats; expected 'o' (0.80)
    """

    text: Text
    score: float
    is_anomaly: bool
    symbols: list[Symbol]
    surprisal: NDArray[np.float64]
    alternatives: list[list[tuple[Symbol, float]]]
    reduce: Reduce = "joint"
    places: list[int] | None = None

    def __str__(self) -> str:
        lines = [f"{'anomaly' if self.is_anomaly else 'normal'}, score {self.score:.2f}{self._composition()}"]
        places = np.argsort(-self.surprisal, kind="stable")[:SHOWN_POSITIONS].tolist()
        if isinstance(self.text, str) and self.text.isprintable() and places:
            lines += [self.text, " " * self._place(places[0]) + "^"]
        else:
            lines.append(repr(self.text))
        for i in places:
            expected = ", ".join(f"{_symbol_name(symbol)} ({p:.2f})" for symbol, p in self.alternatives[i])
            lines.append(
                f"at {self._place(i)}: {_symbol_name(self.symbols[i])} has {self.surprisal[i]:.1f} nats; "
                f"expected {expected}"
            )
        return "\n".join(lines)

    def _place(self, i: int) -> int:
        return i if self.places is None else self.places[i]

    def _composition(self) -> str:
        """Return in words what the score is composed of, or nothing for the minimum."""
        if self.reduce == "min" or not self.symbols:
            return ""
        mean = self.surprisal.mean()
        if self.reduce == "joint":
            least = self.surprisal.max()
            return f": -{least:.1f} for the least probable symbol, and {MEANS_IN_JOINT:g} times the mean, -{mean:.2f}"
        what = "scaled sum" if self.reduce == "scaled" else self.reduce
        return f", the {what} of {len(self.symbols)} symbols of {mean:.1f} nats on average"


def _symbol_name(symbol: Symbol) -> str:
    return "the end" if symbol is BOUNDARY else repr(symbol)


def explain(
    vocabulary: Vocabulary, state: TextState, text: Text, n_alternatives: int
) -> tuple[list[Symbol], NDArray[np.float64], list[list[tuple[Symbol, float]]]]:
    """Return the symbols of a text, and its end if the model has document ends, with surprisal and alternatives."""
    vocabulary.check_kind(text, "text")
    whole: Any = immutable(text)
    symbols: list[Any] = [whole[i : i + 1] for i in range(len(whole))]
    symbols += [] if vocabulary.boundary is None else [BOUNDARY]
    nats = list[float]()
    alternatives = list[list[tuple[Symbol, float]]]()
    for symbol in symbols:
        p = state.next_proba()
        best = np.argsort(-p, kind="stable")[:n_alternatives].tolist()
        alternatives.append([(vocabulary[i], float(p[i])) for i in best])
        before = state.log_prob
        try:
            state = state.end() if symbol is BOUNDARY else state.feed(symbol)
        except InvalidInputError:
            nats.append(float("inf"))
        else:
            nats.append(before - state.log_prob)
    return symbols, np.array(nats), alternatives
