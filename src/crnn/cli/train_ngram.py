"""`crnn train --model ngram`."""

from __future__ import annotations

import argparse
import io
from typing import Any

from ..char_ngram import CharNGram
from .errors import Ending, say
from .train_job import NGRAM_ONLY, Job, Start, given_parameters, save_and_report, training_texts


def _size_of(model: CharNGram) -> int:
    """Return the bytes of a model's file."""
    model.save(file := io.BytesIO())
    return len(file.getvalue())


class NGramJob(Job):
    """``--model ngram``: new counts, or more text for the counts of ``--from``."""

    options = (*NGRAM_ONLY, "max_bytes", "min_count", "n_threads", "verbose", "cache", "labels", "origin")

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        parameters = given_parameters(arguments, CharNGram())
        assert start.model is None or isinstance(start.model, CharNGram)
        self._model = CharNGram(**parameters) if start.model is None else start.model.set_params(**parameters)
        self._text, others = training_texts(arguments, self._model)
        self._y = others["y"]
        self._max_bytes: int | None = arguments.max_bytes

    def train(self) -> None:
        """Count the n-grams of the text or of the labeled lines."""
        self._model.partial_fit(self._text, self._y)
        if self._max_bytes is not None:
            self._model = self._model.prune(self._max_bytes)

    def save(self, ending: Ending) -> int:
        """Save the counts, unless they are incomplete."""
        if ending.code:
            say(f"crnn: {ending.reason}; nothing is saved, because the text was counted only in part")
            return ending.code
        model = self._model
        n_grams = f"{sum(model.n_grams_):,} n-grams of up to {model.order_} {model.vocabulary_.kind}"
        n_bytes = "" if self._max_bytes is None else f", {_size_of(model):,} bytes"
        summary = f"{n_grams}{n_bytes} in {ending.seconds:.1f} s"
        return save_and_report(model, self._output, summary, ending, self._verbose)
