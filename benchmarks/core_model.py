"""A model of the time of a training step on several cores of one machine."""

from __future__ import annotations

from typing import NamedTuple

from crnn import CharRNN
from crnn.parameters.optimizers import OPTIMIZERS
from crnn.training.loop.shards import Arrangement, arrange, shard_count

BARRIERS_PER_STEP = 4  # of all threads, in each step
BARRIERS_PER_POSITION = 2  # of a group's threads, per layer and time step: one forward, one backward


class Machine(NamedTuple):
    """The speeds of a machine that the model needs."""

    core_bandwidth: float  # bytes a second that one core reads and writes in memory
    bandwidth: float  # bytes a second of all cores together
    handoff: float  # seconds for a cache line to pass from one core to another

    def memory_seconds(self, n_bytes: int, cores: int) -> float:
        """Return the time for `cores` cores to move `n_bytes` bytes."""
        return n_bytes / min(cores * self.core_bandwidth, self.bandwidth)

    def barrier_seconds(self, cores: int) -> float:
        """Return the time of a barrier: each thread writes to one line in turn, and all read it.

        Examples
        --------
        >>> Machine(1e10, 1e11, 1e-7).barrier_seconds(1), Machine(1e10, 1e11, 1e-7).barrier_seconds(8)
        (0.0, 9e-07)
        """
        return (cores + 1) * self.handoff if cores > 1 else 0.0


class Step(NamedTuple):
    """The sizes that determine how a training step is divided."""

    hidden_size: int
    num_layers: int
    batch_size: int
    seq_length: int
    recurrent_bytes: int  # a layer's recurrent weights
    parameter_bytes: int
    state_arrays: int  # the optimizer's; each has the size of the parameters

    @classmethod
    def of(cls, model: CharRNN) -> Step:
        """Return the sizes of a fitted model's steps."""
        recurrent = model.params_["Whh_l0"].nbytes
        size = sum(array.nbytes for array in model.params_.values())
        states = len(OPTIMIZERS[model.optimizer].state)
        return cls(model.hidden_size, model.num_layers, model.batch_size, model.seq_length, recurrent, size, states)

    @property
    def shards(self) -> int:
        """The shards into which crnn cuts the streams, whatever the number of threads."""
        return shard_count(self.batch_size, self.seq_length, self.recurrent_bytes, self.parameter_bytes)

    @property
    def memory_bytes(self) -> int:
        """Bytes moved between the passes: every shard's gradient, the parameters and the optimizer's state."""
        updated = 2 * (1 + self.state_arrays) * self.parameter_bytes
        return 2 * self.shards * self.parameter_bytes + updated

    def arrangement(self, cores: int) -> Arrangement:
        """Return how crnn distributes that many threads over the shards."""
        return arrange(cores, self.shards, self.hidden_size, grouped=True)


def step_seconds(alone: float, step: Step, cores: int, machine: Machine) -> float:
    """Return the time of a step on several cores, given its time on one.

    Parameters
    ----------
    alone : float
        Seconds of the step on one core.
    step : Step
    cores : int
    machine : Machine

    Returns
    -------
    float
        The products of the thread with the most to do, plus the bytes moved, plus the barriers.

    Examples
    --------
    >>> fast = Machine(core_bandwidth=1e15, bandwidth=1e15, handoff=0.0)
    >>> step = Step(256, 1, 64, 50, recurrent_bytes=1_000_000, parameter_bytes=1_200_000, state_arrays=2)
    >>> step.shards, round(step_seconds(1.0, step, 2, fast), 3)
    (2, 0.5)
    """
    threads, group = step.arrangement(cores)
    products = alone - machine.memory_seconds(step.memory_bytes, 1)
    shard = -(-step.batch_size // step.shards) / step.batch_size  # the largest shard's part of the streams
    units = -(-step.hidden_size // group) / step.hidden_size  # and the part of its units that one thread computes
    shards_each = -(-step.shards // (threads // group))
    barriers = BARRIERS_PER_STEP * machine.barrier_seconds(threads)
    barriers += BARRIERS_PER_POSITION * step.num_layers * step.seq_length * machine.barrier_seconds(group)
    return products * shards_each * shard * units + machine.memory_seconds(step.memory_bytes, threads) + barriers
