"""Checks of a network's file: what its entries imply, and the values of its tensors."""

import re
from contextlib import nullcontext

import numpy as np
import pytest

from crnn import ModelFileError
from crnn.files import network_file
from crnn.files.network_file import (
    check_pairs,
    check_values,
    expected_tensors,
    float_tensors,
    int8_tensors,
    is_record_name,
    symbol_pairs,
)
from crnn.files.sealed_file import Declared
from crnn.model.int8_weights import SMALLEST_SCALE
from crnn.text.vocabulary import Vocabulary

TRAINING = {"n_steps": 7, "optimizer": "adam", "optimizer_start": 3}
ARCHITECTURE = {"cell": "rnn", "num_layers": 1, "hidden_size": 2, "vocab_size": 3, "dtype": "float32"}


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
            network_file.check_training(TRAINING, ["state.h", *(f"optimizer.{name}.decoder.bias" for name in arrays)])
    for start, fault in ((0, None), (7, None), (8, "its training has an optimizer_start outside its steps")):
        with raises(fault):
            network_file.check_training(TRAINING | {"optimizer_start": start}, ())


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
        check_values({"a": np.array([[1, value]], np.int8)})  # without scales they are no weights


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
