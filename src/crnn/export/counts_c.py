"""Write counts as tables of C source, from the arrays of `crnn.ngram.frozen`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ngram.frozen import FrozenCounts, decode_contexts
from .c_parts import c_array, c_integers
from .models import ExportedCounts

RANK_BITS = 64  # entries between two sums of the array `rank`


def counts_types(models: Sequence[ExportedCounts]) -> str:
    """Return the types of the numbers of all counts in a file, and how a stored number is divided into two parts."""
    symbols = max(model.counts.symbols for model in models)
    bits = max(model.counts.bits for model in models)
    short_bits = next(width for width in (8, 16, 32) if symbols <= 1 << width)
    return (
        f"typedef uint{short_bits}_t crnn_short_id;\n"
        f"typedef uint{bits}_t crnn_stored;\n"
        f"enum {{ CRNN_LOW_BITS = {bits // 2} }};\n"
    )


def counts_tables(model: ExportedCounts, name: str, bits: int) -> Iterator[str]:
    """Yield the definitions of counts with this name; the file's stored numbers have so many bits."""
    counts = model.counts
    arrays = counts.arrays
    trie = decode_contexts(arrays, counts.symbols, counts.boundary)
    sizes = trie.sizes
    shorter = sum(trie.lengths[:-1])
    flags = np.zeros(RANK_BITS * (shorter // RANK_BITS + 1), np.bool_)
    flags[:shorter] = trie.children[:shorter] > 0
    ranks = np.append(0, np.cumsum(flags.reshape(-1, RANK_BITS).sum(axis=1)))
    odds = np.zeros(len(sizes), np.int64)
    odds[sizes < counts.symbols] = arrays["escapes"]
    shares = np.zeros(len(trie.symbols), np.int64)
    shares[np.repeat(sizes, sizes) > 1] = arrays["shares"]
    odds_low, odds_step, share_low, share_step = arrays["scales"].tolist()
    odds_high_part, odds_low_part = _value_parts(odds_low, odds_step, counts, bits)
    share_high_part, share_low_part = _value_parts(share_low, share_step, counts, bits)
    tables: dict[str, tuple[str, NDArray[Any]]] = {  # in the order of the fields of crnn_counts
        "first": ("uint32_t", trie.firsts),
        "kept": ("crnn_short_id", trie.symbols),
        "extended": ("uint8_t", np.packbits(flags, bitorder="little")),
        "rank": ("uint32_t", ranks),
        "odds": ("crnn_stored", odds),
        "shares": ("crnn_stored", shares),
        "odds_high": ("double", odds_high_part),
        "odds_low": ("double", odds_low_part),
        "share_high": ("double", share_high_part),
        "share_low": ("double", share_low_part),
    }
    for table, (kind, numbers) in tables.items():
        if kind == "double":
            yield c_array(kind, f"{name}_{table}", map(float.hex, numbers.tolist()))
        else:
            yield c_integers(kind, f"{name}_{table}", numbers)
    boundary = -1 if counts.boundary is None else counts.boundary
    fields = [counts.order, counts.symbols, boundary, shorter, *(f"{name}_{table}" for table in tables)]
    yield f"static const crnn_counts {name} = {{{', '.join(map(str, fields))}}};\n"


def _value_parts(
    low: float, step: float, counts: FrozenCounts, bits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the high and the low part of a stored number stand for."""
    parts = 1 << bits // 2
    highest = (1 << counts.bits) - 1  # smaller than the file's numbers allow if other counts have more bits
    high = np.exp(low + parts * step * np.arange(1 + highest // parts))
    return high, np.exp(step * np.arange(min(parts, highest + 1)))
