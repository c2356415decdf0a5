"""Sealed file: the common part of all model files: safetensors, with a format, a kind and a checksum over everything.

`tensor_file` reads and writes the tensors.

The ``__metadata__`` have one entry ``crnn``, a JSON object of strings: ``format``, the word ``crnn``;
``format_version``, ``2``; ``kind``, one of `KINDS`; ``checksum``, the SHA-256 of everything else in hexadecimal; and
the entries of the kind, see `entries`.

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
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError, short_repr
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from .entries import KINDS, MAX_JSON, plain_json, read_entry, read_json
from .tensor_file import DTYPES, Declared, Layout, read_array, read_arrays, read_layout, stored_bytes, tensor_parts

FORMAT_VERSION = 2
"""The format version that this library writes, and the only one that it reads; `play/web/model_file.js` writes it, too.

Version 1 is that of the commits before the first release, whose parameters have other names.
"""

DAMAGED_REMEDY = "the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"
METADATA = "crnn"  # the only entry of safetensors' metadata

Path: TypeAlias = "FilePath | BinaryIO | FilePart"  # a file, or a stream that is read to its end or written


class Header(NamedTuple):
    """What a file states before its tensors."""

    metadata: dict[str, str]  # of a file by crnn
    declared: dict[str, Declared]
    layout: Layout | None = None  # None: of a file to be written


# The tensors that a file must have, given its entries and what its header declares; None: of any type and shape.
Expected = Callable[[Mapping[str, Any], Mapping[str, Declared]], Mapping[str, Declared | None]]


# ---------------------------------------------------------------------- read


@contextmanager
def open_model(path: Path, kind: str, expected: Expected) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Open a file of one kind, and give its checked entries and its tensors; for errors see `open_file`."""
    with open_file(path) as (stream, size):
        header = read_header(stream, size)
        entries = checked_entries(header, kind, expected)
        yield entries, read_sealed_tensors(stream, header)


@contextmanager
def open_file(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file, and give its size; errors within the block name the file and end with a remedy."""
    stream = _stream(path)
    name = path_name(path)
    try:
        if isinstance(path, FilePart):
            path.seek(0)
            yield cast("BinaryIO", path), path.size
            return
        if stream is not None:
            content = stream.read()
            yield io.BytesIO(content), len(content)
            return
        file = checked_path("path", path)
        mode = os.stat(file).st_mode
        # Before it is opened: opening a pipe would wait for a writer.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ModelFileError("it is a device or a pipe", remedy="give the path of a regular file")
        with open(file, "rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except InvalidInputError as error:
        raise ModelFileError(f"model file {name}: {error}", remedy=DAMAGED_REMEDY) from error
    except ModelFileError as error:
        raise ModelFileError(
            f"model file {name}: {error.message}", remedy=error.remedy or DAMAGED_REMEDY
        ) from error.__cause__


def file_kind(path: Path) -> str:
    """Return which of `KINDS` a model file is, without checking the rest of the file."""
    return peek_header(path).metadata["kind"]


def peek_header(path: Path) -> Header:
    """Return the header of a model file of any of `KINDS`; a stream is then where it was."""
    stream = _stream(path)
    start = 0 if stream is None else stream.tell()
    with open_file(path) as (file, size):
        header = require_kind(read_header(file, size), *KINDS)
    if stream is not None:  # the rest will be read again
        stream.seek(start)
    return header


def read_header(stream: BinaryIO, size: int) -> Header:
    """Read the header of an open safetensors file of `size` bytes."""
    metadata, layout = read_layout(stream, size)
    if isinstance(metadata, dict) and isinstance(metadata.get(METADATA), str):
        metadata = read_json(metadata[METADATA], "metadata")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelFileError("its header is not an object with metadata of strings")
    return Header(metadata, layout.declared, layout)


def require_kind(header: Header, *kinds: str) -> Header:
    """Return the header of a file, which must be of one of these kinds."""
    metadata = header.metadata
    if metadata.get("format") != "crnn":
        raise ModelFileError(
            "it is a safetensors file, but not from crnn", remedy="pass one written by a model's save method"
        )
    version = metadata.get("format_version", "")
    kind = metadata.get("kind", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise ModelFileError(f"its format version {short_repr(version)} is not a number")
    if int(version) > FORMAT_VERSION:
        raise ModelFileError(
            f"it was written by a later crnn: its format version is {version}, but this crnn reads {FORMAT_VERSION}",
            remedy="upgrade crnn",
        )
    if int(version) < FORMAT_VERSION:
        raise ModelFileError(
            f"it was written by an earlier crnn: its format version is {version}, but this crnn reads {FORMAT_VERSION}",
            remedy="train it again",
        )
    if kind not in KINDS:
        raise ModelFileError(f"its kind is {short_repr(kind)}, but this crnn reads only {', '.join(KINDS)}")
    if kind not in kinds:
        loader = KINDS[kind].loader
        if "detector" in metadata:
            raise ModelFileError(
                f"it contains a detector whose model is a {loader}",
                remedy=f"load it with AnomalyDetector.load, or the model alone with {loader}.load",
            )
        raise ModelFileError(f"it contains a {loader}", remedy=f"load it with {loader}.load")
    return header


def checked_entries(header: Header, kind: str, expected: Expected) -> dict[str, Any]:
    """Return the entries of a file of one kind, after checking them and the names, shapes and types of its tensors."""
    metadata, declared, _ = require_kind(header, kind)
    entries = {name: read_entry(name, metadata.get(name)) for name in KINDS[kind].entries}
    tensors = expected(entries, declared)
    if missing := tensors.keys() - declared.keys():
        raise ModelFileError(f"it has no tensor {min(missing)!r}")
    if unknown := declared.keys() - tensors.keys():
        raise ModelFileError(f"it has a tensor {short_repr(min(unknown))} that does not belong to its model")
    for name, found in declared.items():
        wanted = tensors[name]
        if wanted is not None and found != wanted:
            raise ModelFileError(
                f"its tensor {name!r} is {found.dtype} {found.shape}, but its model has {wanted.dtype} {wanted.shape}"
            )
    return entries


def read_sealed_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors that follow a header, and compare the checksum."""
    tensors = read_tensors(stream, header)
    if header.metadata.get("checksum") != _checksum(header.metadata, tensors):
        raise ModelFileError("its contents do not match its checksum")
    return tensors


def read_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors of a file with this header, as separate, writable arrays, in the order of their names."""
    assert header.layout is not None
    return read_arrays(stream, header.layout)


def read_tensor(stream: BinaryIO, header: Header, name: str) -> Array:
    """Read one tensor of a file with this header, without comparing the checksum."""
    assert header.layout is not None
    if name not in header.declared:
        raise ModelFileError(f"it has no tensor {name!r}")
    return read_array(stream, header.layout, name)


# --------------------------------------------------------------------- write


def write_path(path: Path, content: Callable[[], bytes | list[memoryview]]) -> None:
    """Write a file, all or nothing, or a stream; `content` checks and returns its bytes, in one or in several parts."""
    name = path_name(path)
    try:
        data = content()
    except ModelFileError as error:
        message = f"model file {name} was not written: {error.message}"
        raise ModelFileError(message, remedy=error.remedy) from error
    stream = _stream(path)
    if stream is None:
        write_atomically(checked_path("path", path), data)
        return
    stream.write(data if isinstance(data, bytes) else b"".join(data))


def model_bytes(kind: str, entries: Mapping[str, Any], tensors: Mapping[str, Array], expected: Expected) -> bytes:
    """Return the bytes of a model file; what `open_model` would refuse is refused."""
    return b"".join(model_parts(kind, entries, tensors, expected))


def model_parts(
    kind: str, entries: Mapping[str, Any], tensors: Mapping[str, Array], expected: Expected
) -> list[memoryview]:
    """Return the bytes of `model_bytes` in parts, which share the memory of contiguous tensors."""
    documents = {name: plain_json(document) for name, document in entries.items()}
    metadata = {"format": "crnn", "format_version": str(FORMAT_VERSION), "kind": kind, **documents}
    declared = {name: Declared(DTYPES.get(a.dtype.name, a.dtype.name), a.shape) for name, a in tensors.items()}
    checked_entries(Header(metadata, declared), kind, expected)
    return sealed_parts(metadata, tensors)


def sealed_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file, with the checksum."""
    return b"".join(sealed_parts(metadata, tensors))


def sealed_parts(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> list[memoryview]:
    """Return the bytes of `sealed_bytes` in parts."""
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}  # transposed at most once
    return file_parts({**metadata, "checksum": _checksum(metadata, contiguous)}, contiguous)


def file_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file that `read_header` reads."""
    return b"".join(file_parts(metadata, tensors))


def file_parts(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> list[memoryview]:
    """Return the bytes of `file_bytes` in parts."""
    text = plain_json(dict(metadata))
    if len(text) + 200 * len(tensors) > MAX_JSON:
        raise ModelFileError(f"its description has {len(text)} bytes of JSON, more than crnn reads")
    return tensor_parts({METADATA: text}, tensors)


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
        digest.update(stored_bytes(tensor))
    return digest.hexdigest()


# ---------------------------------------------------------- paths and streams


class FilePart(io.RawIOBase):
    """A file within an open file, `size` bytes from `start`, which is read without reading the rest."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self.name = path_name(stream)
        self.size = size
        self._stream = stream
        self._start = start
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a byte, from the start, the current place or the end."""
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as fit in a buffer, and return their number."""
        self._stream.seek(self._start + self._position)
        left = max(0, self.size - self._position)
        n: int = self._stream.readinto(memoryview(buffer)[:left])  # type: ignore[attr-defined]
        self._position += n
        return n


class NamedBytes(io.BytesIO):
    """A file's bytes, with a name for errors."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def path_name(path: Path) -> str:
    """Return the name of a file or stream for errors."""
    stream = _stream(path)
    return repr(checked_path("path", path)) if stream is None else str(getattr(stream, "name", "in a stream"))


def _stream(path: Path) -> BinaryIO | None:
    """Return a stream, or None if the argument should be a path."""
    if isinstance(path, io.TextIOBase):
        raise InvalidInputError("path is a file opened in text mode. Open it with mode 'rb' or 'wb'.")
    return cast("BinaryIO", path) if hasattr(path, "read") else None
