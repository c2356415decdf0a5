"""Counts on the command line: train, sample, score and describe them."""

import math

import pytest
from command_line import rows
from texts import PHRASES as TEXT

from crnn import CharNGram
from crnn.cli import main as cli


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


def test_more_text_is_added(counts, folder):
    (folder / "more.txt").write_text("not to be or")
    assert cli.main(["train", "more.txt", "--from", counts, "-o", "both.crnn"]) == 0
    both = CharNGram(4).fit(TEXT).partial_fit("not to be or")
    assert CharNGram.load("both.crnn").score(TEXT) == both.score(TEXT) != CharNGram.load(counts).score(TEXT)


def test_sample_and_score(counts, capsys):
    assert cli.main(["sample", counts, "--length", "9", "--prime", "to be", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == " or not t\n"
    for flags, adapt in (([], False), (["--adapt"], True)):
        assert cli.main(["score", counts, "text.txt", *flags]) == 0
        nats = -CharNGram.load(counts).score(TEXT, adapt=adapt)
        table = rows(capsys.readouterr().out)
        assert table["nats per character"] == f"{nats:.6f}"
        assert table["bits per character"] == f"{nats / math.log(2):.6f}"


def test_counts_are_pruned_to_a_size(folder, capsys):
    (folder / "numbers.txt").write_text(" ".join(map(str, range(3000))))
    assert (
        cli.main(["train", "numbers.txt", "--model", "ngram", "--order", "5", "--max-bytes", "4k", "-o", "small.crnn"])
        == 0
    )
    size = (folder / "small.crnn").stat().st_size
    assert size <= 4000
    assert f", {size:,} bytes in " in capsys.readouterr().err
    assert cli.main(["train", "numbers.txt", "--from", "small.crnn", "-o", "more.crnn"]) == 1
    assert "needs counts" in capsys.readouterr().err
    assert cli.main(["train", "text.txt", "--model", "ngram", "--max-bytes", "9", "-o", "none.crnn"]) == 1
    assert "max_bytes is 9, but the symbols alone take" in capsys.readouterr().err
