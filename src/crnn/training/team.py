"""Team: the threads that train together, and the shards of the streams that they work on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .._kernels.entry import core
from ..arrays import Array
from ..model.layout import Layout, aligned_zeros
from ..runtime.machine import cores
from ..runtime.threads import CACHED_BYTES, split_range, training_threads
from ..text.streams import Streams

# ---------------------------------------------------------------- shards
# The streams are cut into shards: ranges, each with its own gradient. The number of shards follows from sizes and the
# precision of products alone. Any number of threads works on them, and the gradients are summed in the order of the
# shards, so training gives the same bits at every number of threads.

MAX_SHARDS = 8  # as in the kernels; further threads form groups
MIN_STREAMS = 8  # per shard: fewer leave the register tile mostly idle
# A thread with several shards reads all weights once per shard. If the weights do not stay in its cache, more than two
# shards are worth it only if each has many streams; further threads form groups.
CACHED_WEIGHT_BYTES = 128_000
MIN_STREAMS_UNCACHED = 24
# With few streams, a thread multiplies by a weight about as fast as the third-level cache delivers it. If the weights
# exceed a core's own cache, threads that share the units of the same streams are faster than threads with fewer
# streams each. Measured on cores with second-level caches of 2 MB (docs/development/performance.md).
STREAMS_PER_CACHEFUL = 4  # streams of a shard for each further CACHED_BYTES of weights
MAX_GROUPED_STREAMS = 12  # streams per shard; with more, groups are never faster
# A thread that works on several shards passes over the gradient of each twice. The cost must be small compared with the
# shard's products, which grow with its rows, streams times time steps. In the second-level cache a pass is almost free.
MIN_ROWS = {2: 384, 4: 2048, 8: 4096}  # of all shards together, by number of shards
CACHED_GRADIENT_BYTES = 500_000  # largest gradient that stays in that cache
MIN_CACHED_ROWS = 64  # per shard, if its gradient stays there
GRADIENT_BYTES = 256_000_000  # maximum of all shards together, if there are more than two
UNITS_PER_THREAD = 32  # minimum in a group
BFLOAT16_BYTES = 2


class Arrangement(NamedTuple):
    """How threads are distributed over the shards."""

    n_threads: int  # threads used, perhaps fewer than allowed
    group_size: int  # threads that share a shard, each with units of its own; 1: a thread has whole shards


def shard_ranges(layout: Layout, streams: Streams, own_streams: range | None = None, *, bfloat16: bool) -> list[range]:
    """Return the streams of each shard, cut from this process's streams (by default all)."""
    own_streams = range(streams.batch_size) if own_streams is None else own_streams
    weights = recurrent_bytes(layout, bfloat16=bfloat16)
    n = shard_count(len(own_streams), streams.seq_length, weights, layout.size * layout.dtype.itemsize)
    return cut(own_streams, n)


def cut(streams: range, n_shards: int) -> list[range]:
    """Cut the streams into ranges of nearly equal length, since all threads wait for the longest."""
    return [streams[part.start : part.stop] for part in split_range(len(streams), n_shards)]


def shard_count(streams: int, seq_length: int, weights: int, gradient: int) -> int:
    """Return the number of shards, given the bytes of weights that a layer uses at a time step, and of a gradient."""
    cachefuls = STREAMS_PER_CACHEFUL * (weights / CACHED_BYTES - 1)
    enough = max(MIN_STREAMS, min(MAX_GROUPED_STREAMS, cachefuls))

    def fits(n: int) -> bool:
        rows = n * MIN_CACHED_ROWS if gradient <= CACHED_GRADIENT_BYTES else MIN_ROWS[n]
        cached = n == 2 or weights <= CACHED_WEIGHT_BYTES
        streams_per_shard = enough if cached else max(enough, MIN_STREAMS_UNCACHED)
        few = n == 2 or n * gradient <= GRADIENT_BYTES
        return streams * seq_length >= rows and streams >= n * streams_per_shard and few

    return max(filter(fits, MIN_ROWS), default=1)


def packs_all(seq_length: int, parts: Sequence[range], *, bfloat16: bool, n_sampled_symbols: int) -> bool:
    """Return whether the forward products over a chunk's rows use packed weights, too; a BLAS suits few rows."""
    return bfloat16 or n_sampled_symbols > 0 or seq_length * min(map(len, parts)) >= core.MANY_ROWS


def arrange(n_threads: int, n_shards: int, hidden_size: int, *, grouped: bool) -> Arrangement:
    """Distribute threads over shards: several shards per thread or, if `grouped`, a group of threads per shard, which
    share the hidden units.

    Chunks of few rows do not allow groups.
    """
    if n_threads <= n_shards:
        return Arrangement(n_threads, 1)
    size = min(n_threads // n_shards, max(1, hidden_size // UNITS_PER_THREAD)) if grouped else 1
    return Arrangement(n_shards * size, size)


def threads_for(layout: Layout, streams: Streams, n_threads: int | None, *, bfloat16: bool = False) -> int:
    """Return the number of threads to train on; `n_threads` is the user's choice, or None for the number that helps."""
    # The first layer's input is a row of its weights, not a product.
    products = [math.prod(shape) for shape in layout.shapes[1:] if len(shape) == 2]
    work = streams.seq_length * streams.batch_size * sum(products)
    return training_threads(n_threads, streams.batch_size, work, recurrent_bytes(layout, bfloat16=bfloat16))


def recurrent_bytes(layout: Layout, *, bfloat16: bool = False) -> int:
    """Return the packed size of the weights that a layer uses at each time step, which should fit in the cache."""
    return layout.kind.gates * layout.hidden_size**2 * (BFLOAT16_BYTES if bfloat16 else layout.dtype.itemsize)


# ---------------------------------------------------------------- team


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
    """

    h: Array  # (L, T + 1, B, H): states; h[:, 0] is carried from chunk to chunk
    c: Array  # the same for an LSTM's cells; empty for other cell types
    before: Array  # (B,): the last symbols read, for models with pairs; otherwise empty

    def __init__(self, network: core.Network, layout: Layout, seq_length: int, streams: range, dropout: bool) -> None:
        T, B = seq_length, len(streams)
        self.streams = streams
        self.first_stream = streams.start
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
    """All shards, with the streams `parts`, and the threads that work on them.

    `reduce` is called by the first thread after each step with the flat gradient of all shards, to sum the gradients of
    several processes in place; the vector also has a flag for each symbol that occurred, the sum of the losses and the
    number of streams. Losses and gradients are averaged over `n_streams`, more than the shards' if other processes have
    some. While the memory is `fresh`, the kernel's first call touches it and polls for Ctrl-C before it begins.
    """

    def __init__(
        self,
        network: core.Network,
        layout: Layout,
        seq_length: int,
        parts: Sequence[range],
        dropout: bool,
        reduce: Callable[[Array], None] | None = None,
        n_streams: int | None = None,
    ) -> None:
        self._seq_length = seq_length
        self.n_streams = sum(map(len, parts)) if n_streams is None else n_streams
        self.shards = [Shard(network, layout, seq_length, part, dropout) for part in parts]
        self.reduce = reduce
        if reduce:
            self.shards[0].gradient = aligned_zeros(core.reduced_size(network), layout.dtype)
        self.losses = np.zeros(len(parts))
        self.squares = np.zeros(core.squares_size(network))
        self.n_threads = 1
        self.fresh = True
        self.barrier = core.Barrier(1, False)
        self.error: BaseException | None = None  # raised by `reduce`

    def start(self, arrangement: Arrangement, network: core.Network) -> None:
        """Make new barriers and workspaces for the current number of threads."""
        self.n_threads, size = arrangement
        crowded = self.n_threads > cores()
        self.barrier = core.Barrier(self.n_threads, crowded)
        self.error = None
        for shard in self.shards:
            shard.barrier = core.Barrier(size, crowded)
            missing = range(size - len(shard.threads))
            new = (ThreadWorkspace(network, self._seq_length, len(shard.streams)) for _ in missing)
            shard.threads.extend(new)
