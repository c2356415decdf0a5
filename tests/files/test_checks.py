"""Checks of a file's documents and tensors, before anything of their size is made."""

import pytest

from crnn.files.checks import Architecture, best_fault, counter_fault, tensor_fault, training_fault
from crnn.files.container import Declared

COUNTERS = {"n_steps": 7, "smooth_loss": 27.5}
TRAINING = COUNTERS | {"loss_length": 25, "random_state": None, "optimizer": "adam", "optimizer_start": 3}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"n_steps": -1}, "an invalid n_steps"),
        ({"n_steps": 7.0}, "no n_steps or smooth_loss, or one of the wrong type"),
        ({"smooth_loss": "low"}, "no n_steps or smooth_loss, or one of the wrong type"),
        ({"smooth_loss": float("inf")}, "a smooth_loss that is not finite"),
    ],
)
def test_steps_and_loss(change, fault):
    assert counter_fault("best", COUNTERS | change) == (fault and f"its best has {fault}")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"optimizer_start": 7}, None),
        ({"optimizer_start": 8}, "its training has an optimizer_start outside its steps"),
        ({"loss_length": 1}, None),
        ({"loss_length": 0}, "its training has an invalid loss_length"),
    ],
)
def test_training_without_a_generator(change, fault):
    assert training_fault(TRAINING | change, ()) == fault


@pytest.mark.parametrize(
    ("best", "fault"),
    [
        (COUNTERS, None),
        (COUNTERS | {"n_steps": 3}, None),
        (COUNTERS | {"n_steps": 2}, "its best has an n_steps outside the steps of its training"),
        (COUNTERS | {"n_steps": 8}, "its best has an n_steps outside the steps of its training"),
        (COUNTERS | {"n_steps": -1}, "its best has an invalid n_steps"),
        (COUNTERS | {"more": 1}, "its best must be an object with exactly the fields n_steps and smooth_loss"),
    ],
)
def test_best_weights(best, fault):
    assert best_fault(best, TRAINING) == fault


@pytest.mark.parametrize("name", ["best.decoder.bias", "optimizer.sum.decoder.bias", "run.order"])
def test_8_bit_weights_have_no_training(name):
    fault = tensor_fault({name: Declared("F32", (3,))}, Architecture("rnn", 1, 2, 3, "float32", int8=True))
    assert fault == f"it has a tensor '{name}', but its 8-bit weights cannot be trained"
