"""File sources: texts in files, held in memory as ids or left on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ...errors import InvalidInputError
from ..symbols.vocabulary import Ids, Vocabulary, encoded_pieces
from .file_reader import FileReader
from .fingerprint import Fingerprint
from .id_cache import Described, IdCache, cache_name
from .input_checks import warn_caller
from .text_source import TextSource

IN_MEMORY = 1 << 26  # maximum bytes of files whose ids are held in memory
FOLDER_VARIABLE = "CRNN_CACHE"

T = TypeVar("T")


class FileSource(TextSource):
    """Files that form one text, reopened and read by each method."""

    def __init__(self, reader: FileReader, name: str = "X") -> None:
        super().__init__(name)
        self.reader, self.kind = reader, reader.kind

    @property
    def max_length(self) -> int:
        """The number of bytes, at least the number of symbols."""
        return self.reader.max_length

    def _blocks(self, block_size: int) -> Iterator[Any]:
        return self.reader.blocks(block_size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        return vocabulary.encode_blocks(self.blocks(), name=self.name)


class StoredSource(TextSource):
    """Files that form one text, or lines, and are never held in memory as a whole.

    Their ids are mapped from a cache: see `id_cache`. It is opened or written when the vocabulary or the ids are first
    needed, in the folder `cache`, by default the folder of the first file, or the one in the environment variable
    ``CRNN_CACHE``; if that cannot be written, in a temporary folder. Transformed lines have a temporary folder there.
    """

    def __init__(self, reader: FileReader, name: str = "X", *, cache: str | None = None) -> None:
        super().__init__(name)
        self.reader, self.kind, self._given = reader, reader.kind, cache
        self.holds_documents = reader.lines
        self._cache: IdCache | None = None

    @property
    def max_length(self) -> int:
        """The number of bytes plus the maximum number of boundaries, at least the number of symbols."""
        if self.reader.transform is not None:  # it may lengthen lines
            return self._described.n_ids(boundary=0)
        return self.reader.max_length

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._described.n_documents

    def fingerprint(self) -> Fingerprint:
        """Return the text's fingerprint, which the cache stores."""
        return self._described.fingerprint

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Return the given symbols, or the text's symbols, counted by the cache."""
        if given is not None:
            return super().vocabulary(min_count, boundary=boundary, given=given)
        text, boundary = self._described, boundary or self.holds_documents
        kept = text.codes[text.counts >= min_count]
        return Vocabulary.of_codes(kept, self.kind, not len(text.codes), min_count=min_count, boundary=boundary)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Return the ids, mapped from a file; for a vocabulary with a boundary, as documents."""
        if self.holds_documents and vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} contains documents, but the model was fitted on one text and has no document ends. Fit "
                f"it on lines, or pass the path.",
                argument=self.name,
            )
        vocabulary.check_kind("" if self.kind == "characters" else b"", self.name)
        known_ids = vocabulary.ids_of_codes(self._described.codes)
        if (known_ids < 0).any():
            for _ in encoded_pieces(vocabulary, self.blocks(), self.name):  # raises at an unknown symbol
                pass
        return self._from_cache(lambda cache: cache.ids(known_ids.astype(vocabulary.id_dtype), vocabulary.boundary))

    def _blocks(self, block_size: int) -> Iterator[Any]:
        if not self.holds_documents:
            return self.reader.blocks(block_size)
        end: Any = "\n" if self.kind == "characters" else b"\n"
        lines = (block.replace(end, end[:0]) for block in self.reader.blocks(block_size))
        return (block for block in lines if block)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        raise NotImplementedError  # `ids` does everything

    @property
    def _described(self) -> Described:
        return self._from_cache(lambda cache: cache.described)

    def _from_cache(self, use: Callable[[IdCache], T]) -> T:
        """Return what a function finds in the cache, or in a temporary one if the folder cannot be written."""
        folder, paths = self._given or os.environ.get(FOLDER_VARIABLE), self.reader.paths
        name = cache_name(paths, beside=not folder)
        folder = folder or os.path.dirname(paths[0])
        try:
            if self._cache is None and self.reader.transform is None:
                self._cache = IdCache(folder, name, self.reader)
            elif self._cache is None:  # not reused: the same function may give different results tomorrow
                self._cache = IdCache.temporary(name, self.reader, folder)
            return use(self._cache)
        except OSError as error:
            if self._given is not None or error.filename is None or error.filename in paths:
                raise
            busy = ". Windows replaces no cache that another process reads" if os.name == "nt" else ""
            warn_caller(
                f"{error}: the ids of {paths[0]} are kept in a temporary file, and computed again by each call. To "
                f"keep them, pass a folder: TextFile(paths, cache=...), Lines(paths, cache=...), or set "
                f"{FOLDER_VARIABLE}{busy}"
            )
            self._cache = IdCache.temporary(name, self.reader)
            return use(self._cache)
