"""Counts of texts that judge each of these texts without itself."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..char_ngram import CharNGram
from ..errors import InvalidInputError
from ..runtime.machine import available_bytes
from .clean_texts import Frequencies, SymbolCounts, Whole
from .learned import DetectorOptions

DEFAULT_ORDER = 12  # of the default model's n-grams: on log lines, longer ones did not find more anomalies
MAX_MEMORY = 10**9  # bytes for the n-grams
COST_TEXTS = 4096  # texts scored to measure the time per character


def count_out_of_fold(
    whole: Whole, model: CharNGram | None, options: DetectorOptions, rng: np.random.Generator
) -> tuple[CharNGram, NDArray[np.float64]]:
    """Count texts with a copy of a model, or with the default model; return it and each text's score.

    The counts of a fold are subtracted to score it.
    """
    order = whole.order(whole.counts, rng)
    train = [whole.texts[i] for i in order.tolist()]
    fitted, n = _counts_of(train, options) if model is None else (model._fitted_copy(train), len(train))
    counted = np.bincount(order[:n], minlength=len(whole.texts))
    stored = fitted._without_text()

    def without(taken_out: Frequencies) -> CharNGram:
        times = np.minimum(taken_out, counted)
        (part,) = times.nonzero()
        return stored._without([whole.texts[i] for i in part.tolist()], times[part]) if len(part) else stored

    def score(taken_out: Frequencies, part: list[Any]) -> NDArray[np.float64]:
        return without(taken_out).score_samples(part, reduce=options.reduce, errors="replace")

    symbols = None if fitted.vocabulary is not None else SymbolCounts(whole, fitted.min_count)

    def score_as_new(taken_out: Frequencies, part: list[Any]) -> NDArray[np.float64]:
        return score(taken_out, part if symbols is None else symbols.as_new(part, taken_out))

    return fitted, whole.refine_scores(whole.scores(score), options.rate(whole.weights.sum()), rng, score_as_new)


def _counts_of(texts: list[Any], options: DetectorOptions) -> tuple[CharNGram, int]:
    """Count randomly ordered texts, all if time and memory permit; return the counts, and the number of texts."""
    free = available_bytes()
    start = time.perf_counter()
    memory = MAX_MEMORY if free is None else min(MAX_MEMORY, free // 2)
    n = sum(map(len, texts))
    if n <= sys.maxunicode and len(set[Any]().union(*texts)) == n:  # longer texts repeat a character in any case
        raise InvalidInputError("no character of X occurs twice. Pass more texts.", argument="X")
    model = CharNGram(DEFAULT_ORDER, min_count=2, max_memory=memory)
    n = model._fit_while(texts, DEFAULT_ORDER, lambda: time.perf_counter() - start < options.max_seconds)
    if options.verbose:
        counted = time.perf_counter()
        part = texts[:COST_TEXTS]
        model.score_samples(part)
        cost = (time.perf_counter() - counted) / (sum(map(len, part)) + len(part))
        print(
            f"CharNGram of {n:,} of {len(texts):,} texts in {counted - start:.1f} s: {model._summary_line()}; "
            f"{1e6 * cost:.2g} µs a character to score",
            file=sys.stderr,
        )
    return model, n
