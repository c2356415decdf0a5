"""Weights of 8 bits: the command's tables at a small size."""

from __future__ import annotations

import pytest

from benchmarks import int8
from crnn import CharRNN, _kernels


def test_the_table_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = _kernels.available_for_int8()[-1]
    monkeypatch.setattr(int8, "LENGTH", 7)
    monkeypatch.setattr(int8, "SAMPLED", 5)
    monkeypatch.setattr(int8, "peer_turns", lambda model, ids: {})
    lines = int8.speed([5], repeats=1)
    assert any(line.startswith(f"| LSTM 5, crnn, int8, {fastest} |") for line in lines)


def test_a_row_of_losses() -> None:
    model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 50)
    row = int8.losses("abc", model, "abcabc").split("|")
    assert float(row[3]) == pytest.approx(float(row[2]) + float(row[4]), abs=2e-4)
