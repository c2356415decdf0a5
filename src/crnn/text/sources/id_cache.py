"""IdCache: the ids of text files, written once to a file, so that training need not hold them in memory.

The file consists of eight bytes, followed by

- the text as slots of 1, 2 or 4 bytes, little-endian: slot i is the i-th of the text's own symbols in the order of
  their codes, and the next slot number is a boundary. Boundaries stand before, between and after documents; a running
  text is one document;
- the index: the start of every 64th document, as 8-byte integers;
- the CRC-32 of each 4 kB block of all the above, verified when any part of the block is read;
- JSON with everything needed to read the rest, to know the vocabulary without reading the text, and to notice changes
  of a text file;
- the length of the JSON and the CRC-32 of checksums and JSON, 4 bytes each, and the same eight bytes as at the
  start.

The JSON and the checksums are verified when the file is opened. An incomplete file is written again.
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

MAGIC = b"crnnids2"
TAIL = struct.Struct("<II8s")
BLOCK_SIZE = 1 << 20
INDEX_STEP = 64  # documents per index entry: an eighth of a byte per document
MAX_JSON = 1 << 25  # bytes
MAX_COUNT = 2**48  # for any count
SUFFIX = {False: ".crnn-ids", True: ".crnn-lines"}


class _Changed(NamedTuple):
    """Shows whether a text file has changed."""

    size: int
    time: int  # of the last change, in nanoseconds
    sha256: str


class _Description(NamedTuple):
    """The contents of a cache's JSON."""

    kind: Kind
    lines: bool
    errors: Errors  # how invalid UTF-8 was handled
    codes: NDArray[np.uint32]  # of the text's own symbols
    counts: NDArray[np.int64]  # of each symbol in the text
    n_documents: int
    sha256: str  # of the text's fingerprint
    files: list[_Changed]

    @property
    def slot_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The dtype of the slots."""
        return np.min_scalar_type(len(self.codes)).newbyteorder("<")

    @property
    def n_symbols(self) -> int:
        """The number of symbols, without boundaries."""
        return int(self.counts.sum())

    @property
    def n(self) -> int:
        """The number of slots, including boundaries."""
        return self.n_symbols + self.n_documents + 1

    @property
    def index_offset(self) -> int:
        """The position of the index."""
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
        """The number of occurrences of each symbol in the text."""
        return self.described.counts

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self.described.n_documents

    @property
    def fingerprint(self) -> Fingerprint:
        """The text's fingerprint."""
        found = self.described
        return Fingerprint(found.kind, found.n_symbols, found.n_documents if found.lines else None, found.sha256)

    def ids(self, table: Ids) -> StoredIds:
        """Return the text, including boundaries, given a table with the id of each slot."""
        return StoredIds(Slots.of(self.blocks, self.described.slot_dtype, table), len(MAGIC), self.described.n)

    def places(self) -> NDArray[np.int64]:
        """Return the start of every 64th document."""
        places = np.empty(-(-self.n_documents // INDEX_STEP), "<i8")
        self.blocks.read_into(places, self.described.index_offset)
        if places[0] or (np.diff(places) < INDEX_STEP).any() or places[-1] >= self.described.n - 1:
            raise InvalidInputError(f"{self.blocks.file.path} has an index for a different text. {REMEDY}")
        return places.astype(np.int64, copy=False)


def cache_name(paths: Sequence[str], *, lines: bool, beside: bool) -> str:
    """Return the name of the cache for some files.

    Next to a file, its name is enough. In a folder for caches, and for several files, a hash of the full paths
    prevents clashes.
    """
    name = os.path.basename(paths[0])
    if not beside or len(paths) > 1:
        together = "\0".join(map(os.path.abspath, paths))
        name = f"{name[:150]}-{hashlib.sha256(os.fsencode(together)).hexdigest()[:16]}"
    return name + SUFFIX[lines]


# -------------------------------------------------------------------- writing


def write_cache(target: str, reader: FileReader) -> None:
    """Write the cache of files; it exists as a whole or not at all.

    The first pass over the text counts the symbols, the second writes them, holding one block at a time.
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
            raise InvalidInputError(f"{path} changed while it was being read. Try again when it is complete.")


def _counted(reader: FileReader) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of occurrences of each code, including line ends, and the SHA-256 of each file."""
    digests = [hashlib.sha256() for _ in reader.paths]
    counts = np.zeros(MAX_CODE[reader.kind] + 1, np.int64)
    for block in reader.blocks(BLOCK_SIZE, [digest.update for digest in digests]):
        for codes in pieces(_plain(block)):
            of_piece = np.bincount(codes)
            counts[: len(of_piece)] += of_piece
    return counts, [digest.hexdigest() for digest in digests]


def _contents(reader: FileReader, described: _Description) -> Iterator[bytes | memoryview]:
    """Yield the parts of a cache; the description still lacks the number of documents and the text's hash."""
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
    """Yield slots and index, then put the complete description into a list."""
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
        raise InvalidInputError(f"{reader.paths[0]} is empty. Pass a file with at least 1 line.")
    size = n * dtype.itemsize
    yield bytes(_padded(size) - size)
    yield np.concatenate(places)[: -(-n_documents // INDEX_STEP)].astype("<i8").view(np.uint8).data
    found.append(described._replace(n_documents=n_documents, sha256=hasher.fingerprint().sha256))


def _plain(block: Any) -> Any:
    """Return a block of ASCII text as bytes, which are faster; any other block unchanged."""
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
    """Open a cache if it belongs to the current versions of these files; otherwise return None.

    A text file whose size differs has changed. If just its time differs, it is read and its hash compared. A damaged
    cache, or one by another version of crnn, causes a warning, and the caller writes it again. The folder of a
    `temporary` cache is deleted with it.
    """
    try:
        file = IdFile(path, temporary=temporary)
    except (FileNotFoundError, IsADirectoryError):
        return None
    cache = _whole(file)
    if cache is None:
        warn_caller(f"{path} is not a complete cache of ids for this version of crnn; writing it again")
        return None
    described = cache.described
    read_as = (reader.kind, reader.lines, reader.errors, len(reader.paths))
    if (described.kind, described.lines, described.errors, len(described.files)) != read_as:
        return None
    return cache if all(map(_unchanged, described.files, reader.paths)) else None


def _whole(file: IdFile) -> IdCache | None:
    """Return the cache in a file, or None if it is not a cache, is incomplete or inconsistent."""
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
    """Return the contents of a cache's JSON, or None if they are invalid."""
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
    """Return whether a JSON value is a list of integers within bounds."""
    return isinstance(values, list) and all(type(value) is int and minimum <= value <= maximum for value in values)


def _unchanged(file: _Changed, path: str) -> bool:
    size, time = _stat(path)
    if size != file.size:
        return False
    if time == file.time:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
