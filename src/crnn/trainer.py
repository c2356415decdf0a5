"""Trainer: sweeps streams of text through the training kernel, on one thread or several."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ._kernels import core
from .corpus import Streams
from .errors import DivergenceError
from .parameters import Layout, aligned_zeros
from .threads import Helpers, resolve, scipy_blas, shares

LOOK_SECONDS = 0.05  # between two looks at the clock, for progress, Ctrl-C and stopping
KEEP_SECONDS = 1.0  # between two copies of the model, from which a diverged run is taken back

Array = NDArray[Any]


class Shard:
    """A group of neighbouring streams: their gradient and the workspace of one chunk, about (T + 1) B (H + V)."""

    def __init__(self, layout: Layout, seq_length: int, streams: range) -> None:
        T, B, H, V = seq_length, len(streams), layout.hidden_size, layout.vocab_size
        self.streams = streams
        self.first_stream = streams.start
        self.gradient = layout.zeros()
        self.x = aligned_zeros((T + 1, B), np.int32)  # symbols: inputs, and one row on, targets
        self.h = aligned_zeros((T + 1, B, H), layout.dtype)  # states; h[0] is carried from chunk to chunk
        self.y = aligned_zeros((T, B, V), layout.dtype)  # logits, then their gradient
        steps, scratch = core.workspace(T, B, H, V, layout.dtype.itemsize)
        self.dz = aligned_zeros((steps, B, H), layout.dtype)  # gradient of what tanh is applied to, a few steps of it
        self.scratch = aligned_zeros(scratch, layout.dtype)
        self.seen = np.zeros(V, np.int32)  # the step in which a symbol's row was last updated
        self.stamp = 0


class Trainer:
    """Trains parameters in place; a context manager, since it holds threads and scipy's BLAS at one thread.

    Parameters
    ----------
    layout : Layout
        Of `params` and `sum_`.
    params, sum_ : (size,) arrays
        Parameters and Adagrad's memory: changed in place, always those of a whole number of steps.
    state : (1, B, H) array
        The hidden state carried from chunk to chunk: changed in place whenever steps have been taken.
    streams : Streams
        The text.
    seq_length : int
        The chunk's length to which losses are scaled: that of `streams` unless its text was too short for it.
    n_steps, smooth_loss : int, float
        Where training stands.
    learning_rate, clip : float
    n_threads : int or None
        None: as many as are worth it.
    """

    def __init__(
        self,
        layout: Layout,
        params: Array,
        sum_: Array,
        state: Array,
        streams: Streams,
        *,
        seq_length: int,
        n_steps: int,
        smooth_loss: float,
        learning_rate: float,
        clip: float,
        n_threads: int | None,
    ) -> None:
        self.layout, self.params, self.sum, self.state = layout, params, sum_, state
        self.streams = streams
        self.learning_rate, self.clip = learning_rate, clip
        T, B, H, V = streams.seq_length, streams.batch_size, layout.hidden_size, layout.vocab_size
        self.loss_scale = seq_length / T
        n_threads = resolve(n_threads, B, T * B * H * (H + V))
        self.shards = [Shard(layout, T, part) for part in shares(B, n_threads)]
        for shard in self.shards:
            shard.h[0] = state[0, shard.streams.start : shard.streams.stop]
        self.cursor = core.Cursor(0, n_steps, smooth_loss, float("nan"))
        size = core.packed_size(H, H, layout.dtype.itemsize)
        self.Wh_panels, self.WhT_panels = aligned_zeros(size, layout.dtype), aligned_zeros(size, layout.dtype)
        self._pack()
        self._ids = streams.ids.view(np.uint8)
        self._losses = np.zeros(n_threads)
        self._steps_per_look = 1
        self._first_step = self._stored_step = n_steps
        self._helpers = Helpers(n_threads - 1, self._train_shard)
        self._kept = self._copy()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(scipy_blas.one_thread())
            stack.enter_context(self._helpers)
            self._barrier = core.Barrier(len(self.shards))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._barrier.break_()
        self._stack.close()
        self._store_state()

    @property
    def epoch(self) -> float:
        """Sweeps of the text so far, as a fraction."""
        return (self.cursor.n_steps - self._first_step) / self.streams.steps_per_sweep

    def run(self, n_steps: int, every: int, look: Callable[[], None]) -> None:
        """Take `n_steps` steps, calling `look` about every 50 ms and after each `every` steps.

        Raises
        ------
        DivergenceError
            If a loss is not finite. Parameters, memory, state and counters are then those of the last step
            whose loss was finite, before its update.
        """
        last = self.cursor.n_steps + n_steps
        keep_at = time.perf_counter() + KEEP_SECONDS
        while self.cursor.n_steps < last:
            start = time.perf_counter()
            before = self.cursor.n_steps
            # A copy is worth keeping once its loss has been seen to be finite, which the next step shows.
            copy = self._copy() if start > keep_at else None
            self._advance(min(self._steps_per_look, last - before, every - (before - self._first_step) % every))
            if self.cursor.diverged:
                self._take_back()
            if copy:
                self._kept, keep_at = copy, start + KEEP_SECONDS
            spent = time.perf_counter() - start
            self._steps_per_look = max(1, round((self.cursor.n_steps - before) / spent * LOOK_SECONDS))
            look()
        if not (np.isfinite(self.params) | ~np.isfinite(self._kept[1])).all():
            self._take_back()  # from the weights that the last update made, whose loss nobody has seen

    def _advance(self, n_steps: int) -> None:
        """Take steps in compiled code, the first shard on this thread and each other one on a helper thread."""
        self._helpers.start(n_steps)
        self._train_shard(0, n_steps)
        self._helpers.finish()
        self._store_state()

    def _train_shard(self, rank: int, n_steps: int) -> None:
        try:
            core.train(
                self.params,
                self.sum,
                self.layout,
                self.Wh_panels,
                self.WhT_panels,
                self._ids,
                self.streams.ids.itemsize,
                self.streams.stream_length - 1,
                self.shards,
                rank,
                self._barrier,
                self._losses,
                self.cursor,
                self.loss_scale,
                n_steps,
                self.learning_rate,
                self.clip,
            )
        except BaseException:
            self._barrier.break_()  # the others would wait for this one for ever
            raise

    def _store_state(self) -> None:
        """Store the state if a step was made: a step that was broken off may have left it changed."""
        if self.cursor.n_steps == self._stored_step:
            return
        self._stored_step = self.cursor.n_steps
        for shard in self.shards:
            self.state[0, shard.streams.start : shard.streams.stop] = shard.h[0]

    def _pack(self) -> None:
        """Pack Wh in both orders; from then on the kernel packs what it updates."""
        Wh, one_row = self.layout.tensors(self.params).Wh, self.streams.batch_size == 1
        core.pack_panels(Wh, False, one_row, self.Wh_panels)
        core.pack_panels(Wh, True, one_row, self.WhT_panels)

    def _copy(self) -> tuple[core.Cursor, Array, Array, Array]:
        cursor = self.cursor
        return (
            core.Cursor(cursor.position, cursor.n_steps, cursor.smooth_loss, cursor.last_loss),
            self.params.copy(),
            self.sum.copy(),
            self.state.copy(),
        )

    def _take_back(self) -> None:
        """Return to the last good model and say that training diverged.

        Training is deterministic: from the kept copy the same steps lead back to the parameters for which the
        loss was still finite, those before the last update that was made.
        """
        bad_step, last_loss = self.cursor.n_steps, self.cursor.last_loss
        self.cursor, self.params[:], self.sum[:], self.state[:] = self._kept
        for shard in self.shards:
            shard.h[0] = self.state[0, shard.streams.start : shard.streams.stop]
            self.layout.tensors(shard.gradient).Wx[:] = 0
        self._pack()
        self._stored_step = self.cursor.n_steps
        if bad_step - 1 > self.cursor.n_steps:
            self._advance(bad_step - 1 - self.cursor.n_steps)
        raise DivergenceError(bad_step, last_loss)
