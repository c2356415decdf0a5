"""Text sources: a text, bytes, files or documents, parsed once and read as often as needed."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from ..errors import InvalidInputError
from ..parameters.checks import has_items
from .decoding import line_end
from .documents import join, pack, python_values, refuse_other_collections, warn_caller, warn_of_file_name
from .file_reader import BLOCK_SIZE, FileReader
from .id_cache import FOLDER_VARIABLE, Fingerprint, IdCache, TextDescription, cache_name, default_folder, fingerprint
from .lines import Lines
from .text_files import TextFile
from .vocabulary import Ids, Kind, Text, Vocabulary, byte_view, collect, encoded_pieces, kind_of


class TextSource(ABC):
    """A text or documents, independent of their storage."""

    holds_documents: bool = False  # many texts, each with its own start and end
    kind: Kind

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def max_length(self) -> int:
        """An upper bound of the number of symbols and boundaries, known without reading them; exact in memory."""

    @abstractmethod
    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
        """Yield the text in non-empty blocks of at most `block_size` symbols, for a file also bytes; documents are
        concatenated.
        """

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols that occur `min_count` times, or take the given ones without reading.

        With `boundary`, one text is treated as one document, which may be empty.
        """
        boundary = boundary or self.holds_documents
        if given is not None:
            codes, kind, _ = collect([given], None, 1)
            return Vocabulary(codes, kind or self.kind, unknown=min_count > 1, boundary=boundary)
        return Vocabulary.from_blocks(self.blocks(), min_count=min_count, boundary=boundary, kind=self.kind)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Convert the symbols to ids (N,), with the vocabulary's boundary, if any, around each document or the text."""
        ids = self._encode_symbols(vocabulary)
        return ids if vocabulary.boundary is None else pack(ids, np.array([len(ids)]), vocabulary.boundary)

    def _encode_symbols(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids without boundaries; at most one block of the text is held in addition."""
        return vocabulary.encode_blocks(self.blocks(), name=self.name)

    def fingerprint(self) -> Fingerprint:
        """Return the text's fingerprint, reading the text block by block."""
        return fingerprint(self.kind, self.blocks(), getattr(self, "lengths", None))

    @property
    def n_documents(self) -> int:
        """The number of documents; one text counts as one."""
        return 1


IN_MEMORY = 1 << 26  # maximum bytes of files whose ids are held in memory

T = TypeVar("T")


class FileSource(TextSource):
    """Files that form one text, reopened and read by each method."""

    def __init__(self, reader: FileReader, name: str = "X") -> None:
        super().__init__(name)
        self.reader = reader
        self.kind = reader.kind

    @property
    def max_length(self) -> int:
        """The number of bytes, at least the number of symbols."""
        return self.reader.max_length

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Any]:
        """Yield the text in blocks."""
        return self.reader.blocks(block_size)


class StoredSource(TextSource):
    """Files that form one text, or lines, whose ids are mapped from a cache in the folder `cache`, or else
    `default_folder`; it is opened or written when first needed.
    """

    def __init__(self, reader: FileReader, name: str = "X", *, cache: str | None = None) -> None:
        super().__init__(name)
        self.reader = reader
        self.kind = reader.kind
        self._cache_folder = cache
        self.holds_documents = reader.lines
        self._cache: IdCache | None = None

    @property
    def max_length(self) -> int:
        """The number of bytes plus the maximum number of boundaries, at least the number of symbols."""
        if self.reader.transform is not None:  # it may lengthen lines
            return self._description.n_ids(boundary=0)
        return self.reader.max_length

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._description.n_documents

    def fingerprint(self) -> Fingerprint:
        """Return the text's fingerprint, which the cache stores."""
        return self._description.fingerprint

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Return the given symbols, or the text's symbols, counted by the cache."""
        if given is not None:
            return super().vocabulary(min_count, boundary=boundary, given=given)
        text = self._description
        boundary = boundary or self.holds_documents
        codes = text.codes[text.counts >= min_count]
        return Vocabulary.of_codes(codes, self.kind, not len(text.codes), min_count=min_count, boundary=boundary)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids, mapped from a file; for a vocabulary with a boundary, as documents."""
        if self.holds_documents and vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} contains documents, but the model was fitted on one text and has no document ends. Fit "
                f"it on lines, or pass the path.",
                argument=self.name,
            )
        vocabulary.check_kind("" if self.kind == "characters" else b"", self.name)
        ids = vocabulary.ids_of_codes(self._description.codes)
        if (ids < 0).any():
            for _ in encoded_pieces(vocabulary, self.blocks(), self.name):  # raises at an unknown symbol
                pass
        return self._from_cache(lambda cache: cache.ids(ids.astype(vocabulary.id_dtype), vocabulary.boundary))

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Any]:
        """Yield the text in blocks, without the ends of lines that are documents."""
        if not self.holds_documents:
            return self.reader.blocks(block_size)
        end = line_end(self.kind)
        lines = (block.replace(end, end[:0]) for block in self.reader.blocks(block_size))
        return (block for block in lines if block)

    @property
    def _description(self) -> TextDescription:
        return self._from_cache(lambda cache: cache.description)

    def _from_cache(self, use: Callable[[IdCache], T]) -> T:
        """Return what a function finds in the cache, or in a temporary one if the folder cannot be written."""
        paths = self.reader.paths
        name = cache_name(paths)
        try:
            folder = self._cache_folder or default_folder()
            if self._cache is None and self.reader.transform is None:
                self._cache = IdCache(folder, name, self.reader)
            elif self._cache is None:  # not reused: the same function may give different results tomorrow
                self._cache = IdCache.temporary(name, self.reader, folder)
            return use(self._cache)
        except OSError as error:
            if self._cache_folder is not None or error.filename is None or error.filename in paths:
                raise
            busy = ". Windows replaces no cache that another process reads" if os.name == "nt" else ""
            warn_caller(
                f"{error}: the ids of {paths[0]} are kept in a temporary file, and computed again by each call. To "
                f"keep them, pass a folder: TextFile(paths, cache=...), Lines(paths, cache=...), or set "
                f"{FOLDER_VARIABLE}{busy}"
            )
            self._cache = IdCache.temporary(name, self.reader)
            return use(self._cache)


AnyPath = os.PathLike[str] | os.PathLike[bytes]
TextLike = Text | AnyPath | TextFile | Iterable[Text] | Sequence[AnyPath]


def text_source(X: TextLike, name: str = "X") -> TextSource:
    """Return the source of a text (a path, or a list of paths, is one, read again each time) or of documents; pipes and
    iterables are read here, exactly once.
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
    """Return texts that can be read more than once: an iterator's as a list, a pipe's in memory."""
    files = TextFile(X) if isinstance(X, os.PathLike) else X
    if isinstance(files, TextFile | Lines) and files.is_read_once:
        return files.read() if isinstance(files, TextFile) else [*files]
    if not isinstance(X, Iterator):
        return X
    refuse_other_collections(X, "X")
    return list(X)


def require_rereadable(X: Any) -> None:
    """Raise InvalidInputError for texts that can be read only once, such as a generator's, which a call needs later."""
    files = TextFile(X) if isinstance(X, os.PathLike) else X
    if isinstance(X, Iterator) or (isinstance(files, TextFile | Lines) and files.is_read_once):
        refuse_other_collections(X, "X")
        raise InvalidInputError(
            f"X is of type {type(X).__name__}, which can be read only once, but fit must read it again. Pass a list of "
            "its texts."
        )


def documents_of(X: TextLike) -> list[Any]:
    """Return documents as a list; a single text or file is one document."""
    texts: Any = rereadable(X)
    source = text_source(texts)
    if source.holds_documents:
        has_gaps = isinstance(texts, Lines) and texts.errors == "skip"
        return [text for text in python_values(texts) if not (has_gaps and text is None)]
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

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Any]:
        """Yield the text in blocks."""
        text = self._text if isinstance(self._text, str) else memoryview(self._text)
        for start in range(0, len(text), block_size):
            block = text[start : start + block_size]
            yield block if isinstance(block, str) else bytes(block)

    def _encode_symbols(self, vocabulary: Vocabulary) -> Ids:
        return vocabulary.encode(self._text, name=self.name)


class DocumentsSource(MemorySource):
    """Documents in memory, with the numbers of their symbols in `lengths` (n,). The iterable is read once."""

    holds_documents = True

    def __init__(self, texts: Iterable[Any], name: str = "X") -> None:
        text, self.lengths = join(texts, name)
        super().__init__(text, name)

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return len(self.lengths)

    @property
    def max_length(self) -> int:
        """The number of symbols, including boundaries."""
        return super().max_length + len(self.lengths) + 1

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Convert the documents to ids, for a vocabulary with a boundary."""
        if vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} is a list of documents, but the model was fitted on one text and has no document ends. "
                f"Fit it on a list, or pass one str.",
                argument=self.name,
            )
        return pack(self._encode_symbols(vocabulary), self.lengths, vocabulary.boundary)


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
