"""Text sources: a text, bytes, a file or documents, parsed once and read as often as needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...parameters.checks import has_items
from ..symbols.codes import Text, byte_view, kind_of
from ..symbols.vocabulary import Ids, Vocabulary
from .documents import join
from .file_sources import IN_MEMORY, FileSource, StoredSource
from .input_checks import python_values, refuse_other_collections, warn_of_file_name
from .lines import Lines
from .text_file import TextFile
from .text_source import TextSource

AnyPath = os.PathLike[str] | os.PathLike[bytes]
TextLike = Text | AnyPath | TextFile | Iterable[Text] | Sequence[AnyPath]


def text_source(X: TextLike, name: str = "X") -> TextSource:
    """Return the source of a text or of documents.

    A `str` is the text itself, never a file name; a UserWarning says so if a file of this name exists. Bytes are a text
    whose symbols are bytes. A path is a file of UTF-8 text, read again each time; a pipe or device, which can be read
    only once, is read here. A list of paths is one text, the concatenated files; a `TextFile` also names files, and
    `Lines` are the lines of files as documents. Files of more than 64 MB in total are not held in memory
    (`StoredSource`). Any other iterable is a collection of documents, such as a list, a column of a table or an array
    of str. It is read exactly once, here, so it may be a generator. A dict, a table, a set, an open file or a
    two-dimensional array is refused.
    """
    if isinstance(X, str):
        warn_of_file_name(X)
    if isinstance(X, (str, bytes, bytearray, memoryview)):
        return MemorySource(X, name)
    if isinstance(X, os.PathLike):
        return _file_source(TextFile(X), name)
    if isinstance(X, TextFile):
        return _file_source(X, name)
    if isinstance(X, Lines):
        if not X.is_read_once and (X.cache is not None or X.max_length > IN_MEMORY):
            return StoredSource(X.reader, name, cache=X.cache)
        return DocumentsSource((line for line in X if line is not None) if X.errors == "skip" else X, name)
    if isinstance(X, (list, tuple)) and X and all(isinstance(path, os.PathLike) for path in X):
        return _file_source(TextFile(X), name)
    refuse_other_collections(X, name)
    if has_items(X):
        return DocumentsSource(X, name)
    raise InvalidInputError(
        f"{name} must be a str (the text), bytes, a path object (a UTF-8 file) or a list of str or bytes (documents), "
        f"not {type(X).__name__}"
    )


def rereadable(X: Any) -> Any:
    """Return texts that can be read more than once: an iterator's as a list, a pipe's in memory.

    An open file is refused.
    """
    files = TextFile(X) if isinstance(X, os.PathLike) else X
    if isinstance(files, TextFile | Lines) and files.is_read_once:
        return files.read() if isinstance(files, TextFile) else [*files]
    if not isinstance(X, Iterator):
        return X
    refuse_other_collections(X, "X")
    return list(X)


def documents_of(X: TextLike) -> list[Any]:
    """Return documents as a list; a single text or file is one document."""
    own: Any = rereadable(X)
    source = text_source(own)
    if source.holds_documents:
        skipped = isinstance(own, Lines) and own.errors == "skip"
        return [text for text in python_values(own) if not (skipped and text is None)]
    blocks: list[Any] = list(source.blocks())
    return ["".join(blocks) if source.kind == "characters" else b"".join(blocks)]


class MemorySource(TextSource):
    """A text in memory."""

    def __init__(self, text: Text, name: str = "X") -> None:
        super().__init__(name)
        self.kind = kind_of(text, name)
        # A view would keep a bytearray from being resized, so it is made only when the bytes are read.
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


class DocumentsSource(TextSource):
    """Documents: many texts in memory, each with its own start and end. The iterable is read once.

    `lengths` (n,) are the numbers of symbols of the documents.
    """

    holds_documents = True

    def __init__(self, texts: Iterable[Any], name: str = "X") -> None:
        super().__init__(name)
        joined = join(texts, name)
        self.kind, self.lengths = joined.kind, joined.lengths
        self._joined = MemorySource(joined.text, name)

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return len(self.lengths)

    @property
    def max_length(self) -> int:
        """The number of symbols, including boundaries."""
        return self._joined.max_length + len(self.lengths) + 1

    def _blocks(self, block_size: int) -> Iterator[str] | Iterator[bytes]:
        return self._joined.blocks(block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        if vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} is a list of documents, but the model was fitted on one text and has no document ends. "
                f"Fit it on a list, or pass one str.",
                argument=self.name,
            )
        return self._joined._ids(vocabulary)

    def _document_lengths(self, ids: Ids) -> NDArray[Any]:
        return self.lengths


def _file_source(X: TextFile, name: str) -> TextSource:
    """Return the source of files: with a pipe or device they are read now, and large files are stored as ids."""
    if X.is_read_once:
        return MemorySource(X.read(), name)
    small = True
    with contextlib.suppress(OSError):  # raised when the files are read
        small = X.max_length <= IN_MEMORY
    if X.cache is None and small:
        return FileSource(X.reader, name)
    return StoredSource(X.reader, name, cache=X.cache)


def _text_blocks(text: str, block_size: int) -> Iterator[str]:
    for start in range(0, len(text), block_size):
        yield text[start : start + block_size]


def _byte_blocks(data: memoryview, block_size: int) -> Iterator[bytes]:
    for start in range(0, len(data), block_size):
        yield bytes(data[start : start + block_size])
