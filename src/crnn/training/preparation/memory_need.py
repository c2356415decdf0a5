"""Memory need: how much memory training will take, estimated before anything is allocated."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...errors import InvalidInputError
from ...model.layout import Layout
from ...runtime.cgroups import control_groups, first_line, whole_number
from ...text.streams.streams import Streams
from ..loop.shards import shard_ranges

GB = 1e9


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
) -> None:
    """Raise if training needs more memory than is available.

    Parameters
    ----------
    layout : Layout
        Of the network.
    streams : Streams
        The text.
    optimizer_arrays : int
        Arrays of the size of the weights that the optimizer keeps.
    keep_best : bool
        Whether the best weights are kept beside the last ones.
    checkpoints : bool, default=False
        Whether snapshots are written to a file meanwhile.
    own : range, optional
        The streams that this process reads, by default all.
    bfloat16 : bool, default=False
        Whether operands of products are rounded to bfloat16.
    sampled_softmax : int, default=0
        Symbols drawn for a chunk's softmax; 0: all take part in it.

    Raises
    ------
    InvalidInputError
        With what is needed and what is available. If that is not known, nothing is checked.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.text.streams.text_streams import TextStreams
    >>> streams = TextStreams(np.zeros(9, np.uint8))
    >>> check_memory(Layout(5, 7, np.dtype("float32")), streams, 1, keep_best=False)
    """
    needed = training_bytes(
        layout, streams, optimizer_arrays, keep_best=keep_best, checkpoints=checkpoints, own=own, bfloat16=bfloat16,
        sampled_softmax=sampled_softmax,
    )
    available = available_bytes()
    inputs = "" if layout.embedding_size is None else f", embedding_size={layout.embedding_size}"
    inputs += "" if layout.pairs is None else f", n_bigrams={layout.n_bigrams}"
    if available is not None and needed > available:
        raise InvalidInputError(
            f"hidden_size={layout.hidden_size}{inputs} and num_layers={layout.num_layers} with batch_size="
            f"{streams.batch_size} and seq_length={streams.seq_length} need about {needed / GB:,.1f} GB of memory, "
            f"but {available / GB:,.1f} GB are available: lower one of them"
        )


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
) -> int:
    """Return about how many bytes training takes apart from the text; arguments as for `check_memory`.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.text.streams.text_streams import TextStreams
    >>> streams = TextStreams(np.zeros(99, np.uint8), 2, 7)
    >>> training_bytes(Layout(5, 1000, np.dtype("float32")), streams, 1, keep_best=False) > 7 * 4 * 1000**2
    True
    """
    own = range(streams.batch_size) if own is None else own
    T, B, H, V, L = streams.seq_length, len(own), layout.hidden_size, layout.vocab_size, layout.num_layers
    vectors = 2 * (1 + optimizer_arrays)  # weights and optimizer state, and a snapshot of them
    vectors += 1 + optimizer_arrays if keep_best else 0
    # A snapshot; as the parts of a file, with the best weights; and the bytes of the file.
    vectors += (1 + optimizer_arrays) * (5 if keep_best else 3) if checkpoints else 0
    shards = len(shard_ranges(layout, streams, own, bfloat16=bfloat16))
    vectors += shards  # gradients
    vectors += 2  # weights packed for products with them and with their transpose
    states = L * (T + 1) * B * H * len(layout.kind.states)
    gates = L * T * B * H * (0 if layout.cell == "rnn" else layout.kind.gates + 1)  # an rnn's are its states
    columns = min(V, T * B + sampled_softmax + 16) if sampled_softmax else V
    sampled = shards * 4 * (H + 1) * columns if sampled_softmax else 0  # Wy's, their gradient, and packed twice
    logits = T * B * (columns + 2 * H)  # the gradient of the states, and the states packed for the weights' gradients
    embedded = 0
    if (E := layout.embedding_size) is not None:  # the chunk's symbols: their vectors and those' gradients, the table
        embedded = min(T * B, shards * V) * (layout.kind.gates * H + 2 * E)
    return layout.dtype.itemsize * (vectors * layout.size + states + gates + logits + embedded + sampled)


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that this process can still get, in bytes; None if it is not known.

    Parameters
    ----------
    root : Path, default="/"
        Where ``proc`` and ``sys`` are found; tests pass a folder of their own.

    Returns
    -------
    int or None
        The least of what the machine has and of what is left within the limits of the process's control groups, as a
        container sets them.

    Examples
    --------
    >>> available_bytes() == 0
    False
    """
    known = [_machine_bytes(root), *map(_group_bytes, control_groups("memory", root))]
    return min((n for n in known if n is not None), default=None)


def _machine_bytes(root: Path) -> int | None:
    """Return the memory of the machine that is free or can be freed, or else all that it has."""
    available = _entry(root / "proc/meminfo", "MemAvailable:")
    if available is not None:
        return available * 1024
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _group_bytes(group: Path) -> int | None:
    """Return what is left within the limit of one control group; None without a limit."""
    version_2 = (group / "memory.max", group / "memory.current", "inactive_file")
    version_1 = (group / "memory.limit_in_bytes", group / "memory.usage_in_bytes", "total_inactive_file")
    for limit_file, usage_file, cached in (version_2, version_1):
        limit, used = whole_number(first_line(limit_file)), whole_number(first_line(usage_file))
        if limit is None or used is None:  # no such file, or "max": no limit
            continue
        # Usage includes files in the cache, which the system gives up when memory is short.
        return max(0, limit - used + (_entry(group / "memory.stat", cached) or 0))
    return None


def _entry(path: Path, name: str) -> int | None:
    """Return the number after a name in a file with one name and number a line."""
    with suppress(OSError, ValueError), path.open(encoding="ascii") as file:
        for line in file:
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return int(words[1])
    return None
