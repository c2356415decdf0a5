"""Lines in context: only the order shows the anomalies."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks import lines_in_context as context
from crnn import CharNGram


def test_wrong_lines_are_usual_in_another_place() -> None:
    log = context.host_log(random.Random(0), 0.2)
    usual = {line for seed in range(50) for line, _ in context.host_log(random.Random(seed), 0)}
    assert 3 < sum(wrong for _, wrong in log) < 30
    assert {line for line, _ in log} <= usual


def test_recall_and_auc() -> None:
    usual, odd = np.arange(100.0), np.array([-1.0, 0.5, 200.0])
    assert context.recall(usual, odd, 0.01) == pytest.approx(2 / 3)
    assert context.auc(usual, odd) == pytest.approx((1 + 0.99 + 0) / 3)


def test_scores_in_context_are_those_of_single_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "LINES_OF_HOST", 4)
    logs = [context.host_log(random.Random(seed), 0) for seed in range(3)]
    model = CharNGram(4).fit(["".join(line for line, _ in context.host_log(random.Random(k), 0)) for k in range(99)])
    found, state = context.in_context(model, logs), model.start()
    assert found[0][1] == state.feed(logs[1][0][0]).log_prob
    assert float(sum(scores[1] for scores in found)) == pytest.approx(
        model.start().feed("".join(line for line, _ in logs[1])).log_prob
    )
