"""The command ``crnn info``."""

from __future__ import annotations

import math
import os

import pytest
from command_line import feed_standard_input, rows, usage_error

import crnn
from crnn import CharRNN
from crnn.cli import main as cli


def test_info_tells_the_model(folder, capsys):
    assert cli.main(["info", "model.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    model = CharRNN.load("model.crnn")
    assert table["file"] == f"model.crnn, {os.path.getsize('model.crnn'):,} bytes"
    assert table["architecture"] == "rnn, layers: 1, hidden units: 7, float32"
    assert table["weights"] == str(7 * 8 + 7 * 7 + 7 + 7 * 8 + 8)
    assert table["vocabulary"] == "8 characters: ' ,benort'"
    assert table["trained"] == "50 steps of 1 x 5 characters"
    loss = model.smooth_loss_ / 5
    assert table["loss"] == f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)"
    assert table["other symbols"] == "none"
    assert table["resumable"].startswith("yes")
    assert "hidden_size=7" in table["parameters"]


def test_info_of_standard_input(folder, capsys, monkeypatch):
    tables = []
    for path in ("model.crnn", "-"):
        feed_standard_input(monkeypatch, (folder / "model.crnn").read_bytes())
        assert cli.main(["info", path]) == 0
        tables.append(rows(capsys.readouterr().out))
    assert tables[1] == {**tables[0], "file": f"-, {os.path.getsize('model.crnn'):,} bytes"}


@pytest.mark.parametrize(("n", "cut"), [(77, False), (78, True)])
def test_info_shows_the_beginning_of_a_large_vocabulary(folder, capsys, n, cut):
    symbols = "".join(map(chr, range(0x400, 0x400 + n)))
    CharRNN(5, max_steps=0, random_state=0).fit(symbols).save("large.crnn")
    assert cli.main(["info", "large.crnn"]) == 0
    shown = repr(symbols)[:76] + " ..." if cut else repr(symbols)
    assert rows(capsys.readouterr().out)["vocabulary"] == f"{n} characters: {shown}"


def test_info_of_weights_alone(folder, capsys):
    CharRNN.load("model.crnn").save("weights.crnn", training_state=False)
    assert cli.main(["info", "weights.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["resumable"] == "only with a new optimizer state"
    assert table["trained"] == "unknown: the file contains only weights"
    assert table["loss"] == "unknown"


def test_info_names_what_else_is_read(folder, capsys):
    CharRNN(5, embedding_size=3, n_bigrams=2, max_steps=0).fit("abcab").save("bigrams.crnn")
    assert cli.main(["info", "bigrams.crnn"]) == 0
    architecture = rows(capsys.readouterr().out)["architecture"]
    assert architecture == "rnn, layers: 1, hidden units: 5, embedding: 3, bigrams: 2, float32"


def test_info_of_this_build(capsys):
    assert cli.main(["info", "--build"]) == 0
    assert rows(capsys.readouterr().out)["crnn"] == crnn.__version__


@pytest.mark.parametrize("arguments", [[], ["model.crnn", "--build"], ["--check", "a.json", "model.crnn"]])
def test_info_of_one_thing_at_a_time(folder, capsys, arguments):
    assert "one of MODEL, --build and --check" in usage_error(capsys, "info", *arguments)


def test_info_of_counts(folder, capsys):
    model = crnn.CharNGram(3).fit("abab")
    model.save("counts.crnn")
    assert cli.main(["info", "counts.crnn"]) == 0
    lengths = ", ".join(f"{length}: {n}" for length, n in zip((1, 2, 3), model.n_grams_, strict=True))
    table = rows(capsys.readouterr().out)
    assert table["n-grams"] == f"{sum(model.n_grams_)} ({lengths})"
    assert table["parameters"] == "order=3, max_memory=None, min_count=1, vocabulary=None, n_threads=None, verbose=0"
    assert table["resumable"] == "yes: crnn train FILE --from MODEL -o MODEL"
    crnn.CharNGram(2, min_count=3).fit(["aaab", "ab"]).save("counts.crnn")
    assert cli.main(["info", "counts.crnn"]) == 0
    assert rows(capsys.readouterr().out)["other symbols"] == "unknown, boundary"


def test_info_says_that_a_file_contains_the_training_text(folder, capsys):
    counts = crnn.CharNGram(11).fit(["anna", "bob"])
    for model in (counts, crnn.Mixture([counts, crnn.CharNGram(3).fit(["anna", "bob"])])):
        model.save("counts.crnn")
        assert cli.main(["info", "counts.crnn"]) == 0
        assert rows(capsys.readouterr().out)["text"] == "the file contains the training text"
        model._without_text().save("counts.crnn")
        assert cli.main(["info", "counts.crnn"]) == 0
        assert "text" not in rows(capsys.readouterr().out)


def test_info_of_a_classifier(folder, capsys):
    crnn.TextClassifier(crnn.CharNGram(3)).fit(["anna", "bob"], ["f", "m"]).save("names.crnn")
    assert cli.main(["info", "names.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["architecture"] == "a classifier of 2 classes"
    assert table["models_[0]"] == "weight 1.0000, forward and backward, CharNGram(order=3)"
    assert table["vocabulary"] == "4 characters: 'abno'"


def test_a_cache_of_ids_is_checked(folder, capsys):
    cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "1", "--cache", str(folder)])
    (description,) = folder.glob("*.crnn-ids.json")
    (array,) = folder.glob("*.crnn-ids")
    assert cli.main(["info", "--check", str(description)]) == 0
    assert rows(capsys.readouterr().out) == {array.name: "intact"}
    array.write_bytes(bytes([array.read_bytes()[0] ^ 1]) + array.read_bytes()[1:])
    assert cli.main(["info", "--check", str(description)]) == 1
    assert rows(capsys.readouterr().out)[array.name].startswith("damaged")
