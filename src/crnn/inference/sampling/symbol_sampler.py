"""SymbolSampler: texts drawn from any network, symbol by symbol in Python."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...runtime.cancellation import check_cancelled
from ..network.context import Context
from ..network.mixed_network import MixedNetwork, RowFiller
from ..network.packed_network import PackedNetwork, silent_network
from ..network.protocol import InferenceNetwork
from .sampling_controls import SamplingControls
from .text_sampler import ROOM, TextSampler
from .uniforms import Uniforms

MAX_STEPS = 64  # symbols of each text drawn between two checks by a caller


class SymbolSampler(TextSampler):
    """A `TextSampler` for networks without compiled sampling; networks with equal logits draw the same texts."""

    def __init__(
        self,
        network: InferenceNetwork,
        context: Context,
        n: int | None,
        uniforms: Uniforms,
        controls: SamplingControls,
        room: int | None = None,
    ) -> None:
        count = len(uniforms.states)
        self._reader, self._uniforms, self._stops, self._mixture = network, uniforms, controls.stops, None
        self._n = n = sys.maxsize if n is None else n
        self._symbols = np.empty((count, min(n, room or (ROOM if controls.stops else n))), np.int32)
        self.lengths = np.zeros(count, np.intp)
        self._max_steps = MAX_STEPS
        self._active = np.arange(count if n else 0)  # the incomplete texts, and their states
        self._states = network.repeat(context.state, len(self._active))
        self._controls_of_draw = controls
        self._seen = np.repeat(context.seen[None].astype(np.uint8), count, axis=0)
        symbols, ends = controls.stops.packed()
        self._stop_symbols = np.split(symbols, ends[:-1]) if len(ends) else []

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return not len(self._active)

    def advance(self, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        check_cancelled()
        for _ in range(min(steps, self._max_steps)):
            if self.finished:
                return
            self._draw()

    def _draw(self) -> None:
        """Draw a symbol for each incomplete text, and read it."""
        active, t = self._active, int(self.lengths[self._active[0]])  # all have the same length
        if t == self._symbols.shape[1]:
            more = np.empty((len(self.lengths), min(t, self._n - t)), np.int32)
            self._symbols = np.concatenate([self._symbols, more], axis=1)
        p = self._probabilities(self._reader.logits_after(self._states)[:, : self._reader.symbols])
        states = self._uniforms.states[active]
        u = np.empty((1, len(active)))
        core.uniforms(states, self._uniforms.increment, u)
        self._uniforms.states[active] = states
        sums = np.cumsum(p, axis=1)
        # u is at most 1 - 2**-53, so even rounded the product is below the last sum.
        drawn = (sums <= (u[0] * sums[:, -1])[:, None]).sum(axis=1).astype(np.int32)
        self._symbols[active, t] = drawn
        self._seen[active, drawn] = 1
        self.lengths[active] = t + 1
        going = np.ones(len(active), np.bool_)
        for stop in self._stop_symbols:  # longer ones first
            first = t + 1 - len(stop)
            if first >= 0:
                met = going & (self._symbols[active, first : t + 1] == stop).all(axis=1)
                self.lengths[active[met]] = first
                going &= ~met
        going &= t + 1 < self._n
        self._active = active[going]
        if len(self._active):
            if not going.all():
                self._states = self._reader.select(self._states, np.flatnonzero(going))
            self._reader.feed(drawn[going][None], self._states)

    def _probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Apply the controls to logits (B, V) and return probabilities, not normalized."""
        controls = self._controls_of_draw
        seen = np.ascontiguousarray(self._seen[self._active]) if controls.penalizes_repetition else None
        order, y = np.empty(logits.shape[1], np.int32), np.array(logits, np.float64, order="C")
        filters = core.Controls(controls.numbers, bias=controls.bias, seen=seen, order=order)
        core.filter_logits(y, filters)
        return y


def text_sampler(
    network: InferenceNetwork,
    context: Context,
    n: int | None,
    uniforms: Uniforms,
    controls: SamplingControls,
    room: int | None = None,
) -> TextSampler:
    """Return a network's sampler, compiled for a recurrent network, counts or one of each; otherwise in Python."""
    if isinstance(network, PackedNetwork):
        return TextSampler(network, context, n, uniforms, controls, room)
    members: Sequence[InferenceNetwork] = [network]
    weights, states = [1.0], [context.state]
    if isinstance(network, MixedNetwork):
        members, weights, states = network.members, network.weights.tolist(), context.state
    packed = [k for k, member in enumerate(members) if isinstance(member, PackedNetwork)]
    fillers = [k for k, member in enumerate(members) if isinstance(member, RowFiller)]
    if len(packed) + len(fillers) != len(members) or len(packed) > 1 or len(fillers) != 1:
        return SymbolSampler(network, context, n, uniforms, controls, room)
    filler = members[fillers[0]]
    assert isinstance(filler, RowFiller)
    source, before = filler.row_source(states[fillers[0]])
    lead, own = silent_network(network.symbols, network.boundary), 0.0
    state = lead.zero_state(1)
    for k in packed:
        found = members[k]
        assert isinstance(found, PackedNetwork)
        lead, own, state = found, weights[k], states[k]
    mixture = core.MixedRows(own, weights[fillers[0]], source, before)
    return TextSampler(lead, Context(state, context.seen), n, uniforms, controls, room, mixture)
