"""The layout of all model files: safetensors, whose metadata have one entry.

The ``safetensors`` package serializes and deserializes. It writes several entries of metadata in an order that differs
from call to call; with one entry, equal models give equal bytes. A file is read into memory, not mapped, because a
write by another program to a mapped file may end the process.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError
from .plain_json import MAX_JSON, plain_json, read_json

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
ENTRY = "crnn"  # of the metadata: an object of strings in JSON
MAX_DIMENSIONS, MAX_LENGTH = 8, 2**48


class Declared(NamedTuple):
    """A tensor's description in the header, before the tensor is read."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]


class Header(NamedTuple):
    """A file's header; whether it fits the rest of the file, `read_tensors` finds out."""

    metadata: dict[str, str]  # of a file by crnn
    declared: dict[str, Declared]


def read_header(stream: BinaryIO, size: int) -> Header:
    """Read the header of an open file of `size` bytes."""
    if size < 8:
        raise ModelFileError(f"it is too short ({size} bytes)")
    (length,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\xff"))
    if length > size - 8:
        raise ModelFileError("it is not a complete safetensors file: its header is longer than the file")
    if length > MAX_JSON:
        raise ModelFileError(f"its header has {length} bytes, more than the {MAX_JSON} that crnn reads")
    document = read_json(stream.read(length), "header")
    metadata = document.pop("__metadata__", {}) if isinstance(document, dict) else None
    if isinstance(metadata, dict) and isinstance(metadata.get(ENTRY), str):
        metadata = read_json(metadata[ENTRY].encode("ascii", "replace"), "metadata")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelFileError("its header is not an object with metadata of strings")
    return Header(metadata, {name: _declared(entry) for name, entry in document.items()})


def _declared(entry: Any) -> Declared:
    """Return the description of a tensor."""
    fault = ModelFileError("its header describes an impossible tensor")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise fault
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in NAMES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise fault
    if any(type(n) is not int or not 0 <= n < MAX_LENGTH for n in shape):
        raise fault
    return Declared(dtype, tuple(shape))


def read_tensors(stream: BinaryIO, header: Header) -> dict[str, Array]:
    """Read the tensors of a file with this header, as separate, writable arrays, in the order of their names."""
    from safetensors import SafetensorError, deserialize  # here, since `import crnn` should be fast

    stream.seek(0)
    try:
        deserialized = dict(deserialize(stream.read()))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ModelFileError(f"its tensors cannot be read ({error})") from None
    if header.declared != {name: Declared(it["dtype"], tuple(it["shape"])) for name, it in deserialized.items()}:
        raise ModelFileError("it changed while it was being read")
    tensors = {}
    for name in sorted(deserialized):
        tensor = deserialized.pop(name)
        data = tensor["data"]
        writable = bytearray(data) if isinstance(data, bytes) else data  # what older versions of the package return
        tensors[name] = np.frombuffer(writable, NAMES[tensor["dtype"]].newbyteorder("<")).reshape(tensor["shape"])
    return tensors


def file_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file."""
    from safetensors.numpy import save

    text = plain_json(dict(metadata))
    if len(text) + 200 * len(tensors) > MAX_JSON:
        raise ModelFileError(f"its description has {len(text)} bytes of JSON, more than crnn reads")
    arrays = {name: np.ascontiguousarray(tensors[name]).reshape(tensors[name].shape) for name in sorted(tensors)}
    return save(arrays, {ENTRY: text})


def tensor_bytes(array: Array) -> memoryview:
    """Return the bytes of an array in a file: little-endian, in C order."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data
