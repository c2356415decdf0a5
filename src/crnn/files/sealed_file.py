"""Sealed file: what every model file has in common: its format, its kind and a checksum over all of it.

A sealed file is a safetensors file. Its ``__metadata__`` holds ``format``, the word ``crnn``; ``format_version``,
``1``; ``kind``, one of `KINDS`; ``checksum``, the SHA-256 of everything else in hexadecimal; and what the kind needs.

The checksum covers the values, not the file's bytes: the JSON list of the other metadata as sorted [key, value] pairs,
then for every tensor in order of name the JSON list [name, dtype, shape] and its little-endian bytes; JSON as Python's
``json.dumps`` writes it by default.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import reprlib
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar, cast

from numpy.typing import NDArray

from ..errors import InvalidInputError, ModelFileError, short_repr
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from .container import Header, file_chunks, read_header, read_tensors, tensor_bytes

__all__ = ["FORMAT", "KINDS", "Path", "bytes_stream", "file_kind", "path_name", "read_path", "read_sealed_header",
           "read_sealed_tensors", "sealed_chunks", "with_format", "write_path"]  # fmt: skip

FORMAT = 1
"""The format version that this library writes; files of a higher version are refused."""

KINDS = {"network": "CharRNN", "classifier": "CharRNNClassifier", "ngram": "CharNGram", "mixture": "Mixture"}
"""The kinds of files, and the class that loads each."""

_DAMAGED = "the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"

Array = NDArray[Any]
Path = FilePath | BinaryIO  # of a file, or a stream that is read to its end or written to
T = TypeVar("T")


def write_path(path: Path, chunks: Callable[[], Iterator[bytes | memoryview]]) -> None:
    """Write a file, all of it or nothing, or a stream; `chunks` checks the content and returns its parts.

    Raises
    ------
    ModelFileError
        If `chunks` raises a ValueError.
    OSError
        If the file cannot be written; an older file of that name is then as it was.
    """
    name = path_name(path)
    try:
        parts = chunks()
    except ValueError as error:
        raise ModelFileError(f"model file {name} was not written: {error}") from error
    stream = _stream(path)
    if stream is None:
        write_atomically(checked_path("path", path), parts)
        return
    for part in parts:
        stream.write(part)


def read_path(path: Path, read: Callable[[BinaryIO, int], T]) -> T:
    """Return what `read` makes of an open file and its size; errors name the file and end with a remedy."""
    try:
        stream = _stream(path)
        if stream is not None:
            content = stream.read()
            return read(io.BytesIO(content), len(content))
        name = checked_path("path", path)
        mode = os.stat(name).st_mode
        # Before it is opened: opening a pipe would wait for a writer.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ModelFileError("it is a device or a pipe; give the path of a regular file")
        with open(name, "rb") as stream:
            return read(stream, os.fstat(stream.fileno()).st_size)
    except ModelFileError as error:
        remedy = "" if ";" in str(error) else f"; {_DAMAGED}"  # a fault that has a remedy of its own ends with it
        raise ModelFileError(f"model file {path_name(path)}: {error}{remedy}") from error.__cause__


def _stream(path: Path) -> BinaryIO | None:
    """Return a stream, or None for what should be a path."""
    if isinstance(path, io.TextIOBase):
        raise InvalidInputError("path is a file that is open for text: open it for bytes, with mode 'rb' or 'wb'")
    return cast("BinaryIO", path) if hasattr(path, "read") else None


def bytes_stream(content: Any) -> BinaryIO:
    """Return bytes as a stream that is read.

    Examples
    --------
    >>> bytes_stream(b"ab").read()
    b'ab'
    >>> bytes_stream("ab")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: content must be bytes, as to_bytes returns them, not 'ab'
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InvalidInputError(f"content must be bytes, as to_bytes returns them, not {short_repr(content)}")
    return io.BytesIO(content)


def path_name(path: Path) -> str:
    """Return what errors call a file or a stream.

    Examples
    --------
    >>> path_name("book.crnn"), path_name(io.BytesIO())
    ("'book.crnn'", 'in a stream')
    """
    stream = _stream(path)
    return repr(checked_path("path", path)) if stream is None else str(getattr(stream, "name", "in a stream"))


def file_kind(path: Path) -> str:
    """Return which of `KINDS` a model file is; nothing else in the file is checked.

    Raises
    ------
    ModelFileError
        If the file is no model file, or of a kind or format that only a newer crnn knows.
    """
    stream = _stream(path)
    start = 0 if stream is None else stream.tell()
    kind: str = read_path(path, lambda stream, size: read_sealed_header(stream, size, *KINDS).metadata["kind"])
    if stream is not None:  # it is read again for the rest
        stream.seek(start)
    return kind


def read_sealed_header(stream: BinaryIO, size: int, *kinds: str) -> Header:
    """Read the header of a file that must be of one of some kinds."""
    header = read_header(stream, size)
    metadata = header.metadata
    if metadata.get("format") != "crnn":
        raise ModelFileError("it is safetensors but no crnn model; give a file that a model's save method wrote")
    version, kind = metadata.get("format_version", ""), metadata.get("kind", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise ModelFileError(f"its format version {reprlib.repr(version)} is not a number")
    if int(version) > FORMAT:
        raise ModelFileError(
            f"it has format version {version}, and this crnn reads versions up to {FORMAT}; upgrade crnn"
        )
    if kind not in KINDS:
        raise ModelFileError(f"its kind is {reprlib.repr(kind)}, and this crnn knows only {', '.join(KINDS)}")
    if kind not in kinds:
        raise ModelFileError(f"it holds a {KINDS[kind]}; load it with {KINDS[kind]}.load")
    return header


def read_sealed_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors that follow a header, and compare the checksum."""
    tensors = read_tensors(stream, header)
    if header.metadata.get("checksum") != _checksum(header.metadata, tensors):
        raise ModelFileError("its contents do not match its checksum")
    return tensors


def with_format(kind: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a kind's own metadata with those that every file has, but for the checksum."""
    return {"format": "crnn", "format_version": str(FORMAT), "kind": kind, **metadata}


def sealed_chunks(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> Iterator[bytes | memoryview]:
    """Return the parts of a file, one after another, with the checksum."""
    return file_chunks({**metadata, "checksum": _checksum(metadata, tensors)}, tensors)


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> str:
    """Hash all that a file says, whatever the order in which it says it."""
    digest = hashlib.sha256()
    separator = "["
    for key in sorted(metadata.keys() - {"checksum"}):
        digest.update(f"{separator}[{json.dumps(key)}, ".encode())
        digest.update(json.dumps(metadata[key]).encode())
        digest.update(b"]")
        separator = ", "
    digest.update(b"]" if separator == ", " else b"[]")
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, tensor.dtype.name, tensor.shape]).encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()
