"""The symbol pairs of an input table in a file: their tensor and its check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layout import SymbolPairs
from .container import Declared

PAIRS = "bigrams.pairs"  # the tensor's name; the table itself is ``bigrams.weight``


def expected_pairs(n_pairs: int | None) -> dict[str, Declared]:
    """Return the declaration of a table with this many pairs in a file's header; None: no table."""
    return {} if n_pairs is None else {PAIRS: Declared("I32", (n_pairs, 2))}


def pairs_fault(pairs: NDArray[Any], vocab_size: int) -> str | None:
    """Return what is wrong with the symbol pairs of a table, of dtype int32 and shape (R, 2), or None."""
    symbols = ((pairs >= 0) & (pairs < vocab_size)).all(axis=1)
    if not (symbols | (pairs == -1).all(axis=1)).all():
        return f"its {PAIRS} contains an invalid pair of symbols"
    if len(np.unique(pairs[symbols], axis=0)) < np.count_nonzero(symbols):
        return f"its {PAIRS} contains a pair twice"
    return None


def stored_pairs(pairs: NDArray[Any] | None, configuration: Mapping[str, Any]) -> SymbolPairs | None:
    """Return the pairs in a tensor; the text may have had fewer than the configuration asks for."""
    if pairs is None:
        return None
    limit = configuration.get("n_bigrams")
    return SymbolPairs(pairs, limit if type(limit) is int and limit > len(pairs) else None)
