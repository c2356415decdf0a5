"""Evaluation: the loss of a text under the weights of the moment, fast enough to be measured during training."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..inference.packed_network import PackedNetwork
from ..inference.scoring import cuts, parallel_log_likelihood
from ..model.layout import Layout
from ..text.documents import n_given

MAX_PARTS = 32  # parts of the text that are read side by side
WARM_UP = 512  # symbols before its beginning from which a part finds its state

Array = NDArray[Any]


def evaluate(layout: Layout, params: Array, ids: Array, n_threads: int | None, boundary: int | None = None) -> float:
    """Return the mean of -ln P per symbol of a text, the first as predicted by the zero state.

    Of documents, packed with boundaries between them, the first boundary is only read: what counts is each document
    with its end. Whatever part of it is read, a document of up to 512 symbols gets exactly its own probability.

    A text of 4096 symbols or more is cut in up to 32 parts that are read side by side; each but the first finds its
    state by reading the 512 symbols before it. So the result is exact up to what a state still knows of the text
    more than 512 symbols ago, and it is the same for every number of threads.

    Parameters
    ----------
    layout : Layout
    params : array of shape (size,)
    ids : array of unsigned integers, shape (N,)
        The text, of at least one symbol.
    n_threads : int or None
        Threads that the parts are dealt to; None: as many as there are cores.
    boundary : int, optional
        The symbol that parts documents.

    Returns
    -------
    float
        Nats per symbol.

    Examples
    --------
    >>> import numpy as np
    >>> layout = Layout(4, 3, np.dtype("float32"))
    >>> round(evaluate(layout, layout.zeros(), np.array([0, 1, 3], np.uint8), None), 4)  # ln 4
    1.3863
    """
    network = PackedNetwork.pack(layout, params, one_row=False, scoring=True, boundary=boundary)
    given = n_given(boundary)
    log_p = parallel_log_likelihood(network, ids, n_threads, parts=MAX_PARTS, warm_up=WARM_UP, given=given)
    return -log_p / (len(ids) - given)


def shape_of(n: int) -> tuple[int, int]:
    """Return in how many time steps of how many streams a text of n symbols is read.

    Examples
    --------
    >>> shape_of(100), shape_of(5000)
    ((100, 1), (3012, 2))
    """
    parts = cuts(n, MAX_PARTS)
    return (n, 1) if len(parts) == 1 else (len(parts[-1]) + WARM_UP, len(parts))
