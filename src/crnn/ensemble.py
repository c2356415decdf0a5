"""Ensemble: several models as one, which predicts the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .char_rnn import CharRNN
from .errors import InvalidInputError
from .inference.network.averaged_network import AveragedNetwork
from .language_model import LanguageModel
from .parameters.checks import checked_floats
from .text.symbols.vocabulary import Vocabulary

__all__ = ["Ensemble"]

class Ensemble(LanguageModel):
    """Several fitted models as one language model: the probability of a symbol is the mean of theirs.

    It samples and scores as a `CharRNN` does, by the same methods: `sample`, `stream`, `beam_search`, `score`,
    `bits_per_char`, `perplexity`, `score_samples`, `score_batches`, `predict_proba`, `surprisal`, `rank`,
    `guess_number`, `enumerate_documents`, `start`. What belongs to one network, such as `params_` and `hidden_states`,
    its models have.

    Models of the same text that differ in their seeds make errors of their own, which the mean reduces: an ensemble is
    better than each of them on text that is not seen. It takes as long as all of them together; `sample` takes longer,
    since its loop runs in Python. `repetition_penalty` multiplies the logarithms of probabilities.

    Parameters
    ----------
    models : list of CharRNN
        At least one, with the same symbols. They may differ in all else.
    weights : array-like of float, shape (k,), default=None
        How much each model counts, at least 0; they are divided by their sum. None: all the same.
    n_threads : int or None, default=None
        As of `CharRNN`.

    Raises
    ------
    ValueError
        If there is no model, one has other symbols than the first, or the weights do not fit.
    NotFittedError
        If a model is not fitted.

    Examples
    --------
    >>> from crnn import CharRNN, Ensemble
    >>> text = "to be or not to be, " * 50
    >>> models = [CharRNN(16, max_steps=500, random_state=seed).fit(text) for seed in range(3)]
    >>> ensemble = Ensemble(models)
    >>> ensemble.sample(10, prime="to be or", temperature=0)
    ' not to be'
    >>> bool(ensemble.score(text) > np.mean([model.score(text) for model in models]))
    True
    """

    def __init__(
        self, models: Iterable[CharRNN], *, weights: ArrayLike | None = None, n_threads: int | None = None
    ) -> None:
        if isinstance(models, CharRNN) or not isinstance(models, Iterable):
            raise InvalidInputError(f"models must be a list of CharRNN, not {type(models).__name__}")
        self.models: list[CharRNN] = list(models)
        if not self.models:
            raise InvalidInputError("models is an empty list; at least 1 model is needed")
        for i, model in enumerate(self.models):
            if not isinstance(model, CharRNN):
                raise InvalidInputError(f"models[{i}] must be a CharRNN, not {type(model).__name__}")
            if model.vocabulary_.labels:
                raise InvalidInputError(f"models[{i}] has labels: choose one, models[{i}].for_label(label)")
            if model.vocabulary_ != self.models[0].vocabulary_:
                raise InvalidInputError(
                    f"models[{i}] has other symbols than models[0], {model.vocabulary_}, not "
                    f"{self.models[0].vocabulary_}: fit all models with the same vocabulary"
                )
        _checked_weights(weights, len(self.models))
        self.weights, self.n_threads = weights, n_threads

    def __sklearn_is_fitted__(self) -> bool:
        """Say that there is nothing to fit."""
        return True

    def _repr_html_(self) -> str:
        """Return what a notebook shows: its models."""
        shown = "".join(f"<li>{model._repr_html_()}</li>" for model in self.models)
        return f"<div><b>Ensemble</b> of {len(self.models)} models<ol>{shown}</ol></div>"

    def _vocabulary(self, what: str) -> Vocabulary:
        return self.models[0]._vocabulary(what)

    def _network(self, what: str, *, one_row: bool, scoring: bool = False) -> AveragedNetwork:
        members = [model._network(what, one_row=one_row, scoring=scoring) for model in self.models]
        return AveragedNetwork(members, _checked_weights(self.weights, len(self.models)))


def _checked_weights(weights: Any, n: int) -> NDArray[np.float64]:
    """Return weights that sum to 1."""
    if weights is None:
        return np.full(n, 1 / n)
    own = checked_floats("weights", weights, n, "model")
    if not (np.isfinite(own) & (own >= 0)).all() or not own.sum() > 0:
        raise InvalidInputError(f"weights must be finite, at least 0 and not all 0, not {own.tolist()}")
    return np.asarray(own / own.sum())
