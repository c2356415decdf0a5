"""AdaptationRule: the step of dynamic evaluation, scaled by the training gradients (Krause et al. 2018)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.gradient_rms import spread
from ..model.layout import Layout
from .options import AdaptationOptions

Array = NDArray[Any]

EPSILON = 0.01  # of the mean of all root mean squares, added to each
# A weight's step against the gradient of m symbols is at most LIMIT sqrt(m) learning rates, the step for LIMIT standard
# deviations of a training gradient. The bound matters for texts unlike the training text, and exploding gradients.
LIMIT = 5.0


class AdaptationRule:
    """One step on a block: against its gradient, and back toward the trained weights.

    `trained` are the trained weights (layout.size,), protected from later changes; `rms` are the root mean squares of
    the training gradients (n_weights,), from `gradient_rms`.
    """

    def __init__(self, layout: Layout, trained: Array, rms: Array, options: AdaptationOptions) -> None:
        self.layout, self.trained, self.rms, self.options = layout, trained, rms, options
        scale, mean = spread(layout, rms), float(rms.mean(dtype=np.float64))
        # The gradient of a symbol's loss by the output bias is p - onehot, whose norm is about 1. It sets the scale,
        # since training gradients may be sums or means over streams and time steps, and may be clipped by norm.
        unit = float(np.linalg.norm(layout.tensors(scale).by.astype(np.float64)))
        # If the mean is 0, no weight has ever had a gradient, and there is nothing to learn.
        with np.errstate(over="ignore"):  # the learner refuses non-finite weights
            self._rate = (options.learning_rate * unit) / (scale + (EPSILON * mean or np.inf))
            self._pull = scale * (options.decay / (mean or np.inf))

    def __reduce__(self) -> tuple[Any, ...]:
        return AdaptationRule, (self.layout, self.trained, self.rms, self.options)

    def step(self, params: Array, gradient: Array, count: int) -> Array:
        """Return the weights after a block.

        `gradient` is the gradient of the sum of `count` losses. It is overwritten, because new memory would cost as
        much as the arithmetic; `params` stays unchanged.
        """
        limit = LIMIT * self.options.learning_rate * math.sqrt(count)
        with np.errstate(over="ignore", invalid="ignore"):
            gradient *= self._rate
            np.clip(gradient, -limit, limit, out=gradient)
            stepped: Array = params - gradient
            if self.options.decay:
                pull = np.multiply(self._pull, count, out=gradient)
                np.minimum(pull, 1, out=pull)
                pull *= self.trained - params
                stepped += pull
        return stepped
