"""A reducer: the gradients of several processes added up between a step's gradient and its update."""

import math

import numpy as np
import pytest
from examples import Run, in_turns, memory, network, states, symbols

from crnn import DivergenceError

V, H, T = 13, 11, 7
OPTIMIZERS = [("rnn", "adagrad"), ("gru", "rmsprop"), ("lstm", "adam"), ("lstm", "adagrad")]


def start(dtype, B, *, cell="rnn", optimizer="adagrad", seed=3):
    layout, params = network(V, H, dtype, cell=cell, num_layers=2, embedding_size=5 if cell == "gru" else None)
    text = symbols(V, B * (5 * T + 1) + 1, seed=seed)
    return layout, params, memory(layout, optimizer), states(B, H, dtype, cell=cell, num_layers=2), text


REDUCED = [({}, 1), ({"dropout": 0.3, "weight_dropout": 0.2}, 3), ({"clip_norm": 0.1}, 3), ({"clip_norm": 0.1}, 1)]


@in_turns("cell, optimizer, options, n_threads", [(*a, *b) for a in OPTIMIZERS for b in REDUCED])
def test_identity_reducer_changes_nothing(kernels, dtype, cell, optimizer, n_threads, options):
    arguments = start(dtype, 5, cell=cell, optimizer=optimizer)
    options = {"T": T, "optimizer": optimizer, "learning_rate": 0.01, "n_threads": n_threads, **options}
    plain = Run(*arguments, **options).steps(4)
    reduced = Run(*arguments, reduce=lambda vector: None, **options).steps(4)
    rtol = 1e-5 if dtype == np.float32 and "clip_norm" in options else 1e-13 if "clip_norm" in options else 0
    for ours, theirs in zip(
        (reduced.params, *reduced.memory, *reduced.state), (plain.params, *plain.memory, *plain.state), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)
    assert reduced.loss == pytest.approx(plain.loss, rel=1e-6 if dtype == np.float32 else 1e-14)


def test_the_reduced_gradient_is_what_the_optimizer_sees(kernels, dtype):
    layout, params, _, *rest = start(dtype, 5)

    def double(vector):
        vector[: layout.size] *= 2

    options = {"T": T, "clip": math.inf, "n_threads": 2}
    plain = Run(layout, params, [layout.zeros()], *rest, **options).steps(1)
    doubled = Run(layout, params, [layout.zeros()], *rest, reduce=double, **options).steps(1)
    np.testing.assert_array_equal(doubled.sum, 4 * plain.sum)
    assert doubled.cursor.gradient_norm == pytest.approx(2 * plain.cursor.gradient_norm, rel=1e-6)
    assert doubled.loss == pytest.approx(plain.loss, rel=1e-6)


def test_non_finite_loss_of_one_process_ends_training_in_all():
    arguments = start("float64", 5)

    def spoil(vector):
        vector[-2] = math.nan

    run = Run(*arguments, T=T, n_threads=2, reduce=spoil)
    before = run.params.copy()
    with pytest.raises(DivergenceError, match="step 0"):
        run.steps(3)
    np.testing.assert_array_equal(run.params, before)


@pytest.mark.parametrize("whole_steps", [0, 2])
def test_an_error_of_the_reducer_ends_training_after_whole_steps(whole_steps):
    left = list(range(whole_steps))

    def fail(vector):
        if not left:
            raise ConnectionError("the other process has gone")
        left.pop()

    arguments = start("float64", 5)
    run = Run(*arguments, T=T, n_threads=3, reduce=fail)
    with pytest.raises(ConnectionError, match="has gone"):
        run.steps(3)
    wanted = Run(*arguments, T=T, n_threads=3, reduce=lambda vector: None).steps(*[whole_steps] * bool(whole_steps))
    assert run.bits() == wanted.bits()
    assert run.trainer.state.n_steps == whole_steps


def test_refuses_a_gradient_without_room_for_the_tail():
    run = Run(*start("float64", 5), T=T, reduce=lambda vector: None)
    run.trainer.team.shards[0].gradient = run.layout.zeros()
    with pytest.raises(ValueError, match="gradient: shape"):
        run.steps(1)
