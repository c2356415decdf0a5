"""Read and write the safetensors format: named arrays behind a JSON header.

A file begins with the header's length, 8 bytes, little-endian. The header is a JSON object padded with spaces. Its
entry ``__metadata__`` is an object of strings; every other entry describes a tensor by its ``dtype``, its ``shape`` and
the first and last byte, ``data_offsets``, of its little-endian elements among the bytes behind the header. The tensors
follow each other without a gap to the end of the file.

The whole header is checked against the file's size before memory is reserved for a tensor. A file is read, not mapped,
because a write by another program to a mapped file may end the process.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError
from .entries import MAX_JSON, read_json

# The format's names of NumPy's types. Tensors are written in the reverse order, so that each one is aligned.
DTYPES = {
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "float16": "F16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
DTYPE_OF_TAG = {word: np.dtype(name) for name, word in DTYPES.items()}
MAX_DIMENSIONS = 8
MAX_LENGTH = 2**48
ALIGNMENT = 8  # of the bytes behind the header
LENGTH_BYTES = 8
METADATA = "__metadata__"


class Declared(NamedTuple):
    """A tensor's description in the header."""

    dtype: str  # the format's name
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of the tensor."""
        return DTYPE_OF_TAG[self.dtype].itemsize * math.prod(self.shape)


class Layout(NamedTuple):
    """The places of the tensors of a file."""

    declared: dict[str, Declared]  # in the order of the bytes
    start: int  # of the first tensor
    size: int  # of the file

    def place(self, name: str) -> tuple[int, int]:
        """Return where a tensor starts in the file, and its bytes."""
        start = self.start
        for other, tensor in self.declared.items():
            if other == name:
                break
            start += tensor.nbytes
        return start, self.declared[name].nbytes


def read_layout(stream: BinaryIO, size: int) -> tuple[Any, Layout]:
    """Read the header of an open file of `size` bytes: its metadata, unchecked, and the places of its tensors."""
    if size < LENGTH_BYTES:
        raise ModelFileError(f"it is too short ({size} bytes)")
    beginning = stream.read(LENGTH_BYTES + 1)
    (length,) = struct.unpack("<Q", beginning[:LENGTH_BYTES].ljust(LENGTH_BYTES, b"\xff"))
    if beginning[LENGTH_BYTES:] not in (b"{", b""):
        raise ModelFileError("it is not a safetensors file", remedy="pass one written by a model's save method")
    if length > size - LENGTH_BYTES:
        raise ModelFileError("it is not a complete safetensors file: its header is longer than the file")
    if length > MAX_JSON:
        raise ModelFileError(f"its header has {length} bytes, more than the {MAX_JSON} that crnn reads")
    stream.seek(LENGTH_BYTES)
    document = read_json(stream.read(length), "header") if length else None
    if not isinstance(document, dict):
        raise ModelFileError("its header is not an object")
    metadata = document.pop(METADATA, {})
    start = LENGTH_BYTES + length
    return metadata, Layout(_checked_tensors(document, size - start), start, size)


def _checked_tensors(document: Mapping[str, Any], available: int) -> dict[str, Declared]:
    """Return the tensors in the order of their bytes, which must fill the bytes available without gap or overlap."""
    placed = sorted((*_checked_entry(entry), name) for name, entry in document.items())
    end = 0
    declared = {}
    for first, last, tensor, name in placed:
        if first != end or last - first != tensor.nbytes:
            raise ModelFileError("the bytes of its tensors overlap, leave a gap or do not fit their shapes")
        declared[name] = tensor
        end = last
    if end != available:
        raise ModelFileError(f"its tensors have {end} bytes, but {available} bytes follow its header")
    return declared


def _checked_entry(entry: Any) -> tuple[int, int, Declared]:
    """Return the first and last byte of a tensor, and its description."""
    if isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}:
        dtype = entry["dtype"]
        is_valid = isinstance(dtype, str) and dtype in DTYPE_OF_TAG
        is_valid = is_valid and _are_integers(entry["shape"]) and len(entry["shape"]) <= MAX_DIMENSIONS
        is_valid = is_valid and _are_integers(entry["data_offsets"]) and len(entry["data_offsets"]) == 2
        if is_valid:
            first, last = entry["data_offsets"]
            return first, last, Declared(dtype, tuple(entry["shape"]))
    raise ModelFileError("its header describes an impossible tensor")


def _are_integers(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < MAX_LENGTH for n in values)


def read_arrays(stream: BinaryIO, layout: Layout) -> dict[str, Array]:
    """Read the tensors behind a header, as separate, writable arrays, in the order of their names."""
    if stream.seek(0, 2) != layout.size:
        raise ModelFileError("it changed while it was being read")
    stream.seek(layout.start)
    arrays = {name: _read_next(stream, tensor) for name, tensor in layout.declared.items()}
    return {name: arrays[name] for name in sorted(arrays)}


def read_array(stream: BinaryIO, layout: Layout, name: str) -> Array:
    """Read one tensor behind a header, as `read_arrays` does."""
    start, _ = layout.place(name)
    stream.seek(start)
    return _read_next(stream, layout.declared[name])


def _read_next(stream: BinaryIO, tensor: Declared) -> Array:
    array = np.empty(tensor.shape, DTYPE_OF_TAG[tensor.dtype].newbyteorder("<"))
    _read_into(stream, array.reshape(-1).view(np.uint8).data)
    return array


def _read_into(stream: BinaryIO, buffer: memoryview) -> None:
    """Fill a buffer from a stream, which may return fewer bytes than asked for."""
    done = 0
    while done < len(buffer):
        n = stream.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not n:
            raise ModelFileError("it changed while it was being read")
        done += n


def tensor_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file; equal contents have equal bytes, whatever the order of the names."""
    return b"".join(tensor_parts(metadata, tensors))


def tensor_parts(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> list[memoryview]:
    """Return the bytes of a file in parts, which share the memory of contiguous tensors."""
    header: dict[str, Any] = {METADATA: {name: metadata[name] for name in sorted(metadata)}} if metadata else {}
    parts = list[memoryview]()
    end = 0
    for name in sorted(tensors, key=lambda name: _place_of(name, tensors[name])):
        array = tensors[name]
        start = end
        end += array.nbytes
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
        parts.append(stored_bytes(array))
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % ALIGNMENT)
    return [memoryview(struct.pack("<Q", len(text))), memoryview(text), *parts]


def stored_bytes(array: Array) -> memoryview:
    """Return the bytes of a tensor in a file, without a copy if its elements are contiguous."""
    little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little_endian.reshape(-1).view(np.uint8).data


def _place_of(name: str, array: Array) -> tuple[int, str]:
    """Return a tensor's place in a file, relative to the others: by type, then by name."""
    if array.dtype.name not in DTYPES:
        raise ModelFileError(f"its tensor {name!r} has the type {array.dtype}, which a model file cannot store")
    return -list(DTYPES).index(array.dtype.name), name
