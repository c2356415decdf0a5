"""TextSource: the base class of all sources of text; `sources.text_source` creates them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..symbols.codes import Kind, collect
from ..symbols.vocabulary import Ids, Vocabulary
from .documents import pack
from .fingerprint import Fingerprint, fingerprint

BLOCK_SIZE = 1 << 20


class TextSource(ABC):
    """A text or documents (`holds_documents`: many texts, each with its own start and end), independent of their
    storage.
    """

    holds_documents: bool = False
    kind: Kind

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def max_length(self) -> int:
        """An upper bound of the number of symbols, known without reading them.

        For a text in memory, and for documents with their boundaries, it is exact; for a file it is the number of
        bytes.
        """

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
        """Yield the text in non-empty blocks of at most `block_size` symbols, for a file also bytes; documents are
        concatenated.

        A `block_size` below 1 is refused at the call; errors of reading come with a block.

        Examples
        --------
        >>> from crnn.text.sources.text_input import text_source
        >>> list(text_source("to be or not").blocks(5))
        ['to be', ' or n', 'ot']
        """
        if block_size < 1:
            raise InvalidInputError(f"block_size is {block_size}. Pass at least 1.")
        return self._blocks(block_size)

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols that occur `min_count` times, or take the given ones without reading; documents have a
        boundary, too.

        With `boundary`, one text is treated as one document, which may be empty. If `min_count` is above 1, given
        symbols get an unknown symbol, too.

        Examples
        --------
        >>> from crnn.text.sources.text_input import text_source
        >>> text_source("abba").vocabulary(boundary=True)
        Vocabulary(2 characters: 'ab', crnn.BOUNDARY)
        """
        boundary = boundary or self.holds_documents
        if given is not None:
            codes, kind, _ = collect([given], None, 1)
            return Vocabulary(codes, kind or self.kind, unknown=min_count > 1, boundary=boundary)
        return Vocabulary.from_blocks(self.blocks(), min_count=min_count, boundary=boundary, kind=self.kind)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Convert the symbols to ids (N,); if the vocabulary has a boundary, put one around each document, or around a
        single text.

        At most one block of the text and its temporaries are held in addition to the ids, mapped from a file
        if the source's files are too large for memory.

        Examples
        --------
        >>> from crnn.text.sources.text_input import text_source
        >>> text_source("cab").ids(Vocabulary.from_text("abc"))
        array([2, 0, 1], dtype=uint8)
        >>> text_source(["cab", "a"]).ids(Vocabulary([97, 98, 99], boundary=True))
        array([3, 2, 0, 1, 3, 0, 3], dtype=uint8)
        """
        if vocabulary.boundary is None:
            return self._ids(vocabulary)
        ids = self._ids(vocabulary)
        return pack(ids, self._document_lengths(ids), vocabulary.boundary)

    def fingerprint(self) -> Fingerprint:
        """Return the text's fingerprint, reading the text block by block."""
        return fingerprint(self.kind, self.blocks(), getattr(self, "lengths", None))

    @property
    def n_documents(self) -> int:
        """The number of documents; one text counts as one."""
        return 1

    @abstractmethod
    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]: ...

    @abstractmethod
    def _ids(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids without boundaries."""

    def _document_lengths(self, ids: Ids) -> NDArray[Any]:
        return np.array([len(ids)])
