"""Calibration: the threshold below which a score counts as an anomaly, and the bounds of its false-positive rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.documents import warn_caller

# Calibration texts times contamination. If lower, the lowest score is the threshold, so a single odd text can set it:
# of random words, detectors with 400 calibration texts found 0.25 to 0.96, depending on the seed. With a product of 10,
# they found 0.91 to 0.99.
MIN_ANOMALIES = 2
CERTAIN_ANOMALIES = 10  # with fewer, the false-positive rate is known only roughly
CONFIDENCE = 0.95
# How many times as much the rate varies if each score is by a model without the text as if a model had never seen any
# of them: up to 2.2 times on names in Chinese characters (benchmarks/false_alarms.py), and 3 with a margin.
VARIANCE_OUT_OF_FOLD = 3.0
USUAL_RATE = 0.001  # what `contamination="auto"` is if the texts support it
# The texts below the threshold of an automatic rate: one or two odd texts among them do not decide it.
AUTOMATIC_ANOMALIES = 3
MIN_JUDGED_TEXTS = 100  # with fewer in a call, the user may have chosen them by hand
CHANGE_PROBABILITY = 1e-6  # the probability of as many alarms by chance below which the texts are said to have changed
TAIL_RATE = 2  # times contamination: the share of the lowest scores whose equal texts are counted
# How far below a score the threshold may be, relative to 1 + |score|: much more than rounding errors.
THRESHOLD_SLACK = 1e-4


class Calibration(NamedTuple):
    """A threshold and the texts that set it."""

    offset: float  # scores below it are anomalies
    n_texts: float  # the number of clean texts, equal ones included
    # The rank, from 1 for the lowest, of the first score above `offset`. With n independent texts, the false-positive
    # rate on new texts has the distribution Beta(rank, n + 1 - rank).
    rank: float
    variance: float  # of the rate, relative to the variance with as many independent texts
    rate: float  # the contamination

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of the false-positive rate, at 95 % confidence."""
        from scipy.special import betaincinv

        tail = (1 - CONFIDENCE) / 2
        rank = self.rank / self.variance
        n = self.n_texts / self.variance
        low, high = betaincinv(rank, n + 1 - rank, [tail, 1 - tail]).tolist()
        return low, high

    def warn_of_few_texts(self, remedy: str, but: str = "", *, automatic: bool = False) -> None:
        """Issue a UserWarning, which begins with `but`, if a single text or chance decides the threshold.

        If the rate is `automatic`, the warning says which rate the texts support.
        """
        contamination = self.rate
        if automatic and self.n_texts * contamination < CERTAIN_ANOMALIES:
            low, high = self.interval
            warn_caller(
                f"{but}about 1 of {1 / contamination:,.0f} normal texts will be flagged: "
                f"contamination={contamination:.2g}, the rate that {self.n_texts:,.0f} calibration texts support. It "
                f"is between {low:.2g} and {high:.2g} at 95 % confidence. {remedy}"
            )
            return
        enough = self.n_texts * contamination * (1 + 1e-9)  # rounding may put a product just below its bound
        if enough >= CERTAIN_ANOMALIES:
            return
        if enough < MIN_ANOMALIES:
            problem = (
                f"no alarm is likely if even one of the {self.n_texts:,.0f} calibration texts is odd: they are so few "
                f"for contamination={contamination:g} that the lowest of their scores is the threshold. From "
                f"{MIN_ANOMALIES} / contamination = {_rounded_up(MIN_ANOMALIES / contamination)} calibration texts on, "
                f"an alarm is likely all the same, or with contamination={supported_rate(self.n_texts):.2g}. The"
            )
        else:
            problem = (
                f"the threshold was set by {self.n_texts:,.0f} calibration texts, fewer than "
                f"{CERTAIN_ANOMALIES} / contamination = {_rounded_up(CERTAIN_ANOMALIES / contamination)} for "
                f"contamination={contamination:g}: the"
            )
        low, high = self.interval
        warn_caller(
            f"{but}{problem} false-positive rate is between {low:.2g} and {high:.2g} at 95 % confidence. {remedy}"
        )


def calibrate(
    scores: NDArray[np.float64],
    contamination: float,
    weights: NDArray[np.float64] | None = None,
    *,
    variance: float = 1.0,
) -> Calibration:
    """Return nearly the highest threshold whose expected false-positive rate is at most `contamination`.

    An expected fraction k / (n + 1) of new texts scores below the k-th lowest of n scores, whatever the distribution.
    The threshold is in a gap just below the chosen score, so that a rounding error on another processor makes no
    anomalies. `weights` are the number of equal texts with each score; None: 1 each. Equal texts in the tail raise the
    `variance` of the rate: three equal texts say no more than one.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    sums = np.cumsum(np.ones(len(order)) if weights is None else weights[order])
    below = np.append(0.0, sums)[np.searchsorted(ordered, ordered, side="left")]
    # Rounding may put a sum just above a bound that it should equal.
    within = below + 1 <= contamination * (sums[-1] + 1) * (1 + 1e-9)
    k = int(np.count_nonzero(within)) - 1 if within[0] else 0
    offset = float(ordered[k])
    if not np.isfinite(offset):
        unseen = float(sums[np.searchsorted(ordered, -np.inf, side="right") - 1] / sums[-1])
        raise InvalidInputError(
            f"a fraction of {unseen:.2g} of the texts contains symbols that the model never saw, too many for "
            f"contamination={contamination:g}. Fit the model with min_count=2, or on texts with these symbols."
        )
    offset = _middle_of_gap(ordered, offset)
    first = int(np.searchsorted(ordered, offset))
    if weights is not None:
        variance *= _mean_cluster(weights[order], sums, TAIL_RATE * contamination)
    return Calibration(offset, float(sums[-1]), float(below[first] + 1), variance, contamination)


def change_message(interval: tuple[float, float], n_flagged: int, n: int) -> str:
    """Return a warning if far more of n texts are anomalies than the interval of the rate allows, or an empty text."""
    from scipy.special import bdtrc

    _, high = interval
    if n < MIN_JUDGED_TEXTS or not n_flagged or bdtrc(n_flagged - 1, n, min(high, 1.0)) >= CHANGE_PROBABILITY:
        return ""
    return (
        f"{n_flagged:,} of {n:,} texts ({n_flagged / n:.1%}) are anomalies, but of texts like those that set the "
        f"threshold, at most {high:.2g} are, at 95 % confidence. If these are not attacks or faults, the texts "
        "have changed: learn recent clean texts with partial_fit, or fit a new detector on a newer sample."
    )


def supported_rate(n_texts: float) -> float:
    """Return the contamination that a number of calibration texts can support."""
    return min(0.5, max(USUAL_RATE, AUTOMATIC_ANOMALIES / n_texts))


def _mean_cluster(weights: NDArray[np.float64], sums: NDArray[np.float64], share: float) -> float:
    """Return how many equal texts a text of the lowest share has on average, itself included."""
    n = int(np.searchsorted(sums, share * sums[-1])) + 1
    tail = weights[:n]
    return max(1.0, float((tail**2).sum() / tail.sum()))


def _rounded_up(n: float) -> str:
    return f"{math.ceil(n):,}" if n < 1e15 else f"{n:.0e}"


def _middle_of_gap(ordered: NDArray[np.float64], score: float) -> float:
    """Return the middle of the widest gap between scores, not further below `score` than rounding errors require."""
    lowest = score - THRESHOLD_SLACK * (1 + abs(score))
    near = ordered[(ordered > lowest) & (ordered < score)]
    edges = np.array([lowest, *near, score])
    widest = int(np.argmax(np.diff(edges)))
    return float(edges[widest] + edges[widest + 1]) / 2
