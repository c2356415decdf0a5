"""Many sessions: the command's table and verdicts at a small size."""

from __future__ import annotations

import pytest

from benchmarks import sessions


@pytest.mark.peers
def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sessions, "CHARACTERS", 60)
    sessions.main(["--sessions", "10", "20", "--models", "counts", "8", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| counts, crnn") for line in lines) == 3
    assert sum(line.startswith("| LSTM 8, crnn") for line in lines) == 6
    assert "LSTM 8: 145 bytes a session" in lines  # h and c, 65 symbols, two sums


def test_verdicts() -> None:
    rows = {"crnn, TextStates": [9.0, 0.5], "crnn, TextStates, a tenth": [9.0, 0.9]}
    assert sessions.verdicts("counts", rows, [100, 1000]) == [
        "counts, 1,000 sessions: µs per character 0.50, at most 0.9: yes",
        "counts, 1,000 sessions: times as long per character in tenths 1.80, at most 1.6: NO",
    ]
