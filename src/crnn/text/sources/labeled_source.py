"""LabeledSource: labeled documents in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import InvalidInputError
from ..symbols.vocabulary import Ids, Vocabulary
from .fingerprint import Fingerprint
from .labels import checked_labels, label_numbers, labeled_ids
from .text_source import TextSource


class LabeledSource(TextSource):
    """Documents from another source, in memory, each starting with the symbol of its label.

    Labels other than the `known` ones of a model are refused; without these, all labels are new.
    """

    holds_documents = True

    def __init__(
        self, source: TextSource, labels: ArrayLike, known: Sequence[Any] | None = None, name: str = "labels"
    ) -> None:
        super().__init__(source.name)
        if not source.holds_documents:
            raise InvalidInputError(f"{name} need documents, but {source.name} is a single text. Pass a list of texts.")
        self.kind, self._source = source.kind, source
        self._labels, self._numbers = checked_labels(labels, source.n_documents, name=name)
        if known is not None:
            self._numbers = label_numbers(labels, np.array(known), source.n_documents, name=name)
            self._labels = np.array(known)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The distinct labels, sorted."""
        return tuple(self._labels.tolist())

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._source.n_documents

    @property
    def max_length(self) -> int:
        """The number of symbols, including boundaries and labels."""
        return self._source.max_length + self.n_documents

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols and the labels: see `TextSource.vocabulary`."""
        return self._source.vocabulary(min_count, given=given).with_labels(self.labels)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Turn the documents into ids, with a boundary and the label before each: see `TextSource.ids`."""
        packed = self._source.ids(vocabulary)
        assert vocabulary.boundary is not None  # the source has refused a vocabulary without it
        return labeled_ids(packed, vocabulary.boundary, self._numbers, len(vocabulary.labels))

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the texts with their labels."""
        plain = self._source.fingerprint()
        labels = hashlib.sha256(repr(self._labels[self._numbers].tolist()).encode())
        return plain._replace(sha256=hashlib.sha256(f"{plain.sha256} {labels.hexdigest()}".encode()).hexdigest())

    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]:
        return self._source.blocks(block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        raise NotImplementedError  # `ids` adds the labels
