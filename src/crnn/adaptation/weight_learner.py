"""WeightLearner: a model's weights as they adapt to a text, by the rule of dynamic evaluation."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import DivergenceError, InvalidInputError
from ..inference.packed_network import PackedNetwork, PackedState
from ..model.layout import Layout
from ..model.state import ModelState, gradient_rms, spread_rms
from ..training.gradients import ChunkGradient
from .options import AdaptationOptions

Ids = NDArray[Any]

EPSILON = 0.01  # of the mean of all root mean squares, added to each
# A weight's step against the gradient of m symbols is at most LIMIT sqrt(m) learning rates, the step for LIMIT standard
# deviations of a training gradient. The bound matters for texts unlike the training text, and exploding gradients.
LIMIT = 5.0


class AdaptationRule:
    """One step on a block: against its gradient, and back toward the trained weights.

    `trained` are the trained weights (layout.size,); `rms` (n_weights,) comes from `gradient_rms`.
    """

    def __init__(self, layout: Layout, trained: Array, rms: Array, options: AdaptationOptions) -> None:
        self.layout, self.trained, self.rms, self.options = layout, trained, rms, options
        scale, mean = spread_rms(layout, rms), float(rms.mean(dtype=np.float64))
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
        """Return the weights after a block; `gradient`, of the sum of `count` losses, is overwritten."""
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


@dataclass(eq=False)
class WeightLearner:
    """Weights that learn from blocks. A learner never changes: learning returns a new one."""

    rule: AdaptationRule
    params: Array
    boundary: int | None
    n_blocks: int = 0
    _: KW_ONLY
    scoring: bool
    bfloat16: bool
    spare: list[ChunkGradient] = field(default_factory=list)  # unused ones of whole blocks, shared within a text

    def __reduce__(self) -> tuple[Any, ...]:  # copies on other threads make their own gradients
        options: Any = {"scoring": self.scoring, "bfloat16": self.bfloat16}
        return partial(WeightLearner, **options), (self.rule, self.params, self.boundary, self.n_blocks)

    @property
    def block_length(self) -> int:
        """The number of targets in a block."""
        return self.rule.options.block_length

    @cached_property
    def network(self) -> PackedNetwork:
        """The network with these weights."""
        options: Any = {"boundary": self.boundary, "scoring": self.scoring, "bfloat16": self.bfloat16}
        return PackedNetwork.pack(self.rule.layout, self.params, one_row=True, **options)

    def learn(self, symbols: Ids, counted: NDArray[np.bool_], state: PackedState) -> WeightLearner:
        """Return the weights after one step on a block of T + 1 symbols, given which of the T losses count."""
        gradient = self._gradient(len(counted))
        loss = gradient.compute(self.params, symbols, counted, state)
        params = self.rule.step(self.params, gradient.flat, int(counted.sum()))
        if not (np.isfinite(loss) and np.isfinite(params).all()):
            raise DivergenceError(self.n_blocks + 1, loss, "adaptation")
        if len(counted) == self.block_length:
            self.spare.append(gradient)
        return replace(self, params=params, n_blocks=self.n_blocks + 1)

    def _gradient(self, length: int) -> ChunkGradient:
        """Return a gradient buffer for a block that no other thread uses."""
        try:
            if length == self.block_length:
                return self.spare.pop()
        except IndexError:
            pass
        return ChunkGradient(self.rule.layout, length, self.boundary, bfloat16=self.bfloat16)


def learner_of(
    state: ModelState, beta_2: float, options: AdaptationOptions, *, scoring: bool, bfloat16: bool
) -> WeightLearner:
    """Return a learner that starts from a copy of a model's weights."""
    with state.gate.turn, state.gate.steps():  # another thread may be training the model
        trained, rms = state.params.copy(), gradient_rms(state, beta_2)
    if rms is None:
        raise InvalidInputError(
            "adapt needs the sizes of the training gradients, but this model was not trained, or was loaded from a "
            "file of weights without them. Call partial_fit with a text like the training text first."
        )
    rule = AdaptationRule(state.layout, trained, rms, options)
    return WeightLearner(rule, trained, state.vocabulary.boundary, scoring=scoring, bfloat16=bfloat16)
