"""TextSampler: texts drawn in parallel, each until it meets a stop or reaches its full length."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ..._kernels.entry.structures import DrawnTexts
from ...runtime.cancellation import check_canceled
from ..network.context import Context
from ..network.mixed_network import MixedNetwork, RowFiller
from ..network.packed_network import PackedNetwork
from ..network.protocol import InferenceNetwork, stream_blocks
from ..strings import Strings
from .sampling_controls import SamplingControls
from .stopping import Stops
from .uniforms import Uniforms

ROWS = 64  # texts drawn in parallel: enough for the register tile, and their states stay in the cache
ROOM = 64  # symbols of initial memory for a text that may stop
CALL_SYMBOLS = 1 << 15  # maximum symbols drawn in one call, and
CALL_WEIGHTS = 1 << 29  # weights multiplied in one call: a tenth of a second, so that Ctrl-C gets through
# A symbol of a row takes as long to fill and draw as this many multiplications: with the temperature alone, or others.
DRAWN_WEIGHTS, FILTERED_WEIGHTS = 32, 256
PYTHON_STEPS = 64  # symbols of each text drawn in Python between two checks by a caller


class SymbolDraws(Protocol):
    """Draws the next symbols of `count` texts, one text from each stream of random numbers, and reads them."""

    count: int

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""

    def draw(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text, fewer if one has no room left.

        symbols[i, :lengths[i]] is text i, without a stop that it has met, and ends before `max_length` symbols.
        """

    def forget(self, ids: NDArray[np.int32]) -> None:
        """Take note that these first symbols of the only text are no longer in `symbols`."""


class TextSampler:
    """Draws one text from each stream of random numbers, all from the same context: see `text_sampler`.

    This is the only drawing loop: `sample`, `stream`, `TextState.sample` and guess numbers use it. `advance` draws some
    symbols of each text, so that a caller can use them before the texts are complete. `lengths` counts the symbols of
    each text so far, without a stop that it has met.

    A text that meets no stop has n symbols; None: no limit. Memory is allocated for `room` symbols at first: n, or few
    if a stop may end a text.
    """

    def __init__(self, draws: SymbolDraws, n: int | None, stops: Stops, room: int | None = None) -> None:
        self._draws, self._stops, self._n = draws, stops, sys.maxsize if n is None else n
        self.lengths = np.zeros(draws.count, np.intp)
        self._symbols = np.empty((draws.count, min(self._n, room or (ROOM if stops else self._n))), np.int32)

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._n == 0 or self._draws.finished

    def run(self) -> Strings:
        """Draw until every text is complete, and return all texts."""
        while not self.finished:
            self._make_room()
            self._draws.draw(self._symbols, self.lengths, self._n, self._n)
        if not self._stops:  # all have the same length
            return Strings(self._symbols.ravel(), self.lengths)
        return Strings(self._symbols[np.arange(self._symbols.shape[1]) < self.lengths[:, None]], self.lengths)

    def advance(self, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        self._make_room()
        self._draws.draw(self._symbols, self.lengths, self._n, steps)

    def _make_room(self) -> None:
        """Make room for further symbols if a text fills its room, before Ctrl-C gets through."""
        check_canceled()
        width = self._symbols.shape[1]
        if width < self._n and self.lengths.max() == width:
            more = np.empty((len(self.lengths), min(width, self._n - width)), np.int32)
            self._symbols = np.concatenate([self._symbols, more], axis=1)

    def take(self) -> NDArray[np.int32]:
        """Return the new symbols of the only text that cannot belong to a stop, and forget them."""
        length = int(self.lengths[0])
        text = self._symbols[0, :length]
        certain = length if self.finished else length - self._stops.begun(text)
        taken = text[:certain].copy()
        self._symbols[0, : length - certain] = text[certain:].copy()
        self.lengths[0] -= certain
        self._n -= certain
        self._draws.forget(taken)
        return taken

    def ended_by(self, symbol: int) -> NDArray[np.bool_]:
        """Return which of the complete texts met `symbol` as their stop."""
        met = self.lengths < self._n
        stop = self._symbols[met, self.lengths[met]]  # the stop is left after the text
        met[met] = stop == symbol
        return met


class NetworkDraws:
    """Compiled draws from a recurrent network, optionally mixed with another model's logits."""

    def __init__(
        self,
        network: PackedNetwork,
        context: Context,
        uniforms: Uniforms,
        controls: SamplingControls,
        mixture: core.MixedRows | None = None,
    ) -> None:
        self.count, V = len(uniforms.states), network.layout.vocab_size
        of_draw = weights_of_draw(V, controls)
        rows = max(1, min(self.count, network.rows_at_a_time(ROWS), CALL_WEIGHTS // of_draw))
        seen = None
        if controls.penalizes_repetition:
            seen = np.zeros((self.count, V), np.uint8)
            seen[:, : network.symbols] = context.seen
        self._mixture = mixture
        self._batch = core.Batch(np.empty(rows, np.intp))
        self._max_steps = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // (network.layout.size + of_draw)) // rows)
        self._session = core.Session(network.kernel_arguments, 1, rows)
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(
            batch=self._batch,
            random_states=uniforms.states,
            increment=uniforms.increment,
            stops=stops,
            stop_ends=stop_ends,
            start=network.padded(context.state),
            start_logits=network.logits(context.state[0][-1])[0],
        )
        self._controls = kernel_controls(controls, V, network.layout.dtype, seen)
        self._shared = network.shared_stream(self.count)

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._batch.begun == self.count and not self._batch.active

    def draw(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        steps = self._shared.symbols_of_call(min(steps, self._max_steps))
        with self._shared.threads(min(steps, max_length)) as shared:
            core.sample_texts(
                self._session,
                self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length),
                self._controls,
                steps,
                self._mixture,
                shared,
            )

    def forget(self, ids: NDArray[np.int32]) -> None:
        """Keep the last symbols for the other model of a mixture."""
        if self._mixture is not None:
            _forget(self._mixture, ids)


class RowDraws:
    """Compiled draws from a model that gives a row of logits for the last symbols, such as counts."""

    def __init__(
        self, rows: core.MixedRows, symbols: int, context: Context, uniforms: Uniforms, controls: SamplingControls
    ) -> None:
        self.count, self._rows = len(uniforms.states), rows
        V = core.packed_size(1, symbols, 8)
        seen = None
        if controls.penalizes_repetition:
            seen = np.zeros((self.count, V), np.uint8)
            seen[:, :symbols] = context.seen
        self._controls = kernel_controls(controls, V, np.dtype(np.float64), seen)
        self._batch = core.Batch(np.empty(1, np.intp))
        self._max_symbols = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // (2 * weights_of_draw(V, controls))))
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(self._batch, uniforms.states, uniforms.increment, stops, stop_ends)
        self._y, self._sums = np.empty(V), np.empty(core.sums_size(V))

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._batch.begun == self.count and not self._batch.active

    def draw(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of the next incomplete texts."""
        drawn = self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length)
        core.draw_from_rows(self._rows, drawn, self._controls, min(steps, self._max_symbols), self._y, self._sums)

    def forget(self, ids: NDArray[np.int32]) -> None:
        """Keep the last symbols for the next row."""
        _forget(self._rows, ids)


def _forget(rows: core.MixedRows, ids: NDArray[np.int32]) -> None:
    if len(ids):
        rows.before[:] = np.concatenate([rows.before, ids])[len(ids) :]


class PythonDraws:
    """Draws from any network, symbol by symbol; networks with equal logits draw the same texts as compiled draws."""

    def __init__(
        self, network: InferenceNetwork, context: Context, uniforms: Uniforms, controls: SamplingControls
    ) -> None:
        self.count = len(uniforms.states)
        self._network, self._uniforms, self._controls = network, uniforms, controls
        self._active = np.arange(self.count)  # the incomplete texts, and their states
        self._states = network.repeat(context.state, self.count)
        self._seen = np.repeat(context.seen[None].astype(np.uint8), self.count, axis=0)
        stops, ends = controls.stops.packed()
        self._stops = np.split(stops, ends[:-1]) if len(ends) else []

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return not len(self._active)

    def draw(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        for _ in range(min(steps, PYTHON_STEPS)):
            if self.finished or lengths[self._active[0]] == symbols.shape[1]:
                return
            self._draw_one(symbols, lengths, max_length)

    def _draw_one(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int) -> None:
        """Draw a symbol for each incomplete text, and read it."""
        active, t = self._active, int(lengths[self._active[0]])  # all have the same length
        states = self._uniforms.states[active]
        u, drawn = np.empty((1, len(active))), np.empty(len(active), np.int32)
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
        order, y = np.empty(logits.shape[1], np.int32), np.array(logits, np.float64, order="C")
        filters = core.Controls(controls.numbers, bias=controls.bias, seen=seen, order=order)
        core.filter_logits(y, filters)
        return y

    def forget(self, ids: NDArray[np.int32]) -> None:
        """The network's states are all that matters."""


def text_sampler(
    network: InferenceNetwork,
    context: Context,
    n: int | None,
    uniforms: Uniforms,
    controls: SamplingControls,
    room: int | None = None,
) -> TextSampler:
    """Return a network's sampler, whose texts start from `context` and take a uniform number for each symbol.

    A text does not depend on the other texts.
    """
    return TextSampler(symbol_draws(network, context, uniforms, controls), n, controls.stops, room)


def symbol_draws(
    network: InferenceNetwork, context: Context, uniforms: Uniforms, controls: SamplingControls
) -> SymbolDraws:
    """Return the draws of a network, compiled for a recurrent network, counts or one of each; otherwise in Python."""
    if isinstance(network, PackedNetwork):
        return NetworkDraws(network, context, uniforms, controls)
    members: Sequence[InferenceNetwork] = [network]
    weights, states = [1.0], [context.state]
    if isinstance(network, MixedNetwork):
        members, weights, states = network.members, network.weights.tolist(), context.state
    packed = [k for k, member in enumerate(members) if isinstance(member, PackedNetwork)]
    fillers = [k for k, member in enumerate(members) if isinstance(member, RowFiller)]
    if len(packed) + len(fillers) != len(members) or len(packed) > 1 or len(fillers) != 1:
        return PythonDraws(network, context, uniforms, controls)
    filler = members[fillers[0]]
    assert isinstance(filler, RowFiller)
    source, before = filler.row_source(states[fillers[0]])
    if not packed:
        rows = core.MixedRows(0.0, weights[fillers[0]], source, before)
        return RowDraws(rows, network.symbols, context, uniforms, controls)
    (k,) = packed
    lead = members[k]
    assert isinstance(lead, PackedNetwork)
    mixture = core.MixedRows(weights[k], weights[fillers[0]], source, before)
    return NetworkDraws(lead, Context(states[k], context.seen), uniforms, controls, mixture)


def weights_of_draw(V: int, controls: SamplingControls) -> int:
    """Return as how many multiplications to count the draw of a symbol."""
    return V * (DRAWN_WEIGHTS if controls.only_temperature else FILTERED_WEIGHTS)


def kernel_controls(
    controls: SamplingControls, V: int, dtype: np.dtype[Any], seen: NDArray[np.uint8] | None
) -> core.Controls:
    """Return the controls in the form for the kernel, with its scratch memory, for V symbols with their padding."""
    if controls.only_temperature:  # the kernel is faster without scratch memory
        return core.Controls(controls.numbers)
    bias = None
    if controls.bias is not None:  # 0 for padding
        bias = np.zeros(V, dtype)
        bias[: len(controls.bias)] = controls.bias
    return core.Controls(controls.numbers, bias=bias, seen=seen, order=np.empty(V, np.int32))
