"""The layout of a safetensors file: a JSON header and the bytes of the tensors.

The ``safetensors`` package maps a file into memory, so that a write by another program may end the process, and writes
the header's entries in an order that differs from call to call. Here a file is read into memory, no part of the header
costs more memory than allowed, and the same contents give the same bytes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .bounded_json import bounded_json, with_codes, without_codes

DTYPES = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int8": "I8",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint32": "U32",
    "uint64": "U64",
}  # safetensors' names
NAMES = {word: np.dtype(name) for name, word in DTYPES.items()}
MAX_HEADER = 16 << 20  # bytes: all existing code points, as numbers in JSON, need 9 million
MAX_DIMENSIONS, MAX_LENGTH = 8, 2**48
_CHUNK = 1 << 24  # bytes read at a time, so that a false size does not allocate more

Array = NDArray[Any]


class Declared(NamedTuple):
    """A tensor's description in the header, before the tensor is read."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]


class Header(NamedTuple):
    """A file's header, checked: the tensors fill the rest of the file, without gaps or overlap."""

    metadata: dict[str, str]
    declared: dict[str, Declared]
    starts: dict[str, int]  # positions of the tensors' bytes, after the header
    size: int  # bytes of all tensors


def read_header(stream: BinaryIO, size: int) -> Header:
    """Read and check the header of an open file of `size` bytes; the file is then at the first tensor."""
    if size < 8:
        raise ModelFileError(f"it is too short ({size} bytes)")
    (length,) = struct.unpack("<Q", _read(stream, 8))
    if length > size - 8:
        raise ModelFileError("it is not a complete safetensors file: its header is longer than the file")
    if length > MAX_HEADER:
        raise ModelFileError(f"its header has {length} bytes, more than a model needs")
    text, codes = without_codes(bytes(_read(stream, length)))
    document = bounded_json(text, "header")
    metadata = document.pop("__metadata__", {}) if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelFileError("its header is not an object with metadata of strings")
    if codes and "vocabulary" in metadata:
        metadata["vocabulary"] = with_codes(metadata["vocabulary"], codes)
    declared: dict[str, Declared] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, entry in document.items():
        declared[name], places[name] = _entry(entry)
    end = 0
    for start, stop in sorted(places.values()):
        if start != end:
            raise ModelFileError("its tensors overlap or leave gaps")
        end = stop
    if end != size - 8 - length:
        raise ModelFileError(f"its tensors have {end} bytes, but the file has {size - 8 - length}")
    return Header(metadata, declared, {name: start for name, (start, _) in places.items()}, end)


def _entry(entry: Any) -> tuple[Declared, tuple[int, int]]:
    """Return the description and the position of a tensor."""
    fault = ModelFileError("its header describes an impossible tensor")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise fault
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NAMES:
        raise fault
    if not (isinstance(shape, list) and isinstance(place, list) and len(shape) <= MAX_DIMENSIONS and len(place) == 2):
        raise fault
    if any(type(n) is not int or not 0 <= n < MAX_LENGTH for n in (*shape, *place)):
        raise fault
    if place[1] - place[0] != math.prod(shape) * NAMES[dtype].itemsize:
        raise fault
    return Declared(dtype, tuple(shape)), (place[0], place[1])


def read_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors that follow the header, as views of one array, in the order of their names."""
    content = np.frombuffer(_read(stream, header.size), np.uint8)
    if stream.read(1):
        raise ModelFileError("it grew while it was being read")
    tensors = {}
    for name, (word, shape) in sorted(header.declared.items()):
        dtype, start = NAMES[word], header.starts[name]
        stop = start + math.prod(shape) * dtype.itemsize
        tensors[name] = content[start:stop].view(dtype.newbyteorder("<")).reshape(shape)
    return tensors


def _read(stream: BinaryIO, size: int) -> bytearray:
    """Read exactly this number of bytes."""
    content = bytearray(min(size, _CHUNK))
    have = 0
    while have < size:
        if have == len(content):
            content.extend(bytes(min(size - have, _CHUNK)))
        with memoryview(content) as view:
            n = stream.readinto(view[have:])  # type: ignore[attr-defined]
        if not n:
            raise ModelFileError("it became shorter while it was being read")
        have += n
    return content


def file_chunks(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a file in pieces: the header, then each tensor.

    Arrays may have any memory layout; each is made contiguous in turn.
    """
    # Larger dtypes come first, as in safetensors, so that every tensor is aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        array = tensors[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for name in names:
        yield tensor_bytes(tensors[name])


def tensor_bytes(array: Array) -> memoryview:
    """Return the bytes of an array in a file: little-endian, in C order."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data
