"""WeightLearner: a model's weights as they follow a text."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DivergenceError
from ..inference.network.packed_network import PackedNetwork, State
from ..training.loop.chunk_gradient import ChunkGradient
from .adaptation_rule import AdaptationRule

__all__ = ["WeightLearner"]

Array = NDArray[Any]
Ids = NDArray[Any]


class WeightLearner:
    """Weights that learn from blocks, as `Learner` describes it.

    Parameters
    ----------
    rule : AdaptationRule
    params : array of shape (layout.size,)
        Not changed.
    boundary : int or None
    n_blocks : int, default=0
        Blocks that were learned from.
    scoring : bool, default=False
        As of `PackedNetwork.pack`.
    bfloat16 : bool, default=False
        Whether operands of products are rounded to bfloat16.
    spare : list of ChunkGradient, optional
        Gradients of whole blocks that nobody is using: learners of one text lend them to each other, and those of
        copies on other threads make their own.
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
        """The targets of a block."""
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
        """Return the weights after one step on a block.

        Raises
        ------
        DivergenceError
            If the loss or the weights are not finite.
        """
        gradient = self._gradient(len(counted))
        loss = gradient.compute(self.params, symbols, counted, state)
        params = self.rule.step(self.params, gradient.flat, int(counted.sum()))
        if np.isnan(loss) or not np.isfinite(params).all():
            raise DivergenceError(self.n_blocks + 1, loss, "adaptation")
        if len(counted) == self.block_length:
            self._spare.append(gradient)
        after = self.n_blocks + 1
        return WeightLearner(self.rule, params, self._boundary, after, **self._options, spare=self._spare)

    def _gradient(self, length: int) -> ChunkGradient:
        """Return room for the gradient of a block, which no other thread uses."""
        try:
            if length == self.block_length:
                return self._spare.pop()
        except IndexError:
            pass
        return ChunkGradient(self.rule.layout, length, self._boundary, bfloat16=self._bfloat16)
