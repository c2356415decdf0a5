"""A reducer: the gradients of several processes added up between a step's gradient and its update."""

import math
import threading

import numpy as np
import pytest
from examples import Run, memory, network, states, symbols

from crnn import DivergenceError

V, H, T = 13, 11, 7
OPTIMIZERS = [("rnn", "adagrad"), ("gru", "rmsprop"), ("lstm", "adam"), ("lstm", "adagrad")]


def start(dtype, B, *, cell="rnn", optimizer="adagrad", seed=3):
    layout, params = network(V, H, dtype, cell=cell, num_layers=2)
    text = symbols(V, B * (5 * T + 1) + 1, seed=seed)
    return layout, params, memory(layout, optimizer), states(B, H, dtype, cell=cell, num_layers=2), text


@pytest.mark.parametrize(
    ("options", "n_threads"),
    [({}, 1), ({"dropout": 0.3, "weight_dropout": 0.2}, 3), ({"clip_norm": 0.1}, 3), ({"clip_norm": 0.1}, 1)],
    ids=str,
)
@pytest.mark.parametrize(("cell", "optimizer"), OPTIMIZERS)
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


class Processes:
    """Several trainers side by side, whose reducers average what they have."""

    def __init__(self, n):
        self.barrier, self.vectors = threading.Barrier(n), [None] * n

    def reducer(self, rank):
        def reduce(vector):
            self.vectors[rank] = vector
            self.barrier.wait(60)
            mean = sum(self.vectors) / len(self.vectors)
            self.barrier.wait(60)
            vector[:] = mean

        return reduce

    def run(self, runs, n_steps):
        threads = [threading.Thread(target=run.steps, args=(n_steps,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(("cell", "optimizer"), OPTIMIZERS)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("clip_norm", [math.inf, 0.2])
def test_two_processes_train_as_one_with_the_streams_of_both(cell, optimizer, n_threads, clip_norm):
    layout, params, memories, state, _ = start("float64", 6, cell=cell, optimizer=optimizer)
    first, second = symbols(V - 5, 3 * (5 * T) + 1), symbols(V, 3 * (5 * T) + 1, seed=5)
    second[0] = first[-1]  # the streams of one text overlap by a symbol
    options = {"T": T, "optimizer": optimizer, "learning_rate": 0.01, "clip_norm": clip_norm}
    both = Run(layout, params, memories, state, np.concatenate([first, second[1:]]), **options).steps(4)
    processes = Processes(2)
    runs = [
        Run(
            layout, params, memories, tuple(array[:, part] for array in state), text, n_threads=n_threads,
            reduce=processes.reducer(rank), **options,
        )
        for rank, (text, part) in enumerate([(first, slice(3)), (second, slice(3, 6))])
    ]  # fmt: skip
    processes.run(runs, 4)
    assert np.array_equal(runs[0].params, runs[1].params)
    assert runs[0].loss == runs[1].loss == pytest.approx(both.loss, rel=1e-12)
    for run in runs:
        np.testing.assert_allclose(run.params, both.params, rtol=1e-10, atol=1e-12)
        for ours, theirs in zip(run.memory, both.memory, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


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
