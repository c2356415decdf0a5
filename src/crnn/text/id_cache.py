"""The id cache: the ids of large files, stored as plain arrays and found again by the text's fingerprint."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..runtime.atomic_file import write_atomically
from .decoding import line_end
from .documents import Errors, warn_caller
from .file_reader import BLOCK_SIZE, FileReader
from .text_files import is_pipe
from .vocabulary import MAX_CODE, Ids, Kind, count_codes, pieces


class Fingerprint(NamedTuple):
    """The kind, size and hash of a text or of documents."""

    kind: Kind
    symbols: int  # the number of symbols, without boundaries
    documents: int | None  # the number of documents; None for a running text
    sha256: str  # the hash of the symbols (characters as UTF-8) and of the documents' lengths

    def difference(self, other: Fingerprint) -> str | None:
        """Return how another text differs from this one, or None if it is the same."""
        if other == self:
            return None
        if other.kind != self.kind:
            return f"it has {other.kind}, not {self.kind}"
        if (other.documents is None) != (self.documents is None):
            return "it is one text, not documents" if other.documents is None else "it is documents, not one text"
        if other.documents != self.documents:
            return f"it has {other.documents:,} documents, not {self.documents:,}"
        if other.symbols != self.symbols:
            return f"it has {other.symbols:,} {self.kind}, not {self.symbols:,}"
        return f"it has as many {self.kind}, but different ones"


class Hasher:
    """Computes the fingerprint of a text, or of documents with their lengths, block by block."""

    def __init__(self, kind: Kind, *, documents: bool) -> None:
        self._kind = kind
        self._symbols = 0
        self._text = hashlib.sha256()
        self._lengths = hashlib.sha256() if documents else None
        self._documents = 0

    def text(self, block: str | bytes) -> None:
        """Add the next symbols, without boundaries."""
        self._symbols += len(block)
        self._text.update(block.encode("utf-8", "surrogatepass") if isinstance(block, str) else block)

    def lengths(self, lengths: NDArray[Any]) -> None:
        """Add the lengths of the next documents, before or after their symbols."""
        assert self._lengths is not None
        self._documents += len(lengths)
        self._lengths.update(np.ascontiguousarray(lengths, "<i8").data)

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of everything added so far."""
        digest = self._text.copy()
        if self._lengths is None:
            return Fingerprint(self._kind, self._symbols, documents=None, sha256=digest.hexdigest())
        digest.update(self._lengths.digest())
        return Fingerprint(self._kind, self._symbols, self._documents, digest.hexdigest())


def fingerprint(
    kind: Kind, blocks: Iterable[str] | Iterable[bytes], lengths: NDArray[Any] | None = None
) -> Fingerprint:
    """Return the fingerprint of a text given in blocks, independent of how it is cut into blocks."""
    hasher = Hasher(kind, documents=lengths is not None)
    for block in blocks:
        hasher.text(block)
    if lengths is not None:
        hasher.lengths(lengths)
    return hasher.fingerprint()


# In a folder for caches, there are
#
# - ``NAME.crnn-ids.json``, or ``.crnn-lines.json``: what is known of the text (`TextDescription`), and the time of
#   writing and the CRC-32 of each array;
# - ``NAME.HASH.crnn-ids``, or ``.crnn-lines``: the text's ids for some vocabulary, an array of unsigned integers of 1,
#   2 or 4 bytes, little-endian, with boundaries before, between and after documents. The hash covers the text and
#   its symbols' ids, so an array that is in use is never overwritten.
#
# When an array is opened, its length and time are compared, and its CRC-32 if only the time differs; `check` always
# compares the CRC-32. An array that differs is written again.

FORMAT = "crnn ids 5"
MAX_JSON = 1 << 25  # bytes
MAX_COUNT = 2**48  # for any count
SUFFIX = {False: ".crnn-ids", True: ".crnn-lines"}


class _FileVersion(NamedTuple):
    """What differs if a text file has changed."""

    size: int
    time: int  # of the last change, in nanoseconds
    sha256: str


class _ArrayVersion(NamedTuple):
    """An array's version, as it was written."""

    time: int  # of the last change, in nanoseconds
    crc32: int


class TextDescription(NamedTuple):
    """What is known of a text without reading it again."""

    kind: Kind
    lines: bool
    errors: Errors  # how invalid UTF-8 was handled
    codes: NDArray[np.int64]  # of the text's own symbols
    counts: NDArray[np.int64]  # of each symbol in the text
    n_documents: int
    sha256: str  # of the text's fingerprint
    files: list[_FileVersion]

    @property
    def n_symbols(self) -> int:
        """The number of symbols, without boundaries."""
        return int(self.counts.sum())

    @property
    def fingerprint(self) -> Fingerprint:
        """The text's fingerprint."""
        return Fingerprint(self.kind, self.n_symbols, self.n_documents if self.lines else None, self.sha256)

    def n_ids(self, boundary: int | None) -> int:
        """Return the number of ids, including boundaries."""
        return self.n_symbols + (0 if boundary is None else self.n_documents + 1)

    def describes(self, reader: FileReader) -> bool:
        """Return whether these are the current versions of files; if just the time differs, a file is read."""
        read_as = (reader.kind, reader.lines, reader.errors, len(reader.paths))
        if (self.kind, self.lines, self.errors, len(self.files)) != read_as:
            return False
        return all(map(_is_unchanged, self.files, reader.paths))


class IdCache:
    """The cache of some files in a folder, described anew if they have changed. A `temporary` folder is deleted."""

    def __init__(self, folder: str, name: str, reader: FileReader, *, temporary: bool = False) -> None:
        self._folder = folder
        self._name = name
        self._suffix = SUFFIX[reader.lines]
        self._reader = reader
        self._temporary = temporary
        if temporary:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._states = [_stat(path) for path in reader.paths]
        description = _read_description(self._json)
        if description is None and os.path.isfile(self._json):
            warn_caller(f"{self._json} does not describe a cache of ids for this version of crnn; writing it again")
        if description is not None and description[0].describes(reader):
            self.description, self._arrays = description
            return
        self.description = describe_text(reader)
        self._arrays = {}  # arrays' versions by their files' names
        self._require_unchanged()
        self._write_description()

    @classmethod
    def temporary(cls, name: str, reader: FileReader, folder: str | None = None) -> Self:
        """Return a cache in a new folder, within a given one or the system's; it is deleted after use."""
        import tempfile  # rarely needed, and slow to import

        return cls(tempfile.mkdtemp(prefix="crnn-", dir=folder), name, reader, temporary=True)

    @property
    def _json(self) -> str:
        return os.path.join(self._folder, f"{self._name}{self._suffix}.json")

    def ids(self, table: Ids, boundary: int | None) -> Ids:
        """Return the text's ids, mapped from a file, given the id of each of its symbols and of the boundary."""
        n = self.description.n_ids(boundary)
        if not n:
            return np.zeros(0, table.dtype)
        contents = [FORMAT, *self.description[1:2], *self.description[5:7], table.dtype.name, boundary]
        digest = hashlib.sha256(json.dumps(contents).encode() + table.tobytes()).hexdigest()[:16]
        name = f"{self._name}.{digest}{self._suffix}"
        path = os.path.join(self._folder, name)
        _refuse_pipe(path)
        if name in self._arrays and os.path.exists(path):
            size, time = _stat(path)
            version = self._arrays[name]
            if size == n * table.itemsize and (time == version.time or _crc32(path) == version.crc32):
                return self._map_file(path, table.dtype, n)
            warn_caller(f"{path} is damaged: it has changed since it was written; writing it again")
        checksum = self._write_ids(path, table, boundary)
        ids = self._map_file(path, table.dtype, n)
        self._arrays[name] = _ArrayVersion(_stat(path)[1], checksum)
        self._write_description()
        return ids

    def _write_ids(self, path: str, table: Ids, boundary: int | None) -> int:
        """Write the ids of the text into a file, and return their CRC-32."""
        checksum = 0

        def parts() -> Iterator[memoryview]:
            nonlocal checksum
            for ids in _ids(self._reader, self.description.codes, table, boundary):
                checksum = zlib.crc32(ids, checksum)
                yield ids
            self._require_unchanged()

        write_atomically(path, parts())
        return checksum

    def _require_unchanged(self) -> None:
        for path, state in zip(self._reader.paths, self._states, strict=True):
            if _stat(path) != state:
                raise InvalidInputError(f"{path} changed while it was being read. Try again when it is complete.")

    def _map_file(self, path: str, dtype: np.dtype[Any], n: int) -> Ids:
        little_endian = np.dtype(dtype.newbyteorder("<").str)  # native to most machines, as the kernels need it
        mapped = np.memmap(path, little_endian, "r", shape=(n,))
        if self._temporary:  # Windows deletes no mapped file
            weakref.finalize(mapped.base, shutil.rmtree, self._folder, ignore_errors=True)
        return mapped.view(np.ndarray)

    def _write_description(self) -> None:
        """Write the JSON, and delete arrays of earlier versions of the text, except those that Windows holds open."""
        document = {"format": FORMAT, **self.description._asdict(), "arrays": self._arrays}
        document |= {"codes": self.description.codes.tolist(), "counts": self.description.counts.tolist()}
        write_atomically(self._json, json.dumps(document, separators=(",", ":")).encode())
        array = re.compile(rf"{re.escape(self._name)}\.[0-9a-f]{{16}}{re.escape(self._suffix)}")
        for name in os.listdir(self._folder):
            if array.fullmatch(name) and name not in self._arrays:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self._folder, name))


FOLDER_VARIABLE = "CRNN_CACHE"


def default_folder() -> str:
    """Return the folder that ``CRNN_CACHE`` names, or else crnn's own in the user's folder for caches, made if missing.

    A text's own folder may be read-only, shared or synchronized, and its listing belongs to the user.
    """
    if folder := os.environ.get(FOLDER_VARIABLE):
        return folder
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        caches = os.path.join(home, "Library", "Caches")
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    folder = os.path.join(caches, "crnn")
    os.makedirs(folder, exist_ok=True)
    return folder


def cache_name(paths: Sequence[str]) -> str:
    """Return the name of the cache for some files, without a suffix; a hash of their paths prevents clashes."""
    name = os.path.basename(paths[0])
    together = "\0".join(map(os.path.abspath, paths))
    return f"{name[:150]}-{hashlib.sha256(os.fsencode(together)).hexdigest()[:16]}"


def check(path: str) -> dict[str, bool]:
    """Return whether each array in a cache, given the path of its JSON, still has its CRC-32."""
    description = _read_description(path)
    if description is None:
        raise InvalidInputError(f"{path} does not describe a cache of ids. Pass a file that ends with .json.")
    folder = os.path.dirname(path)
    arrays = description[1]
    return {name: _crc32(os.path.join(folder, name)) == version.crc32 for name, version in arrays.items()}


def describe_text(reader: FileReader) -> TextDescription:
    """Read files once, and return their description."""
    kind = reader.kind
    lines = reader.lines
    states = [_stat(path) for path in reader.paths]
    digests = [hashlib.sha256() for _ in reader.paths]
    hasher = Hasher(kind, documents=lines)
    counts = np.zeros(MAX_CODE[kind] + 1, np.int64)
    n = 0  # symbols and ends of lines so far
    last = -1  # the position of the last end
    for block in map(_as_ascii, reader.blocks(BLOCK_SIZE, [digest.update for digest in digests])):
        for codes in pieces(block):
            count_codes(codes, counts)
            if lines:
                ends = np.flatnonzero(codes == ord("\n")) + n
                hasher.lengths(np.diff(ends, prepend=last) - 1)
                last = int(ends[-1]) if len(ends) else last
            n += len(codes)
        end = line_end("characters" if isinstance(block, str) else "bytes")
        hasher.text(block.replace(end, end[:0]) if lines else block)
    n_documents = int(counts[ord("\n")]) if lines else 1
    if not n_documents:
        raise InvalidInputError(f"{reader.paths[0]} is empty. Pass a file with at least 1 line.")
    if lines:
        counts[ord("\n")] = 0
    codes = np.flatnonzero(counts)
    files = [_FileVersion(*state, digest.hexdigest()) for state, digest in zip(states, digests, strict=True)]
    return TextDescription(
        kind=kind,
        lines=lines,
        errors=reader.errors,
        codes=codes,
        counts=counts[codes],
        n_documents=n_documents,
        sha256=hasher.fingerprint().sha256,
        files=files,
    )


def _ids(reader: FileReader, codes: NDArray[np.int64], table: Ids, boundary: int | None) -> Iterator[memoryview]:
    """Yield the ids of a text, block by block."""
    dtype = table.dtype.newbyteorder("<")
    ids_of_codes = np.zeros(MAX_CODE[reader.kind] + 2, dtype)
    ids_of_codes[codes] = table
    edge = np.zeros(0, dtype) if boundary is None else np.array([boundary], dtype)
    if reader.lines:
        ids_of_codes[ord("\n") : ord("\n") + 1] = edge
    yield edge.view(np.uint8).data
    for block in map(_as_ascii, reader.blocks(BLOCK_SIZE)):
        if dtype.itemsize == 1 and isinstance(block, bytes):  # many times as fast
            yield memoryview(block.translate(ids_of_codes[:256].tobytes().ljust(256, b"\0")))
            continue
        for piece in pieces(block):
            yield ids_of_codes.take(piece, mode="clip").view(np.uint8).data
    if not reader.lines:
        yield edge.view(np.uint8).data


def _as_ascii(block: Any) -> Any:
    """Return a block of ASCII text as bytes, which are faster; any other block unchanged."""
    return block.encode("ascii") if isinstance(block, str) and block.isascii() else block


def _stat(path: str) -> tuple[int, int]:
    """Return a file's size in bytes, and its time of modification in nanoseconds."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _refuse_pipe(path: str) -> None:
    if is_pipe(path):  # opening it may wait for ever
        raise FileExistsError(errno.EEXIST, "a pipe or device is in place of a file of the cache; delete it", path)


def _crc32(path: str) -> int:
    """Return the CRC-32 of a whole file."""
    _refuse_pipe(path)
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK_SIZE):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _is_unchanged(file: _FileVersion, path: str) -> bool:
    """Return whether a file is the version recorded; it is read only if its size is the same and its time is not."""
    size, time = _stat(path)
    if size != file.size:
        return False
    if time == file.time:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _read_description(path: str) -> tuple[TextDescription, dict[str, _ArrayVersion]] | None:
    """Return the contents of a cache's JSON; None if it is missing, damaged or of another version."""
    _refuse_pipe(path)
    try:
        with open(path, "rb") as file:
            text = file.read(min(os.fstat(file.fileno()).st_size, MAX_JSON) + 1)  # `read` allocates what it may need
    except (FileNotFoundError, IsADirectoryError):
        return None
    try:
        return _parse_description(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _parse_description(document: Any) -> tuple[TextDescription, dict[str, _ArrayVersion]]:
    """Return the parts of a cache's JSON, or raise one of several errors."""
    if document["format"] != FORMAT or document["kind"] not in MAX_CODE or document["errors"] not in get_args(Errors):
        raise ValueError
    codes, counts = (np.array(document[name] or np.zeros(0, np.int64)) for name in ("codes", "counts"))
    for values, smallest, largest in ((codes, 0, MAX_CODE[document["kind"]]), (counts, 1, MAX_COUNT)):
        if values.dtype != np.int64 or values.shape != codes.shape or ((values < smallest) | (values > largest)).any():
            raise ValueError
    n_documents = document["n_documents"]
    arrays = {name: _ArrayVersion(*version) for name, version in document["arrays"].items()}
    whole = [n_documents, *(version.crc32 for version in arrays.values())]
    if (np.diff(codes) <= 0).any() or not all(type(value) is int and 0 <= value < MAX_COUNT for value in whole):
        raise ValueError
    if type(document["lines"]) is not bool or n_documents < 1 or not isinstance(document["sha256"], str):
        raise ValueError
    files = [_FileVersion(*file) for file in document["files"]]
    if any([type(value) for value in file] != [int, int, str] for file in files):
        raise ValueError
    parsed: dict[str, Any] = {"codes": codes, "counts": counts, "files": files}
    return TextDescription(**{name: parsed.get(name, document[name]) for name in TextDescription._fields}), arrays
