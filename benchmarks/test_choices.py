"""Does `benchmarks.choices` count what differs? Its figures are that command's to print."""

from benchmarks import choices
from crnn import CharRNN


def test_a_row_for_each_text_and_load(monkeypatch):
    sizes = iter([192, 224] * 8)
    monkeypatch.setattr(CharRNN, "recommended", lambda X, seconds, verbose: CharRNN(next(sizes), max_seconds=seconds))
    rows = list(choices.rows(3.0, 2, 1))
    assert len(rows) == 8
    assert rows[0] == "| 0.1 MB | alone | 192 (1), 224 (1) | 1 | 2 |"
    assert rows[-1].startswith("| 30,000 names | next to 1 busy loops | ")


def test_only_the_texts_that_are_named(monkeypatch):
    monkeypatch.setattr(CharRNN, "recommended", lambda X, seconds, verbose: CharRNN(192))
    assert [row.split(" | ")[0] for row in choices.rows(3.0, 2, 1, ["1 MB"])] == ["| 1 MB", "| 1 MB"]


def test_equal_choices_are_one():
    assert choices.summary([{"hidden_size": 192}] * 3) == "192 (3) | 0 | 1"


def test_texts_have_their_lengths():
    lengths = {name: len(X) for name, X in choices.data()}
    assert lengths == {"0.1 MB": 10**5, "1 MB": 10**6, "10 MB": 10**7, "30,000 names": 30_000}
