"""A mixture on the command line: train it in a given time, and save what there is when training is interrupted."""

import os
import signal

import pytest
from command_line import POSIX, error, stop_after
from texts import PHRASES as TEXT

from crnn import CharRNN, DivergenceError, Mixture, load_model
from crnn.cli import main as cli
from crnn.cli import train_mixture
from crnn.cli.train_job import network_of
from crnn.inference.mixture_weights import HeldOutText

TRAIN = ["train", "text.txt", "--model", "mixture", "-o", "both.crnn"]


def test_a_network_and_counts_are_saved_together(folder, capsys):
    assert cli.main([*TRAIN, "--time", "0.3s", "--random-state", "0", "--order", "4", "--cell", "gru"]) == 0
    err, mixture = capsys.readouterr().err, Mixture.load("both.crnn")
    network, counts = mixture.models_
    assert (network.cell, network.random_state, counts.order_) == ("gru", 0, 4)
    assert network.verbose == counts.verbose == 0
    assert f"crnn: saved both.crnn: a network after {network.n_steps_:,} steps in " in err
    assert err.endswith(" and counts, weights 0.500, 0.500\n")
    assert not (folder / "both.crnn.checkpoint").exists()


def test_a_validation_text_chooses_the_weights(folder):
    (folder / "validation.txt").write_text("not to be, to be", encoding="utf-8")
    assert cli.main([*TRAIN, "--time", "0.3s", "--validation", "validation.txt", "-q"]) == 0
    mixture = Mixture.load("both.crnn")
    assert mixture.weights_.tolist() != [0.5, 0.5]
    assert mixture.score("not to be, to be") >= Mixture.from_fitted(mixture.models_).score("not to be, to be")


@POSIX
@pytest.mark.parametrize(("ending", "code"), [(KeyboardInterrupt(), 130), (DivergenceError(8, float("inf")), 1)])
def test_an_interrupted_or_diverging_network_is_saved_as_it_was(folder, capsys, monkeypatch, ending, code):
    fit = CharRNN.fit

    def ended(model, text, **saving):
        fit(model.set_params(max_seconds=None, max_steps=7), text)
        raise ending

    monkeypatch.setattr(CharRNN, "fit", ended)
    assert cli.main([*TRAIN, "--time", "1s"]) == code
    assert "saving the model after step 7" in capsys.readouterr().err
    mixture = Mixture.load("both.crnn")
    assert mixture.models_[0].n_steps_ == 7
    assert mixture.score(TEXT) < 0


@POSIX
def test_a_signal_while_weights_are_fitted_ends_the_command(folder, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError  # never reached

    monkeypatch.setattr(HeldOutText, "fit", interrupted)
    assert cli.main([*TRAIN, "--time", "0.3s", "--validation", "text.txt"]) == 143
    assert "stopped by SIGTERM; saving the model after step" in capsys.readouterr().err
    assert Mixture.load("both.crnn").weights_.tolist() == [0.5, 0.5]


@POSIX
def test_an_interrupted_mixture_is_finished_by_resume(folder, capsys, monkeypatch):
    train = ["train", "text.txt", "-o", "both.crnn", "-q"]
    options = ["--model", "mixture", "--max-steps", "20", "--random-state", "0", "--time", "20s", "--order", "3"]
    # Otherwise these would depend on the time that is left, and on the machine's speed at that moment.
    options += ["--hidden-size", "5", "--schedule", "constant", "--warmup-fraction", "none"]
    options += ["--matmul-precision", "float32"]
    assert cli.main([*train, *options]) == 0
    expected = Mixture.load("both.crnn")
    (folder / "both.crnn").unlink()
    with monkeypatch.context() as patch:
        stop_after(patch, 4, KeyboardInterrupt())
        assert cli.main([*train, *options]) == 130
    err = capsys.readouterr().err
    assert "crnn: stopped by Ctrl-C; saving the model after step 5; add --resume to continue from" in err
    assert "contains a training run interrupted after step 5. Add --resume" in error(capsys, *train)
    assert "hidden_size is 7, but both.crnn.checkpoint" in error(capsys, *train, "--resume", "--hidden-size", "7")
    assert cli.main([*train, "--resume"]) == 0
    mixture = Mixture.load("both.crnn")
    assert mixture.models_[0].n_steps_ == 20
    assert mixture.score(TEXT) == expected.score(TEXT)
    assert not (folder / "both.crnn.checkpoint").exists()


def test_training_goes_on_with_both_models(folder):
    train = [
        "train",
        "text.txt",
        "-q",
        "--model",
        "mixture",
        "--time",
        "0.3s",
        "-o",
        "both.crnn",
        "--random-state",
        "0",
    ]
    assert cli.main([*train, "--max-steps", "9"]) == 0
    before = Mixture.load("both.crnn")
    (folder / "more.txt").write_text("to be or not")
    more = ["train", "more.txt", "-q", "--from", "both.crnn", "-o", "more.crnn"]
    for options, steps in ([], None), (["--max-steps", "4"], 4), (["--time", "0.1s"], None):
        assert cli.main([*more, *options]) == 0
        mixture = Mixture.load("more.crnn")
        assert mixture.models_[0].n_steps_ > before.models_[0].n_steps_
        assert steps is None or mixture.models_[0].n_steps_ == before.models_[0].n_steps_ + steps
        expected = before.models_[1].partial_fit("to be or not") if steps is None and not options else None
        assert expected is None or mixture.models_[1].score("to be") == expected.score("to be")
        assert mixture.weights_.tolist() == before.weights_.tolist()


def test_labels_reach_both_models(folder):
    (folder / "lines.txt").write_text("anna\nbob\n" * 9)
    (folder / "labels.txt").write_text("f\nm\n" * 9)
    labels = ["--lines", "--labels", "labels.txt"]
    assert cli.main(["train", "lines.txt", "-q", "-o", "names.crnn", *labels, "--time", "0.3s", "--order", "3"]) == 0
    assert [model.labels_.tolist() for model in Mixture.load("names.crnn").models_] == [["f", "m"]] * 2


def test_training_that_its_steps_ended_is_not_said_to_have_lasted_a_minute(folder, capsys):
    assert cli.main([*TRAIN, "--max-steps", "3"]) == 0
    assert network_of(Mixture.load("both.crnn")).n_steps_ == 3
    err = capsys.readouterr().err
    assert "crnn: saved both.crnn" in err
    assert "minute" not in err


def test_a_minute_is_the_default(folder, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(train_mixture, "MIXTURE_SECONDS", 0.02)
    recommended = Mixture.recommended
    monkeypatch.setattr(Mixture, "recommended", lambda X, s, **rest: asked.append(s) or recommended(X, s, **rest))
    assert cli.main(["train", "text.txt", "-o", "new.crnn"]) == 0
    assert asked == [0.02]
    assert capsys.readouterr().err.endswith("--time 10m would make a better one\n")
    for options in (["--epochs", "1"], ["--max-steps", "3"], ["--model", "network", "--time", "0.1s"]):
        assert cli.main(["train", "text.txt", "-q", "-o", "network.crnn", *options]) == 0
        assert type(load_model("network.crnn")) is CharRNN
    assert asked == [0.02]
