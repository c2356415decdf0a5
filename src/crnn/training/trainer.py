"""Trainer: takes training steps on one or several threads."""

from __future__ import annotations

import copy
import math
import os
import time
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import Packing
from ..errors import DivergenceError, InvalidInputError
from ..model.layout import aligned_zeros, n_labels
from ..model.state import ModelState
from ..parameters.kinds import OPTIMIZERS
from ..parameters.settings import Settings, rounds_operands
from ..runtime.signals import signals_deferred
from ..runtime.threads import AdaptiveThreads, Helpers, scipy_blas
from ..text.streams import Streams
from .processes import Processes
from .team import Arrangement, Team, arrange, cut, packs_all, shard_ranges

# ---------------------------------------------------------------- step settings


@dataclass(frozen=True)
class StepSettings:
    """Clipping, weight decay, Adam's moments, dropout, state resets, the scale of the loss, and precision."""

    seq_length: int  # the chunk length to which losses are scaled. Chunks are shorter if the text is.
    clip: float = math.inf  # `clip`, `clip_norm`: bounds of the gradient; infinity: no clipping
    clip_norm: float = math.inf
    weight_decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    dropout: float = 0.0
    weight_dropout: float = 0.0
    state_reset: float = 0.0
    # The seed which, with the number of the step, decides which units and weights are dropped, which streams' states
    # are reset, and which symbols are drawn.
    dropout_seed: int = 0
    bfloat16: bool = False  # whether products round their operands to bfloat16
    n_sampled_symbols: int = 0  # symbols drawn for each chunk's softmax in addition to its targets; 0: the full softmax

    @classmethod
    def of(cls, settings: Settings, rng: np.random.Generator) -> Self:
        """Return the settings for one call of training; `rng` does not advance: a run in two parts has one seed."""
        same = ("seq_length", "clip", "clip_norm", "weight_decay", "beta_1", "beta_2", "dropout", "weight_dropout")
        return cls(
            **{name: getattr(settings, name) for name in same},
            state_reset=settings.state_reset,
            dropout_seed=int(copy.deepcopy(rng).integers(2**63)),
            bfloat16=rounds_operands(settings.matmul_precision, settings.dtype),
            n_sampled_symbols=settings.n_sampled_symbols or 0,
        )


# ---------------------------------------------------------------- trainer

SNAPSHOT_SECONDS = 1.0  # minimum between two snapshots to return to after divergence
SNAPSHOT_SHARE = 0.01  # maximum part of the time spent on snapshots: for a large model they take a while

UNIFORM_GUESSES = 10  # times the loss of a uniform guess: the mean loss of a model that learns stays below
MIN_STEPS_TO_DIVERGE = 100  # the loss is compared over at least so many: a bad start is not divergence
ROUNDING_PER_STEP = 4e-16  # relative rounding error of a smoothed loss per step


class BlockStart(NamedTuple):
    """The start of the current block, which after Ctrl-C may already have been read to its end. It is replaced as a
    whole: Ctrl-C may come between any two lines.
    """

    position: Any  # the streams' position
    n_steps: int  # the model's steps


class SmoothedLoss(NamedTuple):
    """The smoothed loss after a step."""

    step: int
    value: float

    def mean_until(self, later: SmoothedLoss, *, rounding: float = 0.0) -> float:
        """Return the mean loss of the steps in between or, given the `rounding` of each step, a lower bound of it."""
        n = later.step - self.step
        weight = (1 - core.SMOOTHING) ** n  # of the earlier value in the later one
        return (later.value - weight * self.value - n * rounding * self.value) / (1 - weight)


class Trainer:
    """Trains a model state in place; a context manager, since it owns threads and holds SciPy's BLAS at one thread.

    The state's `params`, `optimizer_state` and `hidden` always belong to a whole number of steps; `n_steps` and
    `smooth_loss` are set after each series of steps. An `adaptive` trainer uses fewer threads if that is faster.
    `n_shards` ranges of streams have a gradient each; by default `team.shard_ranges` decides. `block_step` is the
    model's `n_steps` at the start of the next block, for a call that continues within a block. The streams cover
    all `processes`, whose gradients are summed.
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
        block_step: int | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.state = state
        self.streams = streams
        self.layout = layout = state.layout
        self.params = state.params
        self.hidden = state.hidden
        self.optimizer_state = tuple(state.optimizer_state.values())
        self.optimizer = core.Optimizer(
            OPTIMIZERS[state.optimizer],
            settings.clip,
            settings.clip_norm,
            settings.weight_decay,
            settings.beta_1,
            settings.beta_2,
        )
        self.settings = settings
        self._processes = processes
        T, B = streams.seq_length, streams.batch_size
        own_streams = processes.own_streams(B) if processes else range(B)
        if n_shards is None:
            parts = shard_ranges(layout, streams, own_streams, bfloat16=settings.bfloat16)
        else:
            parts = cut(own_streams, n_shards)
        self._many = packs_all(T, parts, bfloat16=settings.bfloat16, n_sampled_symbols=settings.n_sampled_symbols)
        self.arrangement = self._arrange(n_threads, len(parts))
        self._adaptive = AdaptiveThreads(self.arrangement.n_threads) if adaptive else None
        self._n_threads = self._most_threads = self.arrangement.n_threads
        self._one_row = B == 1
        self.network = self._network()
        self.team = Team(
            self.network, layout, T, parts, settings.dropout > 0, processes.reduce if processes else None, B
        )
        self.panels = aligned_zeros(self.network.panels_size, layout.dtype)
        self.cursor = core.Cursor(0, state.n_steps, state.smooth_loss, math.nan, state.optimizer_start)
        self._stored_step = state.n_steps
        self._chunks_of_loss = state.loss_length / streams.seq_length  # covered by the smoothed loss
        self._loss_limit = UNIFORM_GUESSES * state.loss_length * math.log(layout.vocab_size)
        self._heaviest = 1.0  # the largest factor applied to a loss so far: see `sample_weight`
        self._loss_before_last_call = self.smoothed_loss
        self._judged_from = (self.smoothed_loss,) * 2  # at least `MIN_STEPS_TO_DIVERGE` steps apart, the later one last
        self.load_arrays()
        self._read_block(state.n_steps if block_step is None else block_step)
        start = time.perf_counter()
        self._snapshot = state.copy()  # the newest after which training has continued with a finite loss
        self._next_snapshot: ModelState | None = None  # replaces it after the next step
        self._helpers = Helpers.none()
        self._snapshot_at = _snapshot_time(start, time.perf_counter())

    def __enter__(self) -> Self:
        try:
            scipy_blas.enter(self)
            self._start_threads()
        except BaseException:
            self.close()
            raise
        return self

    def _start_threads(self) -> None:
        """Start the helper threads in this process, or as many as the system allows."""
        self._helpers = Helpers(self._most_threads - 1, self._train)
        self._helpers.__enter__()
        self._process = os.getpid()
        if self._helpers.count + 1 < self._most_threads:  # the system has refused to start some
            self._most_threads = self._helpers.count + 1
            self._adaptive = self._adaptive and AdaptiveThreads(self._most_threads)
        self.use_threads(self._n_threads)

    def __exit__(self, *exception: object) -> None:
        self.close()
        if self.cursor.diverged:  # Ctrl-C has come before `advance` could look at the loss
            self._restore_snapshot()
        self._store_states()

    def close(self) -> None:
        """Release threads and the BLAS. Call it again after ``with``: Ctrl-C may have interrupted the exit."""
        try:
            core.break_barriers(self.team)
        finally:
            self._helpers.close()
        self._helpers = Helpers.none()  # the old ones refer to this trainer: a cycle would keep its workspace alive
        scipy_blas.leave(self)

    def _arrange(self, n_threads: int, n_shards: int) -> Arrangement:
        return arrange(n_threads, n_shards, self.layout.hidden_size, grouped=self._many)

    def _network(self) -> core.Network:
        """Return the network with weights packed for the thread groups."""
        boundary = self.state.vocabulary.boundary
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
            boundary=boundary,
            labels=n_labels(self.layout, boundary),
            sampled=self.settings.n_sampled_symbols,
        )

    def use_threads(self, n_threads: int) -> None:
        """Continue with another number of threads, at most the initial number."""
        self._n_threads = n_threads = min(n_threads, self._most_threads)
        before = self.arrangement
        self.arrangement = self._arrange(n_threads, len(self.team.shards))
        if self.arrangement.group_size != before.group_size:
            self.network = self._network()
            self.panels = aligned_zeros(self.network.panels_size, self.layout.dtype)
            core.pack_weights(self.network, self.params, self.panels)
        self.team.start(self.arrangement, self.network)

    def advance(self, rates: NDArray[np.float64]) -> None:
        """Take one step at each of these learning rates, or raise DivergenceError and return to the last good snapshot
        if a loss, or a weight when a snapshot is due, is not finite.
        """
        if os.getpid() != self._process:  # a callback has forked, and the child has no threads
            self._start_threads()
        before = self.smoothed_loss
        with self.state.gate.steps():
            try:
                is_due = time.perf_counter() > self._snapshot_at
                if self._processes.from_first(is_due) if self._processes else is_due:
                    self._take_snapshot()
                self._take_steps(rates)
                if self._next_snapshot and self.cursor.n_steps > self._next_snapshot.n_steps:
                    self._snapshot = self._next_snapshot
                    self._next_snapshot = None
                if self.cursor.diverged:
                    self._return_to_snapshot("loss")
            finally:
                self.state.gate.changes += 1
        self._loss_before_last_call = before
        if self.cursor.n_steps - self._judged_from[-1].step >= MIN_STEPS_TO_DIVERGE:
            self._judged_from = self._judged_from[-1], self.smoothed_loss

    def _take_snapshot(self) -> None:
        """Take a snapshot of finite weights, unless the loss is so high that they may be ruined."""
        start = time.perf_counter()
        if not self._is_finite():  # a gate maps an infinite bias to 0 or 1, so the loss may be finite
            self._return_to_snapshot("weights")
        if self._mean_loss_since(self._loss_before_last_call) <= self._loss_limit * self._heaviest:
            self._next_snapshot = self.state.copy()
        self._snapshot_at = _snapshot_time(start, time.perf_counter())

    @property
    def smoothed_loss(self) -> SmoothedLoss:
        """The smoothed loss after the latest step."""
        return SmoothedLoss(self.cursor.n_steps, self.cursor.smooth_loss)

    def _mean_loss_since(self, start: SmoothedLoss) -> float:
        """Return the mean loss of the steps since then, or a little less if rounding hides it; 0 without steps."""
        now = self.smoothed_loss
        return start.mean_until(now, rounding=ROUNDING_PER_STEP) if now.step > start.step else 0.0

    def resume_from_arrays(self) -> None:
        """Continue with weights, optimizer state and hidden state edited by a callback."""
        self.load_arrays()
        self._next_snapshot = self.state.copy()

    def finish(self) -> None:
        """Raise DivergenceError, like `advance`, if weights are not finite or the loss shows that they are ruined."""
        with self.state.gate.steps():
            if not self._is_finite():
                self._return_to_snapshot("weights")
            starts = [loss for loss in self._judged_from if self.cursor.n_steps - loss.step >= MIN_STEPS_TO_DIVERGE]
            if starts and (mean := self._mean_loss_since(starts[-1])) > self._loss_limit * self._heaviest:
                self.cursor.last_loss = mean / self._chunks_of_loss
                self._return_to_snapshot("ruin")

    def _is_finite(self) -> bool:
        """Return whether all numbers are finite, except for sums of squares that have overflowed."""
        finite = all(np.isfinite(array).all() for array in (self.params, *self.hidden))
        finite = finite and not any(np.isnan(array).any() for array in self.optimizer_state)
        return self._processes.all(finite) if self._processes else finite

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
            weights_of_shard = chunk[shard.streams.start : shard.streams.stop].T
            shard.loss_weights = np.ascontiguousarray(weights_of_shard, self.layout.dtype)

    @property
    def _position(self) -> int:
        """The position of the next chunk in the block."""
        return (self.cursor.n_steps - self.block_start.n_steps) * self.streams.seq_length

    @property
    def _chunks_left(self) -> int:
        """The number of unread chunks in the block."""
        return (self._block.n_transitions - self._position) // self.streams.seq_length

    def _read_block(self, first_step: int) -> None:
        """Read the next block, which the model began after `first_step` steps."""
        position = self.streams.position
        self._block = self.streams.next_block()
        if self._block.loss_weights is not None:
            self._heaviest = max(self._heaviest, float(self._block.loss_weights.max()))
        self.block_start = BlockStart(position, first_step)
        if self._chunks_left < 0:
            raise InvalidInputError(
                f"the block at {position} has fewer than the {self.cursor.n_steps - first_step} chunks already read"
            )

    def _train(self, rank: int, rates: NDArray[np.float64]) -> None:
        """Take the steps of a block as one thread of the team; an error frees the other threads."""
        try:
            core.train(
                self.network,
                self.params,
                self.panels,
                self.optimizer,
                list(self.optimizer_state),
                self.team,
                rank,
                self._block.ids,
                self._block.starts_epoch and self.cursor.position == 0,
                self.cursor,
                rates,
                self.settings,
            )
        except BaseException:
            core.break_barriers(self.team)  # otherwise the others would wait for this thread forever
            raise

    def _store_states(self) -> None:
        """Update the model state if a step was completed; `carried` may hold the start of an interrupted step."""
        if self.cursor.n_steps == self._stored_step:
            return
        for shard in self.team.shards:
            for array, carried in zip(self.hidden, shard.carried, strict=True):
                array[:, shard.streams.start : shard.streams.stop] = carried
        self.state.n_steps = self.cursor.n_steps
        self.state.smooth_loss = self.cursor.smooth_loss
        self._stored_step = self.cursor.n_steps  # last: if Ctrl-C strikes before, everything is stored again

    def load_arrays(self) -> None:
        """Pack the weights and distribute the hidden state; from here on the kernel packs the weights it updates."""
        core.pack_weights(self.network, self.params, self.panels)
        for shard in self.team.shards:
            for array, carried in zip(self.hidden, shard.carried, strict=True):
                carried[...] = array[:, shard.streams.start : shard.streams.stop]

    def _return_to_snapshot(self, kind: str) -> NoReturn:
        """Return to the last good snapshot, take no more steps, and raise DivergenceError; Ctrl-C waits."""
        error = DivergenceError(self.cursor.n_steps, self.cursor.last_loss, kind)
        self._restore_snapshot()
        raise error

    def _restore_snapshot(self) -> None:
        """Return to the weights, the optimizer state and the step of the last good snapshot."""
        snapshot = self._snapshot
        with signals_deferred():
            self.state.restore(snapshot)
            self.cursor.n_steps = snapshot.n_steps
            self.cursor.smooth_loss = snapshot.smooth_loss
            self._stored_step = snapshot.n_steps


def _snapshot_time(start: float, end: float) -> float:
    """Return the time of the next snapshot, after one that took from `start` to `end`."""
    return end + max(SNAPSHOT_SECONDS, (end - start) / SNAPSHOT_SHARE)


# ---------------------------------------------------------------- joint trainer


class JointTrainer:
    """The trainer of one of several processes: rank 0 is used like any trainer, and sends commands to the others, which
    `follow`. Every process holds the complete hidden state between two commands.
    """

    def __init__(self, trainer: Trainer, processes: Processes) -> None:
        self.trainer = trainer
        self._processes = processes
        self._ended = False  # whether all processes know that training has ended
        self._failed = False  # whether this process has left the others within a command

    def __enter__(self) -> Self:
        self._signals = self._processes.signals_deferred()
        self._signals.__enter__()
        self.trainer.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        error = exception[1]
        try:
            self.trainer.__exit__(*exception)
            if self._failed and isinstance(error, BaseException):
                self._processes.abort(error)
            if not self._ended:
                self._tell("end", None if error is None else (isinstance(error, KeyboardInterrupt), str(error)))
        finally:
            self._signals.__exit__(None, None, None)

    def follow(self) -> None:
        """Carry out the commands of rank 0 until it ends training."""
        while True:
            name, argument = self._tell("", None)
            if name == "end":
                self._ended = True
                if argument is None:
                    return
                interrupted, message = argument
                if interrupted:
                    raise KeyboardInterrupt(message)
                raise RuntimeError(f"training has ended because process 0 failed: {message}")
            self._do(name, argument)

    def advance(self, rates: NDArray[np.float64]) -> None:
        """Take a step at each of these learning rates, in all processes."""
        self._do(*self._tell("advance", rates))

    def finish(self) -> None:
        """Raise DivergenceError in all processes if the model is ruined."""
        self._do(*self._tell("finish", None))

    def resume_from_arrays(self) -> None:
        """Continue, in all processes, with the arrays that a callback of rank 0 has edited."""
        state = self.trainer.state
        self._do(*self._tell("load", (state.params, state.optimizer_state, state.hidden)))

    def _tell(self, name: str, argument: Any) -> tuple[str, Any]:
        """Return the command of rank 0; raise in every process what a signal to one of them means."""
        try:
            self._processes.raise_signals()
        except BaseException:
            self._ended = True
            raise
        command: tuple[str, Any] = self._processes.from_first((name, argument))
        return command

    def _do(self, name: str, argument: Any) -> None:
        """Carry out an operation that the first process has announced, and share its result."""
        try:
            if name == "advance":
                self.trainer.advance(argument)
            elif name == "finish":
                self.trainer.finish()
            else:
                self.trainer.state.overwrite(*argument)
                self.trainer.resume_from_arrays()
            self._share_hidden()
        except DivergenceError:  # in every process: loss and weights are the same
            self._share_hidden()
            self._ended = True
            raise
        except BaseException:
            self._failed = self._ended = True
            raise

    def _share_hidden(self) -> None:
        for array in self.trainer.hidden:
            self._processes.share_rows(array)
