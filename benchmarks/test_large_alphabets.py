"""Large alphabets: the command's table at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import large_alphabets
from benchmarks.peers import available


def test_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = {"hidden_size": 11, "seq_length": 7, "batch_size": 3}
    monkeypatch.setattr(large_alphabets, "MODEL", large_alphabets.MODEL | small)
    monkeypatch.setattr(large_alphabets, "EMBEDDING_SIZE", 5)
    monkeypatch.setattr(large_alphabets, "STEPS", 3)
    words = [f"{chr(0x4E00 + i)}{chr(0x4E00 + i * i % 53)} {8 + i} n" for i in range(60)]
    (tmp_path / "dict.txt").write_text("\n".join([*words, "rare 7 n"]), encoding="utf-8")
    words_task = large_alphabets.words_task(tmp_path / "dict.txt")
    assert words_task.name == "60 words, 61 symbols"
    lines = large_alphabets.table([large_alphabets.zipf_task(53), words_task], 1)
    assert lines[2].startswith("| crnn, embedding |")
    assert len(lines) == 2 + 4 + 2 * available("torch")
    monkeypatch.setattr(large_alphabets, "TRAINING", large_alphabets.TRAINING | small)
    monkeypatch.setattr(large_alphabets, "HELD_OUT", 5)
    monkeypatch.setattr(large_alphabets, "SIZES", (None, 7))
    lines = large_alphabets.losses(tmp_path / "dict.txt", 20)
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["None", "7"]
    assert all(0 < float(line.split("|")[3]) < 5 for line in lines[2:])
