"""PackedNetwork: a model's weights packed for inference, kept until the weights change."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import PackedWeights, Packing
from ..arrays import Array
from ..model.layout import Layout, Scales, aligned_zeros, copy_in_pieces, integers_of, n_labels
from ..model.state import ModelState, state_of_label
from ..runtime.signals import check_canceled
from ..runtime.threads import AdaptiveThreads, Helpers, inference_threads
from .network import SCORE_ROWS, InferenceNetwork, LabelNetworks, Scratch, rows_of_call, write_rows

MIN_SYMBOLS = 128  # of a call that a trial may cut, since the rest of it must start threads again
TRIAL_SYMBOLS = 16  # of a call that measures the speed of a number of threads
PRODUCTS_PER_THREAD = 90_000  # multiplications of a step: about 4 microseconds, against two waits of half a microsecond
# For n_threads=None: fewer bytes of weights stay in the cache of one core. More threads then gain little, and on a busy
# machine the calls that measure cost more.
BYTES_BY_DEFAULT = 2_000_000
NO_SHARED_STEP = nullcontext[core.SharedStep | None](None)


class SharedStream:
    """Decides how many threads compute the steps of one stream, and starts them for each call.

    An explicit number is used as given. Otherwise, small networks use one thread, and for large ones, short trial calls
    find the currently fastest number. The bits are the same for every number.
    """

    def __init__(
        self, network: core.Network, layout: Layout, n_threads: int | None, *, bytes_each: int | None = None
    ) -> None:
        self._network = network
        self._layout = layout
        self._wanted = n_threads
        self._bytes = bytes_each or layout.dtype.itemsize
        self._calls = 0

    @cached_property
    def _n_threads(self) -> int:
        """The maximum number of threads. Querying cores takes longer than a short call, so that call does not ask."""
        layout = self._layout
        n_threads = self._wanted
        products = layout.kind.gates * layout.hidden_size**2 * (2 * layout.num_layers - 1)
        is_large = products * self._bytes >= BYTES_BY_DEFAULT
        worth = products // PRODUCTS_PER_THREAD if n_threads or is_large else 1
        return 1 if worth < 2 else min(inference_threads(n_threads), worth)

    @cached_property
    def _adaptive(self) -> AdaptiveThreads | None:
        return AdaptiveThreads(self._n_threads) if self._wanted is None and self._n_threads > 1 else None

    def symbols_of_call(self, wanted: int) -> int:
        """Return how many symbols the next call should take: few if it is a trial."""
        if wanted >= MIN_SYMBOLS and self._adaptive and (self._calls < 3 or self._adaptive.on_trial):
            return TRIAL_SYMBOLS
        return wanted

    def threads(self, symbols: int) -> AbstractContextManager[core.SharedStep | None]:
        """Start threads for a call that reads or draws these symbols; yield the session's `SharedStep`, or None."""
        return NO_SHARED_STEP if symbols < TRIAL_SYMBOLS or self._n_threads == 1 else self._time_threads(symbols)

    @contextmanager
    def _time_threads(self, symbols: int) -> Iterator[core.SharedStep | None]:
        """Start threads for a call, and record its time, by which the number of threads is chosen."""
        n_threads = self._adaptive.n_threads if self._adaptive else self._n_threads
        with NO_SHARED_STEP if n_threads == 1 else self._step_of(n_threads) as step:
            start = time.perf_counter()
            yield step
        if self._adaptive:
            self._calls += 1
            now = time.perf_counter()
            self._adaptive.record((now - start) / symbols, now)

    @contextmanager
    def _step_of(self, n_threads: int) -> Iterator[core.SharedStep | None]:
        """Let threads serve a step; yield None if the system cannot start any."""
        helpers = Helpers(n_threads - 1, lambda rank: step.serve(rank))
        try:
            with helpers:
                if not helpers.count:
                    yield None
                    return
                step = core.SharedStep(self._network, helpers.count + 1)
                with step:  # leaving it releases the threads
                    helpers.start()
                    step.wait_for_all()
                    yield step
                helpers.finish()
        finally:
            helpers.close()


# ---------------------------------------------------------------- packed network

# In the shapes of `Layout.state_shapes`: (h,), (h, c) of an LSTM, and a symbol with pairs.
PackedState = tuple[Array, ...]

FEED_ROWS = 64  # symbols fed to a state at a time
SHORT_CALL_SYMBOLS = 32  # maximum symbols of one stream that are read in a session kept from an earlier call
MAX_SPARE = 16  # sessions kept after many calls at once; further ones are freed
MIN_LOGIT_ROWS = 16  # in one call: fewer would read the weights more often
LOGIT_BYTES = 1 << 25  # of logits at a time per thread: 32 MB, reached only by vocabularies above 16,000 symbols
READ_STREAMS = 64  # read in parallel: the products are efficient, and the states stay in the second-level cache
CALL_SYMBOLS = 1 << 15  # maximum symbols read in one call
CALL_PRODUCTS = 1 << 30  # maximum multiplications in one call: below a tenth of a second, so that Ctrl-C gets through
FOLDED_PRODUCTS = 1 << 28  # multiplications for an embedding from one poll for Ctrl-C to the next
PACK_OPTIONS = ("one_row", "scoring", "boundary", "bfloat16", "n_threads", "scales")  # of `PackedNetwork.pack`


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
    one_row: bool  # whether it was packed for one stream
    scoring: bool
    boundary: int | None
    bfloat16: bool
    n_threads: int | None  # for one stream; None: the fastest number
    scales: Scales | None  # of an int8 model, whose `params` has integers
    pool: SessionPool

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

        An embedding is folded into the first layer. With `one_row`, one stream is fast rather than many, with the same
        bits. With `scoring`, all but the recurrent products take many symbols at once, even in one stream. `scales` are
        those of an int8 model, whose products use integers whatever `bfloat16` is.
        """
        bfloat16 = bfloat16 and scales is None
        layout, params = folded_network(layout, params, bfloat16=bfloat16)
        if scales is not None:
            params = with_integers(layout, params, scales)
        H, V = layout.hidden_size, layout.vocab_size
        wide_H, wide_V = (core.packed_size(1, n, layout.dtype.itemsize) for n in (H, V))  # whole vectors
        wide = replace(layout, vocab_size=wide_V, hidden_size=wide_H)
        flat = _enlarged_params(layout, params, wide)
        unpacked: Any = wide, H, flat, None, V, one_row, scoring, boundary, bfloat16, n_threads, scales, None
        return cls(None, *unpacked).repack(one_row=one_row, scoring=scoring)  # type: ignore[arg-type]

    def repack(self, *, one_row: bool, scoring: bool) -> PackedNetwork:
        """Return the same network packed for another use, sharing the unpacked weights."""
        wide = self.layout
        narrow = replace(self.layout, vocab_size=self.symbols, hidden_size=self.hidden_size)
        int8 = self.scales is not None
        network = core.Network(
            wide,
            Packing(one_row, one_row_products=one_row and not scoring, bfloat16=self.bfloat16, int8=int8),
            units=self.hidden_size,
            symbols=self.symbols,
            boundary=self.boundary,
            labels=n_labels(replace(wide, vocab_size=self.symbols), self.boundary),
        )
        panels = aligned_zeros(network.panels_size, wide.dtype)
        scales = None if self.scales is None else column_scales(narrow, wide, self.scales)
        core.pack_weights(network, self.params, panels, scales)
        pool = SessionPool(self.rows_at_a_time(SHORT_CALL_SYMBOLS))
        return self._replace(network=network, panels=panels, one_row=one_row, scoring=scoring, pool=pool)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without padding, which depends on the machine.
        layout = replace(self.layout, vocab_size=self.symbols, hidden_size=self.hidden_size)
        params = layout.zeros()
        for narrow, inner in _same_weights(layout, params, self.layout, self.params):
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
        step = max(MIN_LOGIT_ROWS, CALL_PRODUCTS // (self.layout.hidden_size * self.layout.vocab_size))
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
        B = min(n, self.rows_at_a_time(READ_STREAMS))
        calls = min(CALL_SYMBOLS, CALL_PRODUCTS // self.layout.size) // (B * length)
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
        symbols = min(CALL_SYMBOLS, CALL_PRODUCTS // self.layout.size) // streams
        steps = max(1, symbols // T) * T
        stream = self.shared_stream(streams)
        i = 0
        while i < n:
            check_canceled()
            count = min(stream.symbols_of_call(steps), n - i)
            with stream.threads(count) as shared:
                yield slice(i, i + count), shared
            i += count

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
        """Return how many rows of logits to compute at once: `wanted`, or the number that fits in `LOGIT_BYTES`."""
        return max(1, min(wanted, LOGIT_BYTES // (self.layout.vocab_size * self.layout.dtype.itemsize)))

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


def _enlarged_params(layout: Layout, params: Array, wide: Layout) -> Array:
    """Return the parameters in a wide layout: added units stay 0, and added symbols have no probability."""
    flat = wide.zeros()
    wide.tensors(flat).by[:] = -np.inf
    for narrow, inner in _same_weights(layout, params, wide, flat):
        inner[...] = narrow
    return flat


def _same_weights(layout: Layout, params: Array, wide: Layout, flat: Array) -> Iterator[tuple[Array, Array]]:
    """Yield pairs of views: parts of the parameters, and the same parts within the wide layout."""
    H, V = layout.hidden_size, layout.vocab_size
    part = layout.tensors(params)
    out = wide.tensors(flat)
    gates = [*zip((part.pair_table,), (out.pair_table,), strict=True)]
    gates += [pair for pairs in zip(part.layers, out.layers, strict=True) for pair in zip(*pairs, strict=True)]
    for a, b in gates:
        if a is not None and b is not None:
            # Gate by gate: (rows, gates, units), or without rows for a bias.
            a, b = (w.reshape(*w.shape[:-1], -1, units) for w, units in ((a, H), (b, wide.hidden_size)))
            yield a, b[tuple(slice(n) for n in a.shape)]
    yield part.by, out.by[:V]
    yield part.Wy, out.Wy[:H, :V]


# ------------------------------------------------------------------ the embedding


def folded_weights(embedding: Array, Wx: Array, *, out: Array | None = None, bfloat16: bool = False) -> Array:
    """Return the input weights (V, G H) that replace the embedding: embedding @ Wx, added to `out` if it is given."""
    V, E = embedding.shape
    N = Wx.shape[1]
    panels = aligned_zeros(core.packed_size(E, N, Wx.itemsize, bfloat16), Wx.dtype)
    core.pack_panels(np.ascontiguousarray(Wx), transposed=False, one_row=False, panels=panels, bfloat16=bfloat16)
    embedding = np.ascontiguousarray(embedding)
    out = aligned_zeros((V, N), Wx.dtype) if out is None else out
    step = max(1, FOLDED_PRODUCTS // (E * N))
    room = aligned_zeros(core.operand_size(min(step, V), E, bfloat16), Wx.dtype) if bfloat16 else None
    for first in range(0, V, step):
        check_canceled()
        rows = embedding[first : first + step]
        operand = None if room is None else room[: core.operand_size(len(rows), E, bfloat16)]
        core.multiply(rows, panels, one_row=False, c=out[first : first + step], room=operand)
    return out


def folded_network(layout: Layout, params: Array, *, bfloat16: bool = False) -> tuple[Layout, Array]:
    """Return the layout and flat weights of the same network without its embedding, if it has one."""
    part = layout.tensors(params)
    if part.embedding is None:
        return layout, params
    plain = replace(layout, embedding_size=None)
    flat = plain.zeros()
    plain_part = plain.tensors(flat)
    folded_weights(part.embedding, part.layers[0].Wx, out=plain_part.layers[0].Wx, bfloat16=bfloat16)
    for tensor, old in zip(plain_part, (array for array in part if array is not part.embedding), strict=True):
        if tensor is not plain_part.layers[0].Wx:
            tensor[...] = old
    return plain, flat


# ------------------------------------------------------------------ 8-bit weights


def with_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Return a copy of the flat weights with integers for all weights used in products, not for lookup tables."""
    params = copy_in_pieces(params)
    for name, weights in _product_weights(layout, params):
        weights[...] = integers_of(weights, scales[name])
    return params


def without_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Undo `with_integers`: return flat weights, overwriting `params`."""
    for name, weights in _product_weights(layout, params):
        weights *= scales[name][:, None]
    return params


def column_scales(layout: Layout, wide: Layout, scales: Scales) -> Array:
    """Return the scales in the order of `core.pack_weights`: each layer's Wx and Wh (L, 2, G H), then Wy (V,).

    Those of padding and of the first layer's Wx, whose rows are looked up, are 0.
    """
    G = layout.kind.gates
    H = layout.hidden_size
    wide_H = wide.hidden_size
    L = layout.num_layers
    out = aligned_zeros(2 * L * G * wide_H + wide.vocab_size, layout.dtype)
    layers = out[: 2 * L * G * wide_H].reshape(L, 2, G, wide_H)
    for layer in range(L):
        for i, name in enumerate((f"Wxh_l{layer}", f"Whh_l{layer}")):
            if layer or i:
                layers[layer, i, :, :H] = scales[name].reshape(G, H)
    out[2 * L * G * wide_H :][: layout.vocab_size] = scales["Why"]
    return out


def _product_weights(layout: Layout, params: Array) -> Iterator[tuple[str, Array]]:
    """Yield names and views (outputs, inputs) of the weights used in products."""
    for name, weights in layout.named(params).items():
        if weights.ndim == 2 and name not in ("Wxh_l0", "embedding", "bigrams"):
            yield name, weights


# ---------------------------------------------------------------- network cache


class NetworkCache:
    """Packs a model's weights when a network is first needed, and keeps it until the weights change.

    A call that finds its network takes no lock, so it waits neither for training nor for a longer call. A call that
    packs waits for the running training steps to end. Copying or pickling a cache gives an empty one.
    """

    def __init__(self) -> None:
        self._forms: _Forms | None = None
        self._label_forms: _LabelForms | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return NetworkCache, ()

    def __eq__(self, other: object) -> bool:
        """Treat all caches as equal: they hold no part of a model."""
        return isinstance(other, NetworkCache)

    __hash__ = None  # type: ignore[assignment]

    def network(
        self,
        state: ModelState,
        what: str,
        *,
        one_row: bool,
        scoring: bool = False,
        bfloat16: bool = False,
        n_threads: int | None = 1,
    ) -> PackedNetwork:
        """Return a network with a state's current weights; `what` is the method that needs it, for the error."""
        bfloat16 = bfloat16 and state.scales is None
        scoring = scoring and one_row  # many rows have only one form
        forms = self._forms
        if forms is None or not forms.is_current(state, bfloat16):
            with state.gate.turn, state.gate.steps():
                forms = self._forms  # another thread may already have packed
                if forms is None or not forms.is_current(state, bfloat16):
                    state.check_finite(what)
                    first = _packed_state(state, one_row=one_row, scoring=scoring, bfloat16=bfloat16)
                    forms = self._forms = _Forms(state, first)
        return forms.form(one_row, scoring, n_threads)

    def label_networks(
        self,
        state: ModelState,
        what: str,
        *,
        one_row: bool = False,
        bfloat16: bool = False,
        n_threads: int | None = 1,
    ) -> LabelNetworks:
        """Return the networks of the texts with each label: one for all, whose texts start after the label's symbol.

        With pairs of symbols there is one for each label, because a label and a text's first symbol may be a pair.
        """
        bfloat16 = bfloat16 and state.scales is None
        labels = self._label_forms
        if labels is None or not labels.forms[0].is_current(state, bfloat16):
            with state.gate.turn, state.gate.steps():
                labels = self._label_forms
                if labels is None or not labels.forms[0].is_current(state, bfloat16):
                    state.check_finite(what)
                    labels = self._label_forms = _LabelForms.of(state, bfloat16)
        networks = [forms.form(one_row, one_row, n_threads) for forms in labels.forms]
        networks *= len(labels.starts) // len(networks)
        return LabelNetworks(networks, labels.starts, labels.log_prior)


class _Forms:
    """The packed forms of the weights of a state, locked by its gate, or of weights derived from them."""

    def __init__(self, state: ModelState, first: PackedNetwork) -> None:
        self._gate = state.gate
        self._changes = state.gate.changes
        self._params = ref(state.params)
        self._precision_and_boundary = first.bfloat16, first.boundary
        self._forms = {(first.one_row, first.scoring): first}

    def is_current(self, state: ModelState, bfloat16: bool) -> bool:
        """Return whether the weights are still the state's, and are packed for this precision."""
        return (
            self._params() is state.params
            and self._changes == state.gate.changes
            and self._precision_and_boundary == (bfloat16, state.vocabulary.boundary)
        )

    def form(self, one_row: bool, scoring: bool, n_threads: int | None) -> PackedNetwork:
        """Return the form for a use; forms that differ only in their number of threads share all arrays."""
        network = self._forms.get((one_row, scoring))
        if network is None:
            with self._gate.turn:  # one thread packs, the others wait for the result
                network = self._forms.get((one_row, scoring))
                if network is None:  # any other form has the same weights, however the state has changed since
                    network = next(iter(self._forms.values())).repack(one_row=one_row, scoring=scoring)
                    self._forms[one_row, scoring] = network
        if network.n_threads != n_threads:
            network = self._forms[one_row, scoring] = network._replace(n_threads=n_threads)
        return network


class _LabelForms(NamedTuple):
    """The packed forms of networks whose softmax covers the symbols of texts alone, for a model with labels."""

    forms: list[_Forms]  # of one network for all labels, or of each label's
    starts: list[PackedState]  # after each label's symbol, read-only
    log_prior: NDArray[np.float64]  # of each label

    @classmethod
    def of(cls, state: ModelState, bfloat16: bool) -> _LabelForms:
        """Pack a state that is locked by its gate."""
        boundary = state.vocabulary.boundary
        K = len(state.vocabulary.labels)
        assert boundary is not None  # labels need documents
        whole = _packed_state(state, one_row=False, scoring=False, bfloat16=bfloat16)
        together = whole.zero_state(K)
        whole.feed(boundary + 1 + np.arange(K, dtype=np.int32)[None, :], together)
        starts = [tuple([np.ascontiguousarray(part[:, k : k + 1]) for part in together]) for k in range(K)]
        label_states = [state_of_label(state, k) for k in range(1 if state.layout.pairs is None else K)]
        packed = [_packed_state(narrowed, one_row=False, scoring=False, bfloat16=bfloat16) for narrowed in label_states]
        if state.layout.pairs is not None:
            starts = [network.copy(network.start()) for network in packed]
        for part in (part for start in starts for part in start):
            part.flags.writeable = False
        return cls([_Forms(state, network) for network in packed], starts, log_prior(whole, K))


def log_prior(network: PackedNetwork, K: int) -> NDArray[np.float64]:
    """Return log P of each label, the last K symbols, in nats: the probability that it starts a document."""
    y = network.logits_after(network.start())[0, : network.symbols][-K:].astype(np.float64)
    log_p: NDArray[np.float64] = y - np.logaddexp.reduce(y)
    return log_p


def _packed_state(state: ModelState, *, one_row: bool, scoring: bool, bfloat16: bool) -> PackedNetwork:
    """Return the network with a state's weights."""
    boundary = state.vocabulary.boundary
    return PackedNetwork.pack(
        state.layout,
        state.params,
        one_row=one_row,
        scoring=scoring,
        boundary=boundary,
        bfloat16=bfloat16,
        scales=state.scales,
    )
