"""The network as sampling and scoring use it: weights packed once, every product a panel product.

A panel product adds up a row in the same order whatever stands beside it, so what is computed here is the same to the
bit at every batch size, at every position in the batch and for every number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels import core
from ..model.layout import Layout, aligned_zeros
from .sampling_controls import SamplingControls
from .stopping import Stops
from .uniforms import Uniforms

Array = NDArray[Any]
State = tuple[Array, ...]  # (h,), or (h, c) of an LSTM, each (L, B, H)

SCORE_ROWS = 512  # symbols that are scored at a time: their logits are one product, their states stay in the cache
FEED_ROWS = 64  # symbols that the state is led through at a time
CALL_SYMBOLS = 1 << 15  # symbols that are scored of many strings, or drawn of many texts, in one call: few for Ctrl-C
CALL_WEIGHTS = 1 << 29  # weights that one call multiplies by to draw texts: a tenth of a second, for Ctrl-C
TEXT_ROOM = 64  # symbols that there is room for at first in a text that may stop


class PackedNetwork(NamedTuple):
    """A network's weights, those that are multiplied by packed in panels."""

    network: core.Network
    layout: Layout  # of the network as it is kept: hidden units and symbols padded to whole vectors
    hidden_size: int  # without the padding
    params: Array
    panels: Array
    symbols: int  # without the padding
    one_row: bool  # what it was packed for
    scoring: bool
    boundary: int | None

    @classmethod
    def pack(
        cls, layout: Layout, params: Array, *, one_row: bool, scoring: bool = False, boundary: int | None = None
    ) -> PackedNetwork:
        """Pack the parameters in the flat vector `params`, for one stream or for many: the same bits, not the speed.

        What is packed is a copy, which later changes of `params` do not reach. Scoring multiplies by all but the
        recurrent weights for many symbols at once even of one stream. A stream that reads the `boundary` does so from
        a state of zeros.
        """
        wide = _padded(layout)
        network = core.Network(
            wide,
            one_row=one_row,
            many=True,
            training=False,
            one_row_products=one_row and not scoring,
            units=layout.hidden_size,
            symbols=layout.vocab_size,
            boundary=boundary,
        )
        params, panels = _embedded(layout, params, wide), aligned_zeros(network.panels_size, layout.dtype)
        core.pack_weights(network, params, panels)
        symbols = layout.vocab_size
        return cls(network, wide, layout.hidden_size, params, panels, symbols, one_row, scoring, boundary)

    def __reduce__(self) -> tuple[Any, ...]:
        # As the model has them: how wide they are padded depends on the machine.
        layout = Layout(self.symbols, self.hidden_size, self.layout.dtype, self.layout.cell, self.layout.num_layers)
        params = layout.zeros()
        for narrow, inner in _same_weights(layout, params, self.layout, self.params):
            narrow[...] = inner
        return _packed_again, (layout, params, self.one_row, self.scoring, self.boundary)

    def zero_state(self, streams: int) -> State:
        """Return the state that a text starts from: zeros."""
        layout = self.layout
        shape = (layout.num_layers, streams, self.hidden_size)
        return tuple(aligned_zeros(shape, layout.dtype) for _ in layout.kind.states)

    def start(self) -> State:
        """Return the state that a string starts from: zeros, and of a model of documents what follows the boundary."""
        state = self.zero_state(1)
        if self.boundary is not None:
            self.feed(np.full((1, 1), self.boundary, np.int32), state)
        return state

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Move the states on over symbols x (n, B), in place."""
        n, B = x.shape
        work = self._workspace(min(n, max(1, FEED_ROWS // B)), state)
        core.feed(*self._packed, x, *work)
        self._take(work, state)

    def sample(
        self,
        uniforms: NDArray[np.float64],
        temperature: float,
        state: State,
        controls: SamplingControls | None = None,
        seen: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.int32]:
        """Draw one symbol for each of the uniforms (n, B), fed back in; the states move on in place.

        Parameters
        ----------
        uniforms : (n, B) array
        temperature : float
        state : tuple of (L, B, H) arrays
        controls : SamplingControls, optional
            What else is done to the logits.
        seen : array as `unseen` makes it, optional
            The symbols that the repetition penalty is for; those that are drawn are added.
        """
        n, B = uniforms.shape
        out = np.empty((n, B), np.int32)
        y = np.empty((B, self.layout.vocab_size), self.layout.dtype)
        work = self._workspace(1, state)
        sums = np.empty(core.sums_size(y.shape[1]))
        core.sample(*self._packed, uniforms, temperature, *work, y, sums, out, **self._controls(controls, seen))
        self._take(work, state)
        return out

    def sample_texts(
        self,
        start: State,
        n: int,
        uniforms: Uniforms,
        temperature: float,
        stops: Stops,
        controls: SamplingControls | None = None,
        seen: NDArray[np.uint8] | None = None,
        *,
        rows: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Draw a text with each of the streams of `uniforms`, of n symbols or up to a stop.

        Parameters
        ----------
        start : tuple of (L, 1, H) arrays
            The state that all of them start from.
        n : int
            At least 1.
        uniforms : Uniforms
            They move on.
        temperature : float
        stops : Stops
        controls, seen
            As in `sample`; `seen` has a row for each text.
        rows : int
            How many are drawn side by side: the same texts, not the speed.

        Returns
        -------
        ids : (N,) int32 array
            The texts, one after another, without their stops.
        lengths : array of int
            The symbols of each.
        """
        count, V = len(uniforms.states), self.layout.vocab_size
        B = min(count, rows)
        work = self._workspace(1, repeated(start, B))
        wide = [array[:, 0, :1].copy() for array in work[: len(start)]]
        y, sums = np.empty((B + 1, V), self.layout.dtype), np.empty(core.sums_size(V))
        x, batch = np.empty(B, np.int32), core.Batch(np.empty(B, np.intp))
        symbols = np.empty((count, min(n, TEXT_ROOM) if stops else n), np.int32)
        lengths = np.zeros(count, np.intp)
        steps = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // self.layout.size) // B)
        packed_stops, named = stops.packed(), self._controls(controls, seen)
        start_y = self.logits(start[0][-1])[0]
        while batch.begun < count or batch.going:
            if symbols.shape[1] < n and lengths.max() == symbols.shape[1]:  # one that goes on has no room left
                more = min(symbols.shape[1], n - symbols.shape[1])
                symbols = np.concatenate([symbols, np.empty((count, more), np.int32)], axis=1)
            core.sample_texts(
                *self._packed, wide, start_y, temperature, batch, symbols, lengths, n, steps, uniforms.states,
                uniforms.increment, *packed_stops, *work, y, sums, x, **named
            )  # fmt: skip
        return symbols[np.arange(symbols.shape[1]) < lengths[:, None]] if stops else symbols.ravel(), lengths

    def unseen(self, streams: int) -> NDArray[np.uint8]:
        """Return what says of each stream that no symbol was seen, (B, V): 1 for one that was."""
        return np.zeros((streams, self.layout.vocab_size), np.uint8)

    def logits(self, top: Array) -> Array:
        """Return the logits (n, V) that follow from activations (n, H) of the last layer; padding is -inf."""
        wide = aligned_zeros((len(top), self.layout.hidden_size), self.layout.dtype)
        wide[:, : self.hidden_size] = top
        y = np.empty((len(top), self.layout.vocab_size), self.layout.dtype)
        core.logits(*self._packed, wide, y)
        return y

    def log_probabilities(self, x: NDArray[np.int32], state: State) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given those before it; the states move on in place."""
        n, B = x.shape
        T = min(n, max(1, SCORE_ROWS // B))
        y = np.empty((T, B, self.layout.vocab_size), self.layout.dtype)
        out = np.empty((n, B))
        work = self._workspace(T, state)
        core.log_probabilities(*self._packed, x, *work, y, out)
        self._take(work, state)
        return out

    def string_log_likelihoods(
        self, ids: NDArray[np.int32], starts: NDArray[np.intp], lengths: NDArray[np.intp], start: State
    ) -> NDArray[np.float64]:
        """Return log P of each of the strings ids[starts : starts + lengths], which all start from the same state.

        The longest come first. A string's terms are added up from its first symbol to its last, as if it were alone.
        """
        B, out = len(lengths), np.zeros(len(lengths))
        T = max(1, SCORE_ROWS // B)
        work = self._workspace(T, repeated(start, B))
        x, y = np.empty(T * B, np.int32), np.empty((T * B, self.layout.vocab_size), self.layout.dtype)
        steps = max(1, CALL_SYMBOLS // B)
        for i in range(0, int(lengths[0]), steps):
            core.log_likelihoods(
                *self._packed, ids, starts, lengths, i, i + steps, *work, x, y, out
            )
        return out

    def hidden(self, x: NDArray[np.int32], state: State) -> Array:
        """Return the units' activations after each of the symbols x (n,), (n, L, H); the state moves on in place.

        All are held in a workspace at once, so n should be no more than some `SCORE_ROWS`.
        """
        work = self._workspace(len(x), state)
        core.feed(*self._packed, x.reshape(-1, 1), *work)
        self._take(work, state)
        return work[0][:, 1:, 0, : self.hidden_size].swapaxes(0, 1)

    def probabilities(self, top: Array) -> NDArray[np.float64]:
        """Return the probabilities (n, V) that follow from activations (n, H) of the last layer; rows sum to 1."""
        y = self.logits(top)[:, : self.symbols].astype(np.float64)
        p = np.exp(y - y.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    @property
    def _packed(self) -> tuple[core.Network, Array, Array]:
        return self.network, self.params, self.panels

    def _controls(self, controls: SamplingControls | None, seen: NDArray[np.uint8] | None) -> dict[str, Any]:
        """Return the controls as the kernel takes them: numbers, a bias for each symbol, what was seen, and scratch.

        It takes none where there is nothing to control: that is the shorter way.
        """
        if controls is None or controls.only_temperature:
            return {}
        V, bias = self.layout.vocab_size, None
        if controls.bias is not None:  # that of the padding is 0
            bias = np.zeros(V, self.layout.dtype)
            bias[: len(controls.bias)] = controls.bias
        numbers = core.Controls(
            penalty=controls.repetition_penalty, top_k=controls.top_k, top_p=controls.top_p, min_p=controls.min_p
        )
        return {"controls": numbers, "bias": bias, "seen": seen, "order": np.empty(V, np.int32)}

    def _workspace(self, T: int, state: State) -> tuple[Array, Array, Array]:
        """Return h, c and gates for T symbols at a time, starting from `state`."""
        shapes = core.inference_workspace(self.network, T, state[0].shape[1])
        h, c, gates = (aligned_zeros(shape, self.layout.dtype) for shape in shapes.values())
        for array, start in zip((h, c), state, strict=False):
            array[:, 0, :, : self.hidden_size] = start
        return h, c, gates

    def _take(self, work: tuple[Array, ...], state: State) -> None:
        """Put the states that a workspace ends with in place of those it started from."""
        for array, end in zip(work, state, strict=False):
            end[...] = array[:, 0, :, : self.hidden_size]


def repeated(state: State, streams: int) -> State:
    """Return a state of one stream as that of so many."""
    return tuple(np.repeat(part, streams, axis=1) for part in state)


def _padded(layout: Layout) -> Layout:
    """Return the layout of a network whose units and symbols fill whole vectors."""
    size = layout.dtype.itemsize
    V, H = (core.packed_size(1, n, size) for n in (layout.vocab_size, layout.hidden_size))
    return Layout(V, H, layout.dtype, layout.cell, layout.num_layers)


def _embedded(layout: Layout, params: Array, wide: Layout) -> Array:
    """Return parameters of the wide layout that make the same network.

    The weights of the units that are added are zero, and so their states stay; the biases of the symbols that are
    added are -inf, and so they have no probability.
    """
    flat = wide.zeros()
    wide.tensors(flat).by[:] = -np.inf
    for narrow, inner in _same_weights(layout, params, wide, flat):
        inner[...] = narrow
    return flat


def _same_weights(layout: Layout, params: Array, wide: Layout, flat: Array) -> Iterator[tuple[Array, Array]]:
    """Give the views of parameters, and the views of the same ones among those of the wide layout."""
    H, V = layout.hidden_size, layout.vocab_size
    part, out = layout.tensors(params), wide.tensors(flat)
    for narrow, broad in zip(part.layers, out.layers, strict=True):
        for a, b in zip(narrow, broad, strict=True):
            if a is not None and b is not None:
                # Gate by gate: (rows, gates, units), or without rows for a bias.
                a, b = (w.reshape(*w.shape[:-1], -1, units) for w, units in ((a, H), (b, wide.hidden_size)))
                yield a, b[tuple(slice(n) for n in a.shape)]
    yield part.by, out.by[:V]
    yield part.Wy, out.Wy[:H, :V]


def _packed_again(layout: Layout, params: Array, one_row: bool, scoring: bool, boundary: int | None) -> PackedNetwork:
    return PackedNetwork.pack(layout, params, one_row=one_row, scoring=scoring, boundary=boundary)
