"""CleanTexts counts a detector's training texts, and divides them for training and calibration."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.documents import is_missing, python_values, refuse_other_collections
from ..text.lines import Lines
from ..text.vocabulary import Kind, byte_view, kind_of

MAX_SYMBOLS = 1 << 27  # in memory; of more symbols, a random sample is kept
BATCH_TEXTS = 1 << 15  # texts checked together
COPIED_SHARE = 0.9  # of the repeated texts: if as many have a multiple of k occurrences, k copies of X were made
MIN_REPEATED = 20
MAX_COPIES = 1000

# The texts that decide the threshold are scored again, each by counts that lack few other texts: with a tenth of random
# letters taken out, 1.3 times as many new texts were flagged as the threshold promised, and with at most a hundredth
# 1.0 times.
LEFT_OUT_SHARE = 0.01  # of the texts at a time
DECIDING_RATE = 3  # times contamination: the share of the texts scored again
MAX_GROUPS = 100
MAX_COPIED_SYMBOLS = 1 << 26  # symbols of all copies of the counts, unless there are fewer groups than folds

MAX_HELD = 1 << 21  # symbols of texts kept
KEPT_SYMBOLS = 5  # that a kept text takes besides its own: its number of occurrences and its score

Texts = list[Any]
Frequencies = NDArray[np.intp]
# Texts, how often each occurred, and the score without the text itself if the model has learned it, else None.
Held = tuple[tuple[Any, int, float | None], ...]


class Split(NamedTuple):
    """The training texts and the calibration texts."""

    train: Texts
    calibration: Texts  # all different
    weights: NDArray[np.float64]  # how often each text of `calibration` was held out of training
    all_repeated: bool  # whether no text occurs just once


class Whole(NamedTuple):
    """All texts, to be learned and then judged without themselves, in some folds."""

    texts: Texts  # all different
    counts: Frequencies  # how often each occurs
    weights: NDArray[np.float64]  # the same, without accidental copies
    folds: Frequencies  # each text's fold
    all_repeated: bool

    def taken_out(self, fold: int) -> Frequencies:
        """Return how many occurrences of each text the model forgets before it judges a fold.

        It is a share of the occurrences, at least one: as often as a new text, it then equals one of the others.
        """
        n_folds = int(self.folds.max()) + 1
        copies = np.ceil(self.counts / self.weights)
        times = np.minimum(self.counts, np.ceil(self.weights / n_folds) * copies)
        return np.where(self.folds == fold, times, 0).astype(np.intp)

    def order(self, counts: Frequencies, rng: np.random.Generator) -> Frequencies:
        """Return the indices of texts in random order, each as often as `counts` says."""
        return rng.permutation(np.repeat(np.arange(len(self.texts)), counts))

    def scores(self, score: Callable[[Frequencies, Texts], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Score each text by a model that has not learned it, one fold after another.

        `score` is called for each fold with `taken_out` and the fold's texts.
        """
        found = np.empty(len(self.texts))
        for fold in range(int(self.folds.max()) + 1):
            (part,) = (self.folds == fold).nonzero()
            found[part] = score(self.taken_out(fold), [self.texts[i] for i in part.tolist()])
        return found

    def refine_scores(
        self,
        scores: NDArray[np.float64],
        contamination: float,
        rng: np.random.Generator,
        score: Callable[[Frequencies, Texts], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Score the texts near the threshold again, by a model of nearly all other texts, and return all scores.

        `score` is called with how often each text is taken out: one occurrence of each text of a group.
        """
        if self.folds.max() + 1 == len(self.texts):
            return scores  # each text has been scored by all others
        order = np.argsort(scores, kind="stable")
        share = DECIDING_RATE * contamination
        reached = np.cumsum(self.weights[order])
        deciding = rng.permutation(order[: int(np.searchsorted(reached, share * reached[-1])) + 1])
        copies = np.ceil(self.counts / self.weights).astype(np.intp)
        n_groups = min(len(deciding), self._n_groups(share))
        found = scores.copy()
        for k in range(n_groups):
            group = np.sort(deciding[k::n_groups])
            taken_out = np.zeros(len(self.texts), np.intp)
            taken_out[group] = copies[group]
            found[group] = score(taken_out, [self.texts[i] for i in group.tolist()])
        return found

    def _n_groups(self, share: float) -> int:
        """Return the number of groups for `refine_scores`: with more groups, a model lacks fewer texts."""
        n_folds = int(self.folds.max()) + 1
        n_symbols = sum(map(len, self.texts))
        wanted = min(MAX_GROUPS, math.ceil(min(share, 1) / LEFT_OUT_SHARE), MAX_COPIED_SYMBOLS // max(n_symbols, 1))
        return max(n_folds, wanted)


class SymbolCounts:
    """How often each symbol occurs in all texts, to read a text as a model would that never saw it.

    A symbol that other texts have fewer than `min_count` times would be unknown to that model.
    """

    def __init__(self, whole: Whole, min_count: int) -> None:
        self._texts = whole.texts
        self._min_count = min_count
        self._counts = Counter[Any]()
        repeated = zip(whole.texts, whole.counts.tolist(), strict=True)
        while batch := [text * n for text, n in islice(repeated, BATCH_TEXTS)]:
            self._counts.update(batch[0][:0].join(batch))
        self._unknown = _symbol_outside(self._counts, whole.texts[0])

    def as_new(self, texts: Texts, taken_out: Frequencies) -> Texts:
        """Rewrite texts as a model would see them that had not learned the texts taken out.

        Symbols that this model would not know become a symbol that occurs nowhere.
        """
        if self._unknown is None:
            return texts
        removed = Counter[Any]()
        (part,) = taken_out.nonzero()
        for i in part.tolist():
            for symbol in self._texts[i]:
                removed[symbol] += int(taken_out[i])
        rare = {symbol for symbol, n in removed.items() if self._counts[symbol] - n < self._min_count}
        if not rare:
            return texts
        if isinstance(self._unknown, str):
            table = {ord(symbol): self._unknown for symbol in rare}
            return [text.translate(table) for text in texts]
        table_of_bytes = bytes(self._unknown[0] if code in rare else code for code in range(256))
        return [text.translate(table_of_bytes) for text in texts]


def _symbol_outside(counts: Counter[Any], text: Any) -> Any:
    """Return a character, or a byte, that does not occur in the texts, or None if all bytes occur."""
    if isinstance(text, str):
        return next(chr(code) for code in range(sys.maxunicode) if chr(code) not in counts)
    return next((bytes([code]) for code in range(256) if code not in counts), None)


class CleanTexts:
    """Texts with their frequencies: all texts, or a random sample of about 130 million characters.

    `n_given` texts have been read, once; the fraction `share` of them is in memory, at most `max_symbols` with their
    ends. `n_missing` more are missing. With `unique`, equal texts count once.
    """

    def __init__(
        self, X: Iterable[Any], rng: np.random.Generator, max_symbols: int = MAX_SYMBOLS, *, unique: bool = False
    ) -> None:
        counts = Counter[Any]()
        size = 0
        self._max_symbols = max_symbols
        self.n_given = 0
        self.n_missing = 0
        self.share = 1.0
        for given in batches(X):
            batch = [text for text in given if text is not None]
            self.n_given += len(batch)
            self.n_missing += len(given) - len(batch)
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
        self.counts = dict.fromkeys(counts, 1) if unique else dict(counts)

    @property
    def n_texts(self) -> int:
        """The number of texts in memory, including repetitions."""
        return sum(self.counts.values())

    def split(self, calibration_fraction: float, rng: np.random.Generator) -> Split:
        """Hold a random part of the texts out of training, so that it predicts the scores of new texts.

        Each occurrence of a text is held out by itself: dividing the distinct texts would make common texts look new.
        Repeating all texts k times changes nothing, nor do accidental copies.
        """
        texts, counts = self._texts()
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

    def whole(self, folds: int, rng: np.random.Generator) -> Whole:
        """Divide all texts into folds at random, equal texts into one."""
        texts, counts = self._texts()
        weights = _remove_copies(counts // math.gcd(*counts.tolist()))
        n = len(texts)
        parts = rng.permutation(n) % min(folds, n)
        return Whole(texts, counts, weights.astype(np.float64), parts, bool((weights > 1).all()))

    def _texts(self) -> tuple[Texts, Frequencies]:
        """Return the different texts and their frequencies, or raise an error for fewer than two."""
        if len(self.counts) < 2 and self.share < 1:
            raise InvalidInputError(
                f"X needs at least 2 different texts, but a random sample of it, of {self._max_symbols:,} characters, "
                f"contains {len(self.counts)}. Pass shorter texts, or more different texts.",
                argument="X",
            )
        if len(self.counts) < 2:
            if self.counts:
                shown = f"all {self.n_given:,} texts are equal" if self.n_given > 1 else "it has 1 text"
            else:
                shown = "all are missing" if self.n_missing else "it is empty"
            raise InvalidInputError(
                f"X needs at least 2 different texts, but {shown}. Pass texts to train on and others to calibrate "
                "with.",
                argument="X",
            )
        return list(self.counts), np.array([*self.counts.values()])


def _remove_copies(counts: Frequencies) -> Frequencies:
    """Return the numbers of occurrences, divided by k if repeated texts make up most of X and occur multiples of k."""
    repeated = counts[counts > 1]
    if len(repeated) < MIN_REPEATED or repeated.sum() <= counts.sum() / 2:
        return counts  # otherwise, the false-positive rate on new texts is at most twice too high
    usual = int(np.bincount(np.minimum(repeated, MAX_COPIES)).argmax())
    for k in range(usual, 1, -1):
        if usual % k == 0 and np.count_nonzero(repeated % k == 0) >= COPIED_SHARE * len(repeated):
            return np.maximum(np.rint(counts / k), 1).astype(np.intp)
    return counts


def newest_held_out(new: Held, older: Held, n: int) -> Held:
    """Return about n texts and at most `MAX_HELD` symbols: an even part of the new ones, then older ones."""
    found = list[tuple[Any, int, float | None]]()
    symbols = 0
    every = max(1, -(-sum(times for _, times, _ in new) // n))
    for text, times, score in [*new[::every], *older]:
        symbols += len(text) + KEPT_SYMBOLS
        if n <= 0 or symbols > MAX_HELD:
            break
        found.append((text, times, score))
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


def batches(X: Iterable[Any]) -> Iterator[Texts]:
    """Yield lists of texts, checked to be all str or all bytes, with None for missing ones."""
    if isinstance(X, Lines):
        yield from X.batches()
        return
    values = iter(python_values(X))
    first = 0
    name = ""
    kind = None
    while batch := list(islice(values, BATCH_TEXTS)):
        present = next((i for i, text in enumerate(batch) if not is_missing(text)), None)
        if kind is None and present is not None:
            name = f"X[{first + present}]"
            kind = kind_of(batch[present], name)
        yield _check_batch(batch, kind, name, first)
        first += len(batch)


def _check_batch(batch: Texts, kind: Kind | None, name: str, first: int) -> Texts:
    """Return a batch whose texts are all str or all bytes, as is the text called `name`."""
    wanted = str if kind == "characters" else bytes
    if all(isinstance(text, wanted) for text in batch):
        return batch
    found = [None if is_missing(text) else text for text in batch]
    for i, text in enumerate(found, first):
        if text is not None and kind_of(text, f"X[{i}]") != kind:
            raise InvalidInputError(
                f"X[{i}] is {type(text).__name__}, but {name} is {wanted.__name__}. Pass only str, or only bytes."
            )
    if wanted is str:
        return found
    return [None if text is None else bytes(byte_view(text, "X")) for text in found]
