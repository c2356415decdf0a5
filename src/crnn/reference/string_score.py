"""The score of a string in NumPy: the sum, mean or minimum of its symbols' log-probabilities."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..model.layout import Tensors
from .network import State, log_probabilities


def string_score(p: Tensors, cell: str, ids: NDArray[Any], state: State, reduce: str = "sum") -> float:
    """Return the score of the string ids (n,), starting from the state of one stream; an empty string has score 0."""
    log_p, _ = log_probabilities(p, cell, ids[:, None], state)
    if reduce == "min":
        return float(log_p.min(initial=0.0))
    return float(log_p.sum() / (max(len(ids), 1) if reduce == "mean" else 1))
