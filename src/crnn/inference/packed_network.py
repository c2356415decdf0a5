"""PackedNetwork: a model's weights packed for inference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import PackedWeights, Packing
from ..arrays import Array
from ..model.int8_weights import Scales
from ..model.layout import Layout, aligned_zeros, n_labels
from ..runtime.signals import check_canceled
from .network import SCORE_ROWS, InferenceNetwork, Use, rows_of_call, write_rows
from .packing import column_scales, enlarged_params, folded_network, same_weights, with_integers, without_integers
from .scratch import Scratch
from .shared_stream import TRIAL_SYMBOLS, SharedStream

# In the shapes of `Layout.state_shapes`: (h,), (h, c) of an LSTM, and a symbol with pairs.
PackedState = tuple[Array, ...]

FEED_ROWS = 64  # symbols fed to a state at a time
SHORT_CALL_SYMBOLS = 32  # maximum symbols of one stream that are read in a session kept from an earlier call
MAX_SPARE = 16  # sessions kept after many calls at once; further ones are freed
MIN_LOGIT_ROWS = 16  # in one call: fewer would read the weights more often
PACK_OPTIONS = ("use", "boundary", "bfloat16", "n_threads", "scales", "limits")  # of `PackedNetwork.pack`


@dataclass(frozen=True)
class CallLimits:
    """How much a packed network does in one call of a kernel; other limits give the same bits."""

    symbols: int = 1 << 15  # maximum symbols read in one call
    products: int = 1 << 30  # maximum multiplications in one call: below a tenth of a second, so that Ctrl-C is handled
    logit_bytes: int = 1 << 25  # of logits at a time per thread: reached only by vocabularies above 16,000 symbols
    streams: int = 64  # read in parallel: the products are efficient, and the states stay in the second-level cache


class SessionPool:
    """What a network's calls leave for later calls, on any thread.

    `sessions` are not in use, and for `n` symbols of one stream: making one takes longer than reading a few symbols.
    The `empty` state and the state at the `start` of a string are made when first needed, and must not be changed.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.sessions: list[core.Session] = []
        self.empty: PackedState | None = None
        self.start: PackedState | None = None


class PackedNetwork(NamedTuple):
    """A network's weights, with those used in products packed in panels."""

    network: core.Network
    layout: Layout  # of the packed network: hidden units and symbols padded to whole vectors
    hidden_size: int  # without the padding
    params: Array
    panels: Array
    symbols: int  # without the padding
    use: Use
    boundary: int | None
    bfloat16: bool
    n_threads: int | None  # for one stream; None: the fastest number
    scales: Scales | None  # of an int8 model, whose `params` has integers
    limits: CallLimits
    pool: SessionPool

    @classmethod
    def pack(
        cls,
        layout: Layout,
        params: Array,
        *,
        use: Use,
        boundary: int | None = None,
        bfloat16: bool = False,
        n_threads: int | None = 1,
        scales: Scales | None = None,
        limits: CallLimits = CallLimits(),
    ) -> PackedNetwork:
        """Copy and pack the parameters, so that later changes do not affect the network.

        An embedding is folded into the first layer. `scales` are those of an int8 model, whose products use integers
        whatever `bfloat16` is.
        """
        bfloat16 = bfloat16 and scales is None
        layout, params = folded_network(layout, params, bfloat16=bfloat16)
        if scales is not None:
            params = with_integers(layout, params, scales)
        H, V = layout.hidden_size, layout.vocab_size
        wide_H, wide_V = (core.packed_size(1, n, layout.dtype.itemsize) for n in (H, V))  # whole vectors
        wide = replace(layout, vocab_size=wide_V, hidden_size=wide_H)
        flat = enlarged_params(layout, params, wide)
        unpacked: Any = wide, H, flat, None, V, use, boundary, bfloat16, n_threads, scales, limits, None
        return cls(None, *unpacked).repack(use)  # type: ignore[arg-type]

    def repack(self, use: Use) -> PackedNetwork:
        """Return the same network packed for another use, sharing the unpacked weights."""
        # Of a known text, all but the recurrent products take many symbols at once, even in one stream.
        packing = Packing(
            one_row=use is not Use.MANY_STREAMS,
            one_row_products=use is Use.ONE_STREAM,
            bfloat16=self.bfloat16,
            int8=self.scales is not None,
        )
        wide = self.layout
        narrow = replace(self.layout, vocab_size=self.symbols, hidden_size=self.hidden_size)
        network = core.Network(
            wide,
            packing,
            units=self.hidden_size,
            symbols=self.symbols,
            boundary=self.boundary,
            labels=n_labels(replace(wide, vocab_size=self.symbols), self.boundary),
        )
        panels = aligned_zeros(network.panels_size, wide.dtype)
        scales = None if self.scales is None else column_scales(narrow, wide, self.scales)
        core.pack_weights(network, self.params, panels, scales)
        pool = SessionPool(self.rows_at_a_time(SHORT_CALL_SYMBOLS))
        return self._replace(network=network, panels=panels, use=use, pool=pool)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without padding, which depends on the machine.
        layout = replace(self.layout, vocab_size=self.symbols, hidden_size=self.hidden_size)
        params = layout.zeros()
        for narrow, inner in same_weights(layout, params, self.layout, self.params):
            narrow[...] = inner
        if self.scales is not None:
            params = without_integers(layout, params, self.scales)
        options: Any = {name: getattr(self, name) for name in PACK_OPTIONS}
        return partial(PackedNetwork.pack, **options), (layout, params)

    @property
    def context_length(self) -> None:
        """The number of latest symbols that predictions depend on: all."""
        return None

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same weights, possibly unpickled, and rounds alike."""
        if not isinstance(other, PackedNetwork) or other.bfloat16 != self.bfloat16:
            return False
        if other.params is self.params:
            return True
        sizes = (self.layout, self.hidden_size, self.symbols, self.boundary)
        if sizes != (other.layout, other.hidden_size, other.symbols, other.boundary):
            return False
        scales = self.scales or {}
        others = other.scales or {}
        same_scales = scales.keys() == others.keys() and all(np.array_equal(scales[k], others[k]) for k in scales)
        return same_scales and np.array_equal(self.params, other.params)

    def zero_state(self, streams: int) -> PackedState:
        """Return the state before any text: zeros."""
        layout = self.layout
        dtype = self.layout.dtype
        h = np.zeros((layout.num_layers, streams, self.hidden_size), dtype)
        h_and_c = (h, h.copy()) if len(layout.kind.states) == 2 else (h,)
        return h_and_c if layout.pairs is None else (*h_and_c, np.zeros((1, streams, 1), np.int32))

    def empty_state(self) -> PackedState:
        """Return the state of one stream that has read nothing: read-only zeros, made once."""
        if self.pool.empty is None:
            state = self.zero_state(1)
            for part in state:
                part.flags.writeable = False
            self.pool.empty = state
        return self.pool.empty

    def copy(self, state: PackedState) -> PackedState:
        """Return a copy of a state."""
        return tuple([part.copy() for part in state])

    def select(self, state: PackedState, streams: NDArray[np.intp]) -> PackedState:
        """Return a copy of some streams of a state, in this order."""
        return tuple(np.take(part, streams, axis=1) for part in state)

    def join(self, states: Sequence[PackedState]) -> PackedState:
        """Return the streams of several states as one state."""
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))

    def put(
        self, state: PackedState, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[PackedState]
    ) -> PackedState:
        """Write the streams of each part into a state, in place."""
        for places, part in zip(streams, parts, strict=True):
            for array, new in zip(state, part, strict=True):
                for layer, rows in zip(array, new, strict=True):
                    write_rows(layer, places, rows)
        return state

    def repeat(self, state: PackedState, streams: int) -> PackedState:
        """Return the state of one stream repeated for `streams` streams."""
        return tuple(np.repeat(part, streams, axis=1) for part in state)

    def start(self) -> PackedState:
        """Return the initial state of a string: zero, or for a model of documents the state after a boundary."""
        if self.boundary is None:
            return self.zero_state(1)
        if self.pool.start is None:
            state = self.zero_state(1)
            self.feed(np.full((1, 1), self.boundary, np.int32), state)
            self.pool.start = state
        return self.copy(self.pool.start)

    def feed(self, x: NDArray[np.int32], state: PackedState) -> None:
        """Advance the states over symbols x (n, B), in place."""
        n, B = x.shape
        session = self._session(n, B, FEED_ROWS)
        if self._is_one_call(n, B):
            session.feed(x, state)
        else:
            for call, shared in self._calls(n, B, session.T):
                session.feed(x[call], state, shared)
        self._release(session)

    def logits(self, top: Array) -> Array:
        """Return the logits (n, V) for activations (n, H) of the last layer; padding is -inf."""
        wide = aligned_zeros((len(top), self.layout.hidden_size), self.layout.dtype)
        wide[:, : self.hidden_size] = top
        y = np.empty((len(top), self.layout.vocab_size), self.layout.dtype)
        step = max(MIN_LOGIT_ROWS, self.limits.products // (self.layout.hidden_size * self.layout.vocab_size))
        for i in range(0, len(top), step):
            check_canceled()
            part = wide[i : i + step]
            scratch = np.empty(core.logits_scratch(self.network, len(part)), self.layout.dtype)
            core.logits(self.kernel_arguments, part, y[i : i + step], scratch)
        return y

    def log_probabilities(
        self, x: NDArray[np.int32], state: PackedState, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the states in place."""
        n, B = x.shape
        out = np.empty((n, B))
        session = self._session(n, B, SCORE_ROWS, scratch)
        if self._is_one_call(n, B):
            session.log_probabilities(x, state, out)
        else:
            for call, shared in self._calls(n, B, session.T):
                session.log_probabilities(x[call], state, out[call], shared)
        self._release(session, scratch)
        return out

    def string_log_likelihoods(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        start: PackedState,
        scratch: Scratch | None = None,
        *,
        least: bool = False,
    ) -> NDArray[np.float64]:
        """Return log P of each string, or with `least` of its least probable symbol: see `InferenceNetwork`."""
        B = len(lengths)
        longest = int(lengths[0])
        out = np.zeros(B)
        session = self._session(longest, B, SCORE_ROWS, scratch)
        if self._is_one_call(longest, B):
            session.log_likelihoods(ids, starts, lengths, 0, longest, least, start, out)
        else:
            begin: PackedState | None = start
            for call, shared in self._calls(longest, B, session.T):
                session.log_likelihoods(ids, starts, lengths, call.start, call.stop, least, begin, out, shared)
                begin = None
        self._release(session, scratch)
        return out

    def read(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        state: PackedState,
        streams: NDArray[np.intp],
        sums: NDArray[np.float64],
        scratch: Scratch,
    ) -> PackedState:
        """Read a string after each of some streams of a state; see `InferenceNetwork`."""
        n = len(streams)
        length = int(lengths[0])
        B = min(n, self.rows_at_a_time(self.limits.streams))
        calls = self._symbols_of_call() // (B * length)
        if not calls or lengths[-1] < length:
            found: PackedState = InferenceNetwork.read(self, ids, starts, lengths, state, streams, sums, scratch)
            return found
        session = self._session(1, B, B, scratch)
        x = ids.take(starts + np.arange(length)[:, None])
        after = tuple([np.empty((len(part), n, part.shape[2]), part.dtype) for part in state])
        for i in range(0, n, calls * B):
            check_canceled()
            session.read(x, state, streams, after, sums, i, min(i + calls * B, n))
        self._release(session, scratch)
        return after

    def states(self, x: NDArray[np.int32], state: PackedState) -> PackedState:
        """Return the states (n, B, L, H), h and an LSTM's c, after each of the symbols x (n, B), advancing the state.

        The session holds all of them at once, so n B should not be much larger than `SCORE_ROWS`.
        """
        check_canceled()
        session = core.Session(self.kernel_arguments, *x.shape)
        session.feed(x, state)
        return tuple(part[:, 1:, :, : self.hidden_size].transpose(1, 2, 0, 3) for part in session.hidden())

    def probabilities_after(self, state: PackedState) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the next symbol after a state; rows sum to 1."""
        top = state[0][-1]
        p = np.empty((len(top), self.symbols))
        step = rows_of_call(self.symbols)
        for i in range(0, len(top), step):
            y = self.logits(top[i : i + step])[:, : self.symbols].astype(np.float64)
            y = np.exp(y - y.max(axis=1, keepdims=True))
            np.divide(y, y.sum(axis=1, keepdims=True), out=p[i : i + step])
        return p

    def logits_after(self, state: PackedState) -> Array:
        """Return the logits (B, V) of the next symbol after a state; padding is -inf."""
        return self.logits(state[0][-1])

    def logits_before(self, x: NDArray[np.int32], state: PackedState, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place."""
        n, B = x.shape
        scratch = scratch or Scratch()
        y = scratch.empty("logits", (n, B, self.layout.vocab_size), self.layout.dtype)
        session = self._session(n, B, SCORE_ROWS, scratch)
        for call, shared in self._calls(n, B, session.T):
            session.logits_before(x[call], state, y[call], shared)
        self._release(session, scratch)
        return y

    def _session(self, n: int, streams: int, rows: int, scratch: Scratch | None = None) -> core.Session:
        """Return a session that no other thread is using, to read n symbols of each stream, `rows` at a time."""
        check_canceled()
        if streams == 1 and n <= self.pool.n:
            try:
                return self.pool.sessions.pop()  # atomic
            except IndexError:
                return core.Session(self.kernel_arguments, self.pool.n, 1)
        T = max(1, min(n, self.rows_at_a_time(rows) // streams))
        earlier = None if scratch is None else scratch.session
        if earlier is not None and earlier.network is self.network:
            earlier.resize(T, streams)
            return earlier
        session = core.Session(self.kernel_arguments, T, streams)
        if scratch is not None:
            scratch.session = session
        return session

    def _release(self, session: core.Session, scratch: Scratch | None = None) -> None:
        """Keep a session for the next short call, unless the scratch keeps it."""
        pool = self.pool
        short = session.B == 1 and pool.n == session.T and (scratch is None or scratch.session is not session)
        if short and len(pool.sessions) < MAX_SPARE:
            pool.sessions.append(session)

    def _is_one_call(self, n: int, streams: int) -> bool:
        """Return whether n symbols of each stream are read in one kernel call, by one thread."""
        return 0 < n * streams <= SHORT_CALL_SYMBOLS and (streams > 1 or self.n_threads == 1 or n < TRIAL_SYMBOLS)

    def _calls(self, n: int, streams: int, T: int) -> Iterator[tuple[slice, core.SharedStep | None]]:
        """Yield the symbols and the threads of each kernel call that reads n symbols of each stream, T at a time."""
        symbols = self._symbols_of_call() // streams
        steps = max(1, symbols // T) * T
        stream = self.shared_stream(streams)
        i = 0
        while i < n:
            check_canceled()
            count = min(stream.symbols_of_call(steps), n - i)
            with stream.threads(count) as shared:
                yield slice(i, i + count), shared
            i += count

    def _symbols_of_call(self) -> int:
        """Return how many symbols of all streams one kernel call may read."""
        return min(self.limits.symbols, self.limits.products // self.layout.size)

    def shared_stream(self, streams: int) -> SharedStream:
        """Return the object that decides how many threads compute a step: more than one only for a single stream."""
        n_threads = self.n_threads if streams == 1 else 1
        bytes_each = None
        if self.scales is not None:
            bytes_each = 1
        elif self.bfloat16:
            bytes_each = 2
        return SharedStream(self.network, self.layout, n_threads, bytes_each=bytes_each)

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once: `wanted`, or the number that fits in `logit_bytes`."""
        return max(1, min(wanted, self.limits.logit_bytes // (self.layout.vocab_size * self.layout.dtype.itemsize)))

    @property
    def kernel_arguments(self) -> PackedWeights:
        """The weights in the form for inference kernels."""
        return PackedWeights(self.network, self.params, self.panels)

    def padded_state(self, state: PackedState) -> list[Array]:
        """Return a copy of a state with the padding of its units."""
        wide = [*(self.layout.hidden_size,) * len(self.layout.kind.states), 1]
        arrays = [np.zeros((*part.shape[:-1], n), part.dtype) for part, n in zip(state, wide, strict=False)]
        for array, part in zip(arrays, state, strict=True):
            array[..., : part.shape[-1]] = part
        return arrays
