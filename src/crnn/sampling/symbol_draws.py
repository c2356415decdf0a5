"""How the next symbols of texts are drawn: compiled, from a network or from rows, or in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import DrawnTexts
from .._kernels.ngram.words import WeightedRows
from ..inference.mixed_network import MixedNetwork, RowFiller
from ..inference.network import Context, InferenceNetwork, stream_blocks
from ..inference.packed_network import PackedNetwork, PackedState
from .controls import CheckedControls, Uniforms
from .limits import LIMITS, SamplingLimits

# The cost of a draw, in multiplications per symbol: with the temperature alone, and with any other control.
DRAWN_WEIGHTS = 32
FILTERED_WEIGHTS = 256
PYTHON_STEPS = 64  # symbols of each text drawn in Python between two checks by a caller


class _CompiledDraws:
    """Draws of `count` texts whose batch is in a kernel, from rows of logits if there are any."""

    count: int
    _batch: core.Batch
    _rows: core.MixedRows | None

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._batch.begun == self.count and not self._batch.active

    def forget(self, ids: NDArray[np.int32]) -> None:
        """Keep the last of these symbols, which the caller removes from the only text, for the next row."""
        if self._rows is not None and len(ids):
            self._rows.before[:] = np.concatenate([self._rows.before, ids])[len(ids) :]


class NetworkDraws(_CompiledDraws):
    """Compiled draws from a recurrent network, optionally mixed with another model's logits."""

    def __init__(
        self,
        network: PackedNetwork,
        context: Context,
        uniforms: Uniforms,
        controls: CheckedControls,
        mixture: core.MixedRows | None = None,
        limits: SamplingLimits = LIMITS,
    ) -> None:
        self.count = len(uniforms.states)
        V = network.layout.vocab_size
        draw_weights = _draw_cost(V, controls)
        rows = max(1, min(self.count, network.rows_at_a_time(limits.rows), limits.call_weights // draw_weights))
        self._rows = mixture
        self._batch = core.Batch(np.empty(rows, np.intp))
        steps_of_row = min(limits.call_symbols, limits.call_weights // (network.layout.size + draw_weights))
        self._max_steps = max(1, steps_of_row // rows)
        self._session = core.Session(network.kernel_arguments, 1, rows)
        self._n_units = network.hidden_size
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(
            batch=self._batch,
            random_states=uniforms.states,
            increment=uniforms.increment,
            stops=stops,
            stop_ends=stop_ends,
            start=network.padded_state(context.state),
            start_logits=network.logits(context.state[0][-1])[0],
        )
        self._controls = _kernel_controls(controls, V, network.layout.dtype, self.count, context)
        self._shared = network.shared_stream(self.count)

    def states(self) -> PackedState:
        """Return the network's state after the last symbol of each text that is being drawn."""
        arrays = [array[:, 0] for array in self._session.hidden()]
        return tuple(array[..., : self._n_units].copy() for array in arrays)

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text symbols[i, :lengths[i]], fewer if one has no room left."""
        steps = self._shared.symbols_of_call(min(steps, self._max_steps))
        with self._shared.threads(min(steps, max_length)) as shared:
            core.sample_texts(
                self._session,
                self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length),
                self._controls,
                steps,
                self._rows,
                shared,
            )


class RowDraws(_CompiledDraws):
    """Compiled draws from a model that gives a row of logits for the last symbols, such as counts."""

    _rows: core.MixedRows

    def __init__(
        self,
        rows: core.MixedRows,
        symbols: int,
        context: Context,
        uniforms: Uniforms,
        controls: CheckedControls,
        limits: SamplingLimits = LIMITS,
    ) -> None:
        self.count = len(uniforms.states)
        self._rows = rows
        V = core.packed_size(1, symbols, 8)
        self._controls = _kernel_controls(controls, V, np.dtype(np.float64), self.count, context)
        self._batch = core.Batch(np.empty(1, np.intp))
        self._max_symbols = max(1, min(limits.call_symbols, limits.call_weights // (2 * _draw_cost(V, controls))))
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(self._batch, uniforms.states, uniforms.increment, stops, stop_ends)
        self._y = np.empty(V)
        self._sums = np.empty(core.sums_size(V))

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of the next incomplete texts."""
        drawn = self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length)
        core.draw_from_rows(self._rows, drawn, self._controls, min(steps, self._max_symbols), self._y, self._sums)


class PythonDraws:
    """Draws from any network, symbol by symbol; networks with equal logits draw the same texts as compiled draws."""

    def __init__(
        self, network: InferenceNetwork, context: Context, uniforms: Uniforms, controls: CheckedControls
    ) -> None:
        self.count = len(uniforms.states)
        self._network = network
        self._uniforms = uniforms
        self._controls = controls
        self._active = np.arange(self.count)  # the incomplete texts, and their states
        self._states = network.repeat(context.state, self.count)
        self._seen = np.repeat(context.seen[None].astype(np.uint8), self.count, axis=0)
        stops, ends = controls.stops.packed()
        self._stops = np.split(stops, ends[:-1]) if len(ends) else []

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return not len(self._active)

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        for _ in range(min(steps, PYTHON_STEPS)):
            if self.finished or lengths[self._active[0]] == symbols.shape[1]:
                return
            self._advance_one(symbols, lengths, max_length)

    def _advance_one(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int) -> None:
        """Draw a symbol for each incomplete text, and read it."""
        active = self._active
        t = int(lengths[active[0]])  # all have the same length
        states = self._uniforms.states[active]
        u = np.empty((1, len(active)))
        drawn = np.empty(len(active), np.int32)
        core.uniforms(states, self._uniforms.increment, u)
        self._uniforms.states[active] = states
        for part, state in stream_blocks(self._network, self._states, len(active)):
            y = self._network.logits_after(state)[:, : self._network.symbols]
            sums = np.cumsum(self._probabilities(y, active[part]), axis=1)
            # u is at most 1 - 2**-53, so even rounded the product is below the last sum.
            drawn[part] = (sums <= (u[0, part] * sums[:, -1])[:, None]).sum(axis=1)
        symbols[active, t] = drawn
        self._seen[active, drawn] = 1
        lengths[active] = t + 1
        going = np.ones(len(active), np.bool_)
        for stop in self._stops:  # longer ones first
            first = t + 1 - len(stop)
            if first >= 0:
                met = going & (symbols[active, first : t + 1] == stop).all(axis=1)
                lengths[active[met]] = first
                going &= ~met
        going &= t + 1 < max_length
        self._active = active[going]
        if len(self._active):
            if not going.all():
                self._states = self._network.select(self._states, np.flatnonzero(going))
            self._network.feed(drawn[going][None], self._states)

    def _probabilities(self, logits: NDArray[Any], texts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Apply the controls to the logits (B, V) of texts and return probabilities, not normalized."""
        controls = self._controls
        seen = np.ascontiguousarray(self._seen[texts]) if controls.penalizes_repetition else None
        order = np.empty(logits.shape[1], np.int32)
        y = np.array(logits, np.float64, order="C")
        filters = core.Controls(controls.numbers, bias=controls.bias, seen=seen, order=order)
        core.filter_logits(y, filters)
        return y

    def forget(self, ids: NDArray[np.int32]) -> None:
        """The network's states are all that matters."""


SymbolDraws = NetworkDraws | RowDraws | PythonDraws


def symbol_draws(
    network: InferenceNetwork,
    context: Context,
    uniforms: Uniforms,
    controls: CheckedControls,
    limits: SamplingLimits = LIMITS,
) -> SymbolDraws:
    """Return the draws of a network, compiled for a recurrent network, counts or one of each; otherwise in Python."""
    if isinstance(network, PackedNetwork):
        return NetworkDraws(network, context, uniforms, controls, limits=limits)
    members: Sequence[InferenceNetwork] = [network]
    weights = np.ones((1, 1))
    letters = np.zeros(network.symbols + 1, np.uint8)
    states: Any = [context.state, np.empty((1, 0))]
    if isinstance(network, MixedNetwork):
        members = network.members
        weights = network.weights
        letters = network.letters
        states = context.state
    packed = [k for k, member in enumerate(members) if isinstance(member, PackedNetwork)]
    fillers = [k for k, member in enumerate(members) if isinstance(member, RowFiller)]
    if len(packed) + len(fillers) != len(members) or len(packed) > 1 or not fillers:
        return PythonDraws(network, context, uniforms, controls)
    sources = []
    contexts = []
    for k in fillers:
        filler = members[k]
        assert isinstance(filler, RowFiller)
        source, before = filler.row_source(states[k])
        sources.append(source)
        contexts.append(before)
    before = max(*contexts, states[-1][0].copy(), key=len)
    of_network = weights[:, packed] if packed else np.zeros((len(weights), 1))
    if len(fillers) == 1:
        source = sources[0]
        of_rows = weights[:, fillers]
    else:
        lengths = np.array([len(of_source) for of_source in contexts], np.intp)
        of_fillers = np.ascontiguousarray(weights[:, fillers])
        source = WeightedRows(sources, lengths, of_fillers, letters[:-1]).row_source()
        of_rows = np.ones((len(weights), 1))
    of_both = np.ascontiguousarray(np.hstack([of_network, of_rows]))
    rows = core.MixedRows(of_both, letters[:-1], source, before)
    if not packed:
        return RowDraws(rows, network.symbols, context, uniforms, controls, limits)
    (k,) = packed
    lead = members[k]
    assert isinstance(lead, PackedNetwork)
    return NetworkDraws(lead, Context(states[k], context.seen), uniforms, controls, rows, limits)


def _draw_cost(V: int, controls: CheckedControls) -> int:
    """Return the cost of one draw, in multiplications, to decide how many symbols one call draws."""
    return V * (DRAWN_WEIGHTS if controls.only_temperature else FILTERED_WEIGHTS)


def _kernel_controls(
    controls: CheckedControls, V: int, dtype: np.dtype[Any], count: int, context: Context
) -> core.Controls:
    """Return the controls in the form for the kernel, with its scratch memory, for texts of V symbols with padding."""
    if controls.only_temperature:  # the kernel is faster without scratch memory
        return core.Controls(controls.numbers)
    bias = seen = None
    if controls.bias is not None:  # 0 for padding
        bias = np.zeros(V, dtype)
        bias[: len(controls.bias)] = controls.bias
    if controls.penalizes_repetition:
        seen = np.zeros((count, V), np.uint8)
        seen[:, : len(context.seen)] = context.seen
    return core.Controls(controls.numbers, bias=bias, seen=seen, order=np.empty(V, np.int32))
