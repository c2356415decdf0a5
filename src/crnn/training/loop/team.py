"""Team: the threads of one call of training, the shards they work on, and their barriers."""

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
    """Return the total size of the arrays of a shard worked on by one thread."""
    arrays = core.workspace(network, seq_length, streams, dropout) | core.thread_workspace(network, seq_length, streams)
    return sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in arrays.values())


class ThreadWorkspace:
    """A thread's own arrays while it works on a shard, alone or in a group."""

    def __init__(self, network: core.Network, seq_length: int, batch_size: int) -> None:
        for name, (shape, kind) in core.thread_workspace(network, seq_length, batch_size).items():
            setattr(self, name, aligned_zeros(shape, kind))


class Shard:
    """A range of neighboring streams, with their gradient, a workspace for one chunk (larger with dropout), and their
    threads.

    The first row of a block is the stream `first_row`.
    """

    h: Array  # (L, T + 1, B, H): states; h[:, 0] is carried from chunk to chunk
    c: Array  # the same for an LSTM's cells; empty for other cell types
    before: Array  # (B,): the last symbols read, for models with pairs; otherwise empty

    def __init__(
        self, network: core.Network, layout: Layout, seq_length: int, streams: range, dropout: bool, first_row: int = 0
    ) -> None:
        T, B = seq_length, len(streams)
        self.streams = streams
        self.first_stream = streams.start - first_row
        self.gradient = layout.zeros()
        for name, (shape, kind) in core.workspace(network, T, B, dropout).items():
            setattr(self, name, aligned_zeros(shape, kind))
        self.threads = [ThreadWorkspace(network, T, B)]  # one for each thread that works, or has worked, on the shard
        self.barrier = core.Barrier(1, False)  # of these threads; `Team.start` replaces it
        self.loss_weights: Array | None = None  # (T, B): a factor for each position's loss
        self.state_gradients: tuple[Array, ...] | None = None  # (L, T, B, H): buffers for dL/dh, and an LSTM's dL/dc

    @property
    def carried(self) -> tuple[Array, ...]:
        """The state carried from chunk to chunk, in the shapes of `Layout.state_shapes`."""
        h_and_c = tuple(array[:, 0] for array in (self.h, self.c) if array.size)
        return (*h_and_c, self.before.reshape(1, -1, 1)) if self.before.size else h_and_c


class Team:
    """All shards and the threads that work on them.

    `parts` are the streams of each shard. `reduce` is called by the first thread after each step with the flat gradient
    of all shards, to sum the gradients of several processes in place; the vector also has a flag for each symbol that
    occurred, the sum of the losses and the number of streams, all summed in the same way. Losses and gradients are
    averaged over `rows`: more than the shards' own streams if other processes have the rest.

    While the memory is unused (`fresh`), the kernel's first call touches it before it begins, and polls, so that
    Ctrl-C is handled during this time.
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
        self.error: BaseException | None = None  # raised by `reduce`

    def start(self, arrangement: Arrangement, network: core.Network) -> None:
        """Make new barriers and workspaces for the current number of threads."""
        self.n_threads, size = arrangement
        crowded = self.n_threads > cores()
        self.barrier, self.error = core.Barrier(self.n_threads, crowded), None
        for shard in self.shards:
            shard.barrier = core.Barrier(size, crowded)
            missing = range(size - len(shard.threads))
            new = (ThreadWorkspace(network, self._seq_length, len(shard.streams)) for _ in missing)
            shard.threads.extend(new)
