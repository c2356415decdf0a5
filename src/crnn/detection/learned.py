"""What a detector knows: its checked parameters, and its model with the threshold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..language_model import LanguageModel
from ..scoring.reductions import Reduce
from ..text.documents import Errors
from ..text.mask import Rule, masked_texts
from ..text.vocabulary import Text
from .calibration import Calibration, supported_rate
from .clean_texts import Held, iterable_of_texts


class DetectorOptions(NamedTuple):
    """The detector's checked parameters, except the estimator."""

    contamination: float | Literal["auto"]
    reduce: Reduce
    calibration_fraction: float
    mask: tuple[Rule, ...] | None
    folds: int
    unique: bool
    max_seconds: float
    keep_texts: bool
    verbose: int

    def rate(self, n_texts: float) -> float:
        """Return the contamination, given the number of calibration texts."""
        return supported_rate(n_texts) if self.contamination == "auto" else self.contamination


class Learned(NamedTuple):
    """A fitted model, and the threshold for its scores."""

    model: LanguageModel
    reduce: Reduce  # the reduction of the threshold
    calibration: Calibration
    origin: Any  # the parameter `estimator` at that time
    held: Held = ()  # texts that set the threshold, the newest first
    outlier_scores: NDArray[np.float64] | None = None  # of `fit_predict`
    mask: tuple[Rule, ...] | None = None

    def scores(self, X: Iterable[Text], errors: Errors) -> NDArray[np.float64]:
        """Return the score of each text."""
        return self.scores_of_masked(masked_texts(iterable_of_texts(X), self.mask), errors)

    def scores_of_masked(self, X: Iterable[Text], errors: Errors) -> NDArray[np.float64]:
        """Return the score of each text, which has been masked."""
        return self.model.score_samples(X, reduce=self.reduce, errors=errors)

    def decisions(self, X: Iterable[Text], errors: Errors) -> NDArray[np.float64]:
        """Return the scores minus the threshold."""
        return self.scores(X, errors) - self.calibration.offset


class Judged(NamedTuple):
    """Texts with their scores by models that have not learned them."""

    texts: list[Any]
    scores: NDArray[np.float64]
