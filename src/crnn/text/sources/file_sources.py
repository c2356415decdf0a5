"""File sources: texts in files, held in memory as ids or left on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import InvalidInputError
from ..symbols.vocabulary import Ids, Vocabulary
from .file_reader import FileReader
from .fingerprint import Fingerprint
from .id_cache import INDEX_STEP, IdCache, cache_name, open_cache, write_cache
from .input_checks import warn_caller
from .stored_ids import SCAN, StoredDocuments, TextIds
from .text_source import TextSource

IN_MEMORY = 1 << 26  # maximum bytes of files whose ids are held in memory
FOLDER_VARIABLE = "CRNN_CACHE"


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

    The ids are stored in a cache file: see `id_cache`. It is opened or written when the vocabulary or the ids are first
    needed, in the folder `cache`, by default the folder of the first file, or the one in the environment variable
    ``CRNN_CACHE``; if that cannot be written, in a temporary folder. Transformed lines have a temporary file there.
    """

    def __init__(self, reader: FileReader, name: str = "X", *, cache: str | None = None) -> None:
        super().__init__(name)
        self.reader, self.kind, self._folder = reader, reader.kind, cache
        self.holds_documents = reader.lines
        self._cache: IdCache | None = None

    @property
    def max_length(self) -> int:
        """The number of bytes plus the maximum number of boundaries, at least the number of symbols."""
        if self.reader.transform is not None:  # it may lengthen lines
            return self._opened().described.n
        return self.reader.max_length

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._opened().n_documents

    def fingerprint(self) -> Fingerprint:
        """Return the text's fingerprint, which the cache stores."""
        return self._opened().fingerprint

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Return the given symbols, or the text's symbols, counted by the cache."""
        if given is not None:
            return super().vocabulary(min_count, boundary=boundary, given=given)
        cache, boundary = self._opened(), boundary or self.holds_documents
        kept = cache.codes[cache.counts >= min_count]
        return Vocabulary.of_codes(kept, self.kind, not len(cache.codes), min_count=min_count, boundary=boundary)

    def ids(self, vocabulary: Vocabulary) -> TextIds:
        """Return the ids as stored in the file; for a vocabulary with a boundary, as documents."""
        if self.holds_documents and vocabulary.boundary is None:
            raise InvalidInputError(
                f"{self.name} contains documents, but the model was fitted on one text and has no document ends. Fit "
                f"it on lines, or pass the path."
            )
        cache = self._opened()
        table = np.zeros(len(cache.codes) + 1, vocabulary.id_dtype)
        table[:-1] = self._ids_of_slots(vocabulary, cache)
        if vocabulary.boundary is not None:
            table[-1] = vocabulary.boundary
        ids = cache.ids(table)
        if vocabulary.boundary is None:
            return ids[1:-1]
        places = cache.places()
        numbers = np.arange(len(places), dtype=np.int64) * INDEX_STEP
        return StoredDocuments(ids, places, numbers, cache.n_documents, vocabulary.boundary)

    def _ids_of_slots(self, vocabulary: Vocabulary, cache: IdCache) -> Ids:
        """Return the ids of the text's own symbols, or raise an error for the first one unknown to the model."""
        vocabulary.check_kind("" if self.kind == "characters" else b"", self.name)
        found = vocabulary.ids_of_codes(cache.codes)
        if not (found < 0).any():
            return found.astype(vocabulary.id_dtype)
        missing = np.append(found < 0, False)
        slots = cache.ids(np.arange(len(missing), dtype=np.uint32))
        for start in range(0, len(slots), SCAN):
            part = slots.read(start, min(start + SCAN, len(slots)))
            if missing[part].any():
                i = int(np.argmax(missing[part]))
                raise vocabulary.unknown_symbol(int(cache.codes[part[i]]), start + i - 1, self.name)
        raise AssertionError("a symbol of the vocabulary of the text does not occur in it")

    def _blocks(self, block_size: int) -> Iterator[Any]:
        if not self.holds_documents:
            return self.reader.blocks(block_size)
        end: Any = "\n" if self.kind == "characters" else b"\n"
        lines = (block.replace(end, end[:0]) for block in self.reader.blocks(block_size))
        return (block for block in lines if block)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        raise NotImplementedError  # `ids` does everything

    def _opened(self) -> IdCache:
        """Return the cache, opened or written by the first call."""
        if self._cache is None:
            folder = self._folder or os.environ.get(FOLDER_VARIABLE)
            beside, paths = not folder, self.reader.paths
            name = cache_name(paths, lines=self.holds_documents, beside=beside)
            path = os.path.join(folder or os.path.dirname(paths[0]), name)
            try:
                if self.reader.transform is None:
                    self._cache = self._open(path)
                else:  # not reused: the same function may give different results tomorrow
                    self._cache = self._open_temporary(name, os.path.dirname(path))
            except OSError as error:
                if self._folder is not None or not _is_of_cache(error, path):
                    raise
                warn_caller(
                    f"{error}: the ids of {paths[0]} are kept in a temporary file, and computed again by each call. To "
                    f"keep them, pass a folder: TextFile(paths, cache=...), Lines(paths, cache=...), or set "
                    f"{FOLDER_VARIABLE}"
                )
                self._cache = self._open_temporary(name)
        return self._cache

    def _open_temporary(self, name: str, folder: str | None = None) -> IdCache:
        """Write a cache into its own folder, to be deleted with the cache."""
        import tempfile  # here, since importing it takes a while

        return self._open(os.path.join(tempfile.mkdtemp(prefix="crnn-", dir=folder), name), temporary=True)

    def _open(self, path: str, *, temporary: bool = False) -> IdCache:
        cache = open_cache(path, self.reader)
        if cache is None:
            write_cache(path, self.reader)
            cache = open_cache(path, self.reader, temporary=temporary)
        if cache is None:
            raise InvalidInputError(
                f"{self.reader.paths[0]} changed while it was being read. Try again when it is complete."
            )
        return cache


def _is_of_cache(error: OSError, path: str) -> bool:
    """Return whether writing the cache failed, rather than reading the text."""
    return error.filename in (path, os.path.dirname(path))
