"""MixtureCheckpoint saves a call that trains a mixture: the run of its network, together with the counts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..files import model_file
from ..files.run_file import run_bytes
from ..files.sealed_file import write_path
from ..language_model import LanguageModel
from ..model.state import ModelState
from ..ngram.word_counts import WordCounts
from ..ngram.words_network import MixedWords
from ..parameters.checks import FilePath, checked_path
from ..parameters.intervals import Interval
from ..text.documents import warn_caller
from ..training.checkpoints import CheckpointFile, RunState
from .member_files import file_of, files_of, stored_mixture
from .members import Members


class MixtureCheckpoint:
    """The file in which a call of `fit` or `partial_fit` saves itself.

    Until the call ends, the file has the `weights` and `words` that the mixture would have after an interruption. The
    `document` says how `Mixture.resume` goes on.
    """

    def __init__(
        self,
        path: str,
        interval: Interval,
        weights: NDArray[np.float64],
        words: MixedWords | None,
        document: Mapping[str, Any],
    ) -> None:
        self._path = path
        self.interval = interval
        self._weights = weights
        self._words = words
        self._document = document
        self.pending_words: WordCounts | None = None  # which may join when the weights are found

    @classmethod
    def of(
        cls, path: FilePath | None, interval: Interval, members: Members, document: Mapping[str, Any]
    ) -> Self | None:
        """Return where and when to save, None without a path; only one network among counts can be saved."""
        if path is None:
            return None
        networks = [model for model in members.models if not isinstance(model, CharNGram)]
        if len(networks) != 1 or not isinstance(networks[0], CharRNN):
            raise InvalidInputError(
                "checkpoint needs a mixture of one CharRNN and any number of CharNGram. Omit checkpoint, or change "
                "models."
            )
        return cls(checked_path("checkpoint", path), interval, members.weights, members.words, document)

    def arguments(self, models: list[LanguageModel]) -> dict[str, Any]:
        """Return the checkpoint's arguments of the network's `fit`, after the counts among the models are complete."""
        counts = [file_of(model, i) if isinstance(model, CharNGram) else None for i, model in enumerate(models)]
        write = partial(self._write, counts)
        return {
            "checkpoint": CheckpointFile(self._path, write),
            "checkpoint_every": self.interval.steps,
            "checkpoint_seconds": self.interval.seconds,
        }

    def _write(
        self,
        counts: list[tuple[str, bytes] | None],
        state: ModelState,
        *,
        run: RunState,
        parameters: Mapping[str, Any],
        path: FilePath,
    ) -> None:
        """Write a checkpoint while the network trains."""

        def content() -> list[memoryview]:
            network = ("CharRNN", run_bytes(state, run=run, parameters=parameters))
            parts = [network if part is None else part for part in counts]
            stored = stored_mixture(parts, self._weights, self._words)._replace(fitting=self._document)
            if self.pending_words is not None:
                stored = stored._replace(words=self.pending_words.arrays)
            return model_file.mixture_parts(stored)

        write_path(path, content)

    def write_last(self, members: Members) -> None:
        """Write the final mixture, which `Mixture.resume` returns as it is."""

        def content() -> list[memoryview]:
            stored = stored_mixture(files_of(members.models), members.weights, members.words)
            return model_file.mixture_parts(stored._replace(fitting={**self._document, "finished": True}))

        try:
            write_path(self._path, content)
        except OSError as error:
            warn_caller(f"the checkpoint {self._path} could not be written: {error}")
