"""Reducers: processes that train alone and average: the same as trainers side by side, averaged in NumPy."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from mpi_processes import TRAINING, Communicator, joint_training, mpi, needs_mpi, trainer_after

from crnn import CharRNN
from crnn.errors import DivergenceError, InvalidInputError
from crnn.parameters.settings import Settings
from crnn.text.sources import text_source
from crnn.training import trainer as trainer_module
from crnn.training.processes import Processes, WeightMean
from crnn.training.run import streams_for
from crnn.training.trainer import StepSettings, Trainer

PROGRAM = joint_training()
USED_OF_COMM = ("Allreduce", "bcast", "allgather", "Abort")


class Rows:
    """Some of the streams of others."""

    def __init__(self, streams, rows):
        self.streams, self.rows, self.batch_size = streams, rows, len(rows)
        self.seq_length, self.steps_per_epoch = streams.seq_length, streams.steps_per_epoch

    @property
    def position(self):
        return self.streams.position

    def next_block(self):
        block = self.streams.next_block()
        return block._replace(ids=block.ids[self.rows.start : self.rows.stop])


def side_by_side(case, dtype, n):
    """Train n models for `average_every` steps each, average them, and so on; return the model and smoothed loss."""
    text, options = PROGRAM.AVERAGED[case]
    options = {**PROGRAM.OPTIONS, **options, "dtype": dtype}
    every = options.pop("average_every")
    settings = Settings.check(CharRNN(**options).get_params())
    model = CharRNN(**{**options, "max_steps": 0}).fit(text)
    state, B = model._learned, settings.batch_size
    ids, step_settings = text_source(text).ids(state.vocabulary), StepSettings.of(settings, state.rng)
    trainers, weights = [], []
    for rank in range(n):
        rows = range(B * rank // n, B * (rank + 1) // n)
        own = replace(state.copy(), hidden=tuple(array[:, rows].copy() for array in state.hidden))
        rng = np.random.default_rng(settings.random_state)  # before the weights are drawn
        streams = Rows(streams_for(ids, state.vocabulary, settings, rng, 0), rows)
        seeded = replace(step_settings, dropout_seed=step_settings.dropout_seed + rank)
        trainers.append(Trainer(own, streams, seeded, boundary=state.vocabulary.boundary))
        weights.append(len(rows) / B)
    while done := settings.max_steps - trainers[0].cursor.n_steps:
        rates = np.full(min(done, every), settings.learning_rate)
        for trainer in trainers:
            with trainer:
                trainer.advance(rates)
        means = [
            sum(weight * array for weight, array in zip(weights, arrays, strict=True))
            for arrays in zip(*((trainer.params, *trainer.optimizer_state) for trainer in trainers), strict=True)
        ]
        loss = sum(w * trainer.cursor.smooth_loss for w, trainer in zip(weights, trainers, strict=True))
        for trainer in trainers:
            for array, mean in zip((trainer.params, *trainer.optimizer_state), means, strict=True):
                array[...] = mean
            trainer.cursor.smooth_loss = loss
            trainer.resume_from_arrays()
    hidden = tuple(np.concatenate(arrays, axis=1) for arrays in zip(*(t.hidden for t in trainers), strict=True))
    model._keep(replace(trainers[0].state, hidden=hidden))
    return model, loss


@needs_mpi
@pytest.mark.parametrize("n", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_train_as_models_side_by_side_that_are_averaged(tmp_path, n):
    output = tmp_path / "found.json"
    done = mpi(n, TRAINING, output, *PROGRAM.AVERAGED)
    assert done.returncode == 0, done.stderr
    for name, found in json.loads(output.read_text()).items():
        case, dtype = name.split(", ")
        model, loss = side_by_side(case, dtype, n)
        assert found["same"], f"{name}: the processes differ"
        assert found["n_steps"] == model.n_steps_ == 23
        every = PROGRAM.AVERAGED[case][1]["average_every"]
        assert all(step % every == 0 or step == 23 for step in found["steps"])
        tolerance = 1e-4 if dtype == "float32" else 1e-10
        np.testing.assert_allclose(
            found["numbers"], PROGRAM.numbers(model), rtol=tolerance, atol=tolerance, err_msg=name
        )
        assert found["loss"] == pytest.approx(loss, rel=tolerance)


@needs_mpi
def test_calls_that_continue_and_divergence(tmp_path):
    output = tmp_path / "found.json"
    done = mpi(2, TRAINING, output, "goes on")
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    for case in PROGRAM.RESUMED:
        assert found[case]["same"], f"{case}: an interrupted call differs from an uninterrupted one"
        assert 0 < found[case]["stopped"] < 23
    assert found["continued"]["same"]
    assert "the model differs between processes" in found["continued"]["error"]
    assert found["timed"]["same"]
    assert found["timed"]["n_steps"] == 13
    assert found["timed"]["seconds"] > 0.2
    summed, apart = found["diverged"]
    assert summed["same"]
    assert summed["n_steps"] < summed["step"]
    assert apart["same"]
    assert apart["n_steps"] % 4 == 0
    assert apart["n_steps"] < apart["step"]
    assert "diverged, and would diverge again" in found["overflowed"]


@pytest.fixture
def snapshot_at_each_call(monkeypatch):
    monkeypatch.setattr(trainer_module, "SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr(trainer_module, "SNAPSHOT_SHARE", math.inf)


def averaging(every, found=lambda own: [own]):
    """Return the trainer of a call after 3 steps, whose processes gather what `found` says, and where it averages."""
    processes, places = Processes(Communicator(0, 1)), []
    processes.gathered = found
    processes.average = lambda array, weights: places.append((trainer.cursor.n_steps, *weights))
    trainer = trainer_after(3, partial(Trainer, reducer=WeightMean(processes, every, 3, 5)))
    return trainer, places


def test_steps_between_averages_count_from_the_beginning_of_the_call():
    trainer, places = averaging(4)
    with trainer:
        for n in (10, 5):
            trainer.advance(np.full(n, 0.1))
        trainer.finish()
    assert list(dict.fromkeys(places)) == [(step, 5) for step in (7, 11, 13, 15, 18)]
    assert trainer.state.smooth_loss == trainer.cursor.smooth_loss


@pytest.mark.usefixtures("snapshot_at_each_call")
@pytest.mark.parametrize("others", [[], [9], [9, 8], [8, 9]])
def test_the_first_step_of_any_process_that_diverges_is_told(others):
    def found(own):
        step = own[1]
        return [own, *((step == 11, other, 5, (1.0, float(other), 2.0)) for other in others)]

    trainer, _ = averaging(4, found)
    with trainer:
        trainer.advance(np.full(4, 0.1))
        at_average = trainer.params.tobytes()
        if not others:
            trainer.advance(np.full(4, 0.1))
            return
        with pytest.raises(DivergenceError, match=f"the loss of step {min(others)} is not finite") as raised:
            trainer.advance(np.full(4, 0.1))
    assert raised.value.last_loss == min(others)
    assert (trainer.cursor.n_steps, trainer.state.n_steps) == (7, 7)
    assert trainer.params.tobytes() == at_average


def test_losses_are_means_weighted_by_the_streams():
    trainer, _ = averaging(4, lambda own: [(False, 7, 5, (1.0, 2.0, 3.0)), (False, 7, 2, (8.0, 9.0, 3.0))])
    with trainer:
        trainer.advance(np.full(4, 0.1))
    cursor = trainer.cursor
    assert (cursor.smooth_loss, cursor.last_loss, cursor.gradient_norm) == (3.0, 4.0, 3.0)
    assert trainer.state.smooth_loss == 3.0


@pytest.mark.usefixtures("snapshot_at_each_call")
def test_infinite_weights_at_the_end_are_replaced_by_the_snapshot_of_an_average():
    trainer, _ = averaging(4)
    with trainer:
        trainer.advance(np.full(4, 0.1))
        at_average = trainer.params.tobytes()
        trainer.advance(np.full(4, 0.1))
        trainer.params[0] = np.inf
        with pytest.raises(DivergenceError) as raised:
            trainer.finish()
    assert (raised.value.kind, raised.value.step) == ("weights", 11)
    assert trainer.params.tobytes() == at_average


def test_arrays_that_a_callback_has_edited_are_returned_to():
    trainer, _ = averaging(4)
    with trainer:
        trainer.advance(np.full(4, 0.1))
        trainer.params *= 0.5
        trainer.resume_from_arrays()
        edited = trainer.params.tobytes()
        trainer.advance(np.full(4, 0.1))
        trainer.params[0] = np.inf
        with pytest.raises(DivergenceError):
            trainer.finish()
    assert trainer.params.tobytes() == edited


def test_non_finite_average_is_a_divergence():
    trainer, _ = averaging(4)
    before = trainer.params.tobytes()
    trainer._reducer._processes.average = lambda array, weights: array.fill(np.inf)
    with trainer:
        trainer.advance(np.full(4, 0.1))
        with pytest.raises(DivergenceError) as raised:
            trainer.finish()
    assert (raised.value.kind, raised.value.step) == ("weights", 7)
    assert trainer.params.tobytes() == before


def test_the_next_step_reads_the_averaged_weights():
    trainer, _ = averaging(4)
    trainer._reducer._processes.average = lambda array, weights: array.fill(0)
    with trainer:
        for n in (4, 1):
            trainer.advance(np.full(n, 0.1))
    assert trainer.cursor.last_loss == pytest.approx(3 * np.log(trainer.layout.vocab_size), rel=1e-6)


def test_dropout_differs_between_processes(monkeypatch):
    seeds = []

    def trainer(state, streams, settings, **options):
        seeds.append(settings.dropout_seed)

    monkeypatch.setattr("crnn.training.run.Trainer", trainer)
    for rank in range(4):
        processes = Processes(Communicator(rank, 4))
        monkeypatch.setattr("crnn.training.fit.processes_of", lambda comm, found=processes: found)
        monkeypatch.setattr(Processes, "require_same", lambda *_: None)
        with contextlib.suppress(AttributeError):  # the trainer is None
            CharRNN(5, batch_size=4, random_state=0).fit("abc" * 30, comm=processes, average_every=4)
    assert seeds == [seeds[0] + rank for rank in range(4)]


@pytest.mark.parametrize("start", ["fit", "partial_fit"])
def test_refuses_averages_of_one_process(start):
    model = CharRNN(5, max_steps=9, random_state=0).fit("abc")
    with pytest.raises(InvalidInputError, match=r"average_every is 2, but comm is None, .* Pass a communicator"):
        getattr(model, start)("abc", average_every=2)
    assert model.n_steps_ == 9


def test_one_process_alone_averages_nothing():
    alone = SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: 1, **dict.fromkeys(USED_OF_COMM))
    models = [
        CharRNN(5, max_steps=9, random_state=0).fit("abc" * 30, comm=alone, average_every=every) for every in (1, 4)
    ]
    np.testing.assert_array_equal(models[0].params_["Why"], models[1].params_["Why"])
