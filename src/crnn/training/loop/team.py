"""Team: the threads of a training call, the shards of streams that they work on, and where they wait for each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...model.layout import Layout, aligned_zeros
from ...runtime.threads import cores
from .shards import Arrangement

Array = NDArray[Any]


def workspace_bytes(network: core.Network, seq_length: int, streams: int, dropout: bool) -> int:
    """Return the size of all arrays of a shard on which one thread works."""
    arrays = core.workspace(network, seq_length, streams, dropout) | core.thread_workspace(network, seq_length, streams)
    return sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in arrays.values())


class ThreadWorkspace:
    """What a thread has for itself while it works on a shard, alone or in a group."""

    def __init__(self, network: core.Network, seq_length: int, batch_size: int) -> None:
        for name, (shape, kind) in core.thread_workspace(network, seq_length, batch_size).items():
            setattr(self, name, aligned_zeros(shape, kind))


class Shard:
    """A range of neighbouring streams: their gradient, the kernel's workspace for one chunk of them, their threads.

    Parameters
    ----------
    network : Network
    layout : Layout
    seq_length : int
    streams : range
    dropout : bool
        Whether there is dropout, which needs more room.
    first_row : int, default=0
        The stream in the first row of a block.
    """

    h: Array  # (L, T + 1, B, H): states; h[:, 0] is carried from chunk to chunk
    c: Array  # the same of an LSTM's cells; empty for other cells
    before: Array  # (B,): with pairs the symbols that were read last; else empty

    def __init__(
        self, network: core.Network, layout: Layout, seq_length: int, streams: range, dropout: bool, first_row: int = 0
    ) -> None:
        T, B = seq_length, len(streams)
        self.streams = streams
        self.first_stream = streams.start - first_row
        self.gradient = layout.zeros()
        for name, (shape, kind) in core.workspace(network, T, B, dropout).items():
            setattr(self, name, aligned_zeros(shape, kind))
        self.threads = [ThreadWorkspace(network, T, B)]  # as many as work on it, or have worked on it
        self.barrier = core.Barrier(1, False)  # of these threads; `Team.start` makes others
        self.loss_weights: Array | None = None  # (T, B): a factor of each position's loss
        self.state_gradients: tuple[Array, ...] | None = None  # (L, T, B, H): room for dL/dh, and for dL/dc of an LSTM

    @property
    def carried(self) -> tuple[Array, ...]:
        """What is carried from chunk to chunk, in the shapes of `Layout.state_shapes`."""
        h_and_c = tuple(array[:, 0] for array in (self.h, self.c) if array.size)
        return (*h_and_c, self.before.reshape(1, -1, 1)) if self.before.size else h_and_c


class Team:
    """All shards and the threads that work on them.

    Parameters
    ----------
    network : Network
    layout : Layout
    seq_length : int
    parts : sequence of range
        The streams of each shard.
    dropout : bool
    reduce : callable, optional
        Called by the first thread after each step with the flat gradient of all shards, to add up those of several
        processes in place. Behind the gradient stand a flag for each symbol that occurred, the sum of the losses, and
        how many streams there were: these are to be added up likewise.
    rows : range, optional
        Streams of a block that the kernel sees, over which losses and gradients are averaged; more than those of the
        shards if other processes have the rest. By default those of the shards.

    Attributes
    ----------
    n_threads : int
        Threads that work; see `start`.
    fresh : bool
        Whether this memory has not been used yet. The first call of the kernel then touches it before it begins, with
        polls, so that Ctrl-C is heard meanwhile.
    """

    def __init__(
        self,
        network: core.Network,
        layout: Layout,
        seq_length: int,
        parts: Sequence[range],
        dropout: bool,
        reduce: Callable[[Array], None] | None = None,
        rows: range | None = None,
    ) -> None:
        self._seq_length = seq_length
        self.rows = range(parts[0].start, parts[-1].stop) if rows is None else rows
        self.n_streams = len(self.rows)
        self.shards = [Shard(network, layout, seq_length, part, dropout, self.rows.start) for part in parts]
        self.reduce = reduce
        if reduce:
            self.shards[0].gradient = aligned_zeros(core.reduced_size(network), layout.dtype)
        self.losses, self.squares = np.zeros(len(parts)), np.zeros(core.squares_size(network))
        self.n_threads, self.fresh = 1, True
        self.barrier = core.Barrier(1, False)
        self.error: BaseException | None = None  # that `reduce` raised

    def start(self, arrangement: Arrangement, network: core.Network) -> None:
        """Make new barriers, and room for as many threads as there are now."""
        self.n_threads, size = arrangement
        crowded = self.n_threads > cores()
        self.barrier, self.error = core.Barrier(self.n_threads, crowded), None
        for shard in self.shards:
            shard.barrier = core.Barrier(size, crowded)
            missing = range(size - len(shard.threads))
            new = (ThreadWorkspace(network, self._seq_length, len(shard.streams)) for _ in missing)
            shard.threads.extend(new)

    def break_barriers(self) -> None:
        """Let all threads go that wait: another one will not come."""
        for barrier in (self.barrier, *(shard.barrier for shard in self.shards)):
            barrier.break_()
