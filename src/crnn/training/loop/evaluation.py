"""Evaluation: the loss of a text under the current weights, fast enough for use during training."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ...inference.network.packed_network import PackedNetwork
from ...inference.scoring.scoring import cuts, parallel_log_likelihood
from ...model.layout import Layout
from ...text.sources.documents import n_given
from ...text.sources.stored_ids import TextIds

MAX_PARTS = 32  # of the text, read in parallel
WARM_UP = 512  # symbols read before a part to find its hidden state

Array = NDArray[Any]


def evaluate(
    layout: Layout,
    params: Array,
    ids: TextIds,
    n_threads: int | None,
    boundary: int | None = None,
    *,
    bfloat16: bool = False,
) -> float:
    """Return the mean of -ln P per symbol of a text of at least one symbol; the zero state predicts the first symbol.

    Documents are packed with boundaries between them. The first boundary is only read; each document's end counts as a
    symbol. The probability of a document of up to 512 symbols is exact.

    A text of 4096 symbols or more is cut into up to 32 parts, which are read in parallel. Each part but the first finds
    its hidden state by reading the 512 symbols before it, so the influence of earlier symbols is neglected. The result
    is the same for every number of threads.
    """
    network = PackedNetwork.pack(
        layout, params, one_row=False, scoring=True, boundary=boundary, bfloat16=bfloat16
    )
    given = n_given(boundary)
    log_p = parallel_log_likelihood(network, ids, n_threads, parts=MAX_PARTS, warm_up=WARM_UP, given=given)
    return -log_p / (len(ids) - given)


def shape_of(n: int) -> tuple[int, int]:
    """Return the numbers of time steps and streams for reading a text of n symbols."""
    parts = cuts(n, MAX_PARTS)
    return (n, 1) if len(parts) == 1 else (len(parts[-1]) + WARM_UP, len(parts))
