"""CleanTexts counts a detector's training texts, and splits them into parts for training and calibration."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.documents import python_values, refuse_other_collections
from ..text.text_files import Lines
from ..text.vocabulary import Kind, byte_view, kind_of

MAX_SYMBOLS = 1 << 27  # in memory; of more symbols, a random sample is kept
BATCH = 1 << 15  # texts checked together
COPIES = 0.9  # of the repeated texts: if as many have a multiple of k occurrences, k copies of X were made
MIN_REPEATED, MAX_COPIES = 20, 1000

MAX_HELD = 1 << 21  # symbols of held-out texts kept

Texts = list[Any]
Held = tuple[tuple[Any, int], ...]  # different texts, and how often each was held out


class Split(NamedTuple):
    """The training texts and the calibration texts."""

    train: Texts
    calibration: Texts  # all different
    weights: NDArray[np.float64]  # how often each text of `calibration` was held out of training
    all_repeated: bool  # whether no text occurs just once


class CleanTexts:
    """Texts with their frequencies: all texts, or a random sample of about 130 million characters.

    `n_given` texts have been read, once; the fraction `share` of them is in memory, at most `max_symbols` with their
    ends.
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
        """Hold a random part of the texts out of training, so that it predicts the scores of new texts.

        Each occurrence of a text is held out or trained on by itself. So the held-out texts relate to the model as new
        texts will: as many of them equal a text that it has read once, or twice, or never. Dividing the distinct texts
        instead would make common texts look new. Repeating all texts k times changes nothing, nor do accidental
        copies.
        """
        if len(self.counts) < 2 and self.share < 1:
            raise InvalidInputError(
                f"X needs at least 2 different texts, but a random sample of it, of {self._max_symbols:,} characters, "
                f"contains {len(self.counts)}. Pass shorter texts, or more different texts.",
                argument="X",
            )
        if len(self.counts) < 2:
            shown = f"all {self.n_given:,} texts are equal" if self.counts else "it is empty"
            raise InvalidInputError(
                f"X needs at least 2 different texts, but {shown}. Pass texts to train on and others to calibrate "
                "with.",
                argument="X",
            )
        texts, counts = list(self.counts), np.array([*self.counts.values()])
        times = math.gcd(*counts.tolist())
        n = _remove_copies(counts // times)
        total = int(n.sum())
        n_held = min(max(1, round(calibration_fraction * total)), total - 1)
        held = rng.multivariate_hypergeometric(n, n_held)
        order = rng.permutation(np.repeat(np.arange(len(texts)), (n - held) * times))
        (calibration,) = held.nonzero()
        return Split(
            [texts[i] for i in order.tolist()],
            [texts[i] for i in calibration.tolist()],
            held[calibration].astype(np.float64),
            bool((n > 1).all()),
        )


def _remove_copies(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the numbers of occurrences, divided by k if repeated texts make up most of X and are k copies.

    They are if nearly all have a multiple of k occurrences: the numbers of texts that repeat by themselves vary.
    """
    repeated = counts[counts > 1]
    if len(repeated) < MIN_REPEATED or repeated.sum() <= counts.sum() / 2:
        return counts  # otherwise, the false-positive rate on new texts is at most twice too high
    usual = int(np.bincount(np.minimum(repeated, MAX_COPIES)).argmax())
    for k in range(usual, 1, -1):
        if usual % k == 0 and np.count_nonzero(repeated % k == 0) >= COPIES * len(repeated):
            return np.maximum(np.rint(counts / k), 1).astype(np.intp)
    return counts


def newest_held_out(split: Split, older: Held, n: int) -> Held:
    """Return about n held-out texts and at most `MAX_HELD` symbols: an even part of the newest, then older ones."""
    found, symbols = list[tuple[Any, int]](), 0
    every = max(1, -(-int(split.weights.sum()) // n))
    weights = split.weights.astype(int).tolist()
    for text, times in [*zip(split.calibration[::every], weights[::every], strict=True), *older]:
        symbols += len(text) + 1
        if n <= 0 or symbols > MAX_HELD:
            break
        found.append((text, times))
        n -= times
    return tuple(found)


def iterable_of_texts(X: Any, name: str = "X") -> Iterable[Any]:
    """Return a collection of texts, or raise an error for a single text or any other object."""
    refuse_other_collections(X, name)
    if isinstance(X, (str, bytes, bytearray, memoryview)) or not isinstance(X, Iterable):
        raise InvalidInputError(
            f"{name} must be a list or another iterable of texts, not {type(X).__name__}. Put a single text in a list."
        )
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
        yield _check_batch(batch, kind, first)
        first += len(batch)


def _check_batch(batch: Texts, kind: Kind, first: int) -> Texts:
    wanted = str if kind == "characters" else bytes
    if all(isinstance(text, wanted) for text in batch):
        return batch
    for i, text in enumerate(batch, first):
        if kind_of(text, f"X[{i}]") != kind:
            raise InvalidInputError(
                f"X[{i}] is {type(text).__name__}, but X[0] is {wanted.__name__}. Pass only str, or only bytes."
            )
    return [bytes(byte_view(text, "X")) for text in batch]
