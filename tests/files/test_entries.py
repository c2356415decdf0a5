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
from crnn.files.network_tensors import generator_from_bits
from crnn.parameters.checks import pcg64_generator
from crnn.text.vocabulary import Vocabulary

GONE = object()  # in place of a field's value
KIND = "kind must be one of 'characters', 'bytes', not "
CODES = "codes must be a list of integers, not "
LABELS = "labels must be sorted words or numbers of one type, not "
FINITE = "smooth_loss must be a finite number"
COUNTERS = {"n_steps": 7, "smooth_loss": 27.5}
DOCUMENTS = {
    "vocabulary": {"kind": "characters", "codes": [97, 98], "boundary": True},
    "best": COUNTERS,
    "training": {**COUNTERS, "loss_length": 25, "random_state": None, "optimizer": "adam", "optimizer_start": 0,
                 "history": []},
    "architecture": {"cell": "rnn", "num_layers": 1, "hidden_size": 2, "vocab_size": 3, "dtype": "float32"},
}  # fmt: skip
# What is changed in a good document, and how the fault that is found begins.
CHANGES = {
    "vocabulary": [
        ({}, None), ({"labels": [1, 2, 3]}, None), ({"labels": []}, None),
        ({"more": 1}, "vocabulary has an unknown field 'more'"),
        *(({"kind": kind}, KIND) for kind in (None, 3, "words")),
        *(({"codes": codes}, CODES) for codes in ({"97": 98}, [97, 98.0], [True, 98])),
        ({"codes": [98, 97]}, "codes must be strictly increasing"),
        *(({"codes": codes}, "code") for codes in ([97, 0x110000], [97, 10**30])),
        ({"unknown": False}, "unknown must be true, not False"), ({"unknown": 1}, "unknown must be true, not 1"),
        ({"boundary": None}, "boundary must be true, not None"),
        *(({"labels": labels}, LABELS) for labels in (
            "ab", {"a": 1}, None, ["b", "a"], ["a", "a"], ["a", 1], [1, 2.5], [False, 1], [["a"]], [None])),
        ({"codes": GONE}, "vocabulary has no codes"), ({"kind": GONE}, "vocabulary has no kind"),
        ({"labels": ["a"], "boundary": GONE}, "vocabulary has labels, but no boundary"),
    ],
    "best": [({"more": 1}, "best has an unknown field 'more'"), ({"n_steps": GONE}, "best has no n_steps")],
    "training": [
        ({}, None), ({"more": 1}, None), ({"optimizer_start": 3}, None), ({"loss_length": 1}, None),
        ({"optimizer_start": -1}, "optimizer_start must be a whole number"),
        ({"loss_length": 2**31 - 1}, None), ({"loss_length": 2**31}, "loss_length must be at most"),
        *(({"loss_length": length}, "loss_length must be a whole number") for length in (0, None)),
        ({"random_state": {}}, "random_state is not a valid state of NumPy's PCG64"),
        ({"optimizer": "lion"}, "optimizer must be one of adagrad, rmsprop, adam (others need a newer crnn)"),
        ({"optimizer": ["adam"]}, "optimizer must be one of"),
        *(({"history": history}, "history must be a list of records") for history in ({}, [1])),
        *(({name: GONE}, f"training has no {name}") for name in DOCUMENTS["training"]),
    ],
    "architecture": [
        ({}, None), ({"num_layers": 64, "hidden_size": 1, "vocab_size": 2**31 - 1}, None), ({"int8": True}, None),
        ({"embedding_size": 1, "n_pairs": 2**31 - 1}, None), ({"dtype": "float64"}, None),
        ({"cell": "mamba"}, "cell must be one of rnn, gru, lstm, cifg (others need a newer crnn), not 'mamba'"),
        ({"cell": 3}, "cell must be one of"), ({"num_layers": 65}, "num_layers must be at most 64"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1"),
        *(({name: size}, f"{name} must be ")
          for name in ("hidden_size", "vocab_size", "embedding_size", "n_pairs") for size in (0, 2**31, 2.0, True)),
        ({"n_pairs": None}, "n_pairs must be"), ({"dtype": "float16"}, "dtype must be one of 'float32', 'float64'"),
        ({"int8": False}, "int8 must be true"), ({"int8": 1}, "int8 must be true"),
        ({"more": 1}, "architecture has an unknown field 'more'"), ({"dtype": GONE}, "architecture has no dtype"),
    ],
}  # fmt: skip
# The counters stand in two entries.
OF_COUNTERS = [
    ({"n_steps": 0, "smooth_loss": -0.5}, None), ({"n_steps": 2**62}, None),
    ({"n_steps": 2**62 + 1}, "n_steps must be at most"),
    *(({"n_steps": n}, "n_steps must be a whole number") for n in (-1, True, 7.0)),
    *(({"smooth_loss": loss}, None) for loss in (10**308, sys.float_info.max, -sys.float_info.max)),
    *(({"smooth_loss": loss}, FINITE) for loss in (10**309, -(10**309), float("nan"), float("inf"), "low")),
]  # fmt: skip


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
def test_no_entry_is_of_another_form(name):
    for document in (None, 3, "x", [[]], [3], True, float("nan"), [{}]):
        assert fault_of(name, document) is not None, document
    with pytest.raises(ModelFileError, match=f"^it has no {name}$"):
        read_entry(name, None)


@pytest.mark.parametrize("name", CHANGES)
def test_faults_of_entries_are_named(name):
    changes = CHANGES[name] + OF_COUNTERS * (name in ("best", "training"))
    if name == "vocabulary":
        assert fault_of(name, []).startswith("vocabulary must be a JSON object, not ")
    for change, fault in changes:
        document = {key: value for key, value in (DOCUMENTS[name] | change).items() if value is not GONE}
        found = fault_of(name, document)
        assert found is None if fault is None else found.startswith(fault), (change, found)


def test_documents_are_plain_json():
    values = {"a": np.float32(0.5), "b": np.longdouble(0.5), "c": np.array([2, 3]), "d": {"e": np.bool_(True)}}
    assert json.loads(plain_json(values)) == {"a": 0.5, "b": 0.5, "c": [2, 3], "d": {"e": True}}
    with pytest.raises(TypeError, match="a model file cannot store"):
        plain_json({"a": 1j})
    document = {}
    document["itself"] = document
    with pytest.raises(ModelFileError, match="a value cannot be stored"):
        plain_json(document)


def test_text_that_is_not_plain_json_or_too_long_is_refused():
    for text in (b"{", b"[" * 10**5, b'{"a": 1, "a": 2}', b"\xff", "\u00e9", b"9" * 5000):
        with pytest.raises(ModelFileError, match="its list cannot be read as JSON"):
            read_json(text, "list")
    assert read_json(b"[" + b" " * (MAX_JSON - 2) + b"]", "list") == []
    with pytest.raises(ModelFileError, match=f"its list has {MAX_JSON + 1} bytes, more than the {MAX_JSON}"):
        read_json(b"[" + b" " * (MAX_JSON - 1) + b"]", "list")


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
    found = read_entry("vocabulary", plain_json(vocabulary_document(vocabulary)))
    assert (found, list(found.labels)) == (vocabulary, list(vocabulary.labels))
    assert labels_are_sorted(list(vocabulary.labels))
    assert not labels_are_sorted([float("nan"), 1.0])


def test_a_loss_that_is_a_whole_number_is_a_float():
    assert repr(read_entry("best", '{"n_steps": 7, "smooth_loss": 12}')["smooth_loss"]) == "12.0"


# --------------------------------------------------------------- random states


@pytest.fixture
def generator():
    generator = np.random.default_rng(3)
    generator.random(5, np.float32)  # an odd number of halves: one is kept
    return generator


@pytest.fixture
def state(generator):
    return json.loads(plain_json(generator.bit_generator.state))


def random_fault(state):
    """Return why a random state is refused, or None."""
    return fault_of("training", DOCUMENTS["training"] | {"random_state": state})


def test_stored_generator_continues(generator, state):
    assert random_fault(state) is None
    again = generator_from_bits(state)
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


def test_random_states_with_a_fault(state):
    changes = [{"more": 0}, {"state": [1]}, {"state": {}}, {"bit_generator": "MT19937"}, {"bit_generator": ["PCG64"]}]
    lacking = [{key: value for key, value in state.items() if key != name} for name in state]
    for wrong in [*(state | change for change in changes), *lacking, []]:
        assert "PCG64" in random_fault(wrong), wrong


def test_a_generator_of_another_kind_seeds_a_pcg64():
    own = np.random.default_rng(3)
    assert pcg64_generator(own) is own
    first, second = (pcg64_generator(np.random.Generator(np.random.MT19937(3))) for _ in range(2))
    assert isinstance(first.bit_generator, np.random.PCG64)
    assert first.random() == second.random()
