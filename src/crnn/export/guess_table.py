"""The table of a password meter: how many guesses find a text, by its log-probability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import InferenceNetwork
from ..parameters.checks import checked_int
from ..sampling.controls import root
from ..sampling.guess_numbers import MAX_LENGTH, GuessTable, sampled_log_likelihoods

Table = NDArray[np.float32]  # see `guess_table`


def guess_table(make_network: Callable[[], InferenceNetwork], n_samples: int, random_state: Any) -> Table | None:
    """Return -log P of drawn documents, ascending, and log10 of the guesses for less probable ones, (2, n).

    None without samples.
    """
    n_samples = checked_int("n_guess_samples", n_samples, 0)
    bits = root(random_state)
    if n_samples == 0:
        return None
    network = make_network()
    if network.boundary is None or n_samples < 2:
        raise InvalidInputError(
            f"n_guess_samples is {n_samples}, but must be 0 or at least 2, and the model one of documents. "
            "Fit it on a list."
        )
    drawn = sampled_log_likelihoods(network, n_samples, end=network.boundary, length=MAX_LENGTH, bits=bits, n_threads=1)
    table = GuessTable.of(drawn)
    # Column i is for texts less probable than drawn document i, which is row i + 1 of the table.
    return np.array([table.inverse, np.log10(1 + table.mean[1:])], np.float32)
