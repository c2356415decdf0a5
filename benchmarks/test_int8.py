"""Weights of 8 bits: the command's tables at a small size."""

from __future__ import annotations

import pytest

from benchmarks import int8
from crnn import CharRNN, TextClassifier, _kernels


def test_the_table_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = _kernels.available("int8")[-1]
    monkeypatch.setattr(int8, "LENGTH", 7)
    monkeypatch.setattr(int8, "SAMPLED", 5)
    monkeypatch.setattr(int8, "peer_turns", lambda model, ids: {})
    lines = int8.speed([5], repeats=1)
    assert any(line.startswith(f"| LSTM 5, crnn, int8, {fastest} |") for line in lines)


def test_a_row_of_losses() -> None:
    model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 50)
    row, cost = int8.losses("abc", model, "abcabc")
    cells = row.split("|")
    assert float(cells[3]) == pytest.approx(float(cells[2]) + float(cells[4]), abs=2e-4)
    assert cost == pytest.approx(float(cells[4]), abs=1e-4)


def test_a_row_of_accuracies() -> None:
    texts, labels = ["anna", "eva", "bob", "tom"] * 5, ["f", "f", "m", "m"] * 5
    classifier = TextClassifier(CharRNN(8, max_steps=200, random_state=0)).fit(texts, labels)
    row, cost = int8.accuracies("names", classifier, texts[:4], ["f", "f", "m", "f"])  # three of four at best
    cells = row.split("|")
    assert "accuracy of 4" in cells[1]
    assert float(cells[2]) == 100 * classifier.score(texts[:4], ["f", "f", "m", "f"]) <= 75
    assert float(cells[3]) == 100 * classifier.quantize().score(texts[:4], ["f", "f", "m", "f"])
    assert cost == float(cells[2]) - float(cells[3])


@pytest.mark.peers
def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faker")
    pytest.importorskip("wordfreq")
    monkeypatch.setattr(int8, "LENGTH", 7)
    monkeypatch.setattr(int8, "SAMPLED", 5)
    monkeypatch.setattr(int8, "peer_turns", lambda model, ids: {})
    int8.main(["--small"])
    out = capsys.readouterr().out
    assert "| LSTM 16, crnn, float32, " in out
    assert out.count("| Tiny Shakespeare, nats") == 1
    for name in ("surnames", "domains"):
        assert out.count(f"| {name}, nats") == out.count(f"| {name}, accuracy") == 1
    assert "the limit is 0.005" in out
    assert "the limit is 0.2" in out
