"""Write the tables of counts as C source, from the arrays of `crnn.ngram.frozen`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..ngram.frozen import decoded
from .c_parts import c_array, c_codes, c_integers
from .models import ExportedCounts

RANK_BITS = 64  # entries between two sums of `crnn_rank`


def counts_tables(model: ExportedCounts) -> Iterator[str]:
    """Yield the definitions of the symbols of counts, their contexts and numbers."""
    counts = model.counts
    arrays = counts.arrays
    trie = decoded(arrays, counts.symbols, counts.boundary)
    sizes = trie.sizes
    yield "typedef uint32_t crnn_number; /* a code point */\n"
    yield c_codes(model.vocabulary)
    yield c_integers("uint32_t", "crnn_first", trie.firsts)
    symbol_bits = 8 if counts.symbols <= 256 else 16 if counts.symbols <= 65536 else 32
    yield c_integers(f"uint{symbol_bits}_t", "crnn_symbols", trie.symbols)
    shorter = sum(trie.lengths[:-1])
    yield f"static const uint32_t crnn_shorter = {shorter}; /* entries of n-grams below the order */\n"
    flags = np.zeros(RANK_BITS * (shorter // RANK_BITS + 1), np.bool_)
    flags[:shorter] = trie.children[:shorter] > 0
    sums = np.append(0, np.cumsum(flags.reshape(-1, RANK_BITS).sum(axis=1)))
    yield c_integers("uint8_t", "crnn_extended", np.packbits(flags, bitorder="little"))
    yield c_integers("uint32_t", "crnn_rank", sums)
    escapes, shares = np.zeros(len(sizes), np.int64), np.zeros(len(trie.symbols), np.int64)
    escapes[sizes < counts.symbols] = arrays["escapes"]
    shares[np.repeat(sizes, sizes) > 1] = arrays["shares"]
    yield c_integers(f"uint{counts.bits}_t", "crnn_escapes", escapes)
    yield c_integers(f"uint{counts.bits}_t", "crnn_shares", shares)
    escape_low, escape_step, share_low, share_step = arrays["scales"].tolist()
    for name, low, step in (("odds", escape_low, escape_step), ("share", share_low, share_step)):
        yield _doubles(f"crnn_{name}_high", np.exp(low + 256 * step * np.arange(256 if counts.bits == 16 else 1)))
        yield _doubles(f"crnn_{name}_low", np.exp(step * np.arange(256)))


def _doubles(name: str, numbers: NDArray[np.float64]) -> str:
    padded = np.append(numbers, np.zeros(256 - len(numbers)))
    return c_array("double", name, [value.hex() for value in padded.tolist()])
