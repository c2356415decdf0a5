"""Training: every cell, schedules, budgets of time by a clock that a test moves, validation, callbacks."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
from examples import spoil
from reference_checks import check_model, expected_run
from small_models import bits, learned_state, small
from texts import SOLILOQUY as TEXT

from crnn import CharRNN, DivergenceError, InvalidInputError
from crnn.parameters.schedules import WarmUp, learning_rates
from crnn.reference import network as reference
from crnn.training import run as training
from crnn.training import validation
from crnn.training.trainer import Trainer

GATED = {"cell": "lstm", "num_layers": 2, "optimizer": "adam", "learning_rate": 0.01, "dropout": 0.3, "batch_size": 3}


class Clock:
    """A clock that stands still but for what training and evaluations cost, in seconds."""

    def __init__(self, monkeypatch):
        self.now, self.step, self.evaluation = 100.0, 0.01, 0.0
        self.steps = []  # at each look
        fake = SimpleNamespace(perf_counter=lambda: self.now)
        for module in ("run", "fit"):
            monkeypatch.setattr(f"crnn.training.{module}.time", fake)
        advance, evaluate = Trainer.advance, validation.evaluate

        def timed_advance(trainer, rates):
            advance(trainer, rates)
            self.steps.append(len(rates))
            for _ in rates:
                self.now += self.step(self.now) if callable(self.step) else self.step

        def timed_evaluate(*arguments, **options):
            self.now += self.evaluation
            return evaluate(*arguments, **options)

        monkeypatch.setattr(Trainer, "advance", timed_advance)
        monkeypatch.setattr(validation, "evaluate", timed_evaluate)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def validation_losses(model):
    return {r["step"]: r["validation_loss"] for r in model.history_ if r["validation_loss"] is not None}


def overfitting(**parameters):
    """A model that gets worse on its validation text after a while, and that text."""
    held_out = "".join(sorted(TEXT))[::3]
    return small(**{"max_steps": 300, "eval_every": 20, "learning_rate": 0.05, **parameters}), held_out


# ------------------------------------------------------------------ every cell


@pytest.mark.parametrize(
    ("cell", "optimizer"), [("rnn", "adagrad"), ("gru", "rmsprop"), ("lstm", "adam"), ("cifg", "adam")]
)
def test_fit_matches_reference(cell, optimizer):
    options = {
        "clip": 0.4, "clip_norm": 2.0, "beta_1": 0.8, "beta_2": 0.95, "dropout": 0.25, "weight_dropout": 0.2,
        "state_reset": 0.3, "n_sampled_symbols": 2, "weight_decay": 0.1 if optimizer == "adam" else 0.0,
    }  # fmt: skip
    parameters = options | {
        "cell": cell, "num_layers": 2, "optimizer": optimizer, "batch_size": 3, "dtype": "float64",
        "learning_rate": 0.02, "schedule": "cosine", "warmup_steps": 3,
    }  # fmt: skip
    start = small(0, **parameters).fit(TEXT)
    first = learned_state(start)
    rates = learning_rates("cosine", 0.02, WarmUp(steps=3), 0, np.arange(8) / 7, np.zeros(7))
    wanted = expected_run(
        first.layout, first.params, list(first.optimizer_state.values()), first.hidden,
        first.vocabulary.encode(TEXT), 7, T=5,
        learning_rate=lambda step: rates[step], optimizer=optimizer, **options,
        dropout_seed=int(copy.deepcopy(first.rng).integers(2**63)),
    )  # fmt: skip
    model = small(7, **parameters).fit(TEXT)
    check_model(model, wanted, rtol=1e-7, atol=1e-10)


# ------------------------------------------------------------------- schedules


def test_the_schedule_of_partial_fit_begins_anew():
    model = small(40, schedule="linear", learning_rate=0.1).fit(TEXT)
    model.set_params(max_steps=None).partial_fit(TEXT[:102])
    done = model.n_steps_ - 40
    assert done == 20
    assert model.history_[-1]["learning_rate"] == pytest.approx(0.1 / done)
    assert model.history_[-done]["learning_rate"] == 0.1


# ------------------------------------------------------------- budgets of time


@pytest.mark.parametrize(
    ("start", "step", "seconds"),
    [
        ("partial_fit", 0.001, 3.0),
        ("fit", 0.5, 30.0),
        ("fit", lambda now: 0.001 if now < 101 else 0.003, 3.0),
        *(("fit", lambda now: 1e-4 * (1 + 0.5 * math.sin(97 * now)), seconds) for seconds in (0.3, 0.31)),
    ],
)
def test_training_ends_on_time(clock, start, step, seconds):
    clock.step = step
    model = small(None, max_seconds=seconds)
    if start == "partial_fit":
        model.set_params(max_steps=0).fit(TEXT).set_params(max_steps=None)
    begin = clock.now
    getattr(model, start)(TEXT)
    assert clock.now - begin == pytest.approx(seconds, rel=0.01)
    assert model.n_steps_ == sum(clock.steps)
    assert model.history_[-1]["step"] == model.n_steps_
    assert len(model.history_) <= 200


def test_a_resumed_run_trains_the_seconds_left(clock, tmp_path):
    def interrupt(model, record):
        if record["seconds"] > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(None, max_seconds=0.4, callbacks=[interrupt]).fit(TEXT, checkpoint=tmp_path / "run")
    clock.now += 50  # which the pause took
    resumed = CharRNN.resume(tmp_path / "run", TEXT)
    seconds = [record["seconds"] for record in resumed.history_]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(0.4, rel=0.01)
    assert resumed.n_steps_ == sum(clock.steps) == pytest.approx(40, abs=1)


@pytest.mark.parametrize(
    ("evaluation", "interval"), [(0.001, {"eval_every": 100}), (0.7, {"eval_seconds": 2.0}), (5.0, {})]
)
def test_evaluations_count_but_the_last_does_not(clock, evaluation, interval):
    clock.evaluation = evaluation
    small(None, max_seconds=30.0, validation_fraction=0.2, **interval).fit(TEXT)
    assert 0.99 * 30.0 <= clock.now - 100 <= 1.01 * 30.0 + evaluation


def test_the_schedule_goes_by_the_time(clock):
    clock.step = lambda now: 0.005 if now < 115 else 0.02
    model = small(None, max_seconds=30.0, schedule="linear", learning_rate=1.0, warmup_fraction=0.1).fit(TEXT)
    for record in model.history_:
        expected = min(1.0, record["seconds"] / 3.0) * (1 - record["seconds"] / 30.0)
        assert record["learning_rate"] == pytest.approx(expected, abs=0.02)
    assert model.history_[-1]["learning_rate"] < 0.001
    assert model.history_[-1]["step"] == pytest.approx(3000 + 750, rel=0.01)


def test_polls_are_bounded(clock):
    clock.step = 25e-6
    small(None, max_seconds=0.5).fit(TEXT)
    assert len(clock.steps) < 0.5 / training.POLL_SECONDS + 40
    assert max(clock.steps) * clock.step <= 1.01 * training.POLL_SECONDS


# --------------------------------------------------------------------- records


def test_train_loss_is_the_mean_since_the_record_before():
    model, single = small(40).fit(TEXT), small(0).fit(TEXT).set_params(max_steps=1)
    losses = []
    for step in range(40):
        before = single.smooth_loss_
        single.partial_fit(TEXT[5 * step : 5 * step + 7])
        losses.append((single.smooth_loss_ - 0.999 * before) / 0.001 / 5)
    for record in model.history_:
        recent = losses[record["step"] - 2 : record["step"]]
        assert record["train_loss"] == pytest.approx(np.mean(recent), rel=1e-3)
        assert min(recent) <= record["train_loss"] * (1 + 1e-9)
        assert record["train_loss"] <= max(recent) * (1 + 1e-9)


def test_the_gradient_norm_is_that_before_clipping():
    start = small(0, dtype="float64").fit(TEXT)
    ids = start.vocabulary_.encode(TEXT[:6]).astype(int)[:, None]
    _, d, _ = reference.loss_and_gradients(
        learned_state(start).layout.tensors(learned_state(start).params), "rnn", ids[:-1], ids[1:], (start.state_,)
    )
    norm = math.sqrt(sum((part**2).sum() for part in d))
    for parameters in ({"clip": None}, {"clip": 0.001}, {"clip_norm": 0.01}):
        model = small(1, dtype="float64", **parameters).fit(TEXT)
        assert model.history_[0]["gradient_norm"] == pytest.approx(norm, rel=1e-9)


def test_epochs_are_counted_from_the_start_of_the_call():
    model = small(10).fit(TEXT).set_params(max_steps=20).partial_fit(TEXT[:32])
    assert [(r["step"], r["epoch"]) for r in model.history_[10:]] == [(10 + n, n / 6) for n in range(1, 7)]


def test_records_tell_the_speed_since_the_start_of_the_call(clock):
    clock.step = lambda now: 0.001 if now < 101 else 0.003
    model = small(None, max_seconds=3.0, batch_size=3).fit(TEXT)
    for record in model.history_:
        assert record["chars_per_second"] == pytest.approx(15 * record["step"] / record["seconds"])


def test_records_of_validation_are_records_among_the_others():
    model = small(100, validation_fraction=0.2, eval_every=30).fit(TEXT)
    steps = [record["step"] for record in model.history_]
    assert steps == sorted({*range(5, 101, 5), 30, 60, 90})
    assert list(validation_losses(model)) == [30, 60, 90, 100]


# ------------------------------------------------------------------ validation


def test_the_validation_loss_is_that_of_the_held_out_end():
    model = small(50, validation_fraction=0.25, restore_best=False).fit(TEXT)
    tail = TEXT[len(TEXT) - round(len(TEXT) * 0.25) :]
    assert model.history_[-1]["validation_loss"] == pytest.approx(-model.score(tail), rel=1e-6)
    assert set(TEXT[: -len(tail)]) == set(TEXT)
    assert bits(model) == bits(small(50).fit(TEXT[: -len(tail)]))


def test_the_vocabulary_is_that_of_the_whole_text():
    model = small(3, validation_fraction=0.1).fit(TEXT + "xyz!")
    assert set("xyz!") <= set(model.vocabulary_)


# ----------------------------------------------------------------- the best one


@pytest.mark.parametrize("parameters", [{"learning_rate": 0.05}, GATED | {"n_threads": 2, "learning_rate": 0.03}])
def test_restores_the_best_model(parameters):
    model, other = overfitting(**parameters)
    model.fit(TEXT, validation=other)
    losses = validation_losses(model)
    best = min(losses, key=losses.get)
    assert 20 <= best < 300  # or the test shows nothing
    assert model.n_steps_ == best
    assert model.history_[-1]["step"] == 300
    assert -model.score(other) == pytest.approx(losses[best], rel=1e-6)
    assert bits(model) == bits(small(best, **parameters).fit(TEXT))
    if "optimizer" in parameters:
        assert model.set_params(max_steps=2).partial_fit(TEXT, validation=other).n_steps_ <= best + 2
        assert model.optimizer_state_["step"] == model.n_steps_


def test_the_best_is_the_best_of_the_call():
    model, other = overfitting()
    model.fit(TEXT, validation=other)
    best = model.n_steps_
    model.set_params(learning_rate=5.0, max_steps=40).partial_fit(TEXT, validation=other)
    assert model.n_steps_ in (best + 20, best + 40)


def test_patience_ends_training():
    model, other = overfitting(patience=3, max_steps=10**6)
    model.fit(TEXT, validation=other)
    losses = list(validation_losses(model).values())
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3
    assert model.n_steps_ == 20 * (best + 1)


def test_evaluations_left_to_crnn_give_the_same_bits_each_time(monkeypatch):
    model, other = overfitting(eval_every=None, max_steps=700, schedule="cosine", batch_size=5, n_threads=2)
    expected = bits(model.fit(TEXT, validation=other))
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    assert bits(model.fit(TEXT, validation=other)) == expected
    assert len(validation_losses(model)) > 1


def test_divergence_restores_the_best():
    model, other = overfitting(max_steps=10**6)

    def poison(model, record):
        if record["step"] == 400:
            spoil(model, "by", 0, np.nan)

    model.set_params(callbacks=[poison], eval_every=40)
    with pytest.raises(DivergenceError):
        model.fit(TEXT, validation=other)
    losses = validation_losses(model)
    assert model.n_steps_ == min((step for step in losses if step < 400), key=losses.get)
    assert bits(model) == bits(small(model.n_steps_, learning_rate=0.05).fit(TEXT))


def test_divergence_keeps_what_a_callback_wrote():
    seen = {}

    def write(model, record):
        step = record["step"]
        with model.editing():
            model.params_["by"][0] += 10
        if step == 300:
            spoil(model, "by", 0, np.nan)
        seen[step] = model.params_["by"][0]

    model = small(8000, callbacks=[write])
    with pytest.raises(DivergenceError):
        model.fit(TEXT)
    assert sorted(seen) == [100, 200, 300]
    assert model.n_steps_ >= 200
    assert model.params_["by"][0] > seen[200] - 5  # less what up to 99 steps have learned
    assert np.isfinite(learned_state(model).params).all()


# ------------------------------------------------------------------- callbacks


def test_callback_sees_the_model_at_its_record(tmp_path):
    seen, second = [], []

    def look(model, record):
        assert model.n_steps_ == record["step"]
        assert model.history_[-1] is record
        model.save(tmp_path / "model")
        seen.append((bits(model), bits(CharRNN.load(tmp_path / "model")), model.sample(5, random_state=0)))

    model = small(6, callbacks=[look, lambda model, record: second.append(record)]).fit(TEXT)
    assert second == model.history_
    assert len(seen) == 6
    assert all(here == there for here, there, _ in seen)
    plain = small(3).fit(TEXT)
    assert seen[2][0] == bits(plain)
    assert seen[2][2] == plain.sample(5, random_state=0)


@pytest.mark.parametrize(("answer", "n_steps"), [(np.True_, 6), *((no, 30) for no in (None, np.False_, 1, "yes", [3]))])
def test_only_true_from_a_callback_stops_training(answer, n_steps):
    assert small(30, callbacks=[lambda model, record: record["step"] == 6 and answer]).fit(TEXT).n_steps_ == n_steps


def test_a_callback_that_stops_training_leaves_the_loss_measured():
    model, other = overfitting(callbacks=[lambda model, record: record["step"] >= 45], restore_best=False)
    model.fit(TEXT, validation=other)
    assert model.n_steps_ == 45
    assert list(validation_losses(model)) == [20, 40, 45]
    assert validation_losses(model)[45] == pytest.approx(-model.score(other), rel=1e-6)


@pytest.mark.parametrize(("error", "validating"), [(ValueError, False), (KeyboardInterrupt, True)])
def test_an_exception_of_a_callback_passes_and_leaves_the_model_intact(error, validating):
    def fail(model, record):
        if record["step"] >= 45:
            raise error("what a callback says")

    model, other = overfitting(callbacks=[fail])
    with pytest.raises(error, match="what a callback says"):
        model.fit(TEXT, validation=other if validating else None)
    losses = validation_losses(model)
    assert model.n_steps_ == (min(losses, key=losses.get) if validating else 45)
    assert bits(model) == bits(small(model.n_steps_, learning_rate=0.05).fit(TEXT))
    model.set_params(callbacks=None, max_steps=3)
    assert model.partial_fit(TEXT).n_steps_ > 3


@pytest.mark.parametrize("kind", [
    {"optimizer": "adam"}, {"cell": "lstm", "num_layers": 2}, {"cell": "gru", "batch_size": 16, "n_threads": 2},
])  # fmt: skip
def test_edits_of_a_callback_count_from_the_next_step(kind):
    kind = {"learning_rate": 0.01, "dtype": "float64", "seq_length": 5, **kind}

    def write(model, record=None):
        if model.n_steps_ == 3:
            with model.editing():
                for weights in model.params_.values():
                    weights *= 1.5
                for state in model.state_ if isinstance(model.state_, tuple) else [model.state_]:
                    state[:] = -0.25

    B, stride = kind.get("batch_size", 1), 4 * 5 + 1  # streams share the symbol at which one ends and the next begins
    text = TEXT[: B * stride + 1]
    at_once = small(4, callbacks=[write], **kind).fit(text)
    in_two = small(3, **kind).fit(text)
    write(in_two)
    rest = "".join(text[b * stride + 3 * 5 : (b + 1) * stride] for b in range(B))
    in_two.set_params(max_steps=1).partial_fit(rest + text[-1])
    assert at_once.n_steps_ == in_two.n_steps_ == 4
    for here, there in zip(at_once.params_.values(), in_two.params_.values(), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_callback_cannot_train_the_model(method):
    def train(model, record):
        if record["step"] == 10:
            with pytest.raises(InvalidInputError, match=r"^this model is being trained by another call"):
                getattr(model, method)("abc" * 30)
            refused.append(record["step"])
            small(3).fit("abc" * 30)  # another one it can

    refused = []
    model = small(30, callbacks=[train]).fit(TEXT)
    assert refused == [10]
    assert bits(model) == bits(small(30).fit(TEXT))
    assert getattr(model.set_params(callbacks=None), method)(TEXT).n_steps_ >= 30  # it is free again


def test_a_callback_may_clear_the_history_and_stop():
    model = small(200, validation_fraction=0.1, callbacks=[lambda model, record: (model.history_.clear(), True)[1]])
    assert model.fit(TEXT).history_ == []
    assert model.n_steps_ > 0


# ---------------------------------------------------- continuing with other settings


@pytest.mark.parametrize("optimizers", [("adagrad", "adam"), ("adam", "adagrad")])
def test_another_optimizer_begins_with_an_empty_memory(optimizers):
    model = small(20, optimizer=optimizers[0]).fit(TEXT)
    other = copy.deepcopy(model)
    model.set_params(optimizer=optimizers[1], max_steps=6).partial_fit(TEXT)
    assert learned_state(model).optimizer_start == 20
    assert model.optimizer_state_.get("step", 6) == 6
    layout, memories = learned_state(other).layout, learned_state(model).optimizer_state
    params, memories, _, _ = expected_run(
        layout, learned_state(other).params.astype(float), [layout.zeros() for _ in memories],
        learned_state(other).hidden, other.vocabulary_.encode(TEXT), 6, T=5,
        learning_rate=0.1 if optimizers[1] == "adagrad" else 0.002,
        optimizer=optimizers[1], n_before=20, optimizer_start=20,
    )  # fmt: skip
    np.testing.assert_allclose(learned_state(model).params, params, rtol=1e-4, atol=1e-5)
    for actual, expected in zip(learned_state(model).optimizer_state.values(), memories, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-6)


def test_saving_never_fails_after_the_highest_count_of_steps(tmp_path):
    model = small(2, callbacks=[lambda *_: None]).fit(TEXT)
    learned_state(model).n_steps = 2**61
    model.save(tmp_path / "model")
    again = CharRNN.load(tmp_path / "model").set_params(max_steps=2, callbacks=[lambda *_: None]).partial_fit(TEXT)
    again.save(tmp_path / "model")
    assert CharRNN.load(tmp_path / "model").n_steps_ == again.n_steps_ == 2**61 + 2


def test_the_same_optimizer_keeps_its_memory():
    model = small(20, optimizer="adam").fit(TEXT)
    model.set_params(max_steps=6).partial_fit(TEXT)
    assert learned_state(model).optimizer_start == 0
    assert model.optimizer_state_["step"] == 26
