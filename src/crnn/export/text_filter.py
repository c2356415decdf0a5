"""A filter of hashes that tells a page which texts are on a list, at a few bits per text."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..sampling.excluded_texts import excluded_texts
from ..sampling.lengths import DEFAULT_MAX_LENGTH
from ..text.documents import python_values
from ..text.lines import Lines
from ..text.vocabulary import Vocabulary, immutable

RATE = 0.001  # of other texts taken for texts of the list
MAX_RATE = 0.05  # with MAX_BITS; a longer list is refused
MAX_BITS = 1 << 23  # 1 MB
# Hashes of 32 bits: the first value and the factor of each, as in FNV-1a, then the mixing of MurmurHash3.
STARTS = (0x811C9DC5, 0x9747B28C)
FACTORS = (0x01000193, 0x85EBCA6B)
MIXING = (0x85EBCA6B, 0xC2B2AE35)


class TextFilter(NamedTuple):
    """A Bloom filter of texts: a text of the list is always recognized, and another one rarely taken for one."""

    n_texts: int
    n_hashes: int
    bits: NDArray[np.bool_]

    @classmethod
    def of(cls, X: Iterable[Any], vocabulary: Vocabulary) -> TextFilter | None:
        """Return a filter of texts of the vocabulary's kind, without those too long to be drawn; None without texts.

        Raises
        ------
        ValueError
            If the list is invalid, or too long for a filter of `MAX_BITS` with at most `MAX_RATE` errors.
        """
        texts = [immutable(text) for text in _distinct(X, vocabulary) if len(text) <= DEFAULT_MAX_LENGTH]
        if not texts:
            return None
        n = len(texts)
        n_bits = min(MAX_BITS, max(8, math.ceil(n * -math.log(RATE) / math.log(2) ** 2)))
        n_hashes = max(1, round(n_bits / n * math.log(2)))
        most = math.floor(MAX_BITS * -(math.log(2) ** 2) / math.log(MAX_RATE))
        if n > most:
            raise InvalidInputError(
                f"exclude has {n:,} different texts, but the filter of a page has room for {most:,}. Pass fewer."
            )
        bits = np.zeros(n_bits, np.bool_)
        first, step = _hashes(texts)
        for i in range(n_hashes):
            bits[(first + np.uint64(i) * step) % np.uint64(n_bits)] = True
        return cls(n, n_hashes, bits)

    @property
    def rate(self) -> float:
        """The fraction of other texts taken for texts of the list: the probability that all their bits are set."""
        return float(self.bits.mean()) ** self.n_hashes

    def data(self) -> dict[str, Any]:
        """Return the filter for ``text_filter.js``."""
        encoded = base64.b64encode(np.packbits(self.bits, bitorder="little").tobytes()).decode("ascii")
        return {
            "texts": self.n_texts,
            "rate": self.rate,
            "hashes": self.n_hashes,
            "bits": len(self.bits),
            "encoded": encoded,
        }


def _distinct(X: Iterable[Any], vocabulary: Vocabulary) -> Iterable[Any]:
    """Return the distinct texts to exclude; the lines of a file are read here, since a set keeps them."""
    if isinstance(X, Lines):
        excluded_texts(X, vocabulary)  # checks its kind
        return {immutable(text) for text in python_values(X)}
    texts: Any = excluded_texts(X, vocabulary)
    distinct: Iterable[Any] = texts
    return distinct


def _hashes(texts: list[Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return two hashes of each text's code points or bytes, (n,); the second ones are odd."""
    joined: Any = texts[0][:0].join(texts)
    if isinstance(joined, str):
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    else:
        codes = np.frombuffer(joined, np.uint8).astype(np.uint32)
    lengths = np.array([len(text) for text in texts])
    ends = np.cumsum(lengths)
    order = np.argsort(-lengths, kind="stable")
    starts = (ends - lengths)[order]
    states = [np.full(len(texts), start, np.uint32) for start in STARTS]
    for position in range(int(lengths.max(initial=0))):
        # The texts that have this position are the first ones in order of decreasing length.
        n_longer = int(np.searchsorted(-lengths[order], -position, side="left"))
        read = codes[starts[:n_longer] + position]
        for state, factor in zip(states, FACTORS, strict=True):
            state[:n_longer] = (state[:n_longer] ^ read) * np.uint32(factor)
    first, step = (_mixed(state).astype(np.uint64) for state in states)
    return first, step | np.uint64(1)


def _mixed(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return 32-bit hashes whose bits all depend on all bits, as MurmurHash3 does at its end."""
    mixed = hashes ^ (hashes >> np.uint32(16))
    mixed = mixed * np.uint32(MIXING[0])
    mixed ^= mixed >> np.uint32(13)
    mixed = mixed * np.uint32(MIXING[1])
    mixed ^= mixed >> np.uint32(16)
    return mixed
