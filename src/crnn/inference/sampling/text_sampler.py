"""TextSampler: texts drawn in parallel, each until it meets a stop or reaches its full length."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ..._kernels.entry.structures import DrawnTexts, DrawScratch
from ...runtime.cancellation import check_cancelled
from ..network.context import Context
from ..network.packed_network import PackedNetwork
from ..scoring.string_scores import Strings
from .sampling_controls import SamplingControls
from .uniforms import Uniforms

ROWS = 64  # texts drawn in parallel: enough for the register tile, and their states stay in the cache
ROOM = 64  # symbols of initial memory for a text that may stop
CALL_SYMBOLS = 1 << 15  # maximum symbols drawn in one call, and
CALL_WEIGHTS = 1 << 29  # weights multiplied in one call: a tenth of a second, so that Ctrl-C gets through


class TextSampler:
    """Draws one text from each stream of random numbers, all from the same context.

    This is the only drawing loop: `sample`, `stream`, `TextState.sample` and guess numbers use it. `advance` draws some
    symbols of each text, so that a caller can use them before the texts are complete. `lengths` counts the symbols of
    each text so far, without a stop that it has met.

    A text that meets no stop has n symbols; None: no limit. Each symbol takes one of its own stream's `uniforms`, so a
    text does not depend on the other texts. Memory is allocated for `room` symbols at first: n, or few if a stop may
    end a text. The logits of `mixture` are added to the network's.
    """

    def __init__(
        self,
        network: PackedNetwork,
        context: Context,
        n: int | None,
        uniforms: Uniforms,
        controls: SamplingControls,
        room: int | None = None,
        mixture: core.MixedRows | None = None,
    ) -> None:
        self._mixture = mixture
        count, V, dtype = len(uniforms.states), network.layout.vocab_size, network.layout.dtype
        rows = max(1, min(count, network.rows_at_a_time(ROWS)))
        n = sys.maxsize if n is None else n
        seen = None
        if controls.penalizes_repetition:
            seen = np.zeros((count, V), np.uint8)
            seen[:, : network.symbols] = context.seen
        self.lengths = np.zeros(count, np.intp)
        self._network, self._uniforms, self._stops, self._n = network, uniforms, controls.stops, n
        self._symbols = np.empty((count, min(n, room or (ROOM if controls.stops else n))), np.int32)
        self._batch = core.Batch(np.empty(rows, np.intp))
        self._max_steps = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // network.layout.size) // rows)
        self._work = network.workspace(1, context.state if rows == 1 else network.repeat(context.state, rows))
        start = [array[:, :1].copy() for array in network.carried(self._work)]
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(
            symbols=self._symbols,
            lengths=self.lengths,
            max_length=n,
            batch=self._batch,
            random_states=uniforms.states,
            increment=uniforms.increment,
            stops=stops,
            stop_ends=stop_ends,
            start=start,
            start_logits=network.logits(context.state[0][-1])[0],
        )
        self._scratch = DrawScratch(
            np.empty((rows + 1, V), dtype), np.empty(core.sums_size(V)), np.empty(rows, np.int32)
        )
        self._controls = network.kernel_controls(controls, seen)
        self._shared = network.shared_stream(count)

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._n == 0 or (self._batch.begun == len(self.lengths) and not self._batch.active)

    def run(self) -> Strings:
        """Draw until every text is complete, and return all texts."""
        while not self.finished:
            self.advance(self._max_steps)
        if not self._stops:  # all have the same length
            return Strings(self._symbols.ravel(), self.lengths)
        return Strings(self._symbols[np.arange(self._symbols.shape[1]) < self.lengths[:, None]], self.lengths)

    def advance(self, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        check_cancelled()
        width = self._symbols.shape[1]
        if width < self._n and self.lengths.max() == width:  # an incomplete text has no room left
            more = np.empty((len(self.lengths), min(width, self._n - width)), np.int32)
            self._symbols = np.concatenate([self._symbols, more], axis=1)
        steps = self._shared.symbols_of_call(min(steps, self._max_steps))
        with self._shared.threads(min(steps, self._n)) as shared:
            core.sample_texts(
                self._network.kernel_arguments,
                self._drawn._replace(symbols=self._symbols, max_length=self._n),  # which `take` shortens
                self._controls,
                steps,
                self._work._replace(shared=shared),
                self._scratch,
                self._mixture,
            )

    def take(self) -> NDArray[np.int32]:
        """Return the new symbols of the only text that cannot belong to a stop, and forget them."""
        length = int(self.lengths[0])
        text = self._symbols[0, :length]
        certain = length if self.finished else length - self._stops.begun(text)
        taken = text[:certain].copy()
        self._symbols[0, : length - certain] = text[certain:].copy()
        self.lengths[0] -= certain
        self._n -= certain
        if self._mixture is not None and len(taken):
            before = self._mixture.before
            before[:] = np.concatenate([before, taken])[len(taken) :]
        return taken

    def ended_by(self, symbol: int) -> NDArray[np.bool_]:
        """Return which of the complete texts met `symbol` as their stop."""
        met = self.lengths < self._n
        stop = self._symbols[met, self.lengths[met]]  # the kernel leaves the stop after the text
        met[met] = stop == symbol
        return met
