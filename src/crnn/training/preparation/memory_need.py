"""Memory need: an estimate of the memory for training, before any is allocated."""

from __future__ import annotations

from ..._kernels.entry import core
from ..._kernels.entry.structures import Packing
from ...model.layout import Layout
from ...runtime.free_memory import available_bytes, check_free_memory
from ...text.streams.document_streams import DocumentStreams
from ...text.streams.protocol import Streams
from ..loop.shards import packs_all, shard_ranges
from ..loop.team import workspace_bytes

STREAM_SIZE = 1600  # bytes of Python objects per stream of documents, measured with 100,000 and a million


def check_memory(
    layout: Layout,
    streams: Streams,
    optimizer_arrays: int,
    *,
    keep_best: bool,
    checkpoints: bool = False,
    own: range | None = None,
    bfloat16: bool = False,
    sampled_softmax: int = 0,
    dropout: bool = False,
) -> None:
    """Raise if training needs more memory than is available; nothing is checked if the available memory is unknown.

    The optimizer keeps `optimizer_arrays` of the size of the weights. Further weights are kept as the best ones
    (`keep_best`) and as snapshots for `checkpoints`. `own` are this process's streams, by default all.
    """
    available = available_bytes()
    if available is None:
        return
    needed = training_bytes(
        layout, streams, optimizer_arrays, keep_best=keep_best, checkpoints=checkpoints, own=own, bfloat16=bfloat16,
        sampled_softmax=sampled_softmax, dropout=dropout, enough=available,
    )
    inputs = "" if layout.embedding_size is None else f", embedding_size={layout.embedding_size}"
    inputs += "" if layout.pairs is None else f", n_bigrams={layout.n_bigrams}"
    network = f"hidden_size={layout.hidden_size}{inputs} and num_layers={layout.num_layers}"
    what = f"{network} with batch_size={streams.batch_size} and seq_length={streams.seq_length}"
    check_free_memory(needed, what, "Lower one of these parameters.", available=available)


def training_bytes(
    layout: Layout,
    streams: Streams,
    optimizer_arrays: int,
    *,
    keep_best: bool,
    checkpoints: bool = False,
    own: range | None = None,
    bfloat16: bool = False,
    sampled_softmax: int = 0,
    dropout: bool = False,
    enough: int | None = None,
) -> int:
    """Return the approximate number of bytes for training apart from the text; arguments as for `check_memory`.

    If the vectors of weights and the streams' objects alone take more than `enough` bytes, their size is returned:
    the other sizes might overflow the kernels' integers.
    """
    own = range(streams.batch_size) if own is None else own
    parts = shard_ranges(layout, streams, own, bfloat16=bfloat16)
    # Weights and optimizer state, and two snapshots: the last good one, and the next until a step confirms it.
    vectors = 3 * (1 + optimizer_arrays)
    vectors += 1 + optimizer_arrays if keep_best else 0
    # A snapshot, its parts for a file with the best weights, and the bytes of the file.
    vectors += (1 + optimizer_arrays) * (5 if keep_best else 3) if checkpoints else 0
    vectors += len(parts)  # gradients
    needed = layout.dtype.itemsize * vectors * layout.size
    needed += streams.batch_size * STREAM_SIZE if isinstance(streams, DocumentStreams) else 0
    if enough is not None and needed > enough:
        return needed
    many = packs_all(streams.seq_length, parts, bfloat16=bfloat16, sampled_softmax=sampled_softmax)
    packing = Packing(len(own) == 1, many, training=True, bfloat16=bfloat16)
    network = core.Network(layout, packing, sampled=sampled_softmax)
    needed += layout.dtype.itemsize * network.panels_size
    return needed + sum(workspace_bytes(network, streams.seq_length, len(part), dropout) for part in parts)
