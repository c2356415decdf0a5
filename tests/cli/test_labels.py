"""Labels on the command line: ``crnn train --labels``, and ``--label`` of the commands that use a model."""

from __future__ import annotations

import pytest
from command_line import error

from crnn import CharNGram, CharRNN
from crnn.cli import main as cli

TRAIN = ["train", "names", "--lines", "--labels", "labels", "-o", "names.crnn", "-q", "--seed=0", "--hidden-size=7"]


@pytest.fixture
def names(folder):
    (folder / "names").write_text("anna\nbob\neve\notto\n")
    (folder / "labels").write_text("f\nm\nf\nm\n")
    assert cli.main([*TRAIN, "--max-steps", "20"]) == 0
    return CharRNN.load("names.crnn")


def test_labels_are_learned_and_training_continues(names, folder):
    expected = CharRNN(7, max_steps=20, random_state=0).fit(["anna", "bob", "eve", "otto"], labels=[*"fmfm"])
    assert names.labels_.tolist() == ["f", "m"]
    assert (names.score_samples(["anna"], labels="f") == expected.score_samples(["anna"], labels="f")).all()
    assert cli.main([*TRAIN[:7], "-q", "--from", "names.crnn"]) == 0
    assert CharRNN.load("names.crnn").n_steps_ == 21


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--max-steps", "20"], CharRNN(7, max_steps=20, random_state=0)),
        (["--model", "ngram", "--order", "3"], CharNGram(3)),
    ],
)
def test_sample_and_score_of_a_label(names, capsys, options, expected):
    assert cli.main([*TRAIN[: -2 if "ngram" in options else None], *options]) == 0
    expected.fit(["anna", "bob", "eve", "otto"], labels=[*"fmfm"])
    assert cli.main(["sample", "names.crnn", "--num-samples", "3", "--label", "m", "--seed", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == expected.sample(num_samples=3, label="m", random_state=5)
    assert cli.main(["score", "names.crnn", "names", "--lines", "--label", "m"]) == 0
    scores = [float(line) for line in capsys.readouterr().out.split()]
    assert scores == pytest.approx(expected.score_samples(["anna", "bob", "eve", "otto"], labels="m"), rel=1e-4)


def test_without_a_label(names, capsys):
    assert cli.main(["sample", "names.crnn", "--num-samples", "3", "--seed", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == names.sample(num_samples=3, random_state=5)
    for command in (["score", "names.crnn", "names", "--lines"], ["export", "names.crnn", "names.c"]):
        assert "needs a label, because the model was fitted with labels. Add --label 'f'." in error(capsys, *command)


def test_numbers_and_other_labels(folder, capsys):
    CharRNN(5, max_steps=1, random_state=0).fit(["a", "b"], labels=[1, 2]).save("numbers.crnn")
    assert cli.main(["sample", "numbers.crnn", "--label", "2", "--seed", "5"]) == 0
    capsys.readouterr()
    assert "label must be one of 1, 2, not '3'" in error(capsys, "sample", "numbers.crnn", "--label", "3")
