"""Many sessions: the command's table at a small size."""

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
