"""Labels on the command line: ``crnn train --labels``, and ``--label`` of the commands that use a model."""

import pytest

from crnn import CharNGram, CharRNN
from crnn.cli import main as cli

NAMES, LABELS = ["anna", "bob", "eve", "otto"], [*"fmfm"]
TRAIN = ["train", "names", "--lines", "--labels", "labels", "-o", "names.crnn", "-q"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--max-steps", "20", "--random-state=0", "--hidden-size=7"], CharRNN(7, max_steps=20, random_state=0)),
        (["--model", "ngram", "--order", "3"], CharNGram(3)),
    ],
)
def test_labels_are_learned_and_chosen(folder, capsys, options, expected):
    (folder / "names").write_text("\n".join(NAMES))
    (folder / "labels").write_text("\n".join(LABELS))
    assert cli.main([*TRAIN, *options]) == 0
    expected.fit(NAMES, y=LABELS)
    for label, given in (([], {}), (["--label", "m"], {"label": "m"})):
        assert cli.main(["sample", "names.crnn", "--raw", "--n-samples", "3", "--random-state", "5", *label]) == 0
        assert capsys.readouterr().out.splitlines() == expected.sample(n_samples=3, random_state=5, **given)
    assert cli.main(["score", "names.crnn", "names", "--lines", "--label", "m"]) == 0
    scores = [float(line) for line in capsys.readouterr().out.split()]
    assert scores == pytest.approx(expected.score_samples(NAMES, y="m"), rel=1e-4)
    if isinstance(expected, CharRNN):
        assert cli.main([*TRAIN, "--from", "names.crnn"]) == 0
        assert CharRNN.load("names.crnn").n_steps_ == 21


def test_labels_may_be_numbers(folder, capsys):
    model = CharRNN(5, max_steps=1, random_state=0).fit(["a", "b"], y=[1, 2])
    model.save("numbers.crnn")
    assert cli.main(["sample", "numbers.crnn", "--raw", "--label", "2", "--random-state", "5"]) == 0
    assert capsys.readouterr().out == model.sample(label=2, random_state=5) + "\n"
