"""Trainer: passes streams of text through the training kernel, on one or more threads."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ..._kernels.entry.structures import Packing
from ...errors import DivergenceError, InvalidInputError
from ...model.layout import aligned_zeros, n_labels
from ...model.state import WEIGHT_AVERAGE, ModelState
from ...parameters.optimizers import OPTIMIZERS
from ...runtime.adaptive_threads import AdaptiveThreads
from ...runtime.deferred_signals import signals_deferred
from ...runtime.threads import Helpers, scipy_blas
from ...text.streams.streams import Streams
from .ruin import RuinWatch
from .shards import Arrangement, arrange, cut, packs_all, shard_ranges
from .step_settings import StepSettings
from .team import Team
from .weight_average import WeightAverage

SNAPSHOT_SECONDS = 1.0  # minimum between two snapshots to return to after divergence
SNAPSHOT_SHARE = 0.01  # maximum part of the time spent on snapshots: for a large model they take a while

NO_HELPERS = Helpers(0, print)

Array = NDArray[Any]


class BlockStart(NamedTuple):
    """The start of the current block. It is replaced as a whole: Ctrl-C may come between any two lines."""

    position: Any  # the streams' position
    n_steps: int  # the model's steps


@dataclass(frozen=True)
class Snapshot:
    """A model in training at one moment."""

    state: ModelState
    cursor: core.Cursor
    block_start: BlockStart


class Trainer:
    """Trains a model state in place; a context manager, since it owns threads and holds SciPy's BLAS at one thread.

    The state's `params`, `optimizer_state` and `hidden` always belong to a whole number of steps; `n_steps` and
    `smooth_loss` are set after each series of steps. The hidden state is carried from block to block, except where the
    text starts over. The results do not depend on `n_threads`, the maximum; an `adaptive` trainer uses fewer if that is
    faster.

    `n_shards` ranges of streams have a gradient each; by default `shards.shard_ranges` decides. `block_step` is the
    model's `n_steps` at the start of the next block, for a call that continues within a block. `own_streams` maps B to
    this process's share of the streams that all processes read together: losses and gradients are averaged over all of
    these with `reduce` (see `Team`), otherwise over the share.
    """

    def __init__(
        self,
        state: ModelState,
        streams: Streams,
        settings: StepSettings,
        *,
        n_threads: int = 1,
        adaptive: bool = False,
        n_shards: int | None = None,
        boundary: int | None = None,
        block_step: int | None = None,
        reduce: Callable[[Array], None] | None = None,
        own_streams: Callable[[int], range] | None = None,
        average: WeightAverage | None = None,
    ) -> None:
        self.state, self.streams = state, streams
        self.layout = layout = state.layout
        self.params, self.hidden = state.params, state.hidden
        self.optimizer_state, self._weight_average = tuple(state.optimizer_state.values()), average
        self.optimizer = core.Optimizer(
            OPTIMIZERS[state.optimizer],
            settings.clip,
            settings.clip_norm,
            settings.weight_decay,
            settings.beta_1,
            settings.beta_2,
        )
        self.settings = settings
        T, B = streams.seq_length, streams.batch_size
        own = range(B) if own_streams is None else own_streams(B)
        rows = range(B) if reduce else own
        if n_shards is None:
            parts = shard_ranges(layout, streams, own, bfloat16=settings.bfloat16)
        else:
            parts = cut(own, n_shards)
        self._many = packs_all(
            T, parts, bfloat16=settings.bfloat16, sampled_softmax=settings.sampled_softmax
        )
        self._boundary = boundary
        self.arrangement = self._arrange(n_threads, len(parts))
        self._adaptive = AdaptiveThreads(self.arrangement.n_threads) if adaptive else None
        self._n_threads = self._most_threads = self.arrangement.n_threads
        self._one_row = len(rows) == 1
        self.network = self._network()
        self.team = Team(self.network, layout, T, parts, settings.dropout > 0, reduce, rows)
        self.panels = aligned_zeros(self.network.panels_size, layout.dtype)
        self.cursor = core.Cursor(0, state.n_steps, state.smooth_loss, math.nan, state.optimizer_start)
        self._stored_step = state.n_steps
        self._load_arrays()
        self._read_block(state.n_steps if block_step is None else block_step)
        start = time.perf_counter()
        self._snapshot = self.snapshot()
        uniform = state.loss_length * math.log(layout.vocab_size)
        self._chunks_of_loss = state.loss_length / streams.seq_length  # covered by the smoothed loss
        self.ruin = RuinWatch(uniform, streams.seq_length, state.n_steps, state.smooth_loss, self._snapshot.state)
        self._rates: list[NDArray[np.float64]] = []  # of the steps since the snapshot
        self._helpers = NO_HELPERS
        self._snapshot_at = _next_snapshot(start, time.perf_counter())

    def __enter__(self) -> Self:
        try:
            scipy_blas.enter(self)
            self._start_threads()
        except BaseException:
            self.close()
            raise
        return self

    def _start_threads(self) -> None:
        self._helpers = Helpers(self._most_threads - 1, self._train)
        self._helpers.__enter__()
        self._process = os.getpid()
        if self._helpers.count + 1 < self._most_threads:  # the system has refused to start some
            self._most_threads = self._helpers.count + 1
            self._adaptive = self._adaptive and AdaptiveThreads(self._most_threads)
        self.use_threads(self._n_threads)

    def __exit__(self, *exception: object) -> None:
        self.close()
        self._store_states()

    def close(self) -> None:
        """Release threads and the BLAS. Call it again after ``with``: Ctrl-C may have interrupted the exit."""
        try:
            self.team.break_barriers()
        finally:
            self._helpers.close()
        self._helpers = NO_HELPERS  # the old ones refer to this trainer: a cycle would keep its workspace alive
        scipy_blas.leave(self)

    def _arrange(self, n_threads: int, n_shards: int) -> Arrangement:
        return arrange(n_threads, n_shards, self.layout.hidden_size, grouped=self._many)

    def _network(self) -> core.Network:
        """Return the network with weights packed for the thread groups."""
        return core.Network(
            self.layout,
            Packing(
                self._one_row,
                self._many,
                training=True,
                group_size=self.arrangement.group_size,
                bfloat16=self.settings.bfloat16,
                in_place=not self.settings.weight_dropout,
            ),
            boundary=self._boundary,
            labels=n_labels(self.layout, self._boundary),
            sampled=self.settings.sampled_softmax,
        )

    def use_threads(self, n_threads: int) -> None:
        """Continue with another number of threads, at most the initial number."""
        self._n_threads = n_threads = min(n_threads, self._most_threads)
        before, self.arrangement = self.arrangement, self._arrange(n_threads, len(self.team.shards))
        if self.arrangement.group_size != before.group_size:
            self.network = self._network()
            self.panels = aligned_zeros(self.network.panels_size, self.layout.dtype)
            core.pack_weights(self.network, self.params, self.panels)
        self.team.start(self.arrangement, self.network)

    @property
    def block_start(self) -> BlockStart:
        """The start of the current block, which after Ctrl-C may already have been read to its end."""
        return self._block_start

    def advance(self, rates: NDArray[np.float64]) -> None:
        """Take one step at each of these learning rates.

        If a loss is not finite, raise DivergenceError. The state is then the one before the update of the last step
        with a finite loss.
        """
        if os.getpid() != self._process:  # a callback has forked, and the child has no threads
            self._start_threads()
        with self.state.gate.steps():
            try:
                self._advance(rates)
            finally:
                self.state.gate.changes += 1
        self._watch_loss()

    def _watch_loss(self) -> None:
        block_weights = self._block.loss_weights
        heaviest = 1.0 if block_weights is None else float(block_weights.max())
        last_loss = self.cursor.last_loss * self._chunks_of_loss
        self.ruin.see(self.cursor.n_steps, self.cursor.smooth_loss, last_loss, heaviest)
        self.ruin.keep(self._snapshot.state)

    def _advance(self, rates: NDArray[np.float64]) -> None:
        start = time.perf_counter()
        snapshot = None
        if self._snapshot_due(start):
            # A bias can be infinite while the loss is finite. What a callback has written is not an error of training.
            if self._snapshot_at > -math.inf and not self._is_sound():
                self._return_to_last_good_state()
            # It replaces the older snapshot once its loss is known to be finite, after the next step.
            snapshot = self.snapshot()
        taken = time.perf_counter()
        self._rates.append(rates)
        self._take_steps(rates)
        if snapshot and self.cursor.n_steps > snapshot.cursor.n_steps:
            self._snapshot, self._rates = snapshot, [rates]
            self._snapshot_at = _next_snapshot(start, taken)
        if self.cursor.diverged:
            self._return_to_last_good_state()

    def _snapshot_due(self, now: float) -> bool:
        return now > self._snapshot_at

    def resume_from_arrays(self) -> None:
        """Continue with weights, optimizer state and hidden state edited by a callback."""
        self._load_arrays()
        self._snapshot_at = -math.inf  # no replay of steps leads to these arrays: take a snapshot before the next steps

    def finish(self) -> None:
        """Raise DivergenceError, like `advance`, if an update made non-finite weights or the model is ruined.

        The loss of the last weights is not known yet. Weights that were not finite when training began are not a
        training error.
        """
        with self.state.gate.steps():
            if not self._is_sound():
                self._return_to_last_good_state()
            self._watch_loss()  # of the steps before an interruption
            if self.ruin.ruined(self.cursor.n_steps):
                step, loss = self.cursor.n_steps, self.cursor.last_loss
                self._restore_state(self.ruin.sound)  # no step follows, so the position in the text does not matter
                raise DivergenceError(step, loss, "ruin")

    def _is_sound(self) -> bool:
        """Return whether all numbers that were finite in the snapshot still are; sums of squares may overflow."""
        old = self._snapshot.state
        arrays = [(self.params, old.params), *zip(self.hidden, old.hidden, strict=True)]
        finite = all(np.isfinite(new).all() or (np.isfinite(new) | ~np.isfinite(was)).all() for new, was in arrays)
        kept = zip(self.optimizer_state, old.optimizer_state.values(), strict=True)
        return finite and not any(np.isnan(new).any() and (np.isnan(new) & ~np.isnan(was)).any() for new, was in kept)

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that training changes."""
        return Snapshot(self.state.copy(), self.cursor.copy(), self._block_start)

    def _take_steps(self, rates: NDArray[np.float64]) -> None:
        """Take steps in compiled code: the first thread is this one, the others are helper threads."""
        while len(rates):
            if not self._chunks_left:
                self._read_block(self.cursor.n_steps)
            self.cursor.position = self._position
            n = min(len(rates), self._chunks_left)
            if self._block.loss_weights is not None:
                n = 1  # the kernel takes the loss weights of one chunk
                self._set_loss_weights(self._block.loss_weights)
            if self._weight_average:
                n = min(n, self._weight_average.steps_left(self.cursor.n_steps))
            n = self._choose_threads(n)
            start = time.perf_counter()
            self._helpers.start(rates[:n], count=self.team.n_threads - 1)
            self._train(0, rates[:n])
            self._helpers.finish()
            if self._adaptive:
                now = time.perf_counter()
                self._adaptive.record((now - start) / n, now)
            if self.cursor.diverged:
                break
            if self._weight_average:
                self._weight_average.update(self.cursor.n_steps)
            rates = rates[n:]
        self._store_states()

    def _choose_threads(self, n: int) -> int:
        """Change the number of threads if due; return how many of n steps to take with it."""
        if self._adaptive is None:
            return n
        if self._adaptive.n_threads != self._n_threads:
            self.use_threads(self._adaptive.n_threads)
        return self._adaptive.steps(n)

    def _set_loss_weights(self, weights: NDArray[Any]) -> None:
        """Give each shard its part of the loss weights (T, B) of the next chunk."""
        chunk = weights[:, self.cursor.position : self.cursor.position + self.streams.seq_length]
        for shard in self.team.shards:
            of_shard = chunk[shard.streams.start : shard.streams.stop].T
            shard.loss_weights = np.ascontiguousarray(of_shard, self.layout.dtype)

    @property
    def _position(self) -> int:
        """The position of the next chunk in the block."""
        return (self.cursor.n_steps - self._block_start.n_steps) * self.streams.seq_length

    @property
    def _chunks_left(self) -> int:
        """The number of unread chunks in the block."""
        return (self._block.n_transitions - self._position) // self.streams.seq_length

    def _read_block(self, first_step: int) -> None:
        """Read the next block, which the model began after `first_step` steps."""
        position = self.streams.position
        self._block = self.streams.next_block()
        self._block_start = BlockStart(position, first_step)
        if self._chunks_left < 0:
            raise InvalidInputError(
                f"the block at {position} has fewer than the {self.cursor.n_steps - first_step} chunks already read"
            )

    def _train(self, rank: int, rates: NDArray[np.float64]) -> None:
        try:
            core.train(
                self.network,
                self.params,
                self.panels,
                self.optimizer,
                list(self.optimizer_state)[: -1 if WEIGHT_AVERAGE in self.state.optimizer_state else None],
                self.team,
                rank,
                self._block.ids[self.team.rows.start : self.team.rows.stop],
                self._block.starts_epoch and self.cursor.position == 0,
                self.cursor,
                rates,
                self.settings,
            )
        except BaseException:
            self.team.break_barriers()  # otherwise the others would wait for this thread forever
            raise

    def _store_states(self) -> None:
        """Update the model state if a step was completed; `carried` may hold the start of an interrupted step."""
        if self.cursor.n_steps == self._stored_step:
            return
        if self._weight_average:
            self._weight_average.update(self.cursor.n_steps)
        for shard in self.team.shards:
            for array, carried in zip(self.hidden, shard.carried, strict=True):
                array[:, shard.streams.start : shard.streams.stop] = carried
        self.state.n_steps, self.state.smooth_loss = self.cursor.n_steps, self.cursor.smooth_loss
        self._stored_step = self.cursor.n_steps  # last: if Ctrl-C strikes before, everything is stored again

    def _load_arrays(self) -> None:
        """Pack the weights and distribute the hidden state; from here on the kernel packs the weights it updates."""
        core.pack_weights(self.network, self.params, self.panels)
        for shard in self.team.shards:
            for array, carried in zip(self.hidden, shard.carried, strict=True):
                carried[...] = array[:, shard.streams.start : shard.streams.stop]

    def _restore(self, snapshot: Snapshot) -> None:
        """Restore a snapshot as a whole: Ctrl-C waits."""
        with signals_deferred():
            self.cursor = snapshot.cursor.copy()
            self.streams.position = snapshot.block_start.position
            self._read_block(snapshot.block_start.n_steps)
            self._restore_state(snapshot.state)

    def _restore_state(self, state: ModelState) -> None:
        """Restore the learned arrays and counts of a model."""
        with signals_deferred():
            self.state.restore(state)
            self.cursor.n_steps, self.cursor.smooth_loss = state.n_steps, state.smooth_loss
            if self._weight_average:
                self._weight_average.restored(state.n_steps)
            for shard in self.team.shards:
                shard.gradient[:] = 0
            self._load_arrays()
            self._stored_step = self.cursor.n_steps

    def _return_to_last_good_state(self) -> None:
        """Restore the last state whose numbers and loss were finite, and raise DivergenceError.

        Training is deterministic: the same steps from the snapshot lead back to the weights before the last update. If
        these are not finite either, although their losses were, the steps are repeated one by one.
        """
        bad_step, last_loss = self.cursor.n_steps, self.cursor.last_loss
        kind = "loss" if self.cursor.diverged else "weights"
        n_steps = bad_step - 1 - self._snapshot.cursor.n_steps
        self._replay(n_steps)
        if not self._is_sound():
            self._restore(self._snapshot)
            rates, kind = np.concatenate(self._rates), "weights"
            n_steps = next((i for i in range(n_steps) if not self._is_sound_after(rates[i : i + 1])), n_steps)
            self._replay(n_steps)
            bad_step, last_loss = self.cursor.n_steps + 1, self.cursor.last_loss
        raise DivergenceError(bad_step, last_loss, kind)

    def _is_sound_after(self, rates: NDArray[np.float64]) -> bool:
        self._take_steps(rates)
        return self._is_sound()

    def _replay(self, n_steps: int) -> None:
        """Restore the state `n_steps` after the snapshot."""
        self._restore(self._snapshot)
        if n_steps > 0:
            self._take_steps(np.concatenate(self._rates)[:n_steps])


def _next_snapshot(start: float, end: float) -> float:
    """Return the time of the next snapshot, after one that took from `start` to `end`."""
    return end + max(SNAPSHOT_SECONDS, (end - start) / SNAPSHOT_SHARE)
