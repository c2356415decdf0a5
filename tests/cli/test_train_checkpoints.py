"""The checkpoint of ``crnn train``: which files it may replace, and which model a file contains."""

import os

import numpy as np
import pytest
from command_line import POSIX, usage_error
from texts import PHRASES as TEXT

from crnn import CharNGram, CharRNN, Mixture
from crnn.cli import main as cli
from crnn.cli.train import checkpoint_seconds
from crnn.cli.train_checkpoint import contains_model, is_in_checkpoint


@POSIX
def test_a_device_has_no_checkpoint(folder, capsys):
    assert cli.main(["train", "text.txt", "-o", os.devnull, "-q", "--max-steps", "2"]) == 0
    assert not os.path.exists(os.devnull + ".checkpoint")
    message = usage_error(capsys, "train", "text.txt", "-o", os.devnull, "--resume")
    assert "argument --resume: there is no checkpoint for this -o/--output" in message


def test_a_file_contains_a_model_of_the_same_weights_and_steps(folder):
    model = CharRNN.load("model.crnn")
    assert contains_model("model.crnn", model)
    assert not contains_model("text.txt", model)
    assert not contains_model("missing.crnn", model)
    assert not contains_model("model.crnn", CharRNN(5, max_steps=50, random_state=0).fit(TEXT))
    assert not contains_model("model.crnn", CharRNN(7, num_layers=2, max_steps=50, random_state=0).fit(TEXT))
    further = CharRNN.load("model.crnn").partial_fit(TEXT)
    with further.editing():
        for name, array in model.params_.items():
            further.params_[name][:] = array
    assert not contains_model("model.crnn", further)  # the same weights after more steps
    with model.editing():
        model.params_["by"][0] = np.nextafter(model.params_["by"][0], 9)
    assert not contains_model("model.crnn", model)


def test_a_checkpoint_is_of_the_last_step(folder):
    model = CharRNN.load("model.crnn")
    assert is_in_checkpoint("model.crnn", model)
    assert not is_in_checkpoint("text.txt", model)
    assert not is_in_checkpoint("missing.crnn", model)
    assert not is_in_checkpoint("model.crnn", CharRNN(5, max_steps=50, random_state=0).fit(TEXT))
    assert not is_in_checkpoint("model.crnn", CharRNN.load("model.crnn").partial_fit(TEXT))
    model.save("weights.crnn", training_state=False)
    assert not is_in_checkpoint("weights.crnn", model)
    with model.editing():
        model.params_["by"][0] = np.nextafter(model.params_["by"][0], 9)
    assert not is_in_checkpoint("model.crnn", model)


def test_the_best_step_is_what_a_checkpoint_contains(folder):
    text = "to be or not to be, " * 40
    model = CharRNN(5, max_steps=60, eval_every=10, learning_rate=2.0, random_state=0)
    model.fit(text, validation=text[:200], checkpoint="run.crnn", checkpoint_every=30)
    assert is_in_checkpoint("run.crnn", model)


def test_a_mixture_is_in_a_checkpoint_with_its_network(folder):
    text = "to be or not to be, " * 40
    counts = CharNGram(order=3, vocabulary=TEXT + text).fit(text)
    network = CharRNN(5, max_steps=20, random_state=0, vocabulary=TEXT + text).fit(text)
    mixture = Mixture.from_fitted([counts, network])
    mixture.save("mixture.crnn")
    assert is_in_checkpoint("mixture.crnn", mixture)
    assert not is_in_checkpoint("model.crnn", mixture)
    Mixture.from_fitted([counts]).save("counts.crnn")
    assert not is_in_checkpoint("counts.crnn", mixture)
    network.partial_fit(text)
    assert not is_in_checkpoint("mixture.crnn", mixture)


@pytest.mark.parametrize(("text", "seconds"), [("NONE", None), ("7", 7.0), ("7s", 7.0), ("0.5m", 30.0), ("1.5", 1.5)])
def test_intervals_in_seconds(text, seconds):
    assert checkpoint_seconds(text) == seconds
