"""Other ways to find anomalies among texts: the rarest pair of tokens, and scikit-learn on TF-IDF features.

Each learns texts and then gives scores; the lower, the odder.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKEN = re.compile(r"\w+|[^\w\s]")

Scores = NDArray[np.float64]


class RarestPair:
    """The count of a text's rarest pair of neighboring tokens, its start and its end among them.

    Parameters
    ----------
    rare : float, default=0.0005
        Tokens that occur less often per text, such as random keys, count as one and the same token.

    Examples
    --------
    >>> RarestPair(rare=0.5).fit(["to be", "to be", "or not"]).score(["to be", "to not", "be"]).tolist()
    [2.0, 0.0, 0.0]
    """

    def __init__(self, rare: float = 0.0005) -> None:
        self._rare = rare

    def fit(self, texts: list[str]) -> RarestPair:
        """Count tokens, then pairs."""
        different, self._min_count = Counter(texts), self._rare * len(texts)
        self._tokens, self._pairs = Counter[str](), Counter[tuple[str, str]]()
        for text, n in different.items():
            for token in ["", *TOKEN.findall(text)]:
                self._tokens[token] += n
        for text, n in different.items():
            for pair in self._pairs_of(text):
                self._pairs[pair] += n
        return self

    def score(self, texts: list[str]) -> Scores:
        """Return the least count of each text."""
        return np.array([min(map(self._pairs.__getitem__, self._pairs_of(text))) for text in texts], np.float64)

    def _pairs_of(self, text: str) -> list[tuple[str, str]]:
        tokens = [token if self._tokens[token] >= self._min_count else "?" for token in TOKEN.findall(text)]
        return [*pairwise(["", *tokens, ""])]


class TfIdf:
    """TF-IDF of words, or of groups of up to three characters, and one of scikit-learn's detectors.

    Words as scikit-learn finds them and ``nu=0.01`` did best on log lines, compared with pairs of words, groups of
    characters, and values of `nu` from 0.001 to 0.5.

    Parameters
    ----------
    detector : "linear" or "kernel"
        SGDOneClassSVM, or OneClassSVM with a radial basis function.
    of_characters : bool, default=False
    max_texts : int, optional
        How many texts are learned.
    """

    def __init__(self, detector: str, *, of_characters: bool = False, max_texts: int | None = None) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import SGDOneClassSVM
        from sklearn.svm import OneClassSVM

        features: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (1, 3), "min_df": 2} if of_characters else {}
        self._features: Any = TfidfVectorizer(**features)
        detectors: dict[str, Any] = {
            "linear": SGDOneClassSVM(nu=0.01, random_state=0),
            "kernel": OneClassSVM(nu=0.01),
        }
        self._detector, self._max_texts = detectors[detector], max_texts

    def fit(self, texts: list[str]) -> TfIdf:
        """Learn texts, or those that come first in a random order."""
        if self._max_texts is not None:
            texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[: self._max_texts]]
        self._detector.fit(self._features.fit_transform(texts))
        return self

    def score(self, texts: list[str]) -> Scores:
        """Return the decision function."""
        return np.asarray(self._detector.decision_function(self._features.transform(texts)))
