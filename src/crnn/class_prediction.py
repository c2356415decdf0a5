"""ClassPrediction: what a fitted classifier says of texts, and what it has learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import NotFittedError
from .estimator import Estimator
from .inference.scoring.class_probabilities import log_posteriors
from .model.state import ModelState
from .parameters.checks import checked_sample_weights, checked_threads
from .parameters.settings import rounds_operands
from .text.sources.labels import checked_labels
from .text.symbols.vocabulary import Text, Vocabulary
from .training.progress.loss_curve import loss_curve, points_of

__all__ = ["ClassPrediction"]

Array = NDArray[Any]


class ClassPrediction(Estimator):
    """An estimator that predicts labels once it is fitted.

    It holds a `ModelState` for each direction, and the probabilities of the labels before a text is read.
    """

    _fit_methods = "fit"

    n_threads: int | None
    matmul_precision: str
    _networks: dict[str, ModelState]
    _prior: Array

    # -------------------------------------------------------------- prediction

    def predict(self, X: Iterable[Text]) -> Array:
        """Return the most probable label of each text.

        Parameters
        ----------
        X : iterable of str, or of bytes

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If one of them is no text of the model's kind.

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> model = CharRNNClassifier(16, random_state=0).fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.predict(["aaaa", "bbbb"])
        array(['a', 'b'], dtype='<U1')
        """
        likeliest = self.predict_log_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def predict_proba(self, X: Iterable[Text]) -> NDArray[np.float64]:
        """Return the probability of each label of each text, (n, K), in the order of `classes_`; rows sum to 1.

        Parameters, errors: as `predict`.

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> model = CharRNNClassifier(16, random_state=0).fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.predict_proba(["aaaa", "bbbb"]).round().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Iterable[Text]) -> NDArray[np.float64]:
        """Return the logarithm of `predict_proba`, (n, K).

        Texts are read in blocks, so that a generator of any number of them takes little more memory than the result.

        Parameters, errors: as `predict`.

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> model = CharRNNClassifier(8, max_steps=5, random_state=0).fit(["ab", "ba"], [0, 1])
        >>> model.predict_log_proba(["ab", "x", ""]).shape
        (3, 2)
        """
        networks = self._fitted("predict")
        with np.errstate(divide="ignore"):  # a class of weight 0 is never predicted
            log_prior = np.log(self._prior)
        layout = next(iter(networks.values())).layout
        bfloat16 = rounds_operands(self.matmul_precision, layout.dtype)
        return log_posteriors(networks, log_prior, X, checked_threads(self.n_threads), bfloat16=bfloat16)

    def score(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy: the share of texts whose most probable label is theirs.

        Parameters
        ----------
        X : iterable of str, or of bytes
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), default=None
            How much each text counts.

        Returns
        -------
        float

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> model = CharRNNClassifier(16, random_state=0).fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.score(["aaaa", "bbbb", "bbbb"], ["a", "b", "a"], sample_weight=[1, 2, 1])
        0.75
        """
        predicted = self.predict(X)
        given = checked_labels(y, len(predicted), name="y")
        right = given.labels[given.numbers] == predicted
        weights = None if sample_weight is None else checked_sample_weights(sample_weight, len(predicted))
        return float(np.average(right, weights=weights))

    # ---------------------------------------------------------------- learned

    classes_: Array
    vocabulary_: Vocabulary
    n_steps_: int
    history_: list[dict[str, Any]]

    def __getattr__(self, name: str) -> Any:
        """Return a learned attribute, or raise as `Estimator` does."""
        if "_networks" in vars(self) and name in ("classes_", "vocabulary_", "n_steps_", "history_"):
            states = list(self._networks.values())
            if name == "classes_":
                return np.array(states[0].vocabulary.labels)
            if name == "vocabulary_":
                return states[0].vocabulary
            if name == "n_steps_":
                return sum(state.n_steps for state in states)
            return [{**record, "direction": key} for key, state in self._networks.items() for record in state.history]
        return super().__getattr__(name)

    def _fitted(self, what: str) -> dict[str, ModelState]:
        if "_networks" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__, fit=self._fit_methods)
        return self._networks

    def _in_words(self) -> str:
        states = self._fitted("its description")
        weights = sum(state.layout.size for state in states.values())
        read = " and ".join(states)
        characters = len(self.vocabulary_.codes)
        return f"{len(self.classes_)} classes, {characters} characters, read {read}, {weights:,} weights"

    def _as_picture(self) -> str:
        first = next(iter(self._fitted("its picture").values()))
        return loss_curve(points_of(first.history, "train_loss"))
