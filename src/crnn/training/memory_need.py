"""Memory need: what training will take, reckoned before anything is allocated."""

from __future__ import annotations

import os
from contextlib import suppress

from ..errors import InvalidInputError
from ..model.layout import Layout
from ..text.streams import Streams

GB = 1e9


def check_memory(layout: Layout, streams: Streams, memories: int, n_threads: int, *, keep_best: bool) -> None:
    """Raise if training needs more memory than there is.

    Parameters
    ----------
    layout : Layout
        Of the network.
    streams : Streams
        The text.
    memories : int
        Vectors like the parameters that the optimiser keeps.
    n_threads : int
        Threads, each with a gradient of its own.
    keep_best : bool
        Whether the best weights are kept beside the last ones.

    Raises
    ------
    InvalidInputError
        With what is needed and what there is. Where it is not known what there is, nothing is checked.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.text.text_streams import TextStreams
    >>> streams = TextStreams(np.zeros(9, np.uint8))
    >>> check_memory(Layout(5, 7, np.dtype("float32")), streams, 1, 1, keep_best=False)
    """
    needed = training_bytes(layout, streams, memories, n_threads, keep_best=keep_best)
    there = available_bytes()
    if there is not None and needed > there:
        raise InvalidInputError(
            f"hidden_size={layout.hidden_size} and num_layers={layout.num_layers} with batch_size="
            f"{streams.batch_size} and seq_length={streams.seq_length} need about {needed / GB:,.1f} GB of memory, "
            f"but {there / GB:,.1f} GB are available: lower one of them"
        )


def training_bytes(layout: Layout, streams: Streams, memories: int, n_threads: int, *, keep_best: bool) -> int:
    """Return about how many bytes training takes beside the text; arguments as for `check_memory`.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.text.text_streams import TextStreams
    >>> streams = TextStreams(np.zeros(99, np.uint8), 2, 7)
    >>> training_bytes(Layout(5, 1000, np.dtype("float32")), streams, 1, 1, keep_best=False) > 7 * 4 * 1000**2
    True
    """
    T, B, H, V, L = streams.seq_length, streams.batch_size, layout.hidden_size, layout.vocab_size, layout.num_layers
    vectors = 2 * (1 + memories)  # parameters and memory, and a copy of them from a moment ago
    vectors += 1 + memories if keep_best else 0
    vectors += n_threads  # gradients
    vectors += 2  # weights packed for products with them and with their transpose
    states = L * (T + 1) * B * H * len(layout.kind.states)
    gates = L * T * B * H * (0 if layout.cell == "rnn" else layout.kind.gates + 1)  # an rnn's are its states
    logits = T * B * (V + 2 * H)  # the gradient of the states, and the states packed for the weights' gradients
    return layout.dtype.itemsize * (vectors * layout.size + states + gates + logits)


def available_bytes() -> int | None:
    """Return the memory that is free or can be freed, in bytes; None where that is not known.

    Examples
    --------
    >>> available_bytes() == 0
    False
    """
    with suppress(OSError, ValueError, IndexError), open("/proc/meminfo", encoding="ascii") as meminfo:
        for line in meminfo:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
