"""The safetensors format: arrays come back, hostile headers are refused, and the package reads and writes the same."""

import io
import json
import math
import random
import struct
from functools import partial

import numpy as np
import pytest
from examples import saved
from texts import NAMES
from texts import SENTENCE as TEXT
from traced_memory import traced_memory

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier
from crnn.errors import ModelFileError
from crnn.files.tensor_file import DTYPES, read_arrays, read_layout, tensor_bytes

TRIALS = 500
LARGEST = (1 << 62) - 1


def random_file(rng):
    """Return metadata and tensors of any types and shapes, some of them empty."""
    tensors = {}
    for _ in range(rng.randint(0, 7)):
        dtype = np.dtype(rng.choice(list(DTYPES)))
        shape = [rng.choice([0, 1, 1, 2, 3, 7]) for _ in range(rng.randint(0, 4))]
        data = rng.randbytes(dtype.itemsize * math.prod(shape))  # NaN payloads and signed zeros, too
        name = "".join(rng.choices('abc._"\\\n ü\u4e00\U0001f600', k=rng.randint(1, 9)))
        tensors[name] = np.frombuffer(data, dtype).reshape(shape)
    texts = ["", "crnn", "a\0b", 'ü"\n', "{}" * 99]
    metadata = {rng.choice(texts): rng.choice(texts) for _ in range(rng.randint(0, 3))}
    return metadata, tensors


def contents(data):
    stream = io.BytesIO(data)
    metadata, layout = read_layout(stream, len(data))
    return metadata, read_arrays(stream, layout)


def described(tensors):
    return {name: (array.dtype.name, array.shape, array.tobytes()) for name, array in tensors.items()}


def in_layouts(array, rng):
    """Return an array that is not contiguous, or has big-endian elements, with the same values."""
    if rng.random() < 0.5 and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    return array.astype(array.dtype.newbyteorder(">"))


def test_arrays_of_any_type_and_shape_come_back():
    rng = random.Random(0)
    for _ in range(TRIALS):
        metadata, tensors = random_file(rng)
        data = tensor_bytes(metadata, {name: in_layouts(array, rng) for name, array in tensors.items()})
        found, arrays = contents(data)
        assert found == metadata
        assert described(arrays) == described(tensors)
        assert list(arrays) == sorted(tensors)
        for array in arrays.values():
            assert array.flags.writeable
            assert array.flags.aligned
        assert data == tensor_bytes(dict(reversed(metadata.items())), dict(reversed(tensors.items())))


def test_the_package_reads_what_is_written_here():
    numpy = pytest.importorskip("safetensors.numpy")
    safetensors = pytest.importorskip("safetensors")
    rng = random.Random(1)
    for _ in range(TRIALS):
        metadata, tensors = random_file(rng)
        data = tensor_bytes(metadata, tensors)
        assert described(numpy.load(data)) == described(tensors)
        assert {name for name, _ in safetensors.deserialize(data)} == tensors.keys()


def test_what_the_package_writes_is_read_here():
    numpy = pytest.importorskip("safetensors.numpy")
    rng = random.Random(2)
    for _ in range(TRIALS):
        metadata, tensors = random_file(rng)
        found, arrays = contents(numpy.save(tensors, metadata or None))
        assert found == metadata
        assert described(arrays) == described(tensors)


def network(X=TEXT, **given):
    return CharRNN(**{"hidden_size": 5, "seq_length": 5, "max_steps": 7, "random_state": 0} | given).fit(X)


KINDS = {
    "network": network,
    "network of documents": lambda: network(NAMES, cell="lstm", num_layers=2, optimizer="adam", dtype="float64"),
    "8-bit network": lambda: network(cell="gru", embedding_size=7, n_bigrams=11).quantize(),
    "counts": lambda: CharNGram(3).fit(NAMES),
    "counts with their text": lambda: CharNGram(12).fit(TEXT),
    "counts with labels": lambda: CharNGram(3).fit(NAMES, y=[0, 1] * 3),
    "pruned counts": lambda: CharNGram(4).fit(TEXT).prune(max_bytes=4000),
    "8-bit counts": lambda: CharNGram(4).fit(TEXT).quantize(),
    "mixture": lambda: Mixture.from_fitted([network(), CharNGram(3).fit(TEXT)]),
    "classifier": lambda: TextClassifier(CharRNN(5, max_steps=7, random_state=0)).fit(NAMES, [0, 1] * 3),
    "detector": lambda: AnomalyDetector(CharNGram(3).fit(NAMES), contamination=0.5).calibrate(NAMES * 9),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_opens_every_kind_of_model(kind):
    numpy = pytest.importorskip("safetensors.numpy")
    model = KINDS[kind]()
    data = saved(model)
    theirs = numpy.load(data)
    _, ours = contents(data)
    assert ours
    assert described(theirs) == described(ours)
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    again = numpy.save({name: array.copy() for name, array in theirs.items()}, metadata)
    assert saved(type(model).load(io.BytesIO(again))) == data


def file_of(header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(first=0, last=4, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [first, last]}


A = b'"dtype":"F32","shape":[1],"data_offsets":[0,4]'
HOSTILE = {
    "nothing": b"",
    "seven bytes": bytes(7),
    "no header": bytes(8),
    "no object": file_of([]),
    "null": file_of(b"null"),
    "a header longer than the file": file_of({}, length=LARGEST),
    "a header of 2 ** 64 - 1 bytes": file_of({}, length=2**64 - 1),
    "a header cut off": file_of({"a": tensor()})[:-1],
    "space before the header": file_of(b' {"a":{' + A + b"}}", bytes(4)),
    "a name twice": file_of(b'{"a":{' + A + b'},"a":{' + A + b"}}", bytes(4)),
    "a field twice": file_of(b'{"a":{"dtype":"F32",' + A + b"}}", bytes(4)),
    "the same bytes twice": file_of({"a": tensor(), "b": tensor()}, bytes(4)),
    "overlapping tensors": file_of({"a": tensor(0, 8, shape=(2,)), "b": tensor(4, 8)}, bytes(8)),
    "a gap": file_of({"a": tensor(), "b": tensor(8, 12)}, bytes(12)),
    "a gap at the beginning": file_of({"a": tensor(4, 8)}, bytes(8)),
    "bytes at the end": file_of({"a": tensor()}, bytes(5)),
    "bytes without a tensor": file_of({}, bytes(4)),
    "a tensor cut off": file_of({"a": tensor()}, bytes(3)),
    "a tensor that is not there": file_of({"a": tensor(0, 4 << 40, shape=(1 << 40,))}, bytes(4)),
    "a product beyond 64 bits": file_of({"a": tensor(0, 4, shape=(1 << 40, 1 << 24, 1 << 8))}, bytes(4)),
    "a shape of 2 ** 62": file_of({"a": tensor(0, 4, shape=(LARGEST,))}, bytes(4)),
    "more dimensions than NumPy has": file_of({"a": tensor(shape=[1] * 99)}, bytes(4)),
    "offsets in the wrong order": file_of({"a": tensor(4, 0)}, bytes(4)),
    "a negative offset": file_of({"a": tensor(-4, 0)}, bytes(4)),
    "a negative length": file_of({"a": tensor(shape=(-1,))}, bytes(4)),
    "two negative lengths": file_of({"a": tensor(shape=(-1, -1))}, bytes(4)),
    "a shape of truth values": file_of({"a": tensor(shape=(True,))}, bytes(4)),
    "a shape of floats": file_of({"a": tensor(shape=(1.0,))}, bytes(4)),
    "an unknown type": file_of({"a": tensor(dtype="F31")}, bytes(4)),
    "NumPy's name of a type": file_of({"a": tensor(dtype="float32")}, bytes(4)),
    "a type that is a list": file_of({"a": tensor(dtype=["F32"])}, bytes(4)),
    "three offsets": file_of({"a": tensor() | {"data_offsets": [0, 4, 4]}}, bytes(4)),
    "no offsets": file_of({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "another field": file_of({"a": tensor() | {"b": 1}}, bytes(4)),
    "a tensor that is a number": file_of({"a": 1}, bytes(4)),
    "NaN": file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)),
    "Infinity": file_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,Infinity]}}', bytes(4)),
    "a huge number": file_of(b'{"a":{"dtype":"F32","shape":[' + b"9" * 10_000 + b'],"data_offsets":[0,4]}}', bytes(4)),
    "deep lists": file_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects": file_of(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "no UTF-8": file_of(b'{"\xff":{' + A + b"}}", bytes(4)),
    "no JSON": file_of(b"{'a': 1}"),
    "JSON twice": file_of(b"{}{}"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_before_memory_is_reserved(kind, monkeypatch):
    monkeypatch.setattr(np, "empty", None)  # reading a tensor would fail
    with traced_memory() as peak, pytest.raises(ModelFileError):
        contents(HOSTILE[kind])
    assert peak.value < 50_000 + 100 * len(HOSTILE[kind])


def test_files_cut_off_anywhere_are_refused():
    data = tensor_bytes({"a": "b"}, {"c": np.arange(3), "d": np.ones(2, np.uint8)})
    assert contents(data)[0] == {"a": "b"}
    for n in range(len(data)):
        with pytest.raises(ModelFileError):
            contents(data[:n])


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[:3])


def test_a_stream_may_return_fewer_bytes():
    data = tensor_bytes({}, {"a": np.arange(7.0)})
    stream = Trickle(data)
    _, layout = read_layout(stream, len(data))
    assert read_arrays(stream, layout)["a"].tolist() == list(range(7))


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array([True]), np.ones(1, np.int16)], ids=repr)
def test_refuses_to_write_other_types(array):
    with pytest.raises(ModelFileError, match=f"its tensor 'a' has the type {array.dtype}, which"):
        tensor_bytes({}, {"a": array})


def test_the_largest_header_is_a_limit(monkeypatch):
    data = tensor_bytes({"a": "b" * 100}, {})
    (length,) = struct.unpack("<Q", data[:8])
    for limit, outcome in ((length, contents), (length - 1, partial(refused, words="more than the"))):
        monkeypatch.setattr("crnn.files.tensor_file.MAX_JSON", limit)
        outcome(data)


def refused(data, words):
    with pytest.raises(ModelFileError, match=words):
        contents(data)
