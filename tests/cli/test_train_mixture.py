"""A mixture on the command line: train it in a given time, and save what there is when training is interrupted."""

import os
import signal

import pytest
from command_line import POSIX
from texts import PHRASES as TEXT

from crnn import CharRNN, DivergenceError, Mixture
from crnn.cli import main as cli
from crnn.inference.mixed_network import HeldOutText

TRAIN = ["train", "text.txt", "--model", "mixture", "-o", "both.crnn"]


def test_a_network_and_counts_are_saved_together(folder, capsys):
    assert cli.main([*TRAIN, "--time", "0.3s", "--seed", "0", "--order", "4", "--cell", "gru"]) == 0
    err, mixture = capsys.readouterr().err, Mixture.load("both.crnn")
    network, counts = mixture.models_
    assert (network.cell, network.random_state, counts.order_) == ("gru", 0, 4)
    assert network.verbose == counts.verbose == 0
    report = f"crnn: saved both.crnn: a network after {network.n_steps_:,} steps and {sum(counts.n_grams_):,} n-grams"
    assert err.splitlines()[-1].startswith(report)
    assert "weights 0.500, 0.500" in err


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

    def ended(model, text):
        fit(model.set_params(max_seconds=None, max_steps=7), text)
        raise ending

    monkeypatch.setattr(CharRNN, "fit", ended)
    assert cli.main([*TRAIN, "--time", "1s"]) == code
    assert "saving the mixture with the network after step 7" in capsys.readouterr().err
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
    assert "stopped by SIGTERM; saving the mixture with the network after step" in capsys.readouterr().err
    assert Mixture.load("both.crnn").weights_.tolist() == [0.5, 0.5]
