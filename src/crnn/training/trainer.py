"""Trainer: takes streams of text through the training kernel, on one thread or several."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels import core
from ..errors import DivergenceError
from ..model.layout import Layout, aligned_zeros
from ..text.streams import Streams
from ..threads import Helpers, cores, crew_size, resolve, scipy_blas, shares

KEEP_SECONDS = 1.0  # between two copies of the model, from which a diverged run is taken back

Array = NDArray[Any]


class Copy(NamedTuple):
    """A network in training as it was at one moment."""

    cursor: core.Cursor
    params: Array
    memory: tuple[Array, ...]
    states: tuple[Array, ...]
    position: Any  # of the streams, before the block in which the cursor stands


class Member:
    """A thread that works on a shard, alone or in a crew: what it has for itself."""

    def __init__(self, network: core.Network, layout: Layout, seq_length: int, batch_size: int) -> None:
        self.x = aligned_zeros((seq_length + 1, batch_size), np.int32)  # symbols: inputs, and one row on, targets
        for name, shape in core.own_workspace(network, seq_length, batch_size).items():
            setattr(self, name, aligned_zeros(shape, layout.dtype))
        self.seen = np.zeros(layout.vocab_size, np.intp)  # the step in which a symbol's row was last updated
        self.stamp = 0


class Shard:
    """A group of neighbouring streams: their gradient, the kernel's workspace for one chunk of them, and their crew."""

    h: Array  # (L, T + 1, B, H): states; h[:, 0] is carried from chunk to chunk
    c: Array  # the same of an LSTM's cells; empty for other cells

    def __init__(
        self, network: core.Network, layout: Layout, seq_length: int, streams: range, dropout: bool, members: int = 1
    ) -> None:
        T, B = seq_length, len(streams)
        self.streams = streams
        self.first_stream = streams.start
        self.gradient = layout.zeros()
        for name, shape in core.workspace(network, T, B, dropout).items():
            setattr(self, name, aligned_zeros(shape, layout.dtype))
        self.crew = [Member(network, layout, T, B) for _ in range(members)]
        self.barrier: core.Barrier  # where they meet; as long as training goes on

    @property
    def carried(self) -> tuple[Array, ...]:
        """What is carried from chunk to chunk, (L, B, H) each."""
        return tuple(array[:, 0] for array in (self.h, self.c) if array.size)


class Trainer:
    """Trains parameters in place; a context manager, since it holds threads and scipy's BLAS at one thread.

    Parameters
    ----------
    layout : Layout
        Of `params` and of each array of `memory`.
    params, memory : (size,) array, sequence of such
        Parameters and what the optimiser remembers: changed in place, always those of a whole number of steps.
    states : sequence of (L, B, H) arrays
        What is carried from chunk to chunk: changed in place whenever steps have been taken.
    streams : Streams
        The symbols. The states are carried from block to block, unless one starts the text over.
    seq_length : int
        The chunk's length to which losses are scaled: that of `streams` unless its text was too short for it.
    n_steps, smooth_loss : int, float
        Where training stands.
    optimizer : {"adagrad", "rmsprop", "adam"}
    clip, clip_norm, weight_decay, beta_1, beta_2 : float
        Infinity: not clipped.
    optimizer_start : int
        The step before which `memory` was zero.
    dropout, weight_dropout : float, default=0.0
    dropout_seed : int, default=0
        With the number of the step this decides which units and which weights are dropped.
    n_threads : int, default=1
        Among which the streams are dealt out.
    crew : int, optional
        Threads that get the same streams, and of the units each its own; a divisor of `n_threads`. By default one, or
        more where the weights are too many for the cache of a single core: see `threads.crew_size`.
    boundary : int, optional
        The symbol at which a stream's states become zero.
    """

    def __init__(
        self,
        layout: Layout,
        params: Array,
        memory: Sequence[Array],
        states: Sequence[Array],
        streams: Streams,
        *,
        seq_length: int,
        n_steps: int,
        smooth_loss: float,
        optimizer: str,
        optimizer_start: int,
        clip: float = math.inf,
        clip_norm: float = math.inf,
        weight_decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        dropout_seed: int = 0,
        n_threads: int = 1,
        crew: int | None = None,
        boundary: int | None = None,
    ) -> None:
        self.layout, self.params, self.memory, self.states = layout, params, tuple(memory), tuple(states)
        self.streams = streams
        self.optimizer = core.Optimizer(optimizer, clip, clip_norm, weight_decay, beta_1, beta_2)
        self.dropout, self.weight_dropout, self.dropout_seed = dropout, weight_dropout, dropout_seed
        T, B = streams.seq_length, streams.batch_size
        self.loss_scale = seq_length / T
        self.n_threads = n_threads
        crew = crew or crew_size(_recurrent_bytes(layout), B, n_threads)
        many = T * (B * crew // n_threads) >= core.MANY_ROWS
        crew = crew if many else 1
        self.network = core.Network(layout, one_row=B == 1, many=many, training=True, boundary=boundary, members=crew)
        parts = shares(B, n_threads // crew)
        self.shards = [Shard(self.network, layout, T, part, dropout > 0, crew) for part in parts]
        self.panels = aligned_zeros(self.network.panels_size, layout.dtype)
        self.cursor = core.Cursor(0, n_steps, smooth_loss, math.nan, optimizer_start)
        self.start_from_arrays()
        self._read_block()
        self._losses, self._norms = np.zeros(n_threads), np.zeros(n_threads)
        self._first_step = self._stored_step = n_steps
        self._kept = self.copy()
        self._rates: list[NDArray[np.float64]] = []  # those of the steps since then
        self._keep_at = time.perf_counter() + KEEP_SECONDS

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(scipy_blas.one_thread())
            self._helpers = stack.enter_context(Helpers(self.n_threads - 1, self._train))
            crowded = self.n_threads > cores()
            self._barrier = core.Barrier(self.n_threads, crowded)
            for shard in self.shards:
                shard.barrier = core.Barrier(len(shard.crew), crowded)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._break_barriers()
        finally:
            self._stack.close()
        del self._helpers  # they know this trainer: without the circle its workspace is free as soon as nobody wants it
        self._store_states()

    @property
    def epoch(self) -> float:
        """Epochs so far, as a fraction."""
        return (self.cursor.n_steps - self._first_step) / self.streams.steps_per_epoch

    def advance(self, rates: NDArray[np.float64]) -> None:
        """Take a step at each of these learning rates.

        Raises
        ------
        DivergenceError
            If a loss is not finite. Parameters, memory, states and counters are then those of the last step
            whose loss was finite, before its update.
        """
        start = time.perf_counter()
        # A copy is worth keeping once its loss has been seen to be finite, which the next step shows.
        copy = self.copy() if start > self._keep_at else None
        self._rates.append(rates)
        self._take_steps(rates)
        if copy and self.cursor.n_steps > copy.cursor.n_steps:
            self._kept, self._rates, self._keep_at = copy, [rates], start + KEEP_SECONDS
        if self.cursor.diverged:
            self._take_back()

    def go_on_from_arrays(self) -> None:
        """Go on from parameters, memory and states that somebody else may have written to."""
        self.start_from_arrays()
        self._keep_at = -math.inf  # no replay of earlier steps leads to them: the next ones begin with a copy

    def finish(self) -> None:
        """Raise DivergenceError, as `advance` does, if the last update made weights that are not finite.

        Nobody has seen their loss yet. Weights that were not finite when training began are not its fault.
        """
        if not (np.isfinite(self.params) | ~np.isfinite(self._kept.params)).all():
            self._take_back()

    def copy(self) -> Copy:
        """Return a copy of all that training changes."""
        return Copy(
            self.cursor.copy(),
            self.params.copy(),
            tuple(array.copy() for array in self.memory),
            tuple(array.copy() for array in self.states),
            self._block_position,
        )

    def _take_steps(self, rates: NDArray[np.float64]) -> None:
        """Take steps in compiled code, as the first thread on this one and as each other on a helper thread."""
        while len(rates):
            if not self._chunks_left:
                self._read_block()
                self.cursor.position = 0
            n = min(len(rates), self._chunks_left)
            self._helpers.start(rates[:n])
            self._train(0, rates[:n])
            self._helpers.finish()
            if self.cursor.diverged:
                break
            rates = rates[n:]
        self._store_states()

    @property
    def _chunks_left(self) -> int:
        """Chunks of the block that have not been read."""
        transitions = self._block.ids.shape[1] - 1
        return int(transitions - self.cursor.position) // self.streams.seq_length

    def _read_block(self) -> None:
        """Read the next block; its position is kept, from which it can be read again."""
        self._block_position = self.streams.position
        self._block = self.streams.next_block()

    def _train(self, rank: int, rates: NDArray[np.float64]) -> None:
        try:
            core.train(
                self.network,
                self.params,
                list(self.memory),
                self.panels,
                self._block.ids.view(np.uint8),
                self._block.ids.itemsize,
                self._block.starts_epoch and self.cursor.position == 0,
                self.shards,
                rank,
                self._barrier,
                self._losses,
                self._norms,
                self.cursor,
                self.loss_scale,
                rates,
                self.optimizer,
                self.dropout,
                self.weight_dropout,
                self.dropout_seed,
            )
        except BaseException:
            self._break_barriers()  # the others would wait for this one for ever
            raise

    def _break_barriers(self) -> None:
        for barrier in (self._barrier, *(shard.barrier for shard in self.shards)):
            barrier.break_()

    def _store_states(self) -> None:
        """Store the states if a step was made: a step that was broken off may have left them changed."""
        if self.cursor.n_steps == self._stored_step:
            return
        for shard in self.shards:
            for state, carried in zip(self.states, shard.carried, strict=True):
                state[:, shard.streams.start : shard.streams.stop] = carried
        self._stored_step = self.cursor.n_steps  # at last: where Ctrl-C comes in between, it is all done once more

    def start_from_arrays(self) -> None:
        """Pack the weights and hand the states out; from then on the kernel packs what it updates."""
        core.pack_weights(self.network, self.params, self.panels)
        for shard in self.shards:
            for state, carried in zip(self.states, shard.carried, strict=True):
                carried[...] = state[:, shard.streams.start : shard.streams.stop]

    def _take_back(self) -> None:
        """Return to the last good model and say that training diverged.

        Training is deterministic: from the kept copy the same steps lead back to the parameters for which the
        loss was still finite, those before the last update that was made.
        """
        bad_step, last_loss = self.cursor.n_steps, self.cursor.last_loss
        self.cursor = self._kept.cursor
        self.streams.position = self._kept.position
        self._read_block()
        for array, kept in zip(
            (self.params, *self.memory, *self.states),
            (self._kept.params, *self._kept.memory, *self._kept.states),
            strict=True,
        ):
            array[...] = kept
        for shard in self.shards:
            shard.gradient[:] = 0
        self.start_from_arrays()
        self._stored_step = self.cursor.n_steps
        if bad_step - 1 > self.cursor.n_steps:
            self._take_steps(np.concatenate(self._rates)[: bad_step - 1 - self.cursor.n_steps])
        raise DivergenceError(bad_step, last_loss)


def threads_for(layout: Layout, streams: Streams, n_threads: int | None) -> int:
    """Return the number of threads to train on.

    Parameters
    ----------
    layout : Layout
    streams : Streams
    n_threads : int or None
        What the user asked for; None: as many as are worth it.

    Examples
    --------
    >>> from crnn.text.text_streams import TextStreams
    >>> threads_for(Layout(5, 3, np.dtype("float32")), TextStreams(np.zeros(90, np.uint8), 4, 5), 3)
    3
    """
    # The first layer's input is a row of its weights, no product.
    products = [math.prod(shape) for shape in layout.shapes[1:] if len(shape) == 2]
    work = streams.seq_length * streams.batch_size * sum(products)
    return resolve(n_threads, streams.batch_size, work, _recurrent_bytes(layout))


def _recurrent_bytes(layout: Layout) -> int:
    """Return the size of the weights that a layer multiplies by at a time step."""
    return layout.kind.gates * layout.hidden_size**2 * layout.dtype.itemsize
