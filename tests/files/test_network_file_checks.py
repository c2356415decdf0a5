"""Checks of a file's documents and tensors, before anything of their size is made."""

import sys

import numpy as np
import pytest

from crnn.files.container import Declared
from crnn.files.network_file_checks import (
    Architecture,
    architecture_fault,
    best_fault,
    counter_fault,
    expected_tensors,
    record_name,
    tensor_fault,
    training_fault,
    value_fault,
)
from crnn.model.state import WEIGHT_AVERAGE

COUNTERS = {"n_steps": 7, "smooth_loss": 27.5}
TRAINING = COUNTERS | {"loss_length": 25, "random_state": None, "optimizer": "adam", "optimizer_start": 3}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"n_steps": 0, "smooth_loss": -0.5}, None),
        ({"n_steps": 2**62}, None),
        ({"n_steps": 2**62 + 1}, "an invalid n_steps"),
        ({"n_steps": -1}, "an invalid n_steps"),
        ({"n_steps": True}, "no n_steps or smooth_loss, or one of the wrong type"),
        ({"smooth_loss": 10**308}, None),
        ({"smooth_loss": sys.float_info.max}, None),
        ({"smooth_loss": -sys.float_info.max}, None),
        ({"smooth_loss": 10**309}, "a smooth_loss that is not finite"),
        ({"smooth_loss": -(10**309)}, "a smooth_loss that is not finite"),
        ({"smooth_loss": float("nan")}, "a smooth_loss that is not finite"),
        ({"n_steps": 7.0}, "no n_steps or smooth_loss, or one of the wrong type"),
        ({"smooth_loss": "low"}, "no n_steps or smooth_loss, or one of the wrong type"),
        ({"smooth_loss": float("inf")}, "a smooth_loss that is not finite"),
    ],
)
def test_counter_faults_are_named(change, fault):
    assert counter_fault("best", COUNTERS | change) == (fault and f"its best has {fault}")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"optimizer_start": 7}, None),
        ({"optimizer_start": 8}, "its training has an optimizer_start outside its steps"),
        ({"optimizer_start": 0}, None),
        ({"optimizer_start": -1}, "its training has an optimizer_start outside its steps"),
        ({"loss_length": 1}, None),
        ({"loss_length": 2**31 - 1}, None),
        ({"loss_length": 2**31}, "its training has an invalid loss_length"),
        ({"loss_length": 0}, "its training has an invalid loss_length"),
        ({"loss_length": None}, "its training has no loss_length, or one of the wrong type"),
        ({"n_steps": -1}, "its training has an invalid n_steps"),
        ({"random_state": {}}, "its random state is not a valid state of NumPy's PCG64"),
        ({"optimizer": "lion"},
         "its training has an optimizer that is not one of adagrad, rmsprop, adam, or needs a newer crnn"),
    ],
)  # fmt: skip
def test_training_without_a_generator(change, fault):
    assert training_fault(TRAINING | change, ()) == fault


def test_refuses_non_object_training():
    assert training_fault([], ()) == "its training is not an object"
    assert counter_fault("best", []) == "its best has no n_steps or smooth_loss, or one of the wrong type"


@pytest.mark.parametrize(
    ("arrays", "fits"),
    [
        ((), True),
        (("exp_avg", "exp_avg_sq"), True),
        (("exp_avg", "exp_avg_sq", WEIGHT_AVERAGE), True),
        ((WEIGHT_AVERAGE,), False),
        (("exp_avg",), False),
        (("exp_avg", "exp_avg_sq", "sum"), False),
        (("exp_avg", "exp_avg_sq", "unknown"), True),  # refused as a tensor, see `tensor_fault`
    ],
)
def test_the_arrays_of_an_optimizer(arrays, fits):
    fault = training_fault(TRAINING, ["state.h", *(f"optimizer.{name}.decoder.bias" for name in arrays)])
    expected = "its training has the optimizer adam, but its tensors lack that optimizer's arrays"
    assert fault == (None if fits else expected)


ARCHITECTURE = {"cell": "gru", "num_layers": 1, "hidden_size": 2, "vocab_size": 3, "dtype": "float32"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"num_layers": 64, "hidden_size": 1, "vocab_size": 2**31 - 1}, None),
        ({"embedding_size": 1, "n_pairs": 2**31 - 1}, None),
        ({"int8": True}, None),
        ({"dtype": "float64"}, None),
        ({"cell": "mamba"}, "its cell is not one of rnn, gru, lstm, cifg, or needs a newer crnn"),
        ({"num_layers": 0}, "its num_layers is not 1 to 64"),
        ({"num_layers": 65}, "its num_layers is not 1 to 64"),
        *(({name: size}, "one of its hidden_size, vocab_size, embedding_size, n_pairs is out of range")
          for name in ("hidden_size", "vocab_size", "embedding_size", "n_pairs") for size in (0, 2**31)),
        ({"dtype": "float16"}, "its dtype is neither float32 nor float64"),
        ({"int8": False}, "its int8 is not true, or its dtype is not float32"),
        ({"int8": True, "dtype": "float64"}, "its int8 is not true, or its dtype is not float32"),
    ],
)  # fmt: skip
def test_faults_of_architectures_are_named(change, fault):
    assert architecture_fault(ARCHITECTURE | change) == fault


def test_refuses_invalid_architectures():
    lacking = {name: value for name, value in ARCHITECTURE.items() if name != "dtype"}
    others = [ARCHITECTURE | change for change in ({"more": 1}, {"cell": 3}, {"int8": 1}, {"n_pairs": None})]
    for document in ([], "rnn", lacking, *others):
        assert architecture_fault(document).startswith("its architecture must be an object with exactly")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("decoder.bias", -1, None),
        ("decoder.bias", np.inf, "NaN or infinity"),
        ("best.decoder.bias", np.nan, "NaN or infinity"),
        ("state.h", -np.inf, "NaN or infinity"),
        ("optimizer.sum.decoder.bias", np.inf, None),
        ("optimizer.sum.decoder.bias", np.nan, "NaN or infinity"),
        ("optimizer.sum.decoder.bias", -1, "a negative number"),
        ("best.optimizer.exp_avg_sq.decoder.bias", np.inf, None),
        ("best.optimizer.exp_avg_sq.decoder.bias", -1, "a negative number"),
        ("optimizer.exp_avg.decoder.bias", -1, None),
        (f"optimizer.{WEIGHT_AVERAGE}.decoder.bias", -1, None),
        (f"optimizer.{WEIGHT_AVERAGE}.decoder.bias", np.inf, "NaN or infinity"),
        ("gradient_rms", 0, None),
        ("gradient_rms", -1, "a negative number"),
        ("gradient_rms", np.inf, "NaN or infinity"),
        ("run.losses", np.nan, None),
    ],
)
def test_tensor_value_faults_are_named(name, value, fault):
    found = value_fault({name: np.array([1, value, 2], np.float32)})
    assert found is None if fault is None else found.startswith(f"its tensor {name!r} contains {fault}")
    assert value_fault({name: np.zeros(0, np.float32)}) is None


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a", True), ("A-b_c.9", True), ("a" * 100, True), ("a" * 101, False), ("", False), ("a b", False), ("é", False)],
)
def test_record_names_are_checked(name, fits):
    assert record_name(name) == fits


@pytest.mark.parametrize(
    ("best", "fault"),
    [
        (COUNTERS, None),
        (COUNTERS | {"n_steps": 3}, None),
        (COUNTERS | {"n_steps": 2}, "its best has an n_steps outside the steps of its training"),
        (COUNTERS | {"n_steps": 8}, "its best has an n_steps outside the steps of its training"),
        (COUNTERS | {"n_steps": -1}, "its best has an invalid n_steps"),
        (COUNTERS | {"n_steps": 7}, None),
        ([], "its best must be an object with exactly the fields n_steps and smooth_loss"),
        (COUNTERS | {"more": 1}, "its best must be an object with exactly the fields n_steps and smooth_loss"),
    ],
)
def test_faults_of_the_best_weights_are_named(best, fault):
    assert best_fault(best, TRAINING) == fault


@pytest.mark.parametrize("name", ["best.decoder.bias", "optimizer.sum.decoder.bias", "run.order"])
def test_8_bit_weights_have_no_training(name):
    fault = tensor_fault({name: Declared("F32", (3,))}, Architecture("rnn", 1, 2, 3, "float32", int8=True))
    assert fault == f"it has a tensor '{name}', but its 8-bit weights cannot be trained"


@pytest.mark.parametrize(("dtype", "fault"), [("I32", None), ("F32", "its tensor 'state.symbol' is F32 (1, 7, 1), ")])
def test_the_last_symbols_read_are_integers(dtype, fault):
    architecture = Architecture("rnn", 1, 2, 3, "float32", n_pairs=5)
    declared = {name: Declared("F32", shape) for name, shape in expected_tensors(architecture).items()}
    declared |= {"training": Declared("U8", (11,)), "state.h": Declared("F32", (1, 7, 2))}
    declared |= {"state.symbol": Declared(dtype, (1, 7, 1)), "bigrams.pairs": Declared("I32", (5, 2))}
    found = tensor_fault(declared, architecture)
    assert found is None if fault is None else found.startswith(fault)
