"""The entries of model files: they come back, and documents that describe none are refused."""

import json
import sys

import numpy as np
import pytest

from crnn import ModelFileError
from crnn.files.entries import (
    ENTRIES,
    KINDS,
    MAX_JSON,
    WITH_DETECTOR,
    labels_are_sorted,
    plain_json,
    read_entry,
    read_json,
    vocabulary_document,
)
from crnn.files.network_file import restored_generator
from crnn.parameters.checks import pcg64_generator
from crnn.text.vocabulary import Vocabulary

OBJECT = "vocabulary must be a JSON object, not "
KIND = "kind must be one of 'characters', 'bytes', not "
CODES = "codes must be a list of integers, not "
LABELS = "labels must be sorted words or numbers of one type, not "
COUNTERS = {"n_steps": 7, "smooth_loss": 27.5}
TRAINING = COUNTERS | {
    "loss_length": 25, "random_state": None, "optimizer": "adam", "optimizer_start": 3, "history": [],
}  # fmt: skip
ARCHITECTURE = {"cell": "rnn", "num_layers": 1, "hidden_size": 2, "vocab_size": 3, "dtype": "float32"}


def fault_of(name, document):
    """Return what is wrong with an entry, or None."""
    try:
        read_entry(name, json.dumps(document))
    except ModelFileError as error:
        return str(error).removeprefix(f"its {name} cannot be used: ")
    return None


def test_every_kind_has_entries_of_the_table():
    assert {entry for kind in KINDS.values() for entry in kind.entries} <= ENTRIES.keys()
    assert set(WITH_DETECTOR) < KINDS.keys()


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("document", [None, 3, "x", [[]], [3], True, float("nan"), [{}]])
def test_no_entry_is_of_another_form(name, document):
    assert fault_of(name, document) is not None
    with pytest.raises(ModelFileError, match=f"^it has no {name}$"):
        read_entry(name, None)


@pytest.mark.parametrize(("document", "plain"), [
    (np.float32(0.5), 0.5), (np.longdouble(0.5), 0.5), (np.array([2, 3]), [2, 3]), ({"a": np.bool_(True)}, {"a": True}),
])  # fmt: skip
def test_numbers_of_numpy_are_plain_json(document, plain):
    assert json.loads(plain_json(document)) == plain


def test_documents_that_cannot_be_stored():
    with pytest.raises(TypeError, match="a model file cannot store"):
        plain_json({"a": 1j})
    document = {}
    document["itself"] = document
    with pytest.raises(ModelFileError, match="a value cannot be stored"):
        plain_json(document)


@pytest.mark.parametrize("text", [b"{", b"[" * 10**5, b'{"a": 1, "a": 2}', b"\xff", "\u00e9", b"9" * 5000])
def test_refuses_text_that_is_not_plain_json(text):
    with pytest.raises(ModelFileError, match="its list cannot be read as JSON"):
        read_json(text, "list")


def test_refuses_long_json():
    assert read_json(b"[" + b" " * (MAX_JSON - 2) + b"]", "list") == []
    with pytest.raises(ModelFileError, match=f"its list has {MAX_JSON + 1} bytes, more than the {MAX_JSON}"):
        read_json(b"[" + b" " * (MAX_JSON - 1) + b"]", "list")


# ------------------------------------------------------------------ vocabulary


@pytest.mark.parametrize(
    "vocabulary",
    [
        Vocabulary([0, 97, 0x10FFFF]),
        Vocabulary([0, 255], "bytes", unknown=True),
        Vocabulary([], boundary=True),
        Vocabulary([97], boundary=True, unknown=True, labels=["", "a\0b"]),
        Vocabulary([97], boundary=True, labels=[False, True]),
        Vocabulary([97], boundary=True, labels=[-1.5, 2.0]),
    ],
    ids=repr,
)
def test_vocabularies_come_back(vocabulary):
    assert read_entry("vocabulary", plain_json(vocabulary_document(vocabulary))) == vocabulary


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"labels": [1, 2, 3]}, None),
        ({"labels": []}, None),
        ({"more": 1}, "vocabulary has an unknown field 'more'"),
        ({"kind": None}, KIND),
        ({"kind": 3}, KIND),
        ({"codes": {"97": 98}}, CODES),
        ({"codes": [97, 98.0]}, CODES),
        ({"codes": [True, 98]}, CODES),
        ({"unknown": False}, "unknown must be true, not False"),
        ({"unknown": 1}, "unknown must be true, not 1"),
        ({"boundary": None}, "boundary must be true, not None"),
        ({"labels": "ab"}, LABELS),
        ({"labels": {"a": 1}}, LABELS),
        ({"labels": None}, LABELS),
        ({"labels": ["b", "a"]}, LABELS),
        ({"labels": ["a", "a"]}, LABELS),
        ({"labels": ["a", 1]}, LABELS),
        ({"labels": [1, 2.5]}, LABELS),
        ({"labels": [False, 1]}, LABELS),
        ({"labels": [["a"]]}, LABELS),
        ({"labels": [None]}, LABELS),
        ({"kind": "words"}, KIND),
        ({"codes": [98, 97]}, "codes must be strictly increasing"),
        ({"codes": [97, 0x110000]}, "code"),
        ({"codes": [97, 10**30]}, "code"),
    ],
)
def test_faults_of_vocabularies_are_named(change, fault):
    text = json.dumps({"kind": "characters", "codes": [97, 98], "boundary": True} | change)
    if fault is None:
        assert list(read_entry("vocabulary", text).labels) == change.get("labels", [])
        return
    with pytest.raises(ModelFileError) as caught:
        read_entry("vocabulary", text)
    assert str(caught.value).startswith(f"its vocabulary cannot be used: {fault}")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], OBJECT),
        ("kind", OBJECT),
        ({"kind": "bytes"}, "vocabulary has no codes"),
        ({"codes": [97]}, "vocabulary has no kind"),
        ({"kind": "bytes", "codes": [97], "labels": ["a"]}, "vocabulary has labels, but no boundary"),
    ],
)
def test_documents_that_lack_something(document, fault):
    with pytest.raises(ModelFileError) as caught:
        read_entry("vocabulary", json.dumps(document))
    assert str(caught.value).startswith(f"its vocabulary cannot be used: {fault}")


def test_labels_of_no_kind_are_sorted():
    assert labels_are_sorted([])
    assert not labels_are_sorted([float("nan"), 1.0])


# -------------------------------------------------------------------- training


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"n_steps": 0, "smooth_loss": -0.5}, None),
        ({"n_steps": 2**62}, None),
        ({"n_steps": 2**62 + 1}, "n_steps must be at most"),
        ({"n_steps": -1}, "n_steps must be a whole number"),
        ({"n_steps": True}, "n_steps must be a whole number"),
        ({"n_steps": 7.0}, "n_steps must be a whole number"),
        ({"smooth_loss": 10**308}, None),
        ({"smooth_loss": sys.float_info.max}, None),
        ({"smooth_loss": -sys.float_info.max}, None),
        ({"smooth_loss": 10**309}, "smooth_loss must be a finite number"),
        ({"smooth_loss": -(10**309)}, "smooth_loss must be a finite number"),
        ({"smooth_loss": float("nan")}, "smooth_loss must be a finite number"),
        ({"smooth_loss": float("inf")}, "smooth_loss must be a finite number"),
        ({"smooth_loss": "low"}, "smooth_loss must be a finite number"),
        ({"more": 1}, "best has an unknown field 'more'"),
    ],
)
def test_counter_faults_are_named(change, fault):
    found = fault_of("best", COUNTERS | change)
    assert found is None if fault is None else found.startswith(fault)
    if "more" not in change:
        found = fault_of("training", TRAINING | {"optimizer_start": 0} | change)
        assert found is None if fault is None else found.startswith(fault)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"more": 1}, None),
        ({"optimizer_start": 0}, None),
        ({"optimizer_start": -1}, "optimizer_start must be a whole number"),
        ({"loss_length": 1}, None),
        ({"loss_length": 2**31 - 1}, None),
        ({"loss_length": 2**31}, "loss_length must be at most"),
        ({"loss_length": 0}, "loss_length must be a whole number"),
        ({"loss_length": None}, "loss_length must be a whole number"),
        ({"random_state": {}}, "random_state is not a valid state of NumPy's PCG64"),
        (
            {"optimizer": "lion"},
            "optimizer must be one of adagrad, rmsprop, adam (others need a newer crnn)",
        ),
        ({"optimizer": ["adam"]}, "optimizer must be one of"),
        ({"history": {}}, "history must be a list of records"),
        ({"history": [1]}, "history must be a list of records"),
    ],
)
def test_faults_of_the_training_state_are_named(change, fault):
    found = fault_of("training", TRAINING | change)
    assert found is None if fault is None else found.startswith(fault)


@pytest.mark.parametrize("name", TRAINING)
def test_the_training_state_has_all_fields(name):
    lacking = {key: value for key, value in TRAINING.items() if key != name}
    assert fault_of("training", lacking) == f"training has no {name}"


def test_a_loss_that_is_a_whole_number_is_a_float():
    assert repr(read_entry("best", '{"n_steps": 7, "smooth_loss": 12}')["smooth_loss"]) == "12.0"


@pytest.fixture
def generator():
    generator = np.random.default_rng(3)
    generator.random(5, np.float32)  # an odd number of halves: one is kept
    return generator


def random_fault(state):
    """Return why a random state is refused, or None."""
    return fault_of("training", TRAINING | {"random_state": state})


@pytest.fixture
def state(generator):
    return json.loads(plain_json(generator.bit_generator.state))


def test_stored_generator_continues(generator, state):
    assert random_fault(state) is None
    again = restored_generator(state)
    np.testing.assert_array_equal(again.random(7, np.float32), generator.random(7, np.float32))
    np.testing.assert_array_equal(again.integers(2**40, size=7), generator.integers(2**40, size=7))


COUNTS = {"state": 2**128, "inc": 2**128, "has_uint32": 2, "uinteger": 2**32}  # of the values each number may have


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_in_and_out_of_range(state, name):
    holder = state["state"] if name in ("state", "inc") else state
    for value in (COUNTS[name] - 1, 1):
        holder[name] = value
        assert random_fault(state) is None
    wrong = [-1, COUNTS[name], COUNTS[name] + 1, 1.0, True, "1", None, []]
    for value in [*wrong, 2] if name == "inc" else wrong:  # an increment is odd
        holder[name] = value
        assert "PCG64" in random_fault(state)


@pytest.mark.parametrize("change", [{"more": 0}, {"state": [1]}, {"state": {}}, {"bit_generator": "MT19937"},
                                    {"bit_generator": ["PCG64"]}])  # fmt: skip
def test_fields_with_a_fault(state, change):
    assert "PCG64" in random_fault(state | change)
    for name in state:
        assert "PCG64" in random_fault({key: value for key, value in state.items() if key != name})
    assert "PCG64" in random_fault([])


def test_a_generator_of_another_kind_seeds_a_pcg64():
    own = np.random.default_rng(3)
    assert pcg64_generator(own) is own
    first, second = (pcg64_generator(np.random.Generator(np.random.MT19937(3))) for _ in range(2))
    assert isinstance(first.bit_generator, np.random.PCG64)
    assert first.random() == second.random()


# ---------------------------------------------------------------- architecture


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"num_layers": 64, "hidden_size": 1, "vocab_size": 2**31 - 1}, None),
        ({"embedding_size": 1, "n_pairs": 2**31 - 1}, None),
        ({"int8": True}, None),
        ({"dtype": "float64"}, None),
        ({"cell": "mamba"}, "cell must be one of rnn, gru, lstm, cifg (others need a newer crnn), not 'mamba'"),
        ({"cell": 3}, "cell must be one of"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1"),
        ({"num_layers": 65}, "num_layers must be at most 64"),
        *(({name: size}, f"{name} must be ")
          for name in ("hidden_size", "vocab_size", "embedding_size", "n_pairs") for size in (0, 2**31, 2.0, True)),
        ({"n_pairs": None}, "n_pairs must be"),
        ({"dtype": "float16"}, "dtype must be one of 'float32', 'float64'"),
        ({"int8": False}, "int8 must be true"),
        ({"int8": 1}, "int8 must be true"),
        ({"more": 1}, "architecture has an unknown field 'more'"),
    ],
)  # fmt: skip
def test_faults_of_architectures_are_named(change, fault):
    found = fault_of("architecture", ARCHITECTURE | change)
    assert found is None if fault is None else found.startswith(fault)
    lacking = {name: value for name, value in ARCHITECTURE.items() if name != "dtype"}
    assert fault_of("architecture", lacking) == "architecture has no dtype"
