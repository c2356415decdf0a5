"""Training that goes wrong: infinite weights under a finite loss, and ruin with finite numbers."""

import numpy as np
import pytest
from interrupted_runs import train_until
from texts import LONG_TEXT as TEXT

from crnn import CharRNN, DivergenceError
from crnn.training import trainer


def assert_finite(model):
    for views in (model.params_, *(v for v in model.optimizer_state_.values() if isinstance(v, dict))):
        assert all(np.isfinite(view).all() for view in views.values())
    states = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    assert all(np.isfinite(state).all() for state in states)


DECAYED = {"hidden_size": 8, "cell": "lstm", "optimizer": "adam", "learning_rate": 1.19, "weight_decay": 16_183.0,
           "clip": None, "random_state": 0}  # fmt: skip


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_infinite_bias_under_a_finite_loss_is_a_divergence(monkeypatch, seconds, tmp_path):
    """The gates of an LSTM map an infinite bias to 0 or 1."""
    monkeypatch.setattr(trainer, "SNAPSHOT_SECONDS", seconds)
    model = CharRNN(**DECAYED, max_steps=2000)
    with pytest.raises(DivergenceError, match="Lower learning_rate") as raised:
        model.fit(TEXT)
    assert_finite(model)
    assert model.n_steps_ < raised.value.step
    model.save(tmp_path / "model")


@pytest.mark.parametrize(("max_steps", "ruined"), [(99, False), (100, True), (3000, True)])
def test_a_ruined_model_with_finite_weights_is_divergence(max_steps, ruined):
    model = CharRNN(8, learning_rate=1e30, max_steps=max_steps, random_state=0)
    if not ruined:
        assert model.fit(TEXT).score(TEXT[:50]) < -1000
        return
    with pytest.raises(DivergenceError, match=r"is .* nats per chunk, more than 10 times that of a uniform") as raised:
        model.fit(TEXT)
    assert (raised.value.kind, raised.value.step) == ("ruin", max_steps)
    assert raised.value.last_loss > 1e29
    assert model.score(TEXT[:50]) > -4


def test_ruin_is_judged_by_the_mean_loss(monkeypatch):
    model = CharRNN(8, learning_rate=1e30, max_steps=100, random_state=0)
    with pytest.raises(DivergenceError) as raised:
        model.fit(TEXT)
    monkeypatch.setattr(trainer, "UNIFORM_GUESSES", np.inf)
    start = trainer.SmoothedLoss(0, 25 * np.log(len(set(TEXT))))
    mean = start.mean_until(trainer.SmoothedLoss(100, model.fit(TEXT).smooth_loss_))
    assert raised.value.last_loss == pytest.approx(mean)


def test_a_trained_model_returns_to_its_state_before_the_ruin():
    model = CharRNN(8, max_steps=60, random_state=0).fit(TEXT)
    before = model.score(TEXT)
    with pytest.raises(DivergenceError):
        model.set_params(max_steps=300, learning_rate=1e30).partial_fit(TEXT, epochs=99)
    assert (model.n_steps_, model.score(TEXT)) == (60, before)


def test_a_resumed_run_is_judged_by_its_own_steps(tmp_path, monkeypatch):
    path = tmp_path / "run"
    train_until(150, CharRNN(8, learning_rate=1e30, max_steps=260, random_state=0), monkeypatch, path, TEXT)
    with pytest.raises(DivergenceError) as raised:
        CharRNN.resume(path, TEXT)
    assert (raised.value.kind, raised.value.step) == ("ruin", 260)
    assert CharRNN.load(path).n_steps_ == 150


def test_recovered_loss_is_not_ruin():
    model = CharRNN(8, init_scale=3.0, max_steps=3000, random_state=0).fit(TEXT)  # first losses: hundreds of nats
    assert model.n_steps_ == 3000


@pytest.mark.parametrize("text", ["ab", "abc", b"aab"])
def test_text_shorter_than_a_chunk_is_not_ruin(text):
    """Its chunk has fewer symbols than those that the smoothed loss refers to."""
    CharRNN(4, max_steps=200, random_state=0).fit(text).set_params(seq_length=99).partial_fit(text)


def test_weighted_documents_are_not_ruin():
    CharRNN(8, max_steps=200, random_state=0).fit(["anna", "bob"] * 9, sample_weight=[1e9, 1.0] * 9)


def test_a_ruined_model_has_no_record_and_no_callback_of_the_end():
    seen = []
    callbacks = [lambda model, record: seen.append(record["step"])]
    model = CharRNN(8, learning_rate=1e30, max_steps=120, random_state=0, callbacks=callbacks)
    with pytest.raises(DivergenceError, match="10 times that of a uniform guess"):
        model.fit(TEXT)
    assert seen == [record["step"] for record in model.history_] == list(range(6, 120, 6))
