"""How a detector learns: a model is fitted to clean texts, and texts that it has not read set the threshold."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..language_model import LanguageModel
from ..text.documents import warn_caller
from ..text.mask import masked_texts
from ..text.vocabulary import Text
from .calibration import USUAL_RATE, VARIANCE_OUT_OF_FOLD, calibrate
from .clean_texts import CleanTexts, Frequencies, Held, iterable_of_texts, newest_held_out
from .fold_counts import count_out_of_fold
from .learned import DetectorOptions, Judged, Learned

CALIBRATION_FRACTION = 0.1  # the default
KEPT_ANOMALIES = 20  # expected among the texts kept: twice what sets a threshold without a warning
NEW_SHARE = 0.01  # of texts with unknown characters above which further learning warns


class _JudgedModel(NamedTuple):
    """A model fitted to texts, and different texts with their scores by models that have not read them."""

    model: CharRNN | CharNGram
    texts: list[Any]
    weights: NDArray[np.float64]  # how often each text counts
    scores: NDArray[np.float64]
    variance: float  # of the false-positive rate, in multiples of that of independent texts
    all_repeated: bool  # whether no text occurs just once
    to_keep: Held  # of which the detector keeps some, at most `limit`
    limit: float


def clean_texts(X: Iterable[Text], options: DetectorOptions, rng: np.random.Generator) -> CleanTexts:
    """Return the texts of X, masked and without missing values, whose number is printed if verbose."""
    texts = CleanTexts(masked_texts(iterable_of_texts(X), options.mask), rng, unique=options.unique)
    if texts.n_missing and options.verbose:
        print(f"{texts.n_missing:,} of {texts.n_missing + texts.n_given:,} values are missing", file=sys.stderr)
    return texts


def learn(
    model: CharRNN | CharNGram | None, texts: CleanTexts, options: DetectorOptions, rng: np.random.Generator
) -> tuple[Learned, Judged]:
    """Fit a copy of the model to texts, or the default model, and set the threshold.

    Also return the texts that set it, with their scores.
    """
    if isinstance(model, CharRNN):
        found = _fit_network(model, texts, options, rng)
    else:
        found = _fit_counts(model, texts, options, rng)
    if found.all_repeated:
        warn_caller(
            "every text occurs more than once, so new texts are expected to equal these. If they do, look them up "
            "in a set. If not, calibrate with texts that the model has not read."
        )
    rate = options.rate(found.weights.sum())
    calibration = calibrate(found.scores, rate, found.weights, variance=found.variance)
    held = _texts_to_keep(found.to_keep, options, limit=found.limit)
    return Learned(found.model, options.reduce, calibration, model, held), Judged(found.texts, found.scores)


def _fit_network(model: CharRNN, texts: CleanTexts, options: DetectorOptions, rng: np.random.Generator) -> _JudgedModel:
    """Fit a copy of a network to most of the texts, and score the others."""
    split = texts.split(options.calibration_fraction, rng)
    fitted = model._fitted_copy(split.train)
    return _JudgedModel(
        fitted,
        split.calibration,
        split.weights,
        fitted.score_samples(split.calibration, reduce=options.reduce, errors="replace"),
        variance=1.0,
        all_repeated=split.all_repeated,
        to_keep=_unscored_texts(split.calibration, split.weights),
        limit=sys.maxsize,
    )


def _fit_counts(
    model: CharNGram | None, texts: CleanTexts, options: DetectorOptions, rng: np.random.Generator
) -> _JudgedModel:
    """Count all texts, and score each of them by counts that lack its fold."""
    if options.calibration_fraction != CALIBRATION_FRACTION:
        warn_caller(
            f"calibration_fraction={options.calibration_fraction:g} has no effect on fit with counts, whose "
            "threshold is set by all texts. Omit it."
        )
    whole = texts.whole(options.folds, rng)
    fitted, scores = count_out_of_fold(whole, model, options, rng)
    return _JudgedModel(
        fitted,
        whole.texts,
        whole.weights,
        scores,
        variance=VARIANCE_OUT_OF_FOLD,
        all_repeated=whole.all_repeated,
        to_keep=tuple(zip(whole.texts, whole.weights.astype(int).tolist(), scores.tolist(), strict=True)),
        # As many as if they had been held out, so that they do not outweigh the new texts of `partial_fit`.
        limit=math.ceil(options.calibration_fraction * float(whole.weights.sum())),
    )


def judge_by_networks(model: CharRNN, texts: CleanTexts, options: DetectorOptions, rng: np.random.Generator) -> Judged:
    """Return the texts with their scores by a network for each fold, trained on the other texts."""
    whole = texts.whole(options.folds, rng)

    def score(taken_out: Frequencies, part: list[Any]) -> NDArray[np.float64]:
        order = whole.order(whole.counts - taken_out, rng)
        fitted = model._fitted_copy([whole.texts[i] for i in order.tolist()])
        return fitted.score_samples(part, reduce=options.reduce, errors="replace")

    return Judged(whole.texts, whole.scores(score))


def learn_more(
    model: CharRNN | CharNGram,
    before: Learned,
    texts: CleanTexts,
    options: DetectorOptions,
    rng: np.random.Generator,
) -> Learned:
    """Train a copy of the model on more texts, and move the threshold.

    The newest texts held out, now and `before`, set it for the new model, with the same reduction.
    """
    split = texts.split(options.calibration_fraction, rng)
    _warn_of_new_symbols(model, texts)
    model = copy.deepcopy(model)
    if isinstance(model, CharNGram):
        _count_more(model, split.train)
    else:
        model.partial_fit(split.train)
    new = _unscored_texts(split.calibration, split.weights)
    held = _texts_to_keep(new, options, before.held)
    pairs = held or new
    scores = np.array([np.nan if score is None else score for _, _, score in pairs])
    unscored = [text for text, _, score in pairs if score is None]
    scores[np.isnan(scores)] = model.score_samples(unscored, reduce=before.reduce, errors="replace")
    weights = np.array([float(n) for _, n, _ in pairs])
    variance = 1.0 if len(unscored) == len(pairs) else VARIANCE_OUT_OF_FOLD
    calibration = calibrate(scores, options.rate(weights.sum()), weights, variance=variance)
    return Learned(model, before.reduce, calibration, before.origin, held)


def _count_more(model: CharNGram, texts: list[Any]) -> None:
    """Add texts to counts, and warn if n-grams had to be dropped."""
    before = model.n_grams_
    model._partial_fit(texts, prune=True)
    model.set_params(order=model.order_)
    if len(model.n_grams_) < len(before) or model.n_grams_[-1] < before[-1]:
        warn_caller(
            f"the n-grams exceeded max_memory, so rare, long ones were dropped: {len(before)} orders and "
            f"{sum(before):,} n-grams before this call, {len(model.n_grams_)} and {sum(model.n_grams_):,} now. "
            "Fit a new detector on recent texts to forget old ones."
        )


def learn_threshold(model: LanguageModel, X: Iterable[Text], options: DetectorOptions, origin: Any) -> Learned:
    """Set the threshold of a fitted model with held-out texts; `origin` is the detector's estimator."""
    texts = masked_texts(iterable_of_texts(X), options.mask)
    scores = model.score_samples(texts, reduce=options.reduce, errors="replace")
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        raise InvalidInputError("X is empty. Pass at least 1 text, or better 10 / contamination texts.", argument="X")
    return Learned(model, options.reduce, calibrate(scores, options.rate(len(scores))), origin)


def _unscored_texts(texts: list[Any], weights: NDArray[np.float64]) -> Held:
    """Pair texts with their numbers, and with None in place of scores, which change with the model."""
    return tuple((text, n, None) for text, n in zip(texts, weights.astype(int).tolist(), strict=True))


def _texts_to_keep(new: Held, options: DetectorOptions, older: Held = (), limit: float = sys.maxsize) -> Held:
    """Choose the texts that the detector keeps to set its threshold again: the newest, at most `limit`."""
    rate = USUAL_RATE if options.contamination == "auto" else options.contamination
    n = math.ceil(min(KEPT_ANOMALIES / rate, limit))  # the quotient may be infinite
    return newest_held_out(new, older, n) if options.keep_texts else ()


def _warn_of_new_symbols(model: CharRNN | CharNGram, texts: CleanTexts) -> None:
    """Issue a UserWarning if many texts have a symbol that the model does not know."""
    symbols = [symbol for symbol in model.vocabulary_ if isinstance(symbol, str | bytes)]
    known = {symbol if isinstance(symbol, str) else symbol[0] for symbol in symbols}
    new = {text: n for text, n in texts.counts.items() if not known.issuperset(text)}
    share = sum(new.values()) / texts.n_texts
    if share > NEW_SHARE:
        warn_caller(
            f"a fraction of {share:.2g} of the texts has characters that the model does not know, such as "
            f"{short_repr(next(iter(new)))}. They stay unknown. Fit a new detector that includes recent texts."
        )
