"""InterruptedTraining finishes a call that trained a mixture, from its checkpoint."""

from __future__ import annotations

from typing import Any, Self

from ..errors import InvalidInputError
from ..files import model_file
from ..language_model import LanguageModel
from ..parameters.intervals import Interval
from ..text.held_out import Split, split_held_out
from ..text.sources import TextLike, rereadable
from .checkpoint import MixtureCheckpoint
from .member_files import models_of, word_counts_of, words_of
from .member_training import MemberTraining
from .members import Members, unfitted_copy
from .shared_time import SharedTime


class InterruptedTraining:
    """A call of `Mixture.fit` or `Mixture.partial_fit` as its checkpoint has it, which may have ended."""

    def __init__(self, path: str, stored: model_file.StoredMixture, document: Any) -> None:
        self._path = path
        self._stored = stored
        self._document = document
        models: list[LanguageModel] = [*models_of(stored.parts, path)]
        self._members = Members(models, stored.weights, words_of(stored, models, path))

    @classmethod
    def read(cls, path: str) -> Self:
        """Read a checkpoint, or raise an error if the file is not one."""
        stored = model_file.read_mixture(path)
        if stored.fitting is None:
            raise InvalidInputError(
                f"{path} contains a mixture, but no unfinished training run. Load it and call partial_fit."
            )
        return cls(path, stored, stored.fitting)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the mixture that was trained, with unfitted models."""
        return {
            "models": [unfitted_copy(model) for model in self._members.models],
            "words": self._document.get("words", False),
            "max_seconds": self._document["max_seconds"],
        }

    def split(self, X: TextLike, y: Any, validation: Any) -> Split:
        """Return what the models learn and what is held out, given the call's arguments, which are checked."""
        if self._document["has_validation"] != (validation is not None):
            if validation is None:
                message = "validation is missing. Pass the text to which the interrupted run fits the weights."
            else:
                message = "validation is given, but the interrupted run has none. Omit it."
            raise InvalidInputError(message, argument="validation")
        X = rereadable(X)
        if self._document["fits_weights"]:
            return split_held_out(X, validation, y=y)
        return Split(X, y, sample_weight=None, held_out=None)

    def finish(self, split: Split, *, verbose: int) -> Members:
        """Finish the call, unless it has ended, and return the members that it finds; write them into the file, too."""
        document = self._document
        if document["finished"]:
            return self._members
        checkpoint = MixtureCheckpoint.of(self._path, Interval(), self._members, document)
        assert checkpoint is not None
        shared_time = SharedTime(document["max_seconds"])
        shared_time.has_limit = False  # the orders are tried without a limit
        training = MemberTraining([*self._members.models], split, shared_time, checkpoint, verbose=verbose)
        pending = self._stored.words
        if self._members.words is not None:
            training.keep_words(self._members.words)
        elif pending is not None:
            training.keep_counted_words(word_counts_of(pending, self._members.models, self._path), document["words"])
        try:
            training.resume_network(self._stored.parts, self._path)
            given = None if document["fits_weights"] else self._members.weights
            found = training.find_weights(given, sum_to_one=not document["has_validation"])
        finally:
            training.restore_parameters()
        checkpoint.write_last(found)
        return found
