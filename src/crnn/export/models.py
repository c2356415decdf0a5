"""What exported files contain of models: networks, counts and their mixtures, with the numbers as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..files.ngram_file import CountedText
from ..inference.mixed_network import letters_of
from ..ngram.frozen import FrozenCounts
from ..ngram.pruning import frozen_whole
from ..ngram.word_counts import WordCounts
from ..parameters.checks import checked_bool
from ..scoring.reductions import MEANS_IN_JOINT, POWERS, Reduce
from ..text.mask import Rule
from ..text.vocabulary import Vocabulary
from .weights import FittedModel, Weights


class ExportedNetwork(NamedTuple):
    """A network, with float32 or 8-bit weights."""

    vocabulary: Vocabulary
    weights: Weights
    n_weights: int
    is_rounded: bool  # whether `quantize` would give the same network, which the model itself is not

    @classmethod
    def of(cls, model: FittedModel, *, int8: bool) -> Self:
        """Return a fitted model's network, with 8-bit weights if wanted."""
        weights = Weights.of(model, np.float32, int8=checked_bool("int8", int8)).for_engine()
        is_rounded = weights.scales is not None and model.scales_ is None and model.params_["Why"].dtype == np.float32
        n_weights = sum(array.size for array in model.params_.values())
        return cls(model.vocabulary_, weights, n_weights, is_rounded)

    @property
    def summary(self) -> str:
        """What the model is, in one line."""
        layers = len(self.weights.layers)
        hidden_size = self.weights.hidden_size
        units = f"{hidden_size} hidden units" if layers == 1 else f"{layers} layers of {hidden_size} units"
        return f"{self.weights.cell.upper()}, {units}, {len(self.vocabulary)} symbols, {self.n_weights:,} weights"


class ExportedCounts(NamedTuple):
    """Frozen counts, with numbers of 16 or 8 bits."""

    vocabulary: Vocabulary
    counts: FrozenCounts

    @classmethod
    def of(cls, learned: CountedText, *, int8: bool) -> Self:
        """Return counts with numbers of 8 bits if wanted; counts that are not frozen keep all n-grams."""
        vocabulary = learned.vocabulary
        counts = frozen_whole(learned.counts)
        if vocabulary.unknown is not None and counts.symbols == 1 + (vocabulary.boundary is not None):
            raise InvalidInputError("the model has no known character to write. Fit it on texts with other characters.")
        return cls(vocabulary, counts.quantized() if checked_bool("int8", int8) else counts)

    @property
    def summary(self) -> str:
        """What the model is, in one line."""
        counts = self.counts
        return f"Counts of {sum(counts.n_grams):,} n-grams of up to {counts.order} of {counts.symbols} symbols"


class ExportedWords(NamedTuple):
    """Counts of words, a member of a mixture, and the counts in it that tell a letter's cases apart."""

    counts: WordCounts
    characters: ExportedCounts

    @property
    def summary(self) -> str:
        """What the counts are, in one line."""
        return f"Counts of words, {self.counts.n_grams:,} n-grams"


class ExportedMixture(NamedTuple):
    """Models that read the same text, mixed log-linearly as in `crnn.inference.mixed_network`.

    Counts of words come after the counts that they use.
    """

    vocabulary: Vocabulary
    members: tuple[Exported | ExportedWords, ...]
    weights: NDArray[np.float64]  # (C, K): of each member, after 0, 1, …, and C - 1 or more letters of a word
    letters: list[tuple[int, int]]  # the ids of letters, as ranges: the first, and one more than the last

    @classmethod
    def of(cls, models: Sequence[Exported], words: WordCounts | None, weights: NDArray[np.float64]) -> Self:
        """Return a mixture of models with the same symbols; counts of words use the first counts among them."""
        rows = np.array(weights, np.float64, ndmin=2)
        members: list[Exported | ExportedWords] = [*models]
        if words is not None:
            characters = next(model for model in models if isinstance(model, ExportedCounts))
            members.append(ExportedWords(words, characters))
        if rows.shape[1] != len(members):
            raise InvalidInputError(
                f"weights_ has {rows.shape[1]} columns, but the mixture has {len(members)} members."
            )
        vocabulary = models[0].vocabulary
        is_letter = letters_of(vocabulary).astype(np.int8)
        firsts = np.flatnonzero(np.diff(is_letter, prepend=0) == 1)
        ends = np.flatnonzero(np.diff(is_letter, append=0) == -1) + 1
        letters = [*zip(firsts.tolist(), ends.tolist(), strict=True)]
        return cls(vocabulary, tuple(members), rows, letters)

    def flattened(self) -> Self:
        """Return the same mixture without mixtures among its members: theirs have the products of both weights."""
        inner = [member.flattened() if isinstance(member, ExportedMixture) else member for member in self.members]
        n_rows = max([len(self.weights), *(len(each.weights) for each in inner if isinstance(each, ExportedMixture))])
        members: list[Exported | ExportedWords] = []
        columns: list[NDArray[np.float64]] = []
        for member, weight in zip(inner, _with_rows(self.weights, n_rows).T, strict=True):
            if isinstance(member, ExportedMixture):
                members += member.members
                columns += [weight * column for column in _with_rows(member.weights, n_rows).T]
            else:
                members.append(member)
                columns.append(weight)
        return self._replace(members=tuple(members), weights=np.stack(columns, axis=1))

    @property
    def summary(self) -> str:
        """What the model is, in one line."""
        return f"Mixture of {len(self.members)} models: {'; '.join(member.summary for member in self.members)}"


def _with_rows(weights: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Return weights (C, K) as (n_rows, K); the last row holds for as many letters or more."""
    return weights[np.minimum(np.arange(n_rows), len(weights) - 1)]


Exported = ExportedNetwork | ExportedCounts | ExportedMixture


class ExportedReader(NamedTuple):
    """How one model of a classifier reads texts: a network after the symbol of each label, or the counts of each."""

    vocabulary: Vocabulary  # without the labels
    is_backward: bool
    model: ExportedNetwork | tuple[ExportedCounts, ...]

    @classmethod
    def of_network(cls, model: FittedModel, *, is_backward: bool, int8: bool) -> Self:
        """Return how a network with labels reads."""
        return cls(model.vocabulary_.with_labels(()), is_backward, ExportedNetwork.of(model, int8=int8))

    @classmethod
    def of_counts(cls, learned: CountedText, *, is_backward: bool, int8: bool) -> Self:
        """Return how counts with labels read."""
        vocabulary = learned.vocabulary.with_labels(())
        assert learned.labeled is not None
        parts = [CountedText(vocabulary, counts) for counts in learned.labeled.parts]
        return cls(vocabulary, is_backward, tuple(ExportedCounts.of(part, int8=int8) for part in parts))

    @property
    def summary(self) -> str:
        """What the model is, in one line."""
        if isinstance(self.model, ExportedNetwork):
            return self.model.summary
        n_grams = sum(sum(part.counts.n_grams) for part in self.model)
        order = max(part.counts.order for part in self.model)
        return f"Counts of {n_grams:,} n-grams of up to {order} of {len(self.vocabulary)} symbols"


class ExportedClassifier(NamedTuple):
    """A classifier: estimators with weights, each with a model for each direction."""

    labels: list[Any]
    prior: NDArray[np.float64]  # (K,)
    weights: NDArray[np.float64]  # (M,), of the estimators
    readers: list[list[ExportedReader]]  # of each estimator

    @property
    def summary(self) -> str:
        """What the classifier is, in one line."""
        kinds = "; ".join(readers[0].summary for readers in self.readers)
        return f"Classifier of {len(self.labels)} labels: {kinds}"


class Reduction(NamedTuple):
    """How log-probabilities become a score: `least` times the minimum, plus `total` times the sum / length**power."""

    least: float
    total: float
    power: float

    @classmethod
    def of(cls, reduce: Reduce) -> Self:
        """Return a way to score a text; see `crnn.scoring.string_scores`."""
        if reduce == "min":
            return cls(1.0, 0.0, 0.0)
        if reduce == "joint":
            return cls(1.0, MEANS_IN_JOINT, POWERS["mean"])
        return cls(0.0, 1.0, POWERS.get(reduce, 0.0))


class ExportedDetector(NamedTuple):
    """A detector: a model, its threshold, and the mask of the texts that it reads."""

    model: Exported
    threshold: float
    reduce: Reduce
    mask: tuple[Rule, ...]

    @property
    def summary(self) -> str:
        """What the detector is, in one line."""
        return f"Detector, threshold {self.threshold:.4g} ({self.reduce}): {self.model.summary}"
