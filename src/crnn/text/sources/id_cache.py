"""IdCache: the ids of text files, written once to a file, so that training need not hold them.

The file begins with eight bytes, then come

- the text as slots of 1, 2 or 4 bytes, little-endian: slot i is the i-th of the text's own symbols in the order of
  their codes, and the slot after them is a boundary. There is one before, between and after documents; a running text
  is one document;
- the index: where every 64th document begins, as 8-byte integers;
- JSON with what is needed to read the rest, to know the vocabulary without reading it, and to notice that a text
  file was changed;
- the length of the JSON and its checksum, 4 bytes each, and the same eight bytes as at the beginning.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...runtime.atomic_file import write_atomically
from ..symbols.codes import MAX_CODE, Kind, pieces
from ..symbols.vocabulary import Ids
from .file_blocks import ended_lines, file_blocks
from .fingerprint import Fingerprint, Hasher
from .id_file import IdFile
from .stored_ids import Slots, StoredIds

__all__ = ["IdCache", "cache_name", "open_cache", "write_cache"]

MAGIC = b"crnnids1"
TAIL = struct.Struct("<II8s")
BLOCK_SIZE = 1 << 20
INDEX_STEP = 64  # documents for each entry of the index: an eighth of a byte a document
SUFFIX = {False: ".crnn-ids", True: ".crnn-lines"}


class IdCache(NamedTuple):
    """An open cache."""

    file: IdFile
    kind: Kind
    codes: NDArray[np.uint32]  # of the text's own symbols
    counts: NDArray[np.int64]  # of each of them in the text
    n: int  # slots, boundaries included
    n_documents: int
    fingerprint: Fingerprint

    @property
    def slot_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The type of the slots."""
        return _slot_dtype(len(self.codes))

    def ids(self, table: Ids) -> StoredIds:
        """Return the text, boundaries included, with a table that has the id of each slot."""
        return StoredIds(Slots.of(self.file, self.slot_dtype, table), len(MAGIC), self.n)

    def places(self) -> NDArray[np.int64]:
        """Return where every 64th document begins."""
        places = np.empty(-(-self.n_documents // INDEX_STEP), "<i8")
        self.file.read_into(places, len(MAGIC) + _padded(self.n * self.slot_dtype.itemsize))
        return places.astype(np.int64, copy=False)


class _Changed(NamedTuple):
    """What tells whether a text file was changed since."""

    size: int
    time: int  # of its last change, in nanoseconds
    sha256: str


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


def write_cache(target: str, paths: Sequence[str], kind: Kind, *, lines: bool) -> None:
    """Write the cache of files; it is there as a whole or not at all.

    Two passes over the text: the first counts the symbols, the second writes them. One block is held at a time.

    Parameters
    ----------
    target : str
    paths : sequence of str
        One text, the files one after another, or the lines of all of them.
    kind : {"characters", "bytes"}
    lines : bool
        Whether each line is a document.

    Raises
    ------
    InvalidInputError
        If a file is changed meanwhile, or there is no line.
    UnicodeDecodeError, OSError
        If a file is not UTF-8 or cannot be read, or the cache cannot be written.
    """
    before = [_stat(path) for path in paths]
    counts, hashes = _counted(paths, kind, lines=lines)
    files = [_Changed(*state, sha256) for state, sha256 in zip(before, hashes, strict=True)]
    if lines:
        counts[ord("\n")] = 0
    codes = np.flatnonzero(counts)
    described = {"kind": kind, "lines": lines, "codes": codes.tolist(), "counts": counts[codes].tolist()}
    described["files"] = [list(file) for file in files]
    write_atomically(target, _contents(paths, kind, codes, described))
    for path, (size, time) in zip(paths, before, strict=True):
        if _stat(path) != (size, time):
            os.unlink(target)
            raise InvalidInputError(f"{path} was changed while it was read: try again when it is complete")


def _counted(paths: Sequence[str], kind: Kind, *, lines: bool) -> tuple[NDArray[np.int64], list[str]]:
    """Return how often each code occurs, line ends included, and the SHA-256 of each file."""
    digests = [hashlib.sha256() for _ in paths]
    files = (file_blocks(path, kind, BLOCK_SIZE, digest.update) for path, digest in zip(paths, digests, strict=True))
    counts = np.zeros(MAX_CODE[kind] + 1, np.int64)
    for block in ended_lines(files, kind) if lines else chain.from_iterable(files):
        for codes in pieces(_plain(block)):
            of_piece = np.bincount(codes)
            counts[: len(of_piece)] += of_piece
    return counts, [digest.hexdigest() for digest in digests]


def _contents(
    paths: Sequence[str], kind: Kind, codes: NDArray[np.intp], described: dict[str, Any]
) -> Iterator[bytes | memoryview]:
    """Yield the parts of a cache."""
    lines, dtype = described["lines"], _slot_dtype(len(codes))
    boundary = np.array([len(codes)], dtype)
    table = np.zeros(MAX_CODE[kind] + 2, dtype)
    table[codes] = np.arange(len(codes))
    if lines:
        table[ord("\n")] = len(codes)
    files = (file_blocks(path, kind, BLOCK_SIZE) for path in paths)
    blocks = ended_lines(files, kind) if lines else chain.from_iterable(files)
    yield MAGIC
    yield boundary.data
    n, n_documents = 1, 0
    places = [np.zeros(1, np.int64)]  # of every 64th document
    hasher, previous = Hasher(kind, documents=lines), 0
    for block in map(_plain, blocks):
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
        yield slots.data
    if not lines:
        n, n_documents = n + 1, 1
        yield boundary.data
    if not n_documents:
        raise InvalidInputError(f"{paths[0]} is empty: it has no line, and at least 1 document is needed")
    size = n * dtype.itemsize
    yield bytes(_padded(size) - size)
    yield np.concatenate(places)[: -(-n_documents // INDEX_STEP)].astype("<i8").data
    described |= {"n": n, "n_documents": n_documents, "fingerprint": list(hasher.fingerprint())}
    text = json.dumps(described, separators=(",", ":")).encode()
    yield text
    yield TAIL.pack(len(text), zlib.crc32(text), MAGIC)


def _plain(block: Any) -> Any:
    """Return a block of ASCII text as bytes, which take less time; any other as it is."""
    return block.encode("ascii") if isinstance(block, str) and block.isascii() else block


def _slots(block: Any, table: NDArray[Any]) -> NDArray[Any]:
    """Return the slots of a block of text."""
    if table.itemsize == 1 and isinstance(block, bytes):  # many times as fast
        return np.frombuffer(block.translate(table[:256].tobytes().ljust(256, b"\0")), np.uint8)
    return np.concatenate([table.take(codes, mode="clip") for codes in pieces(block)])


def _slot_dtype(n_codes: int) -> np.dtype[np.unsignedinteger[Any]]:
    return np.min_scalar_type(n_codes).newbyteorder("<")


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _stat(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


# -------------------------------------------------------------------- reading


def open_cache(path: str, paths: Sequence[str], kind: Kind, *, lines: bool, temporary: bool = False) -> IdCache | None:
    """Open a cache if it is complete and that of these files as they are now; otherwise return None.

    A file of another size was changed. One of another time is read and its hash is compared.

    Parameters
    ----------
    path : str
    paths, kind, lines
        As for `write_cache`.
    temporary : bool, default=False
        Whether its folder is deleted with it.
    """
    try:
        file = IdFile(path, temporary=temporary)
    except (FileNotFoundError, IsADirectoryError):
        return None
    described = _described(file)
    if described is None or (described["kind"], described["lines"]) != (kind, lines):
        return None
    files = [_Changed(*of_file) for of_file in described["files"]]
    if len(files) != len(paths) or not all(map(_unchanged, files, paths)):
        return None
    return IdCache(
        file,
        kind,
        np.array(described["codes"], np.uint32),
        np.array(described["counts"], np.int64),
        described["n"],
        described["n_documents"],
        Fingerprint(*described["fingerprint"]),
    )


def _described(file: IdFile) -> dict[str, Any] | None:
    """Return what the JSON of a cache says, or None if the file is not a complete cache."""
    if file.size < len(MAGIC) + TAIL.size:
        return None
    tail = np.empty(TAIL.size, np.uint8)
    file.read_into(tail, file.size - TAIL.size)
    length, checksum, magic = TAIL.unpack(tail.tobytes())
    start = file.size - TAIL.size - length
    if magic != MAGIC or start < len(MAGIC):
        return None
    text = np.empty(length, np.uint8)
    file.read_into(text, start)
    if zlib.crc32(text.tobytes()) != checksum:
        return None
    described: dict[str, Any] = json.loads(text.tobytes())
    slots = described["n"] * _slot_dtype(len(described["codes"])).itemsize
    index = 8 * -(-described["n_documents"] // INDEX_STEP)
    return described if start == len(MAGIC) + _padded(slots) + index else None


def _unchanged(file: _Changed, path: str) -> bool:
    size, time = _stat(path)
    if size != file.size:
        return False
    if time == file.time:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
