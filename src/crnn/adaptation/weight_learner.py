"""WeightLearner: a model's weights as they adapt to a text."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DivergenceError, InvalidInputError
from ..inference.network.packed_network import PackedNetwork, State
from ..model.gradient_rms import gradient_rms
from ..model.state import ModelState
from ..training.loop.chunk_gradient import ChunkGradient
from .adaptation_rule import AdaptationRule
from .options import AdaptationOptions

Array = NDArray[Any]
Ids = NDArray[Any]


class WeightLearner:
    """Weights that learn from blocks. A learner never changes: learning returns a new one.

    `params` stays unchanged. `spare` holds unused gradients of whole blocks, which learners of one text share; copies
    on other threads make their own.
    """

    def __init__(
        self,
        rule: AdaptationRule,
        params: Array,
        boundary: int | None,
        n_blocks: int = 0,
        *,
        scoring: bool = False,
        bfloat16: bool = False,
        spare: list[ChunkGradient] | None = None,
    ) -> None:
        self.rule, self.params, self.n_blocks = rule, params, n_blocks
        self._boundary, self._scoring, self._bfloat16 = boundary, scoring, bfloat16
        self._spare: list[ChunkGradient] = [] if spare is None else spare

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(WeightLearner, **self._options), (self.rule, self.params, self._boundary, self.n_blocks)

    @property
    def _options(self) -> dict[str, Any]:
        return {"scoring": self._scoring, "bfloat16": self._bfloat16}

    @property
    def block_length(self) -> int:
        """The number of targets in a block."""
        return self.rule.options.block_length

    @cached_property
    def network(self) -> PackedNetwork:
        """The network with these weights."""
        return PackedNetwork.pack(
            self.rule.layout,
            self.params,
            one_row=True,
            boundary=self._boundary,
            **self._options,
        )

    def learned(self, symbols: Ids, counted: NDArray[np.bool_], state: State) -> WeightLearner:
        """Return the weights after one step on a block: its T + 1 symbols (inputs and, shifted by one, targets), which
        of the T losses count, and the state (L, 1, H) before the first input.
        """
        gradient = self._gradient(len(counted))
        loss = gradient.compute(self.params, symbols, counted, state)
        params = self.rule.step(self.params, gradient.flat, int(counted.sum()))
        if not (np.isfinite(loss) and np.isfinite(params).all()):
            raise DivergenceError(self.n_blocks + 1, loss, "adaptation")
        if len(counted) == self.block_length:
            self._spare.append(gradient)
        after = self.n_blocks + 1
        return WeightLearner(self.rule, params, self._boundary, after, **self._options, spare=self._spare)

    def _gradient(self, length: int) -> ChunkGradient:
        """Return a gradient buffer for a block that no other thread uses."""
        try:
            if length == self.block_length:
                return self._spare.pop()
        except IndexError:
            pass
        return ChunkGradient(self.rule.layout, length, self._boundary, bfloat16=self._bfloat16)


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
