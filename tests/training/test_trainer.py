"""Trainer: min-char-rnn's epochs, the same bits however a run is cut, what is left after a divergence or Ctrl-C."""

import itertools
import math
import signal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from examples import Run, memory, network, states, symbols
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi_processes import trainer_after
from reference_checks import expected_run

from crnn.errors import DivergenceError, InvalidInputError
from crnn.runtime.threads import scipy_blas
from crnn.training import trainer

V, H, T = 7, 5, 3


def start(dtype="float64", *, B=1, chunks=7, V=V, cell="rnn", num_layers=1, optimizer="adagrad"):
    """Return what a run starts from: a layout, parameters, memory, a state and a text of some chunks."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers)
    state = states(B, H, dtype, cell=cell, num_layers=num_layers)
    return layout, params, memory(layout, optimizer), state, symbols(V, B * (chunks * T + 1) + 1)


# ------------------------------------------------------------------------ the epochs


def positions_of_min_char_rnn(length, seq_length, n_steps):
    """Return the pointer p of each step, as the original moves it."""
    p, out = 0, []
    for _ in range(n_steps):
        if p + seq_length + 1 >= length:
            p = 0
        out.append(p)
        p += seq_length
    return out


@pytest.mark.parametrize("length", [*range(2, 9), 11, 12, 13, 21, 22, 25])
def test_epoch_matches_min_char_rnn(length):
    T = 5
    layout, params = network(V, H)
    sum_, state, ids = memory(layout), states(1, H), symbols(V, length)
    n_steps = 13
    effective = min(T, length - 1)  # a text that is too short is one shorter chunk
    run = Run(layout, params, sum_, state, ids, T=T, learning_rate=0.01).steps(*[1] * n_steps)
    read = [position - effective for position in run.positions]
    assert read == positions_of_min_char_rnn(length, effective, n_steps)
    # The hidden state goes with the pointer: carried, or zeroed. The losses show it.
    *_, h, expected = expected_run(layout, params, sum_, state, ids, n_steps, T=T, learning_rate=0.01)
    np.testing.assert_allclose(run.losses, expected, rtol=1e-9)
    np.testing.assert_allclose(run.state, h, rtol=1e-9)


def test_the_loss_of_a_short_text_is_scaled_to_a_whole_chunk():
    layout, params = network(V, H)
    run = Run(layout, params, [layout.zeros()], states(1, H), symbols(V, 4), T=12).steps(1)
    start = 12 * math.log(V)
    assert run.cursor.smooth_loss == pytest.approx(0.999 * start + 0.001 * run.loss * 12 / 3, rel=1e-14)


# ------------------------------------------------------------------- the same bits

N_STEPS = 23
cuts = st.lists(st.integers(1, N_STEPS - 1), unique=True).map(lambda at: np.diff([0, *sorted(at), N_STEPS]).tolist())


RUNS = [  # dtype, B, threads, cell, layers, optimizer, dropout, weight dropout
    ("float32", 1, 1, "rnn", 1, "adagrad", 0.0, 0.0),
    ("float64", 1, 1, "lstm", 1, "adagrad", 0.0, 0.3),
    ("float32", 5, 1, "gru", 2, "adam", 0.5, 0.0),
    ("float64", 5, 3, "lstm", 2, "rmsprop", 0.2, 0.2),
    ("float32", 5, 2, "rnn", 1, "adam", 0.0, 0.0),
]


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: "-".join(map(str, run)))
def whole(request):
    """A run's arguments and options, and its bits when it is not cut."""
    dtype, B, n_threads, cell, num_layers, optimizer, dropout, weight_dropout = request.param
    arguments = start(dtype, B=B, cell=cell, num_layers=num_layers, optimizer=optimizer)
    options = {"T": T, "n_threads": n_threads, "optimizer": optimizer, "dropout": dropout, "dropout_seed": 5}
    options |= {"weight_dropout": weight_dropout, "learning_rate": lambda step: 0.1 / (7 + step)}
    options |= {"state_reset": weight_dropout}
    return arguments, options, Run(*arguments, **options).steps(N_STEPS).bits()


@settings(max_examples=20)
@given(counts=cuts)
def test_a_run_gives_the_same_bits_however_it_is_cut(whole, counts):
    arguments, options, bits = whole
    assert Run(*arguments, **options).steps(*counts).bits() == bits


def test_training_puts_the_treatment_of_denormal_numbers_back():
    tiny = np.full(3, np.finfo(np.float32).smallest_subnormal)
    Run(*start("float32", B=3), T=T, n_threads=3).steps(3)
    assert (tiny * np.float32(2) > tiny).all()


# --------------------------------------------------------------- between the pieces


def test_refuses_a_block_with_fewer_chunks_than_were_read():
    """Of a text of 24 chunks, 24 may have been read after 30 steps, but not 25."""
    assert trainer_after(30, partial(trainer.Trainer, block_step=6)).block_start.n_steps == 6
    with pytest.raises(InvalidInputError, match=r"^the block at 0 has fewer than the 25 chunks already read$"):
        trainer_after(30, partial(trainer.Trainer, block_step=5))


# ---------------------------------------------------------------------- divergence


def poison(by):
    """Make logits that are finite, and so is their loss, but for the last symbol, whose loss overflows."""
    huge = 0.52 * float(np.finfo(by.dtype).max)
    by[:-1], by[-1] = huge, -huge


def diverging(dtype, step, *, B=1, n_threads=1, **kind):
    """Return the arguments and options of a run whose loss is not finite in a step, counted from 0."""
    layout, params, memories, state, ids = start(dtype, B=B, chunks=step + 2, **kind)
    poison(layout.tensors(params).by)
    ids[ids == V - 1] = 0
    ids[step * T + 2] = V - 1
    return (layout, params, memories, state, ids), {"T": T, "n_threads": n_threads}


KINDS = [
    ({}, {}),
    (
        {"cell": "lstm", "num_layers": 2, "optimizer": "adam"},
        {"optimizer": "adam", "dropout": 0.4, "dropout_seed": 3, "learning_rate": lambda step: 0.1 / (3 + step)},
    ),
    ({"cell": "gru", "optimizer": "rmsprop"}, {"optimizer": "rmsprop", "weight_dropout": 0.4, "learning_rate": 0.01}),
]


def model_bits(run):
    """Return the bits of the model of a run, which its snapshot has, too."""
    arrays = run.params, *run.memory, *run.state
    return [array.tobytes() for array in arrays], run.cursor.n_steps, run.cursor.smooth_loss


def test_snapshots_take_a_hundredth_of_the_time_and_come_every_second_at_most():
    assert [trainer._snapshot_time(3.0, end) for end in (3.0, 3.01, 3.02)] == pytest.approx([4.0, 4.01, 5.02])


def snapshots_every(monkeypatch, seconds):
    monkeypatch.setattr(trainer, "SNAPSHOT_SECONDS", seconds)
    monkeypatch.setattr(trainer, "SNAPSHOT_SHARE", math.inf)


# Every step with every size of the pieces; the types and the nine pairs of a kind and of streams take turns.
DIVERGING = [
    (f"float{bits}", step, *piece, kind, *streams)
    for (step, piece), (kind, streams), bits in zip(
        itertools.product([1, 3, 13], [(1, 0.0), (1, 1e9), (1000, 0.0), (1000, 1e9), (4, 0.0)]),
        itertools.cycle(itertools.product(range(3), [(1, 1), (3, 1), (3, 2)])),
        itertools.cycle([32, 64]),
    )
]


@pytest.mark.parametrize(("dtype", "step", "at_a_time", "keep", "kind", "B", "n_threads"), DIVERGING)
def test_divergence_returns_to_the_last_snapshot_followed_by_a_finite_loss(
    monkeypatch, dtype, step, kind, B, n_threads, at_a_time, keep
):
    snapshots_every(monkeypatch, keep)
    start, extra = KINDS[kind]
    arguments, options = diverging(dtype, step, B=B, n_threads=n_threads, **start)
    options |= extra
    run = Run(*arguments, **options)
    with pytest.raises(DivergenceError) as raised:
        run.steps(*[at_a_time] * 1000)
    assert (raised.value.kind, raised.value.step) == ("loss", step)
    # The loss of step - 1 is the last finite one: no later snapshot is followed by a finite loss.
    returned_to = 0 if keep else (step - 1) // at_a_time * at_a_time
    assert run.cursor.n_steps == returned_to
    assert model_bits(run) == model_bits(Run(*arguments, **options).steps(*[returned_to] * bool(returned_to)))
    assert raised.value.last_loss == Run(*arguments, **options).steps(step).loss
    assert math.isfinite(raised.value.last_loss)


def test_ctrl_c_before_the_look_at_a_loss_that_is_not_finite_returns_to_the_snapshot(monkeypatch):
    def interrupted(self, rates, take_steps=trainer.Trainer._take_steps):
        take_steps(self, rates)
        if self.cursor.diverged:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Trainer, "_take_steps", interrupted)
    arguments, options = diverging(np.float64, 11)
    run = Run(*arguments, **options)
    before = model_bits(run)
    with pytest.raises(KeyboardInterrupt):
        run.steps(5, 20)
    assert model_bits(run) == before


@pytest.mark.parametrize(("B", "n_threads", "bad"), [(1, 1, np.nan), (3, 3, np.inf)])
def test_divergence_at_the_first_step_leaves_everything(B, n_threads, bad):
    layout, params, memories, state, ids = start(B=B)
    layout.tensors(params).by[:2] = bad
    run = Run(layout, params, memories, state, ids, T=T, n_threads=n_threads)
    before = model_bits(run)
    with pytest.raises(DivergenceError, match="the loss of step 0 is not finite") as raised:
        run.steps(5)
    assert math.isnan(raised.value.last_loss)
    assert model_bits(run) == before


def test_non_finite_last_update_is_undone():
    layout, params, memories, state, ids = start()
    run = Run(layout, params, memories, state, ids, T=T, learning_rate=1.7e308)
    changes = []
    with pytest.raises(DivergenceError):
        run.steps(1, after_each=lambda: changes.append(run.trainer.state.gate.changes))
    assert run.params.tobytes() == params.tobytes()
    assert run.cursor.n_steps == 0
    assert run.trainer.state.gate.changes > changes[0]


def lstm_with_an_infinite_bias(at, n_steps):
    """Return a run of an LSTM that takes some steps; one seems to make a bias infinite: the loss stays finite.

    The bias belongs to a forget gate, which then keeps everything.
    """
    run = Run(*start(cell="lstm", chunks=41), T=T)
    take_steps = run.trainer._take_steps

    def spoiling_steps(rates):
        take_steps(rates)
        if at <= run.cursor.n_steps:
            run.layout.named(run.params)["bh_l0"][H] = np.inf

    run.trainer._take_steps = spoiling_steps
    return run


@pytest.mark.parametrize("at", [1, 2, 7])
def test_infinite_weights_are_found_when_a_snapshot_is_due(monkeypatch, at):
    """The loss of each step is finite."""
    clock = [0.0]
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    run = lstm_with_an_infinite_bias(at, 20)

    def wait():
        clock[0] += 0.3 * trainer.SNAPSHOT_SECONDS

    with pytest.raises(DivergenceError) as raised:
        run.steps(*[1] * 20, after_each=wait)
    assert raised.value.kind == "weights"
    assert at <= raised.value.step == len(run.losses) < at + 4
    returned_to = max(0, at - 1) // 4 * 4  # snapshots are taken before every fourth step
    assert run.cursor.n_steps == returned_to
    stopped = Run(*start(cell="lstm", chunks=41), T=T).steps(*[returned_to] * bool(returned_to))
    assert model_bits(run) == model_bits(stopped)


def test_a_sum_of_squares_may_overflow():
    layout, params, (sum_,), state, ids = start()
    layout.tensors(sum_).lookup[0] = np.inf
    with Run(layout, params, [sum_], state, ids, T=T).steps(3, 2).trainer as made:
        made.finish()
        layout.tensors(made.optimizer_state[0]).lookup[0] = np.nan
        with pytest.raises(DivergenceError):
            made.finish()


# ---------------------------------------------------------------------------- ruin


def run_of_losses(monkeypatch, *parts):
    """Return a run whose steps have given losses, relative to a uniform guess."""
    snapshots_every(monkeypatch, 0.0)
    losses = [loss for n, loss in parts for _ in range(n)]
    run = Run(*start(), T=T)
    cursor = run.trainer.cursor
    uniform = T * math.log(V)

    def take_steps(rates):
        for _ in rates:
            loss = uniform * losses[cursor.n_steps]
            cursor.smooth_loss = cursor.smooth_loss * 0.999 + loss * 0.001
            cursor.n_steps, cursor.last_loss = cursor.n_steps + 1, loss
            run.trainer.state.n_steps = cursor.n_steps
            run.params[0] = cursor.n_steps  # tells which snapshot is restored

    run.trainer._take_steps = take_steps
    return run


@pytest.mark.parametrize(
    ("at_a_time", "parts", "returned_to"),
    [
        (1, [(100, 10.01)], 0), (1, [(100, 9.99)], None), (99, [(99, 1e9)], None), (100, [(100, 1e9)], 0),
        (1, [(50, 1.0), (1, 1e9)], None),  # shorter calls are not judged
        (1, [(150, 1.0), (200, 10.01)], 150), (1, [(150, 1.0), (200, 9.99)], None),
        (1, [(150, 1e9), (200, 1.0)], None),  # a bad start
        (1, [(150, 1e30), (200, 1.0)], None),  # rounding of the smoothed loss hides the mean
        (1, [(150, 1e30), (200, 1e25)], 0),
        (30, [(150, 1.0), (90, 11.0)], None), (30, [(150, 1.0), (180, 12.0)], 150),
    ],
)  # fmt: skip
def test_a_mean_loss_above_ten_uniform_guesses_is_ruin(monkeypatch, at_a_time, parts, returned_to):
    run = run_of_losses(monkeypatch, *parts)
    n = sum(n for n, _ in parts)
    before = run.params[0]
    with run.trainer as made:
        for _ in range(n // at_a_time):
            made.advance(np.full(at_a_time, 0.1))
        if returned_to is None:
            made.finish()
            assert run.params[0] == n
            return
        with pytest.raises(DivergenceError, match="more than 10 times that of a uniform guess") as raised:
            made.finish()
    assert (raised.value.kind, raised.value.step) == ("ruin", n)
    assert run.params[0] == (returned_to or before)
    assert made.cursor.n_steps == made.state.n_steps == returned_to


# ----------------------------------------------------------------------- scipy's BLAS


@pytest.mark.skipif(not scipy_blas.controller.info(), reason="the threads of scipy's BLAS cannot be set")
def test_blas_uses_one_thread_during_training_only():
    def note():
        found.append({library["num_threads"] for library in scipy_blas.controller.info()})

    found = []
    with scipy_blas.controller.limit(limits=2):
        Run(*start(B=2), T=T, n_threads=2).steps(1, after_each=note)
        note()
    assert found == [{1}, {2}]


def test_ctrl_c_during_a_return_to_a_snapshot_waits_for_its_end(monkeypatch):
    snapshots_every(monkeypatch, 1e9)
    arguments, options = diverging("float32", 13, B=3, n_threads=1)
    run = Run(*arguments, **options)
    restore = run.trainer.state.restore

    def interrupted(snapshot):
        signal.raise_signal(signal.SIGINT)
        restore(snapshot)

    monkeypatch.setattr(run.trainer.state, "restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.steps(1000)
    assert model_bits(run) == model_bits(Run(*arguments, **options))
