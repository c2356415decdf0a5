"""CleanTexts counts a detector's training texts, and splits them into a training and a calibration part."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.sources.input_checks import python_values, refuse_other_collections
from ..text.sources.lines import Lines
from ..text.symbols.codes import Kind, byte_view, kind_of

__all__ = ["CleanTexts", "Split", "iterable_of_texts"]

MAX_SYMBOLS = 1 << 27  # in memory; of more symbols, a random sample is kept
BATCH = 1 << 15  # texts checked together

Texts = list[Any]


class Split(NamedTuple):
    """The training texts and the calibration texts."""

    train: Texts
    calibration: Texts  # all different
    weights: NDArray[np.float64]  # the number of texts represented by each text of `calibration`
    n_held: int  # the number of held-out texts, first in `calibration`; the others are also trained on
    unit: float  # the number of texts represented by each held-out text


class CleanTexts:
    """Texts with their frequencies: all texts, or a random sample of about 130 million characters.

    Parameters
    ----------
    X : iterable of str, or of bytes
        The texts, which are read once.
    rng : numpy.random.Generator
    max_symbols : int, optional
        The limit for texts in memory, including their ends.

    Attributes
    ----------
    n_given : int
        The number of texts read.
    share : float
        The fraction of texts in memory.

    Examples
    --------
    >>> texts = CleanTexts(["to", "be", "or", "not", "to", "be"], np.random.default_rng(0))
    >>> texts.counts
    {'to': 2, 'be': 2, 'or': 1, 'not': 1}
    """

    def __init__(self, X: Iterable[Any], rng: np.random.Generator, max_symbols: int = MAX_SYMBOLS) -> None:
        counts, size, self._max_symbols = Counter[Any](), 0, max_symbols
        self.n_given, self.share = 0, 1.0
        for batch in _batches(X):
            self.n_given += len(batch)
            if self.share < 1:
                kept = rng.random(len(batch)) < self.share
                batch = [text for text, keep in zip(batch, kept.tolist(), strict=True) if keep]
            counts.update(batch)
            size += sum(map(len, batch)) + len(batch)
            while size > max_symbols:  # each text stays with a probability of one half
                self.share /= 2
                halves = rng.binomial(list(counts.values()), 0.5).tolist()
                counts = Counter({text: n for text, n in zip(counts, halves, strict=True) if n})
                size = sum((len(text) + 1) * n for text, n in counts.items())
        self.counts = dict(counts)

    @property
    def n_texts(self) -> int:
        """The number of texts in memory, including repetitions."""
        return sum(self.counts.values())

    def split(self, calibration_fraction: float, rng: np.random.Generator) -> Split:
        """Split the texts into disjoint parts, so that the second part predicts the scores of new texts.

        Only texts that occur once show how new texts will differ, because a held-out one is new to the model. A
        fraction of them is held out to represent all of them; their share of all texts estimates the share of new texts
        that were never read (Good 1953). Texts that occur more often will mostly occur again: they are trained on, and
        their own scores, weighted by their counts, contribute to the threshold. Repeating all texts k times changes
        nothing.

        Raises
        ------
        InvalidInputError
            If all texts are equal.

        Examples
        --------
        >>> texts = CleanTexts(["be", "be", "to", "or", "not", "be"], np.random.default_rng(0))
        >>> split = texts.split(0.3, np.random.default_rng(0))
        >>> sorted(split.train), split.calibration, split.weights, split.unit
        (['be', 'be', 'be', 'or', 'to'], ['not', 'be'], array([3., 3.]), 3.0)
        """
        if len(self.counts) < 2 and self.share < 1:
            raise InvalidInputError(
                f"X needs at least 2 different texts, but a random sample of it, of {self._max_symbols:,} characters, "
                f"contains {len(self.counts)}. Pass shorter texts, or more different texts."
            )
        if len(self.counts) < 2:
            shown = f"all {self.n_given:,} texts are equal" if self.counts else "it is empty"
            raise InvalidInputError(
                f"X needs at least 2 different texts, but {shown}. Pass texts to train on and others to calibrate with."
            )
        texts, given = list(self.counts), np.array([*self.counts.values()])
        n = given // math.gcd(*given.tolist())
        single, repeated = np.flatnonzero(n == 1), np.flatnonzero(n > 1)
        n_held = min(max(1, round(calibration_fraction * len(single))), len(single), len(texts) - 1)
        held = rng.choice(single, n_held, replace=False)
        unit = len(single) / n_held if n_held else 1.0
        given[held] = 0
        order = rng.permutation(np.repeat(np.arange(len(texts)), given))
        return Split(
            [texts[i] for i in order.tolist()],
            [texts[i] for i in np.append(held, repeated).tolist()],
            np.append(np.full(len(held), unit), n[repeated]).astype(np.float64),
            n_held,
            unit,
        )


def iterable_of_texts(X: Any, name: str = "X") -> Iterable[Any]:
    """Return a collection of texts, or raise an error for a single text or any other object.

    Examples
    --------
    >>> iterable_of_texts("to be")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: X must be a list or another iterable of texts, not str. Put a single text in a list.
    """
    if isinstance(X, os.PathLike):
        raise InvalidInputError(f"{name} is the path {X}. Pass crnn.Lines({name}), or a list of texts.")
    if isinstance(X, (str, bytes, bytearray, memoryview)) or not isinstance(X, Iterable):
        raise InvalidInputError(
            f"{name} must be a list or another iterable of texts, not {type(X).__name__}. Put a single text in a list."
        )
    refuse_other_collections(X, name)
    return X


def _batches(X: Iterable[Any]) -> Iterator[Texts]:
    """Yield lists of texts, checked to be all str or all bytes."""
    if isinstance(X, Lines):
        for lines in X.batches():
            yield [line for line in lines if line is not None] if X.errors == "skip" else lines
        return
    values, first, kind = iter(python_values(X)), 0, None
    while batch := list(islice(values, BATCH)):
        kind = kind or kind_of(batch[0], "X[0]")
        yield _checked(batch, kind, first)
        first += len(batch)


def _checked(batch: Texts, kind: Kind, first: int) -> Texts:
    wanted = str if kind == "characters" else bytes
    if all(isinstance(text, wanted) for text in batch):
        return batch
    for i, text in enumerate(batch, first):
        if kind_of(text, f"X[{i}]") != kind:
            raise InvalidInputError(
                f"X[{i}] is {type(text).__name__}, but X[0] is {wanted.__name__}. Pass only str, or only bytes."
            )
    return [bytes(byte_view(text, "X")) for text in batch]
