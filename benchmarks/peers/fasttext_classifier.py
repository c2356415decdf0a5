"""fastText's classifier of texts by character n-grams, with fit and predict_proba.

fastText reads each text as one word, so that its n-grams can cross spaces, like the other contenders'. The package is
`fasttext-community` of the group `labels`; the archived `fasttext` fails with NumPy 2.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACE = "_"  # in place of what separates words in fastText's files


class FastTextClassifier:
    """fastText in its supervised mode, with n-grams of up to 5 characters."""

    def fit(self, texts: Sequence[str], labels: Sequence[Any]) -> FastTextClassifier:
        """Learn from texts and their labels, on one thread, which makes a run repeatable."""
        import fasttext

        self.classes_ = np.unique(labels)
        numbers = np.searchsorted(self.classes_, labels)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts"
            # fastText reads the lines in order: texts sorted by label would be forgotten one label after another.
            order = np.random.default_rng(0).permutation(len(texts))
            lines = (f"__label__{numbers[i]} {_word(texts[i])}\n" for i in order)
            path.write_text("".join(lines), encoding="utf-8")
            self._model = fasttext.train_supervised(
                str(path), minn=1, maxn=5, epoch=25, lr=0.5, dim=50, bucket=200_000, thread=1, verbose=0
            )
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each of `classes_` for each text."""
        found = np.zeros((len(texts), len(self.classes_)))
        labels, probabilities = self._model.predict([_word(text) for text in texts], k=-1)
        for row, names, values in zip(found, labels, probabilities, strict=True):
            row[[int(name.removeprefix("__label__")) for name in names]] = values
        return found / found.sum(axis=1, keepdims=True)


def _word(text: str) -> str:
    return SPACE.join(text.split()) or SPACE
