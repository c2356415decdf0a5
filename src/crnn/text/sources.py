"""Text sources: a text, bytes, a file or documents, parsed once and then read as often as needed."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from .codes import Kind, Text, byte_view, collect, kind_of
from .documents import join, pack
from .fingerprint import Fingerprint, fingerprint
from .input_checks import refuse_other_collections, warn_of_file_name
from .utf8_file import utf8_blocks
from .vocabulary import Ids, Vocabulary

__all__ = ["DocumentsSource", "FileSource", "MemorySource", "TextLike", "TextSource", "text_source"]

BLOCK_SIZE = 1 << 20

TextLike = Text | os.PathLike[str] | os.PathLike[bytes] | Iterable[Text]


def text_source(X: TextLike, name: str = "X") -> TextSource:
    """Return the source of a text or of documents.

    Parameters
    ----------
    X : str, bytes-like, os.PathLike or iterable of str or bytes-like
        A `str` is the text itself, never a file name; a UserWarning says so if there is a file of this name. Bytes are
        a text whose symbols are bytes. A path is a file of UTF-8 text, read anew each time; a pipe or a device, which
        can be read only once, is read here. An iterable is a collection of documents, such as a list, a column of a
        table or an array of str. It is read here and only here: it may be a generator. A dict, a table, a set, an open
        file or an array of two dimensions is refused.
    name : str, default="X"
        The name of the argument in error messages.

    Returns
    -------
    TextSource

    Raises
    ------
    InvalidInputError
        If `X` is none of these.
    UnicodeDecodeError, OSError
        If a pipe or a device is not UTF-8 or cannot be read. A file raises them when it is read.

    Examples
    --------
    >>> text_source("to be").vocabulary()
    Vocabulary(5 characters: ' beot')
    >>> text_source(["to", "be"]).vocabulary()
    Vocabulary(4 characters: 'beot', crnn.BOUNDARY)
    """
    if isinstance(X, str):
        warn_of_file_name(X)
    if isinstance(X, (str, bytes, bytearray, memoryview)):
        return MemorySource(X, name)
    if isinstance(X, os.PathLike):
        if os.path.exists(X) and not os.path.isfile(X) and not os.path.isdir(X):
            return MemorySource("".join(utf8_blocks(X, BLOCK_SIZE)), name)
        return FileSource(X, name)
    refuse_other_collections(X, name)
    if isinstance(X, Iterable):
        return DocumentsSource(X, name)
    raise InvalidInputError(
        f"{name} must be a str (the text), bytes, a path object (a UTF-8 file) or a list of str or bytes (documents), "
        f"not {type(X).__name__}"
    )


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

    holds_documents: ClassVar[bool] = False
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
        >>> list(text_source("to be or not").blocks(5))
        ['to be', ' or n', 'ot']
        """
        if block_size < 1:
            raise InvalidInputError(f"block_size must be at least 1, not {block_size}")
        return self._blocks(block_size)

    def vocabulary(
        self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None
    ) -> Vocabulary:
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
        >>> text_source("abba").vocabulary(boundary=True)
        Vocabulary(2 characters: 'ab', crnn.BOUNDARY)
        """
        boundary = boundary or self.holds_documents
        if given is not None:
            codes, kind, _ = collect([given], None, 1)
            return Vocabulary(codes, kind or self.kind, unknown=min_count > 1, boundary=boundary)
        return Vocabulary.from_blocks(self.blocks(), min_count=min_count, boundary=boundary, kind=self.kind)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Turn the symbols into ids; for a vocabulary with a boundary, with a boundary around each document.

        Beside the ids no more than one block of the text and its temporaries is held.

        Parameters
        ----------
        vocabulary : Vocabulary
            One with a boundary takes one text as one document.

        Returns
        -------
        ndarray of `vocabulary.id_dtype`, shape (N,)

        Raises
        ------
        InvalidInputError
            If a symbol is not in the vocabulary, the text is of another kind, or there are documents and the vocabulary
            has no boundary.
        UnicodeDecodeError, OSError
            As by `blocks`.

        Examples
        --------
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
        return fingerprint(self.kind, self.blocks())

    @abstractmethod
    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]: ...

    @abstractmethod
    def _ids(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids without boundaries."""

    def _document_lengths(self, ids: Ids) -> NDArray[Any]:
        return np.array([len(ids)])


class MemorySource(TextSource):
    """A text in memory.

    Parameters
    ----------
    text : str or bytes-like
    name : str, default="X"

    Examples
    --------
    >>> MemorySource(b"to be").kind
    'bytes'
    """

    def __init__(self, text: Text, name: str = "X") -> None:
        super().__init__(name)
        self.kind = kind_of(text, name)
        # A view of bytes would keep a bytearray from being resized: it is made when the bytes are read.
        self._text = byte_view(text, name) if isinstance(text, memoryview) else text

    @property
    def max_length(self) -> int:
        """The number of symbols."""
        return len(self._text)

    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]:
        if isinstance(self._text, str):
            return _text_blocks(self._text, block_size)
        return _byte_blocks(memoryview(self._text), block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        return vocabulary.encode(self._text, name=self.name)


class FileSource(TextSource):
    """A file of UTF-8 text, opened and read anew by each method.

    Parameters
    ----------
    path : os.PathLike
    name : str, default="X"

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "names.txt")
    ...     _ = path.write_text("Zoë", encoding="utf-8")
    ...     FileSource(path).max_length, FileSource(path).vocabulary()
    (4, Vocabulary(3 characters: 'Zoë'))
    """

    kind: Kind = "characters"

    def __init__(self, path: os.PathLike[str] | os.PathLike[bytes], name: str = "X") -> None:
        super().__init__(name)
        self.path = path

    @property
    def max_length(self) -> int:
        """The number of bytes: no fewer than there are characters."""
        return os.stat(self.path).st_size

    def _blocks(self, block_size: int) -> Iterator[str]:
        return utf8_blocks(self.path, block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        return vocabulary.encode_blocks(self.blocks(), name=self.name)


class DocumentsSource(TextSource):
    """Documents: many texts in memory, each with a start and an end of its own.

    Parameters
    ----------
    texts : iterable of str, or of bytes-like
        At least one, all of the same kind. It is read once.
    name : str, default="X"

    Attributes
    ----------
    lengths : ndarray of int, shape (n,)
        Symbols of each document.

    Examples
    --------
    >>> DocumentsSource(["to be", "", "or not"]).max_length
    15
    """

    holds_documents = True

    def __init__(self, texts: Iterable[Any], name: str = "X") -> None:
        super().__init__(name)
        joined = join(texts, name)
        self.kind, self.lengths = joined.kind, joined.lengths
        self._joined = MemorySource(joined.text, name)

    @property
    def max_length(self) -> int:
        """The number of symbols, boundaries included."""
        return self._joined.max_length + len(self.lengths) + 1

    def fingerprint(self) -> Fingerprint:
        """Return what tells these documents from others."""
        return fingerprint(self.kind, self.blocks(), self.lengths)

    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]:
        return self._joined.blocks(block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        if vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} is a list of documents, but the model was fitted on one text and knows no end of a "
                f"document: fit on a list, or pass one str"
            )
        return self._joined._ids(vocabulary)

    def _document_lengths(self, ids: Ids) -> NDArray[Any]:
        return self.lengths


def _text_blocks(text: str, block_size: int) -> Iterator[str]:
    for start in range(0, len(text), block_size):
        yield text[start : start + block_size]


def _byte_blocks(data: memoryview, block_size: int) -> Iterator[bytes]:
    for start in range(0, len(data), block_size):
        yield bytes(data[start : start + block_size])
