"""IdCache: the ids of text files, written once to a file, so that training need not hold them.

The file begins with eight bytes, then come

- the text as slots of 1, 2 or 4 bytes, little-endian: slot i is the i-th of the text's own symbols in the order of
  their codes, and the slot after them is a boundary. There is one before, between and after documents; a running text
  is one document;
- the index: where every 64th document begins, as 8-byte integers;
- the CRC-32 of each block of 4 kB of all that precedes, verified when a part of the block is read;
- JSON with what is needed to read the rest, to know the vocabulary without reading it, and to notice that a text
  file was changed;
- the length of the JSON and the CRC-32 of the checksums and the JSON, 4 bytes each, and the same eight bytes as at the
  beginning.

What the JSON and the checksums say is verified when the file is opened. A file that is not whole is written again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...runtime.atomic_file import write_atomically
from ..symbols.codes import MAX_CODE, Kind, pieces
from ..symbols.vocabulary import Ids
from .file_reader import FileReader
from .fingerprint import Fingerprint, Hasher
from .id_file import REMEDY, CheckedBlocks, IdFile, n_blocks, with_checksums
from .input_checks import Errors, warn_caller
from .stored_ids import Slots, StoredIds

__all__ = ["IdCache", "cache_name", "open_cache", "write_cache"]

MAGIC = b"crnnids2"
TAIL = struct.Struct("<II8s")
BLOCK_SIZE = 1 << 20
INDEX_STEP = 64  # documents for each entry of the index: an eighth of a byte a document
MAX_JSON = 1 << 25  # bytes
MAX_COUNT = 2**48  # of anything
SUFFIX = {False: ".crnn-ids", True: ".crnn-lines"}


class _Changed(NamedTuple):
    """What tells whether a text file was changed since."""

    size: int
    time: int  # of its last change, in nanoseconds
    sha256: str


class _Description(NamedTuple):
    """What the JSON of a cache says."""

    kind: Kind
    lines: bool
    errors: Errors  # what was done with what is not UTF-8
    codes: NDArray[np.uint32]  # of the text's own symbols
    counts: NDArray[np.int64]  # of each of them in the text
    n_documents: int
    sha256: str  # of the text's fingerprint
    files: list[_Changed]

    @property
    def slot_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The type of the slots."""
        return np.min_scalar_type(len(self.codes)).newbyteorder("<")

    @property
    def n_symbols(self) -> int:
        """How many symbols there are, without boundaries."""
        return int(self.counts.sum())

    @property
    def n(self) -> int:
        """How many slots there are, boundaries included."""
        return self.n_symbols + self.n_documents + 1

    @property
    def index_offset(self) -> int:
        """Where the index begins."""
        return len(MAGIC) + _padded(self.n * self.slot_dtype.itemsize)

    @property
    def checked_size(self) -> int:
        """The number of bytes before the checksums."""
        return self.index_offset + 8 * -(-self.n_documents // INDEX_STEP)


class IdCache(NamedTuple):
    """An open cache."""

    blocks: CheckedBlocks
    described: _Description

    @property
    def codes(self) -> NDArray[np.uint32]:
        """The codes of the text's own symbols."""
        return self.described.codes

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each of them occurs in the text."""
        return self.described.counts

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self.described.n_documents

    @property
    def fingerprint(self) -> Fingerprint:
        """What tells the text from others."""
        found = self.described
        return Fingerprint(found.kind, found.n_symbols, found.n_documents if found.lines else None, found.sha256)

    def ids(self, table: Ids) -> StoredIds:
        """Return the text, boundaries included, with a table that has the id of each slot."""
        return StoredIds(Slots.of(self.blocks, self.described.slot_dtype, table), len(MAGIC), self.described.n)

    def places(self) -> NDArray[np.int64]:
        """Return where every 64th document begins."""
        places = np.empty(-(-self.n_documents // INDEX_STEP), "<i8")
        self.blocks.read_into(places, self.described.index_offset)
        if places[0] or (np.diff(places) < INDEX_STEP).any() or places[-1] >= self.described.n - 1:
            raise InvalidInputError(f"{self.blocks.file.path} has an index of another text. {REMEDY}")
        return places.astype(np.int64, copy=False)


def cache_name(paths: Sequence[str], *, lines: bool, beside: bool) -> str:
    """Return the name of the cache of some files.

    Beside a file its name is enough. In a folder for caches, and for several files, a hash of the whole paths keeps
    names apart.

    Examples
    --------
    >>> cache_name(["texts/book.txt"], lines=False, beside=True)
    'book.txt.crnn-ids'
    """
    name = os.path.basename(paths[0])
    if not beside or len(paths) > 1:
        together = "\0".join(map(os.path.abspath, paths))
        name = f"{name[:150]}-{hashlib.sha256(os.fsencode(together)).hexdigest()[:16]}"
    return name + SUFFIX[lines]


# -------------------------------------------------------------------- writing


def write_cache(target: str, reader: FileReader) -> None:
    """Write the cache of files; it is there as a whole or not at all.

    Two passes over the text: the first counts the symbols, the second writes them. One block is held at a time.

    Parameters
    ----------
    target : str
    reader : FileReader

    Raises
    ------
    InvalidInputError
        If a file is changed meanwhile, or there is no line.
    UnicodeDecodeError, OSError
        If a file is not UTF-8 or cannot be read, or the cache cannot be written.
    """
    before = [_stat(path) for path in reader.paths]
    counts, hashes = _counted(reader)
    files = [_Changed(*state, sha256) for state, sha256 in zip(before, hashes, strict=True)]
    if reader.lines:
        counts[ord("\n")] = 0
    codes = np.flatnonzero(counts)
    read_as = (reader.kind, reader.lines, reader.errors)
    described = _Description(*read_as, codes.astype(np.uint32), counts[codes], 0, "", files)
    write_atomically(target, _contents(reader, described))
    for path, (size, time) in zip(reader.paths, before, strict=True):
        if _stat(path) != (size, time):
            os.unlink(target)
            raise InvalidInputError(f"{path} was changed while it was read: try again when it is complete")


def _counted(reader: FileReader) -> tuple[NDArray[np.int64], list[str]]:
    """Return how often each code occurs, line ends included, and the SHA-256 of each file."""
    digests = [hashlib.sha256() for _ in reader.paths]
    counts = np.zeros(MAX_CODE[reader.kind] + 1, np.int64)
    for block in reader.blocks(BLOCK_SIZE, [digest.update for digest in digests]):
        for codes in pieces(_plain(block)):
            of_piece = np.bincount(codes)
            counts[: len(of_piece)] += of_piece
    return counts, [digest.hexdigest() for digest in digests]


def _contents(reader: FileReader, described: _Description) -> Iterator[bytes | memoryview]:
    """Yield the parts of a cache; what is described lacks the number of documents and the text's hash."""
    checksums: list[int] = []
    found: list[_Description] = []
    yield from with_checksums(_checked_parts(reader, described, found), checksums)
    (described,) = found
    table = np.array(checksums, "<u4")
    yield table.view(np.uint8).data
    document = described._asdict() | {"codes": described.codes.tolist(), "counts": described.counts.tolist()}
    text = json.dumps(document, separators=(",", ":")).encode()
    yield text
    yield TAIL.pack(len(text), _checksum(table, text), MAGIC)


def _checked_parts(
    reader: FileReader, described: _Description, found: list[_Description]
) -> Iterator[bytes | memoryview]:
    """Yield slots and index; then put the whole description into a list."""
    kind, lines, codes, dtype = described.kind, described.lines, described.codes, described.slot_dtype
    boundary = np.array([len(codes)], dtype)
    table = np.zeros(MAX_CODE[kind] + 2, dtype)
    table[codes] = np.arange(len(codes))
    if lines:
        table[ord("\n")] = len(codes)
    yield MAGIC
    yield boundary.view(np.uint8).data
    n, n_documents = 1, 0
    places = [np.zeros(1, np.int64)]  # of every 64th document
    hasher, previous = Hasher(kind, documents=lines), 0
    for block in map(_plain, reader.blocks(BLOCK_SIZE)):
        slots = _slots(block, table)
        if lines:
            ends = np.flatnonzero(slots == boundary) + n
            hasher.lengths(np.diff(ends, prepend=previous) - 1)
            previous = int(ends[-1]) if len(ends) else previous
            skipped = -(n_documents + 1) % INDEX_STEP  # a document begins where one ends
            places.append(ends[skipped::INDEX_STEP])
            n_documents += len(ends)
            hasher.text(block.replace("\n", "") if isinstance(block, str) else block.replace(b"\n", b""))
        else:
            hasher.text(block)
        n += len(slots)
        yield slots.view(np.uint8).data
    if not lines:
        n, n_documents = n + 1, 1
        yield boundary.view(np.uint8).data
    if not n_documents:
        raise InvalidInputError(f"{reader.paths[0]} is empty: it has no line, and at least 1 document is needed")
    size = n * dtype.itemsize
    yield bytes(_padded(size) - size)
    yield np.concatenate(places)[: -(-n_documents // INDEX_STEP)].astype("<i8").view(np.uint8).data
    found.append(described._replace(n_documents=n_documents, sha256=hasher.fingerprint().sha256))


def _plain(block: Any) -> Any:
    """Return a block of ASCII text as bytes, which take less time; any other as it is."""
    return block.encode("ascii") if isinstance(block, str) and block.isascii() else block


def _slots(block: Any, table: NDArray[Any]) -> NDArray[Any]:
    """Return the slots of a block of text."""
    if table.itemsize == 1 and isinstance(block, bytes):  # many times as fast
        return np.frombuffer(block.translate(table[:256].tobytes().ljust(256, b"\0")), np.uint8)
    return np.concatenate([table.take(codes, mode="clip") for codes in pieces(block)])


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _stat(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


# -------------------------------------------------------------------- reading


def open_cache(path: str, reader: FileReader, *, temporary: bool = False) -> IdCache | None:
    """Open a cache if it is that of these files as they are now; otherwise return None.

    A text file of another size was changed. One of another time is read and its hash is compared. A warning tells of a
    cache that is damaged or was not written by this version of crnn: the caller writes it again.

    Parameters
    ----------
    path : str
    reader : FileReader
    temporary : bool, default=False
        Whether its folder is deleted with it.
    """
    try:
        file = IdFile(path, temporary=temporary)
    except (FileNotFoundError, IsADirectoryError):
        return None
    cache = _whole(file)
    if cache is None:
        warn_caller(f"{path} is not a whole cache of ids, or one of another version of crnn: it is written again")
        return None
    described = cache.described
    read_as = (reader.kind, reader.lines, reader.errors, len(reader.paths))
    if (described.kind, described.lines, described.errors, len(described.files)) != read_as:
        return None
    return cache if all(map(_unchanged, described.files, reader.paths)) else None


def _whole(file: IdFile) -> IdCache | None:
    """Return the cache in a file, or None if the file is none, is not whole, or says what cannot be."""
    if file.size < len(MAGIC) + TAIL.size or _bytes(file, 0, len(MAGIC)) != MAGIC:
        return None
    length, checksum, magic = TAIL.unpack(_bytes(file, file.size - TAIL.size, TAIL.size))
    start = file.size - TAIL.size - length
    if magic != MAGIC or start < len(MAGIC) or length > MAX_JSON:
        return None
    text = _bytes(file, start, length)
    described = _described(text)
    if described is None:
        return None
    n = n_blocks(described.checked_size)
    if start != described.checked_size + 4 * n:
        return None
    table = np.empty(n, "<u4")
    file.read_into(table, described.checked_size)
    if _checksum(table, text) != checksum:
        return None
    blocks = CheckedBlocks(file, described.checked_size, table.astype(np.uint32, copy=False))
    return IdCache(blocks, described)


def _bytes(file: IdFile, offset: int, size: int) -> bytes:
    read = np.empty(size, np.uint8)
    file.read_into(read, offset)
    return read.tobytes()


def _checksum(table: NDArray[Any], text: bytes) -> int:
    """Return the checksum of the blocks' checksums and the JSON."""
    return zlib.crc32(text, zlib.crc32(table.view(np.uint8).data))


def _described(text: bytes) -> _Description | None:
    """Return what the JSON of a cache says, or None if a cache cannot say it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.keys() != set(_Description._fields):
        return None
    kind, lines, errors, codes, counts, n_documents, sha256, files = (document[name] for name in _Description._fields)
    if not (isinstance(kind, str) and kind in MAX_CODE and type(lines) is bool and isinstance(sha256, str)):
        return None
    if errors not in get_args(Errors):
        return None
    if not (_are_counts(codes, 0, MAX_CODE[kind]) and _are_counts(counts, 1, MAX_COUNT)):
        return None
    if len(codes) != len(counts) or any(a >= b for a, b in itertools.pairwise(codes)):
        return None
    if not (_are_counts([n_documents], 1, MAX_COUNT if lines else 1) and isinstance(files, list)):
        return None
    if not all(isinstance(file, list) and [type(value) for value in file] == [int, int, str] for file in files):
        return None
    own = np.array(codes, np.uint32), np.array(counts, np.int64)
    changed = [_Changed(*file) for file in files]
    return _Description(kind, lines, cast("Errors", errors), *own, n_documents, sha256, changed)


def _are_counts(values: Any, minimum: int, maximum: int) -> bool:
    """Say whether a value from JSON is a list of whole numbers within bounds."""
    return isinstance(values, list) and all(type(value) is int and minimum <= value <= maximum for value in values)


def _unchanged(file: _Changed, path: str) -> bool:
    size, time = _stat(path)
    if size != file.size:
        return False
    if time == file.time:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
