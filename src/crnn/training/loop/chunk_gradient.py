"""ChunkGradient: the gradient of one chunk's loss for any weights, without an update."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ..._kernels.entry.structures import Packing
from ...model.layout import Layout, aligned_zeros, n_labels
from ...runtime.threads import scipy_blas
from .team import Team

Array = NDArray[Any]


class ChunkGradient:
    """The training kernels for chunks of T symbols of one stream, on one thread.

    `flat` (layout.size,) is the gradient of the latest chunk.
    """

    def __init__(self, layout: Layout, seq_length: int, boundary: int | None, *, bfloat16: bool = False) -> None:
        self._layout = layout
        self._many = bfloat16 or seq_length >= core.MANY_ROWS
        self._network = core.Network(
            layout,
            Packing(one_row=True, many=self._many, training=True, bfloat16=bfloat16, in_place=True),
            boundary=boundary,
            labels=n_labels(layout, boundary),
        )
        self._team = Team(self._network, layout, seq_length, [range(1)], False)
        self._panels = aligned_zeros(self._network.panels_size, layout.dtype)
        self.flat = self._team.shards[0].gradient

    def compute(
        self,
        params: Array,
        symbols: NDArray[np.integer[Any]],
        loss_weights: Array,
        state: tuple[Array, ...],
        state_gradients: tuple[Array, ...] | None = None,
    ) -> float:
        """Return the loss of a chunk in nats, and leave its gradient in `flat`; if the loss is NaN, `flat` is
        meaningless.

        The T + 1 symbols are the inputs and, shifted by one, the targets, whose losses are multiplied by `loss_weights`
        (T,). `state` (L, 1, H) precedes the first input. `state_gradients` (L, T, 1, H) are filled with the gradients
        of the states.
        """
        core.pack_weights(self._network, params, self._panels)
        (shard,) = self._team.shards
        for carried, array in zip(shard.carried, state, strict=True):
            carried[...] = array
        shard.loss_weights = np.ascontiguousarray(loss_weights[:, None], self._layout.dtype)
        shard.state_gradients = state_gradients
        self.flat[:] = 0
        arguments = self._network, params, self._panels, self._team, symbols.astype(np.uint32)[None]
        if self._many:  # these products use no BLAS
            loss = core.loss_and_gradients(*arguments)
        else:
            with scipy_blas.one_thread():
                loss = core.loss_and_gradients(*arguments)
        return loss if math.isfinite(loss) else math.nan
