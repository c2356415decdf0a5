"""Other ways to classify with language models, built from `CharRNN`, as alternatives to `CharRNNClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from crnn import CharRNN

FIRST_LABEL = 0xE000  # a private-use code point for each class
RECIPE: dict[str, Any] = {
    "cell": "lstm", "batch_size": 32, "seq_length": 24, "optimizer": "adam", "learning_rate": 0.03, "clip": None,
    "clip_norm": 1.0, "schedule": "cosine", "warmup": 0.02, "weight_decay": 0.02, "beta_1": 0.9, "beta_2": 0.99,
    "dropout": 0.3, "init_scale": 0.2, "random_state": 0,
}  # fmt: skip  # the defaults of CharRNNClassifier


class OneModelPerClass:
    """A language model for each class, which learns the texts of that class alone, and Bayes' rule.

    Parameters
    ----------
    hidden_size : int, default=64
        Half of `CharRNNClassifier`'s: a class has a part of the texts.
    epochs : int, default=8
    """

    def __init__(self, hidden_size: int = 64, epochs: int = 8) -> None:
        self.hidden_size = hidden_size
        self.epochs = epochs

    def fit(self, texts: Sequence[str], y: NDArray[Any]) -> Self:
        """Train the models."""
        self.classes_, counts = np.unique(y, return_counts=True)
        self._log_prior = np.log(counts / len(y))
        vocabulary = sorted(set("".join(texts)))
        self._models = []
        for label in self.classes_:
            model = CharRNN(self.hidden_size, epochs=self.epochs, vocabulary=vocabulary, min_count=2, **RECIPE)
            self._models.append(model.fit([text for text, of in zip(texts, y, strict=True) if of == label]))
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, (n, K)."""
        scores = np.column_stack([model.score_samples(texts) for model in self._models])
        return np.asarray(np.exp(log_softmax(scores + self._log_prior, axis=1)))


class LabelAtTheEnd:
    """One language model of texts that each end with the label's symbol: its probability there tells the label.

    The loss of the texts' own characters is the auxiliary loss; it weighs as much as the label's loss.

    Parameters
    ----------
    hidden_size : int, default=128
    epochs : int, default=8
    """

    def __init__(self, hidden_size: int = 128, epochs: int = 8) -> None:
        self.hidden_size = hidden_size
        self.epochs = epochs

    def fit(self, texts: Sequence[str], y: NDArray[Any]) -> Self:
        """Train the model."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        labeled = [text + chr(FIRST_LABEL + number) for text, number in zip(texts, numbers.tolist(), strict=True)]
        self._model = CharRNN(self.hidden_size, epochs=self.epochs, min_count=2, **RECIPE).fit(labeled)
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, (n, K)."""
        ends = [chr(FIRST_LABEL + number) for number in range(len(self.classes_))]
        scores = np.column_stack([self._model.score_samples([text + end for text in texts]) for end in ends])
        return np.asarray(np.exp(log_softmax(scores, axis=1)))
