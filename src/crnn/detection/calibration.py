"""Calibration: the threshold below which a score counts as an anomaly, and the bounds of its false-positive rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.sources.input_checks import warn_caller

__all__ = ["MIN_FALSE_POSITIVES", "Calibration", "calibrated"]

MIN_FALSE_POSITIVES = 10  # calibration texts below the threshold: with fewer, the rate is known only roughly
CONFIDENCE = 0.95


class Calibration(NamedTuple):
    """A threshold and the texts that set it.

    Attributes
    ----------
    offset : float
        Scores below it are anomalies.
    n_texts : float
        How many clean texts, drawn independently, tell as much about the rate.
    rank : float
        The place of `offset` among their scores, counted from 1 for the lowest. The false-positive rate on new texts
        has the distribution Beta(rank, n_texts + 1 - rank).

    Examples
    --------
    >>> low, high = Calibration(-7.5, n_texts=999, rank=10).interval
    >>> round(low, 4), round(high, 4)
    (0.0048, 0.017)
    """

    offset: float
    n_texts: float
    rank: float

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of the false-positive rate, at 95 % confidence."""
        from scipy.special import betaincinv

        tail = (1 - CONFIDENCE) / 2
        low, high = betaincinv(self.rank, self.n_texts + 1 - self.rank, [tail, 1 - tail]).tolist()
        return low, high

    def warn_if_uncertain(self, contamination: float, remedy: str) -> None:
        """Give a UserWarning if too few texts set the threshold."""
        if self.n_texts * contamination >= MIN_FALSE_POSITIVES:
            return
        low, high = self.interval
        warn_caller(
            f"the threshold was set by {self.n_texts:,.0f} calibration texts, fewer than 10 / contamination = "
            f"{MIN_FALSE_POSITIVES / contamination:,.0f}: the false-positive rate is between {low:.2g} and {high:.2g} "
            f"at 95 % confidence, where contamination is {contamination:g}. {remedy}"
        )


def calibrated(
    scores: NDArray[np.float64], contamination: float, weights: NDArray[np.float64] | None = None, unit: float = 1.0
) -> Calibration:
    """Return the highest threshold whose expected false-positive rate is at most `contamination`.

    Among n scores and that of a new text, each is equally likely to be the lowest. So the k-th lowest of n scores has a
    fraction k / (n + 1) of new texts below it, whatever the distribution. If even the lowest score has more than
    `contamination`, that one is the threshold.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Of clean texts; at least one. -inf is allowed for texts that the model cannot have written.
    contamination : float
        Between 0 and 1/2.
    weights : ndarray of shape (n,), optional
        How many texts each score stands for. None: one.
    unit : float, default=1.0
        The number of texts that one independent observation stands for.

    Examples
    --------
    >>> calibrated(np.arange(-99.0, 0.0), 0.05)
    Calibration(offset=-95.0, n_texts=99.0, rank=5.0)
    >>> calibrated(np.array([-9.0, -1.0, -5.0]), 0.3, weights=np.array([1.0, 97.0, 2.0]))
    Calibration(offset=-1.0, n_texts=100.0, rank=4.0)
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    sums = np.cumsum(np.ones(len(order)) if weights is None else weights[order])
    below = np.append(0.0, sums)[np.searchsorted(ordered, ordered, side="left")]
    # Rounding may put a sum just above a bound that it is meant to reach.
    within = below + unit <= contamination * (sums[-1] + unit) * (1 + 1e-9)
    k = int(np.count_nonzero(within)) - 1 if within[0] else 0
    offset = float(ordered[k])
    if not np.isfinite(offset):
        raise InvalidInputError(
            f"a fraction of {sums[k] / sums[-1]:.2g} of the texts hold symbols that the model never saw, more than "
            f"contamination, {contamination:g}. Fit the model with min_count=2, or on texts with these symbols."
        )
    return Calibration(offset, float(sums[-1] / unit), float(below[k] / unit + 1))
