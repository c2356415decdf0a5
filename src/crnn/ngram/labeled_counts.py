"""LabeledCounts: counts of the texts of each label, which score texts under all labels in one compiled pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram.ngrams import ClassCounts
from ..inference.string_scores import Strings
from ..runtime.signals import check_canceled
from .counts import Counts
from .lookahead import UnrolledCounts

CALL_SYMBOLS = 1 << 20  # symbols read per call, once per label, which take a few hundredths of a second


class LabeledCounts:
    """The counts of the texts of each label, of the same order and symbols, and the number of texts of each, (K,)."""

    def __init__(self, parts: Sequence[Counts], frequencies: NDArray[np.float64]) -> None:
        self.parts, self.frequencies = tuple(parts), frequencies

    @property
    def log_prior(self) -> NDArray[np.float64]:
        """The logarithm of each label's share of the texts, (K,)."""
        return np.asarray(np.log(np.maximum(self.frequencies / self.frequencies.sum(), 1e-300)))

    def log_likelihoods(self, strings: Strings) -> NDArray[np.float64]:
        """Return log P of each string given each label, (K, n); a string's bits do not depend on the others."""
        ids, lengths, parts, first, done = *strings, list[NDArray[np.float64]](), 0, 0
        ends, room = np.cumsum(lengths), max(1, CALL_SYMBOLS // len(self.parts))
        while first < len(lengths) or not parts:
            check_canceled()
            last = max(first + 1, int(np.searchsorted(ends, done + room, side="right"))) if len(lengths) else 0
            end = int(ends[last - 1]) if last else 0
            if end - done > room:
                parts.append(self._of_long(ids[done:end], room))
            else:
                parts.append(np.empty((len(self.parts), last - first)))
                self._tables.log_likelihoods(ids[done:end], lengths[first:last], parts[-1])
            first, done = last, end
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _of_long(self, ids: NDArray[np.int32], room: int) -> NDArray[np.float64]:
        """Return log P of one string given each label, (K, 1), read in several calls, so that Ctrl-C is handled."""
        contexts, sums = np.full(len(self.parts), -1, np.int32), np.tile([0.0, 1.0], (len(self.parts), 1))
        for i in range(0, len(ids), room):
            check_canceled()
            self._tables.read_part(ids[i : i + room], contexts, sums)
        return np.asarray(sums[:, :1] + np.log(sums[:, 1:]))

    @cached_property
    def _tables(self) -> ClassCounts:
        """The contexts of all labels, one after another."""
        roots, columns = list[int](), list[tuple[NDArray[Any], ...]]()
        rows = entries = 0
        for counts in self.parts:
            _, suffixes, scales, firsts, symbols, nexts, _, p = UnrolledCounts.of(counts)
            roots.append(rows)
            columns.append((suffixes + rows, scales, firsts[:-1] + entries, symbols, nexts + rows, p))
            rows, entries = rows + len(suffixes), entries + len(symbols)
        suffixes, scales, firsts, symbols, nexts, p = (np.concatenate(column) for column in zip(*columns, strict=True))
        boundary, firsts = self.parts[0].boundary, np.append(firsts, np.int32(entries))
        assert boundary is not None  # labels need documents
        return ClassCounts(np.array(roots, np.int32), boundary, suffixes, scales, firsts, symbols, nexts, p)
