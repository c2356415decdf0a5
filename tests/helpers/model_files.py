"""Model files taken apart and put together, as the format's description says; shares no code with the library."""

import hashlib
import json
import struct

import numpy as np

# safetensors' names of types, and NumPy's.
TYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "I8": "int8", "I32": "int32", "I64": "int64"}
TYPES |= {"U8": "uint8", "U32": "uint32", "U64": "uint64"}


def split(data):
    """Take a model file apart: its header, parsed, and the bytes of its tensors."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return header | {"__metadata__": json.loads(header["__metadata__"]["crnn"])}, data[8 + length :]


def arrays_of(data):
    """Return the tensors of a model file."""
    header, body = split(data)
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def join(header, body):
    """Put a model file together; a header given as bytes is taken as it is."""
    if isinstance(header, dict) and isinstance(header.get("__metadata__"), dict):
        header = header | {"__metadata__": {"crnn": json.dumps(header["__metadata__"])}}
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def sign(header, body):
    """Give a file a true checksum, worked out as the format's description says."""
    metadata = {key: value for key, value in header["__metadata__"].items() if key != "checksum"}
    digest = hashlib.sha256(json.dumps(sorted([key, value] for key, value in metadata.items())).encode())
    for name in sorted(header.keys() - {"__metadata__"}):
        tensor = header[name]
        word = TYPES.get(tensor["dtype"], tensor["dtype"])
        digest.update(json.dumps([name, word, tensor["shape"]]).encode())
        digest.update(body[slice(*tensor["data_offsets"])])
    return join(header | {"__metadata__": metadata | {"checksum": digest.hexdigest()}}, body)


def with_metadata(data, **documents):
    """Change metadata, and give the file a true checksum again."""
    header, body = split(data)
    header["__metadata__"] |= documents
    return sign(header, body)


def without_times(data):
    """Return everything a model file says, except the checksums and the times in histories, nested files alike."""
    header, _ = split(data)
    contents = {key: value for key, value in header["__metadata__"].items() if key != "checksum"}
    for name, array in arrays_of(data).items():
        if name.startswith("models."):
            contents[name] = without_times(array.tobytes())
        elif name == "training":
            training = json.loads(array.tobytes())
            clocks = ("seconds", "chars_per_second")
            training["history"] = [
                {key: value for key, value in record.items() if key not in clocks} for record in training["history"]
            ]
            contents[name] = training
        else:
            contents[name] = (array.dtype.str, array.shape, array.tobytes())
    return contents
