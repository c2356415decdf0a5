"""Counts on the command line: train, sample, score and describe them."""

from __future__ import annotations

import io
import math

import pytest
from command_line import POSIX, rows, usage_error
from texts import PHRASES as TEXT

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture
from crnn.cli import main as cli
from crnn.ngram.building import Builder


@pytest.fixture
def counts(folder):
    """The file of a model of counts in the working directory, next to a text and a network."""
    assert cli.main(["train", "text.txt", "--model", "ngram", "--order", "4", "-o", "counts.crnn", "-q"]) == 0
    return "counts.crnn"


def test_train_counts_and_reports(folder, capsys):
    assert cli.main(["train", "text.txt", "--model", "ngram", "-o", "counts.crnn"]) == 0
    err, model = capsys.readouterr().err, CharNGram.load("counts.crnn")
    assert f"data: {len(TEXT)} characters, 8 different ones" in err
    report = f"crnn: saved counts.crnn: {sum(model.n_grams_):,} n-grams of up to {model.order_} characters in "
    assert err.splitlines()[-1].startswith(report)
    assert model.score(TEXT) == CharNGram().fit(TEXT).score(TEXT)
    assert repr(model) == "CharNGram()"


def test_parameters_are_options(folder, capsys):
    options = ["--order", "3", "--max-memory", "2e8", "--min-count", "2", "--n-threads", "1", "--verbose", "0"]
    assert cli.main(["train", "text.txt", "--model", "ngram", "--lines", "--bytes", *options, "-o", "counts.crnn"]) == 0
    assert capsys.readouterr().err == ""
    model = CharNGram.load("counts.crnn")
    assert repr(model) == "CharNGram(order=3, max_memory=200000000.0, min_count=2, n_threads=1)"
    assert model.vocabulary_.kind == "bytes"
    assert model.vocabulary_.boundary is not None


def test_more_text_is_added(counts, folder, capsys):
    (folder / "more.txt").write_text("not to be or")
    assert cli.main(["train", "more.txt", "--from", counts, "-o", "both.crnn"]) == 0
    both = CharNGram(4).fit(TEXT).partial_fit("not to be or")
    assert CharNGram.load("both.crnn").score(TEXT) == both.score(TEXT) != CharNGram.load(counts).score(TEXT)
    assert cli.main(["train", "more.txt", "--from", counts, "--order", "5", "-o", "both.crnn"]) == 1
    assert "order is 5, but the fitted model has order 4" in capsys.readouterr().err


def test_sample_and_score(counts, capsys):
    assert cli.main(["sample", counts, "-n", "9", "--prime", "to be", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == " or not t\n"
    for flags, adapt in (([], False), (["--adapt"], True)):
        assert cli.main(["score", counts, "text.txt", *flags]) == 0
        nats = -CharNGram.load(counts).score(TEXT, adapt=adapt)
        table = rows(capsys.readouterr().out)
        assert table["nats per character"] == f"{nats:.6f}"
        assert table["bits per character"] == f"{nats / math.log(2):.6f}"
    assert cli.main(["score", counts, "text.txt", "--adapt", "--decay", "0"]) == 1
    assert "but must be True or False for a CharNGram" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["export", "{}", "out.c"], ["export", "{}", "out.html"], ["report", "{}"]])
def test_exports_and_reports_are_for_networks(counts, folder, capsys, command):
    assert cli.main([word.format(counts) for word in command]) == 1
    message = f"crnn {command[0]} needs a network, but counts.crnn contains a CharNGram"
    assert message in capsys.readouterr().err
    assert not (folder / "out.c").exists()


def test_messages_name_a_detector(folder, capsys, monkeypatch):
    lines = [f"job {i}" for i in range(400)]
    AnomalyDetector(CharNGram(order=2), 0.3).fit(lines).save("jobs.crnn")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((folder / "jobs.crnn").read_bytes())))
    for path in ("jobs.crnn", "-"):
        assert cli.main(["export", path, "out.c"]) == 1
        expected = f"crnn export needs a network, but {path} contains a detector whose model is a CharNGram. Train a"
        assert expected in capsys.readouterr().err
    AnomalyDetector(CharRNN(3, max_steps=2), 0.3).fit(lines).save("network.crnn")
    assert cli.main(["export", "network.crnn", "out.arpa"]) == 1
    assert "network.crnn contains a detector whose model is a CharRNN. Train one" in capsys.readouterr().err


def test_a_mixture_is_a_model_like_the_others(counts, capsys):
    Mixture([CharRNN.load("model.crnn"), CharNGram.load(counts)], [0.25, 0.5]).save("mixture.crnn")
    assert cli.main(["info", "mixture.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["models[0]"].startswith("weight 0.250, CharRNN(hidden_size=7")
    assert table["models[1]"] == "weight 0.500, CharNGram(order=4)"
    assert cli.main(["score", "mixture.crnn", "text.txt"]) == 0
    nats = -Mixture.load("mixture.crnn").score(TEXT)
    assert rows(capsys.readouterr().out)["nats per character"] == f"{nats:.6f}"
    for command in (["export", "mixture.crnn", "out.c"], ["train", "text.txt", "--from", "mixture.crnn", "-o", "m"]):
        assert cli.main(command) == 1
        assert "mixture.crnn contains a Mixture. " in capsys.readouterr().err


def test_refuses_a_label(counts, capsys):
    assert cli.main(["sample", counts, "--label", "French"]) == 1
    assert "fitted without labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "counts.crnn", "--model", "network"], "counts.crnn contains a CharNGram"),
        (["--from", "model.crnn", "--model", "ngram"], "model.crnn contains a CharRNN"),
        (["--model", "ngram", "--max-memory", "100"], "max_memory is 100 bytes, too little for any order"),
    ],
)
def test_refuses_models_that_do_not_fit(counts, folder, capsys, options, message):
    assert cli.main(["train", "text.txt", "-o", "other.crnn", *options]) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "other.crnn").exists()


@pytest.mark.parametrize("kind", ["mixture", "detector"])
def test_other_kinds_do_not_continue_counts(counts, folder, capsys, kind):
    options = ["--from", counts, "--model", kind]
    message = usage_error(capsys, "train", "text.txt", "-o", "other.crnn", *options)
    assert message.endswith(f"argument --from: not allowed with --model {kind}")


@POSIX
def test_an_interruption_saves_nothing(counts, folder, capsys, monkeypatch):
    before = (folder / counts).read_bytes()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Builder, "build", interrupted)
    assert cli.main(["train", "text.txt", "--model", "ngram", "-o", counts]) == 130
    assert "nothing is saved" in capsys.readouterr().err
    assert (folder / counts).read_bytes() == before
