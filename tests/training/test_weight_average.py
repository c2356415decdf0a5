"""Weights averaged over the end of a training run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_char_rnn import TEXT, bits, small

from crnn import CharRNN, DivergenceError
from crnn.runtime.threads import Helpers
from crnn.training import run, trainer
from crnn.training.trainer import STEPS, WeightAverage

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}
OTHER = "".join(sorted(TEXT))[::3]


@given(share=st.floats(0.01, 1), done=st.integers(1, 3000), first=st.integers(0, 10**12))
def test_average_is_the_weighted_sum_of_the_weights_at_its_updates(share, done, first):
    params, average = np.zeros(1), np.zeros(1)
    kept = WeightAverage(share, first, first, params, average)
    step, updates = 0, []
    while step < done:
        step += kept.steps_left(first + step)
        updates.append(step)
        params[0] = np.sin(step)
        kept.update(first + step)
    gaps = np.diff([0, *updates])
    parts = gaps / (gaps + share * (np.array(updates) - gaps))
    factors = parts * np.append(np.cumprod((1 - parts)[:0:-1])[::-1], 1.0)
    assert average[0] == pytest.approx(factors @ np.sin(updates), abs=1e-12)
    assert factors.sum() == pytest.approx(1)
    assert max(gaps) <= STEPS
    assert all(gap <= max(1, before / 8) for gap, before in zip(gaps[1:], updates, strict=False))


def test_average_covers_its_share_of_the_steps():
    """With a share of 0.1 the last tenth of the steps counts 1 - 0.9^10, whenever training is ended."""
    for done in (12_800, 51_200):
        params, average = np.zeros(1), np.zeros(1)
        kept = WeightAverage(0.1, 0, 0, params, average)
        step = 0
        while step < done:
            step += kept.steps_left(step)
            params[0] = step > 0.9 * done
            kept.update(step)
        assert average[0] == pytest.approx(1 - 0.9**10, abs=0.005)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_leaves_the_average_of_its_weights(dtype):
    options = {"cell": "gru", "batch_size": 3, "schedule": "linear", "dtype": dtype}
    averaged = small(11, weight_average=0.25, **options).fit(TEXT)
    on_the_way: list[dict[str, np.ndarray]] = []

    def look(model, record):
        on_the_way.append({name: array.astype(np.float64) for name, array in model.params_.items()})

    last = small(11, callbacks=[look], **options).fit(TEXT)
    assert len(on_the_way) == 11
    expected = on_the_way[0]
    for before, weights in enumerate(on_the_way[1:], 1):
        part = 1 / (1 + 0.25 * before)
        expected = {name: old + part * (weights[name] - old) for name, old in expected.items()}
    for name, array in averaged.params_.items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=TOLERANCE[dtype])
        assert np.abs(array - last.params_[name]).max() > 1e-3
    assert averaged.optimizer_state_.keys() == last.optimizer_state_.keys()
    assert all(np.array_equal(a, b) for a, b in zip(averaged.state_, last.state_, strict=True))


def test_validation_measures_the_average_and_the_best_average_is_kept():
    model = small(24, weight_average=0.5, eval_every=4, learning_rate=0.3).fit(TEXT, validation=OTHER)
    losses = [record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None]
    assert np.argmin(losses) < len(losses) - 1
    assert -model.score(OTHER) == pytest.approx(min(losses), rel=1e-5)


def test_each_call_starts_a_new_average():
    model = small(7, weight_average=0.5).fit(TEXT)
    before = {name: array.copy() for name, array in model.params_.items()}
    model.set_params(learning_rate=1e-30).partial_fit(TEXT)
    assert all(np.array_equal(array, before[name]) for name, array in model.params_.items())


def test_a_diverged_training_leaves_a_finite_average():
    model = small(300, weight_average=0.25, cell="rnn", learning_rate=1e38, clip=None)
    with pytest.raises(DivergenceError):
        model.fit(TEXT)
    assert all(np.isfinite(array).all() for array in model.params_.values())
    assert "weight_average" not in model.optimizer_state_


@pytest.mark.parametrize("training_state", [True, False])
def test_file_written_during_training_holds_the_average(tmp_path, training_state):
    def save(model, record):
        assert "weight_average" in model.optimizer_state_
        if record["step"] == 5:
            model.save(tmp_path / "m.crnn", training_state=training_state)

    small(11, weight_average=0.25, callbacks=[save]).fit(TEXT)
    loaded, expected = CharRNN.load(tmp_path / "m.crnn"), small(5, weight_average=0.25).fit(TEXT)
    assert loaded.score(TEXT) == expected.score(TEXT)


def test_threads_change_no_bit():
    options = {"weight_average": 0.2, "batch_size": 16, "hidden_size": 7}
    one, two = (small(9, n_threads=n, **options).fit(TEXT) for n in (1, 2))
    assert bits(one) == bits(two)


def test_gradients_are_those_of_the_weights_while_they_are_averaged():
    norms: list[float] = []

    def look(model, record):
        norms.append(float(np.abs(model.gradient(TEXT[:30])[1]["Why"]).max()))

    small(2, weight_average=0.5, callbacks=[look]).fit(TEXT)
    assert len(norms) == 2
    assert all(np.isfinite(norms))


@pytest.mark.parametrize("step", [1, 5, 8])
def test_ctrl_c_between_a_step_and_its_update_loses_neither(tmp_path, monkeypatch, step):
    whole, stopped = (small(n, weight_average=0.25).fit(TEXT) for n in (11, step))
    finish, calls = Helpers.finish, iter(range(1, 99))

    def interrupted(helpers):
        finish(helpers)
        if next(calls) == step:
            raise KeyboardInterrupt

    model = small(11, weight_average=0.25)
    monkeypatch.setattr(Helpers, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT, checkpoint=tmp_path / "run.crnn")
    monkeypatch.undo()
    assert bits(model) == bits(stopped)
    assert bits(CharRNN.resume(tmp_path / "run.crnn", TEXT)) == bits(whole)


def explosive(text):
    """Return a model whose loss first becomes infinite in the middle of `text`, at its only "!"."""
    model = small(0).fit(text)
    with model.editing():
        model.params_["by"][:] = huge = 0.52 * np.finfo("float32").max
        model.params_["by"][model.vocabulary_.index("!")] = -huge
    return model


@pytest.mark.parametrize(("keep_seconds", "returned_to"), [(0.0, 39), (1e9, 0)])
def test_divergence_returns_to_the_average_of_the_snapshot(monkeypatch, keep_seconds, returned_to):
    monkeypatch.setattr(trainer, "SNAPSHOT_SECONDS", keep_seconds)
    monkeypatch.setattr(trainer, "SNAPSHOT_SHARE", math.inf)
    monkeypatch.setattr(run, "POLL_SECONDS", 0.0)
    text = TEXT[:203] + "!" + TEXT[204:340]

    def learning(max_steps):
        return explosive(text).set_params(max_steps=max_steps, weight_average=0.25)

    model = learning(100)
    with pytest.raises(DivergenceError):
        model.partial_fit(text)
    assert bits(model) == bits(learning(returned_to).partial_fit(text))


def updated_at(average, steps):
    """Go through some steps, with the step as the only weight; return those after which the average changed."""
    found = []
    for step in steps:
        average.params[0], before = step, average.average.copy()
        average.update(step)
        found += [step] if (average.average != before).any() else []
    return found


def test_steps_left_lead_to_the_next_update():
    average = WeightAverage(0.5, 7, 7, np.zeros(1), np.zeros(1))
    updates = updated_at(average, range(8, 500))
    assert updates[:17] == [*range(8, 24), 25]
    for step in range(7, updates[-1]):
        assert step + average.steps_left(step) == next(update for update in updates if update > step)


def test_an_update_is_made_once():
    average = WeightAverage(0.5, 7, 7, np.zeros(1), np.zeros(1))
    updated_at(average, range(8, 12))
    assert updated_at(average, [11]) == []
    assert updated_at(average, [12]) == [12]
