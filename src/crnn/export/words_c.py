"""Write counts of words as tables of C source, from the arrays of `crnn.ngram.word_counts`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ngram.word_counts import SHARES, WordCounts, unpacked_contexts
from .c_parts import c_array, c_integers, c_source

LATEST = 48  # symbols that a context depends on, as in words.c


def words_code() -> str:
    """Return the functions of all counts of words in a file."""
    shares = c_array("double", "crnn_word_shares", map(float.hex, SHARES.tolist()))
    return c_source("words.c").replace("{shares}", shares)


def words_tables(counts: WordCounts, name: str) -> Iterator[str]:
    """Yield the definitions of counts of words with this name."""
    arrays = counts.arrays
    folds = arrays["folds"]
    has_cases = np.bincount(folds, minlength=len(folds))[folds] > 1
    keys, firsts, symbols = unpacked_contexts(arrays)
    tables: dict[str, tuple[str, NDArray[Any]]] = {  # in the order of the fields of crnn_words
        "kinds": ("uint8_t", arrays["letters"] + 2 * has_cases),
        "folds": ("crnn_short_id", folds),
        "base": ("double", arrays["base"]),
        "levels": ("uint32_t", np.append(0, np.cumsum(arrays["lengths"]))),
        "keys": ("uint32_t", keys),
        "first": ("uint32_t", firsts),
        "escapes": ("uint8_t", arrays["escapes"]),
        "kept": ("crnn_short_id", symbols),
        "shares": ("uint8_t", arrays["shares"]),
    }
    for table, (kind, numbers) in tables.items():
        if kind == "double":
            yield c_array(kind, f"{name}_{table}", map(float.hex, numbers.tolist()))
        else:
            shown = numbers if len(numbers) else np.zeros(1, np.int64)  # C has no array of length 0
            yield c_integers(kind, f"{name}_{table}", shown)
    boundary = -1 if counts.boundary is None else counts.boundary
    fields = [str(boundary), *(f"{name}_{table}" for table in tables)]
    yield f"static const crnn_words {name} = {{{', '.join(fields)}}};\n"
