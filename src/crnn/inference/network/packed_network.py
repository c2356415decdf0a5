"""The network for sampling and scoring: weights are packed once, and every product is a panel product.

A panel product sums a row in the same order whatever the other rows are. So the results have the same bits at every
batch size, at every position in the batch and for every number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ..._kernels.entry.structures import InferenceWorkspace, PackedWeights, Packing
from ...model.int8_weights import Scales
from ...model.layout import Layout, aligned_zeros, n_labels
from ...runtime.cancellation import check_cancelled
from ..sampling.sampling_controls import SamplingControls
from .folded_embedding import folded_network
from .packed_integers import column_scales, with_integers, without_integers
from .protocol import SCORE_ROWS
from .scratch import Scratch
from .shared_stream import TRIAL_SYMBOLS, SharedStream
from .short_calls import CallMemory

Array = NDArray[Any]
State = tuple[Array, ...]  # in the shapes of `Layout.state_shapes`: (h,), (h, c) of an LSTM, and a symbol with pairs

FEED_ROWS = 64  # symbols fed to a state at a time
SHORT = 32  # maximum symbols of one stream that are read in arrays kept from an earlier call
LOGIT_BYTES = 1 << 25  # of logits at a time per thread: 32 MB, reached only by vocabularies above 16,000 symbols
CALL_SYMBOLS = 1 << 15  # maximum symbols read in one call, and
CALL_PRODUCTS = 1 << 30  # multiplications in one call: less than a tenth of a second, so that Ctrl-C gets through
OPTIONS = ("one_row", "scoring", "boundary", "bfloat16", "n_threads", "scales")  # of `PackedNetwork.pack`


class PackedNetwork(NamedTuple):
    """A network's weights, with those used in products packed in panels."""

    network: core.Network
    layout: Layout  # of the packed network: hidden units and symbols padded to whole vectors
    hidden_size: int  # without the padding
    params: Array
    panels: Array
    symbols: int  # without the padding
    one_row: bool  # whether it was packed for one stream
    scoring: bool
    boundary: int | None
    bfloat16: bool
    n_threads: int | None  # for one stream; None: the fastest number
    scales: Scales | None  # of an int8 model, whose `params` has integers
    memory: CallMemory

    @classmethod
    def pack(
        cls,
        layout: Layout,
        params: Array,
        *,
        one_row: bool,
        scoring: bool = False,
        boundary: int | None = None,
        bfloat16: bool = False,
        n_threads: int | None = 1,
        scales: Scales | None = None,
    ) -> PackedNetwork:
        """Copy and pack the parameters, so that later changes do not affect the network.

        An embedding is folded into the first layer, so the packed network has none. With `one_row`, one stream is fast
        rather than many, with the same bits. With `scoring`, all but the recurrent products take many symbols at once,
        even in one stream. `n_threads` may share the steps of one stream; None: the fastest number. `scales` are those
        of an int8 model, whose products use integers whatever `bfloat16` is.
        """
        bfloat16 = bfloat16 and scales is None
        layout, params = folded_network(layout, params, bfloat16=bfloat16)
        if scales is not None:
            params = with_integers(layout, params, scales)
        wide = _padded(layout)
        copied, sizes = _enlarged(layout, params, wide), (layout.hidden_size, layout.vocab_size)
        return cls._packed(wide, copied, sizes, one_row, scoring, boundary, bfloat16, n_threads, scales)

    def repacked(self, *, one_row: bool, scoring: bool) -> PackedNetwork:
        """Return the same network packed for another use, sharing the unpacked weights."""
        sizes, scales = (self.hidden_size, self.symbols), self.scales
        return self._packed(
            self.layout, self.params, sizes, one_row, scoring, self.boundary, self.bfloat16, self.n_threads, scales
        )

    @classmethod
    def _packed(
        cls,
        wide: Layout,
        params: Array,
        sizes: tuple[int, int],
        one_row: bool,
        scoring: bool,
        boundary: int | None,
        bfloat16: bool,
        n_threads: int | None,
        scales: Scales | None,
    ) -> PackedNetwork:
        """Pack weights of a wide layout; `sizes` are H and V without the padding."""
        H, V = sizes
        network = core.Network(
            wide,
            Packing(
                one_row, one_row_products=one_row and not scoring, bfloat16=bfloat16, int8=scales is not None
            ),
            units=H,
            symbols=V,
            boundary=boundary,
            labels=n_labels(replace(wide, vocab_size=V), boundary),
        )
        panels = aligned_zeros(network.panels_size, wide.dtype)
        narrow = replace(wide, vocab_size=V, hidden_size=H)
        core.pack_weights(network, params, panels, None if scales is None else column_scales(narrow, wide, scales))
        memory = CallMemory(rows_of_logits(wide, SHORT))
        return cls(network, wide, H, params, panels, V, one_row, scoring, boundary, bfloat16, n_threads, scales, memory)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without padding, which depends on the machine.
        layout = replace(self.layout, vocab_size=self.symbols, hidden_size=self.hidden_size)
        params = layout.zeros()
        for narrow, inner in _same_weights(layout, params, self.layout, self.params):
            narrow[...] = inner
        if self.scales is not None:
            params = without_integers(layout, params, self.scales)
        options: Any = {name: getattr(self, name) for name in OPTIONS}
        return partial(PackedNetwork.pack, **options), (layout, params)

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same weights and rounds alike."""
        return isinstance(other, PackedNetwork) and other.params is self.params and other.bfloat16 == self.bfloat16

    def zero_state(self, streams: int) -> State:
        """Return the state before any text: zeros."""
        layout, dtype = self.layout, self.layout.dtype
        h = np.zeros((layout.num_layers, streams, self.hidden_size), dtype)
        h_and_c = (h, h.copy()) if len(layout.kind.states) == 2 else (h,)
        return h_and_c if layout.pairs is None else (*h_and_c, np.zeros((1, streams, 1), dtype))

    def empty_state(self) -> State:
        """Return the state of one stream that has read nothing: read-only zeros, made once."""
        if self.memory.empty is None:
            state = self.zero_state(1)
            for part in state:
                part.flags.writeable = False
            self.memory.empty = state
        return self.memory.empty

    def copy(self, state: State) -> State:
        """Return a copy of a state."""
        return tuple([part.copy() for part in state])

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of some streams of a state, in this order."""
        return tuple(np.take(part, streams, axis=1) for part in state)

    def join(self, states: Sequence[State]) -> State:
        """Return the streams of several states as one state."""
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))

    def repeat(self, state: State, streams: int) -> State:
        """Return the state of one stream repeated for `streams` streams."""
        return tuple(np.repeat(part, streams, axis=1) for part in state)

    def start(self) -> State:
        """Return the initial state of a string: zero, or for a model of documents the state after a boundary."""
        if self.boundary is None:
            return self.zero_state(1)
        if self.memory.start is None:
            state = self.zero_state(1)
            self.feed(np.full((1, 1), self.boundary, np.int32), state)
            self.memory.start = state
        return self.copy(self.memory.start)

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Advance the states over symbols x (n, B), in place."""
        n, B = x.shape
        if self._is_short(n, B):
            short = self.memory.begin(self._new_short_call)
            short.feed(x, state)
            self.memory.end(short)
            return
        T = min(n, max(1, FEED_ROWS // B))
        work = self.workspace(T, state)
        for call, shared in self._calls(n, B, T):
            core.feed(self.kernel_arguments, x[call], work._replace(shared=shared))
        self._store_state(work, state)

    def logits(self, top: Array) -> Array:
        """Return the logits (n, V) for activations (n, H) of the last layer; padding is -inf."""
        wide = aligned_zeros((len(top), self.layout.hidden_size), self.layout.dtype)
        wide[:, : self.hidden_size] = top
        y = np.empty((len(top), self.layout.vocab_size), self.layout.dtype)
        scratch = np.empty(core.logits_scratch(self.network, len(top)), self.layout.dtype)
        core.logits(self.kernel_arguments, wide, y, scratch)
        return y

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the states in place."""
        n, B = x.shape
        out = np.empty((n, B))
        if self._is_short(n, B):
            short = self.memory.begin(self._new_short_call)
            short.log_probabilities(x, state, out)
            self.memory.end(short)
            return out
        T = min(n, max(1, self.rows_at_a_time(SCORE_ROWS) // B))
        scratch = scratch or Scratch()
        y = scratch.empty("y", (T, B, self.layout.vocab_size), self.layout.dtype)
        work = self.workspace(T, state, scratch)
        for call, shared in self._calls(n, B, T):
            core.log_probabilities(self.kernel_arguments, x[call], work._replace(shared=shared), y, out[call])
        self._store_state(work, state)
        return out

    def string_log_likelihoods(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        start: State,
        scratch: Scratch | None = None,
        *,
        least: bool = False,
    ) -> NDArray[np.float64]:
        """Return log P of each string, or with `least` of its least probable symbol: see `InferenceNetwork`."""
        B, longest = len(lengths), int(lengths[0])
        if self._is_short(longest, B):
            short, first = self.memory.begin(self._new_short_call), int(starts[0])
            found = short.log_likelihood(ids[first : first + longest, None], start, least)
            self.memory.end(short)
            return np.array([found])
        out = np.zeros(B)
        T = max(1, min(longest, self.rows_at_a_time(SCORE_ROWS) // B))
        scratch = scratch or Scratch()
        work = self.workspace(T, self.repeat(start, B), scratch)
        x, y = np.empty(T * B, np.int32), scratch.empty("y", (T * B, self.layout.vocab_size), self.layout.dtype)
        for call, shared in self._calls(longest, B, T):
            own, symbols = work._replace(shared=shared), (call.start, call.stop, least)
            core.log_likelihoods(self.kernel_arguments, ids, starts, lengths, *symbols, own, x, y, out)
        return out

    def states(self, x: NDArray[np.int32], state: State) -> State:
        """Return the states (n, B, L, H), h and an LSTM's c, after each of the symbols x (n, B), advancing the state in
        place.

        The workspace holds all of them at once, so n B should not be much larger than `SCORE_ROWS`.
        """
        check_cancelled()
        work = self.workspace(len(x), state)
        core.feed(self.kernel_arguments, x, work)
        self._store_state(work, state)
        h_and_c = (work.h, work.c)[: len(self.layout.kind.states)]
        return tuple(part[:, 1:, :, : self.hidden_size].transpose(1, 2, 0, 3) for part in h_and_c)

    def probabilities(self, top: Array) -> NDArray[np.float64]:
        """Return the probabilities (n, V) for activations (n, H) of the last layer; rows sum to 1."""
        y = self.logits(top)[:, : self.symbols].astype(np.float64)
        p = np.exp(y - y.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def logits_after(self, state: State) -> Array:
        """Return the logits (B, V) of the next symbol after a state; padding is -inf."""
        return self.logits(state[0][-1])

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place."""
        n, B = x.shape
        scratch = scratch or Scratch()
        y = scratch.empty("logits", (n, B, self.layout.vocab_size), self.layout.dtype)
        T = min(n, max(1, SCORE_ROWS // B))
        work = self.workspace(T, state, scratch)
        for call, shared in self._calls(n, B, T):
            core.logits_before(self.kernel_arguments, x[call], work._replace(shared=shared), y[call])
        self._store_state(work, state)
        return y

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the next symbol after a state; rows sum to 1."""
        return self.probabilities(state[0][-1])

    def _calls(self, n: int, streams: int, T: int) -> Iterator[tuple[slice, core.SharedStep | None]]:
        """Yield the symbols and the threads of each kernel call that reads n symbols of each stream, T at a time.

        The results do not depend on the calls. Between two calls Ctrl-C gets through, on every thread.
        """
        symbols = min(CALL_SYMBOLS, CALL_PRODUCTS // self.layout.size) // streams
        steps = max(1, symbols // max(T, 1)) * max(T, 1)
        stream, i = self.shared_stream(streams), 0
        while i < n:
            check_cancelled()
            count = min(stream.symbols_of_call(steps), n - i)
            with stream.threads(count) as shared:
                yield slice(i, i + count), shared
            i += count

    def shared_stream(self, streams: int) -> SharedStream:
        """Return the object that decides how many threads compute a step: more than one only for a single stream."""
        n_threads = self.n_threads if streams == 1 else 1
        bytes_each = 1 if self.scales is not None else 2 if self.bfloat16 else None
        return SharedStream(self.network, self.layout, n_threads, bytes_each=bytes_each)

    def _is_short(self, n: int, streams: int) -> bool:
        """Return whether a call reads few symbols of one stream, on one thread."""
        return streams == 1 and n <= self.memory.n and (self.n_threads == 1 or n < TRIAL_SYMBOLS)

    def _new_short_call(self) -> core.ShortCall:
        n, V = self.memory.n, self.layout.vocab_size
        work, y = self.workspace(n, self.zero_state(1)), np.empty((n, 1, V), self.layout.dtype)
        return core.ShortCall(self.kernel_arguments, work, np.empty(n, np.int32), y)

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return rows_of_logits(self.layout, wanted)

    @property
    def kernel_arguments(self) -> PackedWeights:
        """The weights in the form for inference kernels."""
        return PackedWeights(self.network, self.params, self.panels)

    def kernel_controls(self, controls: SamplingControls, seen: NDArray[np.uint8] | None) -> core.Controls:
        """Return the controls in the form for the kernel, with its scratch memory."""
        if controls.only_temperature:  # the kernel is faster without scratch memory
            return core.Controls(controls.numbers)
        V, bias = self.layout.vocab_size, None
        if controls.bias is not None:  # 0 for padding
            bias = np.zeros(V, self.layout.dtype)
            bias[: len(controls.bias)] = controls.bias
        return core.Controls(controls.numbers, bias=bias, seen=seen, order=np.empty(V, np.int32))

    def workspace(self, T: int, state: State, scratch: Scratch | None = None) -> InferenceWorkspace:
        """Return the arrays of a kernel for T symbols at a time, initialized with `state`."""
        shapes, dtype = core.inference_workspace(self.network, T, state[0].shape[1]), self.layout.dtype
        scratch = scratch or Scratch()
        h, c, before, gates = (scratch.empty(name, shape, dtype) for name, shape in shapes.items())
        work = InferenceWorkspace(h, c, before, gates)
        for array, start in zip(self.carried(work), state, strict=True):
            width = start.shape[-1]
            array[..., :width] = start
            array[..., width:] = 0  # the padding; the kernels read only its carried part
        return work

    def carried(self, work: InferenceWorkspace) -> State:
        """Return views of the states in a workspace, including the units' padding."""
        h_and_c = tuple(array[:, 0] for array in (work.h, work.c)[: len(self.layout.kind.states)])
        return h_and_c if self.layout.pairs is None else (*h_and_c, work.before.reshape(1, -1, 1))

    def _store_state(self, work: InferenceWorkspace, state: State) -> None:
        """Copy the final states of a workspace into `state`."""
        for array, end in zip(self.carried(work), state, strict=True):
            end[...] = array[..., : end.shape[-1]]


def rows_of_logits(layout: Layout, wanted: int) -> int:
    """Return how many rows of logits to compute at once: `wanted`, or as many as fit in `LOGIT_BYTES`."""
    return max(1, min(wanted, LOGIT_BYTES // (layout.vocab_size * layout.dtype.itemsize)))


@cache
def silent_network(symbols: int, boundary: int | None) -> PackedNetwork:
    """Return a network of one unit and zero weights, for drawing from models without a network."""
    layout = Layout(symbols, 1, np.dtype("float64"))
    return PackedNetwork.pack(layout, layout.zeros(), one_row=False, boundary=boundary)


def _padded(layout: Layout) -> Layout:
    """Return the layout with units and symbols padded to whole vectors."""
    size = layout.dtype.itemsize
    V, H = (core.packed_size(1, n, size) for n in (layout.vocab_size, layout.hidden_size))
    return replace(layout, vocab_size=V, hidden_size=H)


def _enlarged(layout: Layout, params: Array, wide: Layout) -> Array:
    """Return parameters in the wide layout for the same network.

    The added units have zero weights, so their states stay zero. The added symbols have biases of -inf, so their
    probability is zero.
    """
    flat = wide.zeros()
    wide.tensors(flat).by[:] = -np.inf
    for narrow, inner in _same_weights(layout, params, wide, flat):
        inner[...] = narrow
    return flat


def _same_weights(layout: Layout, params: Array, wide: Layout, flat: Array) -> Iterator[tuple[Array, Array]]:
    """Yield pairs of views: parts of the parameters, and the same parts within the wide layout."""
    H, V = layout.hidden_size, layout.vocab_size
    part, out = layout.tensors(params), wide.tensors(flat)
    of_gates = [*zip((part.pair_table,), (out.pair_table,), strict=True)]
    of_gates += [pair for pairs in zip(part.layers, out.layers, strict=True) for pair in zip(*pairs, strict=True)]
    for a, b in of_gates:
        if a is not None and b is not None:
            # Gate by gate: (rows, gates, units), or without rows for a bias.
            a, b = (w.reshape(*w.shape[:-1], -1, units) for w, units in ((a, H), (b, wide.hidden_size)))
            yield a, b[tuple(slice(n) for n in a.shape)]
    yield part.by, out.by[:V]
    yield part.Wy, out.Wy[:H, :V]
