"""A network's file: what is written comes back, and what damage, or another model's parts, make of it is refused."""

import json
import re
import struct
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from examples import stored_network
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from model_files import arrays_of, join, sign, split, with_metadata
from traced_memory import traced_memory

from crnn import ModelFileError
from crnn.files import network_contents, sealed_file
from crnn.files.int8_tensors import float_tensors, int8_tensors
from crnn.files.network_contents import (
    Architecture,
    NetworkFile,
    check_pairs,
    check_values,
    expected_tensors,
    is_record_name,
    network_bytes,
)
from crnn.files.network_contents import torch_shapes as shapes_of
from crnn.files.network_tensors import symbol_pairs
from crnn.files.sealed_file import file_bytes, write_path
from crnn.files.tensor_file import Declared
from crnn.model.int8_weights import SMALLEST_SCALE
from crnn.text.vocabulary import Vocabulary

H, B = 2, 5
TRAINING = {
    "n_steps": 7,
    "smooth_loss": 27.5,
    "loss_length": 25,
    "random_state": {
        "bit_generator": "PCG64",
        "state": {"state": 2**127 + 1, "inc": 2**128 - 1},
        "has_uint32": 0,
        "uinteger": 3,
    },
    "history": [{"step": 7, "smooth_loss": 1.1, "validation_loss": None}],
    "optimizer": "adagrad",
    "optimizer_start": 0,
}
ARCHITECTURE = {"cell": "rnn", "num_layers": 1, "hidden_size": 2, "vocab_size": 3, "dtype": "float32"}
GATES = {"rnn": 1, "gru": 3, "lstm": 4, "cifg": 4}  # of the cell of PyTorch
MEMORIES = {"adagrad": ["sum"], "rmsprop": ["square_avg"], "adam": ["exp_avg", "exp_avg_sq"]}
NETWORKS = [("rnn", 1), ("rnn", 3), ("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 2), ("cifg", 2)]


def write(path, file):
    write_path(path, partial(network_bytes, file))


def torch_shapes(cell, L, H, V):
    """Names and shapes of PyTorch's recurrent layers and decoder, from their documentation."""
    shapes = {}
    for k in range(L):
        shapes[f"rnn.weight_ih_l{k}"] = (GATES[cell] * H, V if k == 0 else H)
        shapes[f"rnn.weight_hh_l{k}"] = (GATES[cell] * H, H)
        shapes[f"rnn.bias_ih_l{k}"] = shapes[f"rnn.bias_hh_l{k}"] = (GATES[cell] * H,)
    return shapes | {"decoder.weight": (V, H), "decoder.bias": (V,)}


def make(
    vocabulary=None, dtype="float32", *, cell="rnn", L=1, hidden_size=H, batch_size=B, training=None, configuration=None
):
    """Build a model file's contents with a different number in every place."""
    vocabulary = Vocabulary.from_text("abc") if vocabulary is None else vocabulary
    shapes = torch_shapes(cell, L, hidden_size, len(vocabulary))
    generator = np.random.default_rng(7)
    weights = {name: generator.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    memory = {}
    if training is not None:
        for state in ("state.h", "state.c")[: 1 + (cell in ("lstm", "cifg"))]:
            memory[state] = generator.normal(size=(L, batch_size, hidden_size)).astype(dtype)
        learned = {name: shape for name, shape in shapes.items() if "bias_hh" not in name}
        learned |= {f"rnn.bias_hn_l{k}": (hidden_size,) for k in range(L) if cell == "gru"}
        if cell == "cifg":  # nothing is learned for the input gate
            learned = {n: (3 * hidden_size, *s[1:]) if n.startswith("rnn.") else s for n, s in learned.items()}
        for kind in MEMORIES[training["optimizer"]]:
            for name, shape in learned.items():
                memory[f"optimizer.{kind}.{name}"] = generator.random(shape).astype(dtype)
    return NetworkFile(
        configuration={"hidden_size": hidden_size} if configuration is None else configuration,
        architecture=Architecture(cell, L, hidden_size, len(vocabulary), dtype),
        vocabulary=vocabulary,
        tensors=weights,
        training=training,
        training_tensors=memory,
    )


def assert_same(left, right):
    assert left.configuration == right.configuration
    assert left.architecture == right.architecture
    assert left.vocabulary == right.vocabulary
    assert left.training == right.training
    for a, b in ((left.tensors, right.tensors), (left.training_tensors, right.training_tensors)):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].dtype == b[name].dtype
            np.testing.assert_array_equal(a[name], b[name])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def data(path):
    """A whole file of 2 to 3 kB, which lets training continue."""
    write(path, make(training=TRAINING))
    return path.read_bytes()


def refused(path, data):
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        stored_network(path)
    assert path.name in str(caught.value)
    return str(caught.value)


# --- what is written comes back


SYMBOLS = st.one_of(
    st.sets(st.integers(0, 0x10FFFF) | st.integers(0xD800, 0xDFFF) | st.sampled_from([0, 13, 0xFEFF]), min_size=1)
    .map(sorted)
    .map(Vocabulary),
    st.sets(st.integers(0, 255), min_size=1).map(sorted).map(lambda codes: Vocabulary(codes, kind="bytes")),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**128), 2**128)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=7,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vocabulary=SYMBOLS,
    dtype=st.sampled_from(["float32", "float64"]),
    hidden_size=st.sampled_from([1, 2, 3, 11]),
    batch_size=st.sampled_from([1, 3]),
    configuration=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    extra=JSON,
    trains=st.booleans(),
    network=st.sampled_from(NETWORKS),
)
@example(Vocabulary([0x61, 0xD800, 0xDFFF]), "float32", 2, 1, {"prime": "\udcff"}, "\ud800", True, ("rnn", 1))
def test_round_trip_of_anything(
    path, vocabulary, dtype, hidden_size, batch_size, configuration, extra, trains, network
):
    training = TRAINING | {"extra": extra} if trains else None
    model = make(
        vocabulary, dtype, cell=network[0], L=network[1], hidden_size=hidden_size, batch_size=batch_size,
        configuration=configuration, training=training,
    )  # fmt: skip
    write(path, model)
    assert_same(stored_network(path), model)


def test_numpy_values_and_infinity_in_documents(path):
    configuration = {"hidden_size": np.int64(2), "clip": float("inf"), "learning_rate": np.float32(0.5)}
    training = TRAINING | {"n_steps": np.int64(11), "smooth_loss": np.float32(2.5), "key": np.arange(3)}
    architecture = Architecture("rnn", 1, np.int64(H), np.int64(3), "float32")
    write(path, replace(make(configuration=configuration, training=training), architecture=architecture))
    back = stored_network(path)
    assert back.configuration == configuration
    assert back.training == TRAINING | {"n_steps": 11, "smooth_loss": 2.5, "key": [0, 1, 2]}
    assert type(back.architecture.hidden_size) is int


def test_views_of_any_order_are_written_by_value(path):
    model = make()
    views = {
        name: np.asfortranarray(w)[::-1][::-1].astype(w.dtype.newbyteorder(">")) for name, w in model.tensors.items()
    }
    assert not views["decoder.weight"].flags.c_contiguous
    write(path, replace(model, tensors=views))
    assert_same(stored_network(path), model)


def test_metadata_is_as_described(path):
    write(path, make(Vocabulary([97, 0xD800])))
    header, _ = split(path.read_bytes())
    metadata = header["__metadata__"]
    names = {"format", "format_version", "kind", "configuration", "architecture", "vocabulary", "checksum"}
    assert metadata.keys() == names
    assert metadata["format"] == "crnn"
    assert metadata["format_version"] == "2"
    assert metadata["kind"] == "network"
    assert json.loads(metadata["vocabulary"]) == {"kind": "characters", "codes": [97, 0xD800]}


def test_expected_tensors_match_pytorch():
    for cell, L in NETWORKS:
        assert shapes_of(Architecture(cell, L, 7, 11, "float32")) == torch_shapes(cell, L, 7, 11)


# --- damage


def test_truncated_at_every_byte(path, data):
    with open(path, "r+b") as stream:
        for size in reversed(range(len(data))):
            stream.truncate(size)
            with pytest.raises(ModelFileError):
                stored_network(path)


def test_renamed_and_rewritten_files(path, data):
    header, body = split(data)
    shuffled = dict(reversed(header.items())) | {
        "__metadata__": dict(reversed(header["__metadata__"].items())),
    }
    path.write_bytes(join(json.dumps(shuffled, indent=3).encode(), body))
    assert_same(stored_network(path), make(training=TRAINING))  # nothing that it says has changed
    header["rnn.bias_xx_l0"] = header.pop("rnn.bias_ih_l0")
    assert "rnn.bias_ih_l0" in refused(path, sign(header, body))


@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "num_layers", "embedding_size"])
def test_refuses_false_sizes_with_a_valid_checksum(path, data, field):
    for size in (2**31 - 1, 2**31, 2**64, 10**4299, 0, -1, True, 2.0, "2", None):
        changed = with_metadata(data, architecture=json.dumps(ARCHITECTURE | {field: size}))
        with traced_memory() as peak:
            message = refused(path, changed)
        assert len(message) < 500 + len(str(path))
        assert peak.value < 1 << 20


def test_refuses_architectures_that_do_not_match_the_tensors(path, data):
    for field, value, message in (
        ("cell", "mamba", "newer crnn"), ("cell", "lstm", "state.c"), ("cell", "gru", "bias_hn"),
        ("num_layers", 2, "l1"), ("dtype", "float64", "F32"), ("hidden_size", 3, "but its model has"),
        ("embedding_size", 2, "embedding.weight"),
    ):  # fmt: skip
        changed = with_metadata(data, architecture=json.dumps(ARCHITECTURE | {field: value}))
        assert message in refused(path, changed)


def test_json_longer_than_any_models(path, data, monkeypatch):
    (length,) = struct.unpack("<Q", data[:8])
    monkeypatch.setattr("crnn.files.tensor_file.MAX_JSON", length)
    stored_network(path)
    monkeypatch.setattr("crnn.files.tensor_file.MAX_JSON", length - 1)
    assert f"more than the {length - 1} that crnn reads" in refused(path, data)
    needed = len(json.loads(data[8 : 8 + length])["__metadata__"]["crnn"]) + 200 * len(arrays_of(data))
    monkeypatch.setattr("crnn.files.sealed_file.MAX_JSON", needed)
    write(path, make(training=TRAINING))
    monkeypatch.setattr("crnn.files.sealed_file.MAX_JSON", needed - 1)
    with pytest.raises(ModelFileError, match="bytes of JSON, more than crnn reads"):
        write(path, make(training=TRAINING))


def test_missing_and_unknown_tensors(path):
    for name in torch_shapes("gru", 2, H, 3):
        model = make(cell="gru", L=2)
        del model.tensors[name]
        with pytest.raises(ModelFileError, match=name):
            write(path, model)
    model = make()
    model.tensors["decoder.scale"] = np.ones(3, "float32")
    with pytest.raises(ModelFileError, match=r"decoder\.scale"):
        write(path, model)
    assert not path.exists()


def test_refuses_incomplete_training_tensors(path):
    for cell, name in (
        ("rnn", "state.h"), ("lstm", "state.c"), ("rnn", "optimizer.exp_avg.rnn.weight_hh_l0"),
        ("lstm", "optimizer.exp_avg_sq.rnn.weight_ih_l1"), ("gru", "optimizer.exp_avg.rnn.bias_hn_l1"),
    ):  # fmt: skip
        model = make(cell=cell, L=2, training=TRAINING | {"optimizer": "adam"})
        del model.training_tensors[name]
        with pytest.raises(ModelFileError, match=name):
            write(path, model)


def test_memory_of_an_unknown_kind_is_unknown_before_it_is_counted(path):
    # A header names as many kinds as it has bytes for; each must not be taken for one that all weights have.
    model = make(L=64, training=TRAINING)
    for i in range(3001):
        model.training_tensors[f"optimizer.{i}"] = np.zeros(1, "float32")
    with traced_memory() as peak, pytest.raises(ModelFileError, match="does not belong to its model"):
        write(path, model)
    assert peak.value < 4 << 20


def test_optimizer_without_memory(path):
    model = make(training=TRAINING)
    model = replace(model, training_tensors={"state.h": model.training_tensors["state.h"]})
    write(path, model)
    assert_same(stored_network(path), model)


# --- any bytes at all: fuzz/mutated_files.py changes files of every kind at random


def one_change(content, header, body):
    """Yield what one change of a file's structure makes of it, each with a word of the message."""
    name = "decoder.bias"
    entry = header[name]
    yield "damaged", content + b"\0"
    yield "too short (7 bytes)", bytes(7)
    yield "longer than the file", struct.pack("<Q", len(content) - 7) + content[8:]
    yield "cannot be read as JSON", struct.pack("<Q", len(content) - 8) + content[8:]
    yield "cannot be read as JSON", join(json.dumps(header).encode()[:-1] + b', "training": 1}', body)
    yield "metadata of strings", join({"__metadata__": {"a": 1}}, b"")
    yield f"have {len(body)} bytes, but {len(body) + 1} bytes follow", join(header, body + b"\0")
    yield "overlap", sign(header | {"rnn.bias_ih_l0": header["rnn.bias_hh_l0"]}, body)
    swapped = {"rnn.bias_ih_l0": header["rnn.bias_hh_l0"], "rnn.bias_hh_l0": header["rnn.bias_ih_l0"]}
    yield "checksum", join(header | swapped, body)
    for change in ({"shape": [3, -1]}, {"shape": 3}, {"dtype": ["F32"]}, {"dtype": "BF16"}, {"more": 1},
                   {"shape": [1] * 8 + [3]}, {"shape": [0, 2**48], "data_offsets": [0, 0]}):  # fmt: skip
        yield "impossible tensor", join(header | {name: entry | change}, body)
    yield "but its model has", join(header | {name: entry | {"shape": [1] * 7 + [3]}}, body)
    yield "do not fit their shapes", join(header | {name: entry | {"shape": [0, 2**48 - 1]}}, body)
    listed = {"training": header["training"] | {"shape": [1, *header["training"]["shape"]]}}
    yield "its tensor 'training' is U8 (1, ", join(header | listed, body)
    yield "do not fit their shapes", join(header | {name: entry | {"data_offsets": [0, 11]}}, body)
    for places in ([False, 12], None, [0], [0.0, 12.0], ["0", "12"], [-12, 0]):
        yield "impossible tensor", join(header | {name: entry | {"data_offsets": places}}, body)
    for key in ("configuration", "architecture", "vocabulary", "checksum", "format_version"):
        metadata = {other: value for other, value in header["__metadata__"].items() if other != key}
        yield key.partition("_")[2] or key, join(header | {"__metadata__": metadata}, body)


def test_one_change_of_the_structure_is_named(path, data):
    for word, changed in one_change(data, *split(data)):
        assert word in refused(path, changed)


# --- the file system


def test_loading_copies_no_tensor(path):
    V, hidden_size = 3, 499
    write(path, make(Vocabulary.from_text("abc"), hidden_size=hidden_size))
    size = 4 * hidden_size * (hidden_size + 2 * V)
    stored_network(path)  # imports what it needs
    with traced_memory() as peak:
        model = stored_network(path)
    assert size < peak.value < 1.3 * size  # a byte for each number, too, when they are checked to be finite
    assert len(model.tensors) == 6


@pytest.mark.parametrize("change", ["shorter", "longer", "other", "replaced"])
def test_a_file_that_changes_while_it_is_read(path, data, change, monkeypatch):
    """It is read, not mapped: bytes that are gone are an error, no signal."""
    read_tensors = sealed_file.read_tensors

    def late(stream, header):
        with open(path, "r+b") as other:
            if change == "shorter":
                other.truncate(len(data) // 2)
            elif change == "longer":
                other.seek(0, 2)
                other.write(b"more")
            elif change == "replaced":
                other.truncate(0)
                other.write(file_bytes({}, {}))
            else:
                other.seek(len(data) - 99)
                other.write(bytes(99))
        return read_tensors(stream, header)

    monkeypatch.setattr(sealed_file, "read_tensors", late)
    monkeypatch.setattr("builtins.open", partial(open, buffering=0))
    message = "checksum" if change == "other" else "it changed while it was being read"
    with pytest.raises(ModelFileError, match=message):
        stored_network(path)


# --- memory

MEASURE = """
import os, sys
from crnn import CharRNN, ModelFileError
def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) * 1024
CharRNN.load(sys.argv[1])  # a small model: what a first call imports is there
for path in sys.argv[2:]:
    if os.fork():
        assert os.wait()[1] == 0
        continue
    before = peak()
    try:
        CharRNN.load(path)
    except ModelFileError:
        pass
    print(peak() - before, flush=True)
    os._exit(0)
"""


def peaks_of_loading(paths, small):
    """Return for each file by how many bytes a process grows at most while it loads the file."""
    result = subprocess.run([sys.executable, "-c", MEASURE, small, *paths], capture_output=True, text=True, check=True)
    return list(map(int, result.stdout.split()))


HOSTILE_JSON = 150 << 20  # what 4 MB of JSON can take


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak as Linux counts it")
def test_loading_takes_at_most_three_times_the_file(tmp_path):
    write(tmp_path / "small", make(training=TRAINING))
    paths = [tmp_path / name for name in ["document", "header", "vocabulary", "weights"]]
    for path in paths:
        write_hostile(path)
    for path, peak in zip(paths, peaks_of_loading(paths, tmp_path / "small"), strict=True):
        size = path.stat().st_size
        limit = HOSTILE_JSON if path.name in ("document", "header") else 3 * size + (16 << 20)
        assert peak <= limit, f"{path.name}: {peak:,} bytes for a file of {size:,}"


def write_hostile(path):
    """Write a file that is large in the part that it is named after."""
    name = path.name
    if name == "header":
        path.write_bytes(join(b'{"__metadata__":{},' + b'"a":[[],[],[]],' * 250_000, b""))
    elif name == "vocabulary":
        write(path, make(Vocabulary(np.arange(0x10FFFF)), hidden_size=1))
    elif name == "weights":
        write(path, make(cell="lstm", hidden_size=701, training=TRAINING | {"optimizer": "adam"}))
    else:
        write(path, make(training=TRAINING))
        content = path.read_bytes()
        tensors = arrays_of(content)
        tensors["training"] = np.frombuffer(
            json.dumps(TRAINING | {"history": [], "more": [[]] * 1_000_000}).encode(), np.uint8
        )
        path.write_bytes(sign(*split(file_bytes(split(content)[0]["__metadata__"], tensors))))


# --- what its entries imply, and the values of its tensors


BY_ADAM = {"n_steps": 7, "optimizer": "adam", "optimizer_start": 3}


def entries(**change):
    """Return the entries of a small network."""
    return {"architecture": ARCHITECTURE | change, "vocabulary": Vocabulary.from_text("abc")}


def raises(fault):
    """Expect an error of the file with these words, or none."""
    return nullcontext() if fault is None else pytest.raises(ModelFileError, match="^" + re.escape(fault))


def test_the_training_state_of_an_optimizer():
    lacks = "its training has the optimizer adam, but its tensors lack that optimizer's arrays"
    for arrays, fault in (
        ((), None), (("exp_avg", "exp_avg_sq"), None), (("exp_avg",), lacks), (("exp_avg", "exp_avg_sq", "sum"), lacks),
        (("exp_avg", "exp_avg_sq", "unknown"), None),  # refused as a tensor, see `expected_tensors`
    ):  # fmt: skip
        with raises(fault):
            network_contents.check_training(
                BY_ADAM, ["state.h", *(f"optimizer.{name}.decoder.bias" for name in arrays)]
            )
    for start, fault in ((0, None), (7, None), (8, "its training has an optimizer_start outside its steps")):
        with raises(fault):
            network_contents.check_training(BY_ADAM | {"optimizer_start": start}, ())


VALUES = [
    ("decoder.bias", -1, None), ("decoder.bias", np.inf, "NaN or infinity"),
    ("best.decoder.bias", np.nan, "NaN or infinity"), ("state.h", -np.inf, "NaN or infinity"),
    ("optimizer.sum.decoder.bias", np.inf, None), ("optimizer.sum.decoder.bias", np.nan, "NaN or infinity"),
    ("optimizer.sum.decoder.bias", -1, "a negative number"), ("optimizer.exp_avg.decoder.bias", -1, None),
    ("best.optimizer.exp_avg_sq.decoder.bias", np.inf, None),
    ("best.optimizer.exp_avg_sq.decoder.bias", -1, "a negative number"),
    ("gradient_rms", 0, None), ("gradient_rms", -1, "a negative number"), ("gradient_rms", np.inf, "NaN or infinity"),
    ("run.losses", np.nan, None),
]  # fmt: skip
LARGEST_SCALE = np.finfo(np.float32).max / 127
SCALE = "an invalid scale: each is 0, "
SCALES = [
    *((scale, None) for scale in (0, SMALLEST_SCALE, 1, LARGEST_SCALE)), (-1, SCALE), (np.nan, "NaN"),
    (np.nextafter(np.float32(SMALLEST_SCALE), 0), SCALE), (np.nextafter(LARGEST_SCALE, np.float32(np.inf)), SCALE),
]  # fmt: skip


def test_values_of_tensors_are_checked():
    for name, value, fault in VALUES:
        with raises(fault and f"its tensor {name!r} contains {fault}"):
            check_values({name: np.array([1, value, 2], np.float32)})
        check_values({name: np.zeros(0, np.float32)})
    for scale, fault in SCALES:
        with raises(fault and f"its tensor 'a.scale' contains {fault}"):
            check_values({"a": np.ones((3, 2), np.int8), "a.scale": np.array([1, scale, 2], np.float32)})
    for value, fault in ((-128, "-128, which is not a valid 8-bit weight"), (-127, None), (0, None), (127, None)):
        with raises(fault and f"its tensor 'a' contains {fault}"):
            check_values({"a": np.array([[1, value]], np.int8), "a.scale": np.ones(1, np.float32)})
        check_values({"a": np.array([[1, value]], np.int8)})  # without scales they are not weights


def test_record_names_are_checked():
    for name, fits in (
        ("a", True), ("A-b_c.9", True), ("a" * 100, True), ("a" * 101, False), ("", False), ("a b", False),
        ("é", False),
    ):  # fmt: skip
        assert is_record_name(name) == fits, name


def test_refuses_entries_that_contradict_one_another():
    for name in ("best.decoder.bias", "optimizer.sum.decoder.bias", "run.order"):
        with raises(f"it has a tensor '{name}', but its 8-bit weights cannot be trained"):
            expected_tensors(entries(int8=True), {name: Declared("F32", (3,))})
    with raises("its architecture has int8, but its dtype is not float32"):
        expected_tensors(entries(int8=True, dtype="float64"), {})
    with raises("its vocabulary has 3 symbols, but its architecture 4"):
        expected_tensors(entries(vocab_size=4), {})


def test_matrices_of_8_bits_have_a_scale_for_each_output():
    expected = expected_tensors(entries(int8=True), {})
    assert expected["decoder.weight"] == Declared("I8", (3, 2))
    assert expected["decoder.weight.scale"] == Declared("F32", (3,))
    assert expected["decoder.bias"] == Declared("F32", (3,))


def test_the_last_symbols_read_are_integers():
    declared = {"training": Declared("U8", (11,)), "state.h": Declared("F32", (1, 7, 2)), "best": Declared("U8", (5,))}
    expected = expected_tensors(entries(n_pairs=5), declared)
    assert expected["state.symbol"] == expected["best.state.symbol"] == Declared("I32", (1, 7, 1))
    assert expected["state.h"] == Declared("F32", (1, 7, 2))
    assert expected["bigrams.pairs"] == Declared("I32", (5, 2))
    assert "best.bigrams.pairs" not in expected


def test_matrices_are_scaled_by_output():
    weights = np.array([[127, -3, 5], [-127, 0, 9]], np.float32)
    tensors = {
        "decoder.weight": weights * np.array([[0.5], [2]], np.float32),
        "embedding.weight": weights * np.array([1, 0.25, 4], np.float32),
        "decoder.bias": np.array([0.3, 0.7], np.float32),
    }
    scales = {"decoder.weight": np.array([0.5, 2], np.float32), "embedding.weight": np.array([1, 0.25, 4], np.float32)}
    small = int8_tensors(tensors, scales)
    assert small["decoder.weight"].dtype == small["embedding.weight"].dtype == np.int8
    np.testing.assert_array_equal(small["decoder.weight"], weights)
    np.testing.assert_array_equal(small["embedding.weight"], weights)
    floats, found = float_tensors(small)
    assert floats.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(floats[name], array)
    assert found.keys() == scales.keys()
    for name, array in scales.items():
        np.testing.assert_array_equal(found[name], array)


def test_pairs_of_seven_symbols():
    invalid, twice = "its bigrams.pairs contains an invalid pair of symbols", "its bigrams.pairs contains a pair twice"
    for pairs, fault in (
        ([[0, 6], [6, 0], [3, 3]], None), ([[0, 6], [-1, -1], [-1, -1]], None), ([[0, 7]], invalid),
        ([[7, 0]], invalid), ([[0, 1], [-1, 0]], invalid), ([[0, 1], [0, -1]], invalid), ([[-2, -2]], invalid),
        ([[3, 2], [2, 3], [3, 2]], twice),
    ):  # fmt: skip
        with raises(fault):
            check_pairs(np.array(pairs, np.int32), 7)


def test_a_text_may_have_had_fewer_pairs():
    for configuration, limit in (({}, 2), ({"n_bigrams": 5}, 5), ({"n_bigrams": 1}, 2), ({"n_bigrams": 5.0}, 2)):
        found = symbol_pairs(np.array([[0, 1], [1, 0]], np.int32), configuration)
        assert (found.limit, found.pairs.tolist()) == (limit, [[0, 1], [1, 0]])
    assert symbol_pairs(None, {"n_bigrams": 5}) is None
    assert "bigrams.pairs" not in expected_tensors(entries(), {})
