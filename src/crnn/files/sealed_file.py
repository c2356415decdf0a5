"""Sealed file: the common part of all model files: format, kind and a checksum over everything.

A sealed file is a safetensors file. Its ``__metadata__`` contains ``format``, the word ``crnn``; ``format_version``,
``1``; ``kind``, one of `KINDS`; ``checksum``, the SHA-256 of everything else in hexadecimal; and entries of the kind.

The checksum covers the values, not the file's bytes: the JSON list of the other metadata as sorted [key, value] pairs,
then for every tensor in order of name the JSON list [name, dtype, shape] and its little-endian bytes; JSON as written
by Python's ``json.dumps`` by default.
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
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError, short_repr
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from .container import Header, file_bytes, read_header, read_tensors, tensor_bytes

FORMAT = 1
"""The format version that this library writes; files of a higher version are refused."""

KINDS = {"network": "CharRNN", "classifier": "TextClassifier", "ngram": "CharNGram", "mixture": "Mixture"}
"""The kinds of files, and the class that loads each kind."""

_DAMAGED = "the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"

Path = FilePath | BinaryIO  # a file, or a stream that is read to its end or written


def write_path(path: Path, content: Callable[[], bytes]) -> None:
    """Write a file, all or nothing, or a stream; `content` checks and returns its bytes.

    If the file cannot be written, an existing file is unchanged. A ValueError raised by `content` becomes a
    ModelFileError.
    """
    name = path_name(path)
    try:
        data = content()
    except ValueError as error:
        raise ModelFileError(f"model file {name} was not written: {error}") from error
    stream = _stream(path)
    if stream is None:
        write_atomically(checked_path("path", path), data)
        return
    stream.write(data)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file, and give its size; errors within the block name the file and end with a remedy."""
    try:
        stream = _stream(path)
        if stream is not None:
            content = stream.read()
            yield io.BytesIO(content), len(content)
            return
        name = checked_path("path", path)
        mode = os.stat(name).st_mode
        # Before it is opened: opening a pipe would wait for a writer.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ModelFileError("it is a device or a pipe; give the path of a regular file")
        with open(name, "rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except ModelFileError as error:
        remedy = "" if ";" in str(error) else f"; {_DAMAGED}"  # unless the error has its own remedy after a semicolon
        raise ModelFileError(f"model file {path_name(path)}: {error}{remedy}") from error.__cause__


def _stream(path: Path) -> BinaryIO | None:
    """Return a stream, or None if the argument should be a path."""
    if isinstance(path, io.TextIOBase):
        raise InvalidInputError("path is a file opened in text mode. Open it with mode 'rb' or 'wb'.")
    return cast("BinaryIO", path) if hasattr(path, "read") else None


def bytes_stream(content: Any) -> BinaryIO:
    """Return bytes as a readable stream."""
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InvalidInputError(f"content must be bytes, as returned by to_bytes, not {short_repr(content)}")
    return io.BytesIO(content)


class NamedBytes(io.BytesIO):
    """A file's bytes, with a name for errors."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def path_name(path: Path) -> str:
    """Return the name of a file or stream for errors."""
    stream = _stream(path)
    return repr(checked_path("path", path)) if stream is None else str(getattr(stream, "name", "in a stream"))


def file_kind(path: Path) -> str:
    """Return which of `KINDS` a model file is, without checking the rest of the file."""
    kind: str = peek_header(path).metadata["kind"]
    return kind


def peek_header(path: Path) -> Header:
    """Return the header of a model file of any of `KINDS`; a stream is then where it was."""
    stream = _stream(path)
    start = 0 if stream is None else stream.tell()
    with opened(path) as (file, size):
        header = require_kind(read_header(file, size), *KINDS)
    if stream is not None:  # the rest will be read again
        stream.seek(start)
    return header


def require_kind(header: Header, *kinds: str) -> Header:
    """Return the header of a file, which must be of one of these kinds."""
    metadata = header.metadata
    if metadata.get("format") != "crnn":
        raise ModelFileError("it is a safetensors file, but not from crnn; pass one written by a model's save method")
    version, kind = metadata.get("format_version", ""), metadata.get("kind", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise ModelFileError(f"its format version {reprlib.repr(version)} is not a number")
    if int(version) > FORMAT:
        raise ModelFileError(
            f"it has format version {version}, but this crnn reads versions up to {FORMAT}; upgrade crnn"
        )
    if kind not in KINDS:
        raise ModelFileError(f"its kind is {reprlib.repr(kind)}, but this crnn reads only {', '.join(KINDS)}")
    if kind not in kinds:
        raise ModelFileError(f"it contains a {KINDS[kind]}; load it with {KINDS[kind]}.load")
    return header


def read_sealed_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors that follow a header, and compare the checksum."""
    tensors = read_tensors(stream, header)
    if header.metadata.get("checksum") != _checksum(header.metadata, tensors):
        raise ModelFileError("its contents do not match its checksum")
    return tensors


def with_format(kind: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a kind's metadata with the entries common to all files, except the checksum."""
    return {"format": "crnn", "format_version": str(FORMAT), "kind": kind, **metadata}


def sealed_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file, with the checksum."""
    return file_bytes({**metadata, "checksum": _checksum(metadata, tensors)}, tensors)


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> str:
    """Hash everything a file states, independent of its order."""
    digest = hashlib.sha256()
    separator = "["
    for key in sorted(metadata.keys() - {"checksum"}):
        digest.update(f"{separator}[{json.dumps(key)}, ".encode())
        digest.update(json.dumps(metadata[key]).encode())
        digest.update(b"]")
        separator = ", "
    digest.update(b"]")
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, tensor.dtype.name, tensor.shape]).encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()
