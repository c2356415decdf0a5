"""Training that goes wrong: infinite weights under a finite loss, and ruin with finite numbers."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
from examples import spoil

from crnn import CharRNN, DivergenceError, InvalidInputError
from crnn.training.loop import trainer
from crnn.training.loop.ruin import RuinState, RuinWatch

TEXT = "to be or not to be, that is the question. " * 20


def assert_finite(model):
    for views in (model.params_, *(v for v in model.optimizer_state_.values() if isinstance(v, dict))):
        assert all(np.isfinite(view).all() for view in views.values())
    states = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    assert all(np.isfinite(state).all() for state in states)


DECAYED = {"hidden_size": 8, "cell": "lstm", "optimizer": "adam", "learning_rate": 1.19, "weight_decay": 16_183.0,
           "clip": None, "random_state": 0}  # fmt: skip


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_bias_that_becomes_infinite_under_a_finite_loss(monkeypatch, seconds, tmp_path):
    """The gates of an LSTM map an infinite bias to 0 or 1."""
    monkeypatch.setattr(trainer, "SNAPSHOT_SECONDS", seconds)
    model = CharRNN(**DECAYED, max_steps=2000)
    with pytest.raises(DivergenceError, match="Lower learning_rate") as raised:
        model.fit(TEXT)
    assert_finite(model)
    assert model.n_steps_ < raised.value.step
    model.save(tmp_path / "model")


def test_the_last_finite_weights_are_kept(monkeypatch):
    """The next step makes the first infinite weights."""
    monkeypatch.setattr(trainer, "SNAPSHOT_SECONDS", 1e9)
    monkeypatch.setattr(RuinWatch, "ruined", lambda watch, step: False)
    model = CharRNN(**DECAYED, max_steps=2000)
    with pytest.raises(DivergenceError) as raised:
        model.fit(TEXT)
    good, bad = model.n_steps_, raised.value.step
    stopped = CharRNN(**DECAYED, max_steps=good).fit(TEXT)
    for name, array in model.params_.items():
        np.testing.assert_array_equal(stopped.params_[name], array)
    with pytest.raises(DivergenceError):
        CharRNN(**DECAYED, max_steps=bad).fit(TEXT)


@pytest.mark.parametrize("max_steps", [3, 200, 3000])
def test_ruined_but_finite_is_divergence(max_steps):
    model = CharRNN(8, learning_rate=1e30, max_steps=max_steps, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(DivergenceError, match="far above that of a uniform guess, and did not recover") as raised:
            model.fit(TEXT)
    assert raised.value.kind == "ruin"
    assert raised.value.step == max_steps
    assert ["ruining the model" in str(warning.message) for warning in caught] == [True] * (max_steps > 1000)
    assert max(np.abs(array).max() for array in model.params_.values()) < 1
    assert model.score(TEXT[:50]) > -4


def test_a_loss_that_comes_back_is_none():
    model = CharRNN(8, init_scale=3.0, max_steps=3000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first losses are hundreds of nats
        model.fit(TEXT)
    assert model.n_steps_ == 3000


@pytest.mark.parametrize("text", ["ab", "abc", b"aab"])
def test_a_text_shorter_than_a_chunk_is_no_ruin(text):
    """Its chunk has fewer symbols than those that the smoothed loss refers to."""
    CharRNN(4, max_steps=9, random_state=0).fit(text).set_params(seq_length=99).partial_fit(text)


def test_weighted_documents_are_no_ruin():
    CharRNN(8, max_steps=60, random_state=0).fit(["anna", "bob"] * 9, sample_weight=[1e9, 1.0] * 9)


def smoothed(before, loss, n):
    """Return the smoothed loss after n steps with the same loss."""
    for _ in range(n):
        before = 0.999 * before + 0.001 * loss
    return before


def test_watch():
    limit = 10 * 25 * math.log(65)
    watch, smooth, before = RuinWatch(25 * math.log(65), 25, 100, 104.0, "first"), 104.0, 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step, loss in ((200, 1e9), (700, 0.9 * limit), (1600, 1.1 * limit)):  # it comes back, and leaves again
            smooth = smoothed(smooth, loss, step - before)
            watch.see(step, smooth, loss, 1.0)
            watch.keep(step)
            before = step
        assert watch.sound == 700
        assert watch.ruined(1600)
        smooth = smoothed(smooth, 1.1 * limit, 100)
        with pytest.warns(RuntimeWarning, match="since step 700"):
            watch.see(1700, smooth, 1.1 * limit, 1.0)
        smooth = smoothed(smooth, 1.1 * limit, 100)
        watch.see(1800, smooth, 1.1 * limit, 1.0)  # said once
        assert watch.ruined(1800)
        smooth = smoothed(smooth, 1.1 * limit, 100)
        watch.see(1900, smooth, 1.1 * limit, 1.2)  # each loss is 1.2 times the last
        assert not watch.ruined(1900)
    assert not RuinWatch(25 * math.log(65), 25, 100, 104.0, "first").ruined(100)


@pytest.mark.parametrize(
    ("seq_length", "steps"),
    [
        (50, [*range(101, 111)]), (49, [101, 102, 104, 106, 108, 110]), (25, [101, 102, 104, 106, 108, 110]),
        (17, [101, 102, 104, 107, 110]), (1, [101, 102, 104, 108, 116, 132, 164, 214, 264]),
    ],
)  # fmt: skip
def test_losses_are_means_over_50_time_steps_or_the_call_so_far(seq_length, steps):
    watch, seen = RuinWatch(3.0 * seq_length, seq_length, 100, 104.0, "first"), []
    for step in range(101, steps[-1] + 1):
        watch.see(step, 104.0, 104.0, 1.0 + step)
        assert watch.seen.factor == 1.0 + step  # even if the loss is not looked at
        seen.append(watch.seen.step)
    assert sorted(set(seen)) == steps
    assert not watch.seen.above


@pytest.mark.parametrize(
    ("sound_step", "step", "extreme", "ruined"),
    [
        (1100, 1200, False, True), (1101, 1201, False, False), (1101, 1202, False, True),  # half of the call's steps
        (1000, 1099, False, False), (1000, 1100, False, True), (1000, 1099, True, True),  # at least 100, or extreme
        (1001, 1003, True, True), (1002, 1003, True, False),
        (8000, 9000, False, True), (8001, 9000, True, False),  # or 1000, whatever the length of the call
    ],
)  # fmt: skip
def test_how_many_steps_above_the_limit_are_ruin(sound_step, step, extreme, ruined):
    watch = RuinWatch(25 * math.log(65), 25, 0, 104.0, "first")
    for above in (True, False):
        watch.go_on(1000, RuinState(step, 1e9, sound_step, above, extreme), None)
        assert watch.ruined(step) is (above and ruined)
    assert watch.sound == "first"
    watch.go_on(1000, RuinState(step, 1e9, sound_step), "before")
    assert watch.sound == "before"


def test_a_ruined_model_has_no_record_and_no_callback_of_the_end():
    seen = []
    callbacks = [lambda model, record: seen.append(record["step"])]
    model = CharRNN(8, learning_rate=1e30, max_steps=20, random_state=0, callbacks=callbacks)
    with pytest.raises(DivergenceError, match="far above that of a uniform guess"):
        model.fit(TEXT)
    assert seen == [record["step"] for record in model.history_] == list(range(1, 20))


def test_one_symbol_that_is_guessed_by_chance_is_no_return():
    watch, smooth, rng = RuinWatch(math.log(15), 1, 0, 2.7, "first"), 2.7, np.random.default_rng(3)
    for step in range(1, 900):
        loss = [0.0, 1e9][rng.integers(2)]
        smooth = smoothed(smooth, loss, 1)
        watch.see(step, smooth, loss, 1.0)
    assert watch.ruined(899)


@pytest.mark.parametrize(("loss", "ruined"), [(1e14, True), (3.0, False)])
def test_the_last_loss_decides_where_the_smoothed_one_shows_no_more(loss, ruined):
    watch, smooth = RuinWatch(25 * math.log(65), 25, 0, 1e30, "first"), 1e30
    for step in range(10, 250, 10):
        smooth = smoothed(smooth, loss, 10)
        watch.see(step, smooth, loss, 1.0)
    assert watch.ruined(240) is ruined


@pytest.mark.parametrize("kind", ["loss", "weights", "ruin"])
def test_error_is_copied_and_pickled(kind):
    error = DivergenceError(3, 2.5, kind)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (again.step, again.last_loss, again.kind, str(again)) == (3, 2.5, kind, str(error))


CALLS = {
    "sample": lambda model: model.sample(3),
    "stream": lambda model: next(model.stream()),
    "beam_search": lambda model: model.beam_search(3),
    "score": lambda model: model.score("to be"),
    "bits_per_char": lambda model: model.bits_per_char("to be"),
    "surprisal": lambda model: model.surprisal("to be"),
    "predict_proba": lambda model: model.predict_proba(["to be"]),
    "score_samples": lambda model: model.score_samples(["to"]),
    "transform": lambda model: model.transform(["to"]),
    "start": lambda model: model.start(),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("call", CALLS)
def test_weights_that_are_not_finite(call, bad):
    model = CharRNN(5, max_steps=3, random_state=0).fit(TEXT)
    spoil(model, "Whh_l0", (2, 3), bad)
    with pytest.raises(InvalidInputError, match=rf"params_\['Whh_l0'\] is {bad} at \(2, 3\), but \w+ needs finite"):
        CALLS[call](model)


def test_guess_number_of_weights_that_are_not_finite():
    model = CharRNN(5, max_steps=3, random_state=0).fit(["anna", "bob"])
    spoil(model, "by", 1, np.nan)
    for call in (model.guess_number, model.score):
        with pytest.raises(InvalidInputError, match="finite"):
            call(["anna"])
    with pytest.raises(InvalidInputError, match="finite"):
        model.enumerate_documents(3)
