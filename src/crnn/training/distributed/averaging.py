"""Averaging: how processes that train alone for some steps make one model of what each has learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...parameters.settings import Settings

__all__ = ["Averaging", "outer_step"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Averaging:
    """When and how processes average their parameters.

    Parameters
    ----------
    every : int
        Steps that each takes alone, at least 2.
    learning_rate, momentum : float
        Of the step from the last average towards the new one: see `outer_step`.
    """

    every: int
    learning_rate: float = 1.0
    momentum: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Averaging | None:
        """Return that of a call of training; None if the gradient of each step is summed instead.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> Averaging.of(Settings.check(CharRNN(average_every=16, outer_momentum=0.9).get_params()))
        Averaging(every=16, learning_rate=0.7, momentum=0.9)
        """
        if settings.average_every == 1:
            return None
        return cls(settings.average_every, settings.outer_learning_rate, settings.outer_momentum)

    @property
    def is_plain(self) -> bool:
        """Whether the average itself is where training goes on from."""
        return self.learning_rate == 1.0 and self.momentum == 0.0


def outer_step(before: Array, average: Array, velocity: Array, learning_rate: float, momentum: float) -> None:
    """Go from the parameters before towards their average, as DiLoCo does; the result replaces `average`.

    The difference is taken for a gradient, of which SGD takes a step with Nesterov's momentum (Douillard et al. 2023,
    arXiv:2311.08105):

    d = before - average;  velocity = momentum velocity + d;  average = before - learning_rate (d + momentum velocity)

    Parameters
    ----------
    before, average, velocity : array of shape (n,)
    learning_rate, momentum : float

    Examples
    --------
    >>> average, velocity = np.array([1.0, 2.0]), np.zeros(2)
    >>> outer_step(np.array([3.0, 2.0]), average, velocity, learning_rate=0.5, momentum=0.5)
    >>> average, velocity
    (array([1.5, 2. ]), array([2., 0.]))
    """
    with np.errstate(over="ignore", invalid="ignore"):  # weights are checked afterwards
        d = before - average
        velocity *= momentum
        velocity += d
        d += momentum * velocity
        np.subtract(before, learning_rate * d, out=average)
