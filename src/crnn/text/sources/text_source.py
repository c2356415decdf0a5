"""TextSource: what all sources of text have in common; `sources.text_source` makes them."""

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
from .stored_ids import TextIds

__all__ = ["BLOCK_SIZE", "TextSource"]

BLOCK_SIZE = 1 << 20


class TextSource(ABC):
    """A text, or documents, whatever holds it.

    Attributes
    ----------
    name : str
        The name of the argument in error messages.
    kind : {"characters", "bytes"}
        Whether the symbols are characters or bytes.
    holds_documents : bool
        Whether there are many texts, each with a start and an end, and not one.
    """

    holds_documents: bool = False
    kind: Kind

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def max_length(self) -> int:
        """An upper bound of the number of symbols that is known without reading them.

        Of a text in memory, and of documents with their boundaries, it is the number itself; of a file it is the number
        of bytes.

        Raises
        ------
        OSError
            If a file does not exist.
        """

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
        """Give the text block by block, documents one after another.

        Parameters
        ----------
        block_size : int, default=1048576
            The most symbols in a block (for a file also the bytes read at once).

        Returns
        -------
        iterator of str or of bytes
            Blocks that make the text when joined; none is empty.

        Raises
        ------
        InvalidInputError
            At once, if `block_size` is less than 1.
        UnicodeDecodeError, OSError
            With a block, if a file is not UTF-8 or cannot be read: see `utf8_file.utf8_blocks`.

        Examples
        --------
        >>> from crnn.text.sources.sources import text_source
        >>> list(text_source("to be or not").blocks(5))
        ['to be', ' or n', 'ot']
        """
        if block_size < 1:
            raise InvalidInputError(f"block_size must be at least 1, not {block_size}")
        return self._blocks(block_size)

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols, or take those that are given; documents have a boundary as well.

        Parameters
        ----------
        min_count : int, default=1
            See `Vocabulary.from_blocks`.
        boundary : bool, default=False
            Whether one text is taken as one document, which may be empty.
        given : str or bytes, optional
            The symbols; the text is not read then. If `min_count` is above 1, there is the unknown symbol as well.

        Examples
        --------
        >>> from crnn.text.sources.sources import text_source
        >>> text_source("abba").vocabulary(boundary=True)
        Vocabulary(2 characters: 'ab', crnn.BOUNDARY)
        """
        boundary = boundary or self.holds_documents
        if given is not None:
            codes, kind, _ = collect([given], None, 1)
            return Vocabulary(codes, kind or self.kind, unknown=min_count > 1, boundary=boundary)
        return Vocabulary.from_blocks(self.blocks(), min_count=min_count, boundary=boundary, kind=self.kind)

    def ids(self, vocabulary: Vocabulary) -> TextIds:
        """Turn the symbols into ids; for a vocabulary with a boundary, with a boundary around each document.

        Beside the ids no more than one block of the text and its temporaries is held.

        Parameters
        ----------
        vocabulary : Vocabulary
            One with a boundary takes one text as one document.

        Returns
        -------
        ndarray of `vocabulary.id_dtype`, shape (N,), or StoredIds
            Of files that are not to be held in memory they are stored in a file.

        Raises
        ------
        InvalidInputError
            If a symbol is not in the vocabulary, the text is of another kind, or there are documents and the vocabulary
            has no boundary.
        UnicodeDecodeError, OSError
            As by `blocks`.

        Examples
        --------
        >>> from crnn.text.sources.sources import text_source
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
        """Return what tells this text from another; a text is read block by block."""
        return fingerprint(self.kind, self.blocks(), getattr(self, "lengths", None))

    @property
    def n_documents(self) -> int:
        """The number of documents; one text is one."""
        return 1

    @abstractmethod
    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]: ...

    @abstractmethod
    def _ids(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids without boundaries."""

    def _document_lengths(self, ids: Ids) -> NDArray[Any]:
        return np.array([len(ids)])
