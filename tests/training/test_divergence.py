"""Training that goes wrong with finite numbers."""

import math

import pytest
from interrupted_runs import train_until
from texts import LONG_TEXT as TEXT

from crnn import CharRNN, DivergenceError
from crnn.training import trainer


@pytest.mark.parametrize(("max_steps", "ruined"), [(99, False), (100, True)])
def test_a_ruined_model_with_finite_weights_is_divergence(max_steps, ruined):
    model = CharRNN(8, learning_rate=1e30, max_steps=max_steps, random_state=0)
    if not ruined:
        assert model.fit(TEXT).score(TEXT[:50]) < -1000
        return
    seen = []
    model.set_params(callbacks=[lambda model, record: seen.append(record["step"])])
    with pytest.raises(DivergenceError, match=r"is .* nats per chunk, more than 10 times that of a uniform") as raised:
        model.fit(TEXT)
    assert (raised.value.kind, raised.value.step) == ("ruin", max_steps)
    assert raised.value.last_loss > 1e29
    assert model.score(TEXT[:50]) > -4
    assert seen == [record["step"] for record in model.history_] == list(range(5, 100, 5))  # and none of the end


def test_the_loss_of_a_ruined_model_is_the_mean_of_its_chunks(monkeypatch):
    model, text = CharRNN(8, learning_rate=1e30, max_steps=100, random_state=0), "abcabc"  # a chunk of 5, not of 25
    with pytest.raises(DivergenceError) as raised:
        model.fit(text)
    monkeypatch.setattr(trainer, "UNIFORM_GUESSES", math.inf)
    before, after = trainer.SmoothedLoss(0, 25 * math.log(3)), trainer.SmoothedLoss(100, model.fit(text).smooth_loss_)
    assert raised.value.last_loss == pytest.approx(before.mean_until(after) / 5)


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


def test_text_shorter_than_a_chunk_is_not_ruin():
    """Its chunk has fewer symbols than those that the smoothed loss refers to."""
    CharRNN(4, max_steps=200, random_state=0).fit("ab").set_params(seq_length=99).partial_fit("ab")


def test_weighted_documents_are_not_ruin():
    CharRNN(8, max_steps=200, random_state=0).fit(["anna", "bob"] * 9, sample_weight=[1e9, 1.0] * 9)
