"""The command ``crnn info``."""

import math
import os

import pytest
from command_line import feed_standard_input, rows
from texts import PHRASES as TEXT

import crnn
from crnn import CharNGram, CharRNN, Mixture, TextClassifier
from crnn.cli import main as cli


@pytest.fixture
def info(capsys):
    """Return a function that returns the table printed for some arguments."""

    def table(*arguments):
        assert cli.main(["info", *arguments]) == 0
        return rows(capsys.readouterr().out)

    return table


def test_info_tells_the_model(folder, info, monkeypatch):
    table, model = info("model.crnn"), CharRNN.load("model.crnn")
    loss = model.smooth_loss_ / 5
    expected = {
        "file": f"model.crnn, {os.path.getsize('model.crnn'):,} bytes",
        "architecture": "rnn, layers: 1, hidden units: 7, float32",
        "weights": str(7 * 8 + 7 * 7 + 7 + 7 * 8 + 8),
        "vocabulary": "8 characters: ' ,benort'",
        "other symbols": "none",
        "trained": "50 steps of 1 x 5 characters",
        "loss": f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)",
        "resumable": "yes: crnn train FILE --from MODEL -o MODEL",
        "parameters": ", ".join(f"{name}={value!r}" for name, value in model.get_params().items()),
    }
    assert table == expected
    feed_standard_input(monkeypatch, (folder / "model.crnn").read_bytes())
    assert info("-") == {**expected, "file": f"-, {os.path.getsize('model.crnn'):,} bytes"}


@pytest.mark.parametrize(("n", "cut"), [(77, False), (78, True)])
def test_info_shows_the_beginning_of_a_large_vocabulary(folder, info, n, cut):
    symbols = "".join(map(chr, range(0x400, 0x400 + n)))
    CharRNN(5, max_steps=0, random_state=0).fit(symbols).save("large.crnn")
    shown = repr(symbols)[:76] + " ..." if cut else repr(symbols)
    assert info("large.crnn")["vocabulary"] == f"{n} characters: {shown}"


def test_info_of_weights_alone(folder, info):
    CharRNN(5, embedding_size=3, n_bigrams=2, max_steps=0).fit("abcab").save("weights.crnn", training_state=False)
    table = info("weights.crnn")
    assert table["architecture"] == "rnn, layers: 1, hidden units: 5, embedding: 3, bigrams: 2, float32"
    assert table["resumable"] == "only with a new optimizer state"
    assert table["trained"] == "unknown: the file contains only weights"
    assert table["loss"] == "unknown"


def test_info_of_this_build(info):
    assert info("--build")["crnn"] == crnn.__version__


def test_info_of_counts(folder, info):
    model = CharNGram(3, min_count=2).fit(["aaab", "ab", "c"])
    model.save("counts.crnn")
    lengths = ", ".join(f"{length}: {n}" for length, n in enumerate(model.n_grams_, start=1))
    table = info("counts.crnn")
    assert table["architecture"] == "n-grams of up to 3 characters"
    assert table["n-grams"] == f"{sum(model.n_grams_)} ({lengths})"
    assert table["other symbols"] == "unknown, boundary"
    assert table["parameters"] == "order=3, max_memory=None, min_count=2, vocabulary=None, n_threads=None, verbose=0"
    assert table["resumable"] == "yes: crnn train FILE --from MODEL -o MODEL"


def test_info_says_that_a_file_contains_the_training_text(folder, info):
    counts = CharNGram(11).fit(["anna", "bob"])
    for model in (counts, Mixture.from_fitted([counts, CharNGram(3).fit(["anna", "bob"])])):
        model.save("counts.crnn")
        assert info("counts.crnn")["text"] == "the file contains the training text"
        model._without_text().save("counts.crnn")
        assert "text" not in info("counts.crnn")


def test_info_of_several_models(folder, info):
    TextClassifier(CharNGram(3)).fit(["anna", "bob"], ["f", "m"]).save("names.crnn")
    table = info("names.crnn")
    assert table["architecture"] == "a classifier of 2 classes"
    assert table["models_[0]"] == "weight 1.0000, forward and backward, CharNGram(order=3)"
    assert table["vocabulary"] == "4 characters: 'abno'"
    Mixture.from_fitted([CharRNN.load("model.crnn"), CharNGram(3).fit(TEXT)], [0.25, 0.5]).save("mixture.crnn")
    table = info("mixture.crnn")
    assert table["models[0]"].startswith("weight 0.250, CharRNN(hidden_size=7")
    assert table["models[1]"] == "weight 0.500, CharNGram(order=3)"


def test_a_cache_of_ids_is_checked(folder, info, capsys):
    cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "1", "--cache", str(folder)])
    (description,) = folder.glob("*.crnn-ids.json")
    (array,) = folder.glob("*.crnn-ids")
    assert info("--check", str(description)) == {array.name: "intact"}
    array.write_bytes(bytes([array.read_bytes()[0] ^ 1]) + array.read_bytes()[1:])
    assert cli.main(["info", "--check", str(description)]) == 1
    assert rows(capsys.readouterr().out)[array.name].startswith("damaged")
