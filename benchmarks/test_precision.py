"""Products in bfloat16 and float32: the command's tables at a small size, without peers."""

from __future__ import annotations

import pytest

from benchmarks import precision


def test_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = precision._kernels.available("bfloat16")[-1]
    monkeypatch.setattr(precision._kernels, "available", lambda kind: (fastest,))
    monkeypatch.setattr(precision, "present", lambda *names: [])
    monkeypatch.setattr(precision, "STEPS", (("gru", 8, 2),))
    monkeypatch.setattr(precision, "SAMPLES", (("lstm", 8, 50),))
    for lines in (precision.training(1), precision.sampling(1)):
        assert len(lines) == 4
        assert lines[2].startswith("| crnn, float32 |")
        assert lines[3].startswith(f"| crnn, bfloat16, {fastest} |")
