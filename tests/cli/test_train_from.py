"""The option ``--from`` of ``crnn train``: continue the training of a saved model."""

import numpy as np
import pytest
from small_models import learned_state
from texts import PHRASES as TEXT

from crnn import CharRNN
from crnn.cli import main as cli
from crnn.cli import train_network
from crnn.training import machine_speed
from crnn.training import run as training
from crnn.training.machine_speed import Speed
from crnn.training.recommended import MIN_STEPS


def train_further(*options):
    return cli.main(["train", "text.txt", "--from", "model.crnn", "-o", "more.crnn", "-q", *options])


@pytest.mark.parametrize(("options", "epochs"), [([], 1), (["--epochs", "3"], 3)])
def test_continue_epoch_by_epoch(folder, options, epochs):
    assert train_further(*options) == 0
    expected = CharRNN.load("model.crnn").set_params(max_steps=None)
    for epoch in range(epochs):
        if epoch:
            with expected.editing():
                expected.state_[:] = 0  # as between the epochs of `fit`
        expected.partial_fit(TEXT)
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == expected.n_steps_ > 50
    np.testing.assert_array_equal(learned_state(model).params, learned_state(expected).params)
    assert model.max_steps == 50  # a parameter of the model, as it was


def test_a_schedule_runs_over_all_epochs(folder):
    assert train_further("--epochs", "4", "--schedule", "linear") == 0
    model = CharRNN.load("more.crnn")
    rates = [record["learning_rate"] for record in model.history_[-10:]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1 / (model.n_steps_ - 50))


@pytest.mark.parametrize("steps", [0, 300])
def test_continue_for_so_many_steps(folder, steps):
    assert train_further("--max-steps", str(steps)) == 0
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == 50 + steps
    assert model.max_steps == steps
    assert model.history_[-1]["step"] == 50 + steps


def test_epochs_share_one_display(folder, capsys):
    assert train_further("--epochs", "7", "--verbose", "1") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "bits/char" in line]
    assert len(lines) == 1
    assert lines[0].startswith("100%")
    assert len(CharRNN.load("more.crnn").history_) < 200


@pytest.mark.parametrize(
    ("time", "seconds", "origin"), [("90", 90.0, []), ("0.5m", 30.0, ["--from", "model.crnn"]), ("2h", 7200.0, [])]
)
def test_time_option_is_in_seconds_minutes_or_hours(folder, monkeypatch, time, seconds, origin):
    seen = []
    monkeypatch.setattr(training.TrainingRun, "run", lambda self: seen.append(self._plan.budget))
    monkeypatch.setattr(train_network.NetworkJob, "save", lambda self, ending: 0)
    cli.main(["train", "text.txt", "-o", "new.crnn", "--time", time, "--model", "network", *origin])
    assert [budget.seconds for budget in seen] == [seconds]
    assert [budget.n_steps for budget in seen] == [None if origin else MIN_STEPS]  # for so short a text


def test_given_parameters_replace_recommended_ones(folder, capsys):
    command = [
        "train",
        "text.txt",
        "-o",
        "new.crnn",
        "--time",
        "0.05s",
        "--model",
        "network",
        "--optimizer",
        "adagrad",
        "--hidden-size",
        "7",
    ]
    assert cli.main([*command, "--batch-size", "1"]) == 0
    model = CharRNN.load("new.crnn")
    assert (model.optimizer, model.hidden_size, model.batch_size) == ("adagrad", 7, 1)
    assert (model.learning_rate, model.weight_decay) == (None, 0.0)  # the recommended values are for Adam
    said = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("as requested: "))
    assert {"hidden_size=7", "optimizer=adagrad"} <= set(said.removeprefix("as requested: ").split(", "))
    assert cli.main([*command, "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_recommendation_depends_on_given_parameters(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(
        machine_speed, "measured_speed", lambda n, precisions: asked.append(precisions) or Speed(1e11, precisions[0])
    )
    command = ["train", "text.txt", "-o", "new.crnn", "--time", "0.05s", "--model", "network"]
    command += ["--seq-length", "36", "--n-threads", "1"]
    assert cli.main([*command, "--matmul-precision", "bfloat16"]) == 0
    model = CharRNN.load("new.crnn")
    assert (model.seq_length, model.clip_norm, model.matmul_precision) == (36, 1.5, "bfloat16")
    assert cli.main([*command, "--dtype", "float64"]) == 0
    assert CharRNN.load("new.crnn").dtype == "float64"
    assert asked == [("bfloat16",), ("float32",)]


def test_time_limit_of_the_model_does_not_change_the_recommendation(folder):
    CharRNN(7, seq_length=5, max_seconds=1e-9, random_state=0).fit(TEXT).save("model.crnn")
    assert train_further() == 0
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == 1 + -(-(len(TEXT) - 1 - 5) // 5)
    assert model.max_seconds == 1e-9


def test_continue_with_bytes(folder):
    (folder / "text.txt").write_bytes(b"\xff\0" * 50)
    train = ["train", "text.txt", "-q", "--max-steps", "3", "-o", "model.crnn"]
    assert cli.main([*train, "--bytes"]) == 0
    assert cli.main([*train, "--from", "model.crnn"]) == 0
    assert CharRNN.load("model.crnn").n_steps_ == 6
