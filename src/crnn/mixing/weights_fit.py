"""The fit of a mixture's weights to a held-out text, with the order of its counts and whether words join."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..char_ngram import CharNGram
from ..errors import InvalidInputError
from ..inference.mixed_network import letters_of
from ..inference.mixture_weights import HeldOutText
from ..inference.network import InferenceNetwork, Use
from ..language_model import LanguageModel
from ..ngram.word_counts import WordCounts
from ..ngram.words_network import MixedWords
from ..scoring.text_scores import source_ids
from ..text.held_out import HeldOut
from ..text.labels import checked_labels, documents_by_label, label_numbers
from ..text.sources import TextLike, text_source
from ..text.vocabulary import Ids, Vocabulary
from .members import Members
from .networks import words_network
from .shared_time import SharedTime

SHORTER = (10, 8, 7, 6, 5, 4, 3, 2)  # orders of counts, tried in turn
TOLERANCE = 0.0005  # nats by which shorter counts, in a smaller file, may be worse
MIN_GAIN_OF_WORDS = 0.001  # nats by which words must lower the held-out loss


class HeldOutDocuments(NamedTuple):
    """The held-out ids with each label, or all of them with the label None."""

    vocabulary: Vocabulary  # of the models
    parts: list[tuple[Any, Ids, int]]  # the label, the ids, and how many of the first are not predicted

    @property
    def n_symbols(self) -> int:
        """The number of symbols."""
        return sum(len(ids) for _, ids, _ in self.parts)


class TriedWords(NamedTuple):
    """Counts of words that join a mixture: always if they are required, else if they help."""

    counts: WordCounts
    required: bool


class FittedWeights(NamedTuple):
    """Members with fitted weights, and the losses on the held-out text in nats per symbol, if there was one."""

    members: Members
    loss: float = math.nan  # of the mixture
    losses: Sequence[float] = ()  # of each member


def held_out_documents(X: TextLike, y: ArrayLike | None, vocabulary: Vocabulary) -> HeldOutDocuments:
    """Return the ids of the text, or of the documents with their labels, to which weights are fitted."""
    source = text_source(X)
    labels = None
    if y is not None:
        checked = checked_labels(y, source.n_documents, name="y")
        labels = checked.labels[checked.numbers].tolist()
    return encode_held_out(HeldOut(source, labels), vocabulary)


def encode_held_out(held_out: HeldOut, vocabulary: Vocabulary) -> HeldOutDocuments:
    """Return the ids of a held-out text, by label, or raise an error if labels are missing or too many."""
    plain = vocabulary.with_labels(())
    ids, given = source_ids(held_out.source, plain)
    if held_out.labels is None:
        if vocabulary.labels:
            raise InvalidInputError("y is missing, but the models have labels. Pass one label per document.")
        return HeldOutDocuments(vocabulary, [(None, ids, given)])
    if not vocabulary.labels:
        raise InvalidInputError("y is given, but the models were fitted without labels. Omit it.")
    labels = np.array(vocabulary.labels)
    numbers = label_numbers(held_out.labels, labels, held_out.source.n_documents, name="y")
    of_labels = documents_by_label(ids, numbers, len(labels), plain.boundary)
    parts = [(label, ids, given) for label, ids in zip(labels.tolist(), of_labels, strict=True) if len(ids) > given]
    return HeldOutDocuments(vocabulary, parts)


def fit_to_held_out(
    models: list[LanguageModel],
    held_out: HeldOutDocuments,
    *,
    sum_to_one: bool,
    chosen: int | None = None,
    shared_time: SharedTime | None = None,
    words: TriedWords | None = None,
) -> FittedWeights:
    """Fit the weights of models to a held-out text, and return both.

    The counts ``models[chosen]`` become shorter as long as the loss with newly fitted weights stays within `TOLERANCE`
    of the best, and the time is not over. Then `words` join, unless they help too little. A sum of 1 is for a part of
    the training text: it is more like the rest of that text than a new text is, and larger weights, which make the
    predictions surer, would fit it alone.
    """
    shared_time = SharedTime(None) if shared_time is None else shared_time
    fit = _WeightsFit(models, held_out, sum_to_one=sum_to_one, max_logits=shared_time.max_logits)
    best = fit.of_models()
    if chosen is not None:
        best = fit.with_best_order(best, chosen, shared_time)
    return best if words is None else fit.with_words(best, words)


class _WeightsFit:
    """Fits of weights to one held-out text; it keeps each model's log-probabilities, its rows, from fit to fit."""

    def __init__(
        self, models: list[LanguageModel], held_out: HeldOutDocuments, *, sum_to_one: bool, max_logits: float
    ) -> None:
        self._models = models
        self._held_out = held_out
        self._sum_to_one = sum_to_one
        letters = letters_of(held_out.vocabulary.with_labels(()))
        texts = [(ids, given) for _, ids, given in held_out.parts]
        self._text = HeldOutText(texts, letters, len(models), max_logits=max_logits)
        self._rows = self._text.all_rows([self._networks(model) for model in models])

    def _networks(self, model: LanguageModel) -> list[InferenceNetwork]:
        """Return a model's network for each part of the held-out text."""
        networks = []
        for label, _, _ in self._held_out.parts:
            of_label = model if label is None else model.for_label(label)
            networks.append(of_label._network("fit_weights", Use.ONE_TEXT)[0])
        return networks

    def of_models(self) -> FittedWeights:
        """Return the models with their best weights."""
        losses = [self._text.loss(of_model) for of_model in self._rows]
        weights, loss = self._text.fit(self._rows, sum_to_one=self._sum_to_one)
        return FittedWeights(Members(self._models, weights), loss, losses)

    def with_best_order(self, best: FittedWeights, chosen: int, shared_time: SharedTime) -> FittedWeights:
        """Return the best fit with shorter counts in place of ``models[chosen]``, if shorter ones are as good.

        Orders are tried from long to short, until one is worse than the best by more than `TOLERANCE`.
        """
        lowest = best.loss
        counts = best.members.models[chosen]
        assert isinstance(counts, CharNGram)
        for order in [order for order in SHORTER if order < counts.order_]:
            if not shared_time.allows_another_order():
                break
            counts = counts._shortened(order)
            rows = self._text.rows(self._networks(counts))
            tried = [*self._rows]
            tried[chosen] = rows
            weights, loss = self._text.fit(tried, sum_to_one=self._sum_to_one)
            if loss > lowest + TOLERANCE:
                break
            lowest = min(lowest, loss)
            self._rows = tried
            models = [*best.members.models]
            models[chosen] = counts
            losses = [*best.losses]
            losses[chosen] = self._text.loss(rows)
            best = FittedWeights(Members(models, weights), loss, losses)
        return best

    def with_words(self, fitted: FittedWeights, words: TriedWords) -> FittedWeights:
        """Return the fit with counts of words as another member, or the given one if they help too little."""
        models = fitted.members.models
        vocabulary = self._held_out.vocabulary
        mixed = MixedWords(words.counts, vocabulary, weights_without=fitted.members.weights)
        counts = next(model for model in models if isinstance(model, CharNGram))
        networks = [words_network(mixed, [network], vocabulary) for network in self._networks(counts)]
        rows = self._text.rows(networks)
        weights, loss = self._text.fit([*self._rows, rows], sum_to_one=self._sum_to_one)
        if not words.required and not loss <= fitted.loss - MIN_GAIN_OF_WORDS:
            return fitted
        return FittedWeights(Members(models, weights, mixed), loss, [*fitted.losses, self._text.loss(rows)])
