"""The default score on real logs, where their folder is named by an environment variable."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import real_logs

FOLDER = Path(os.environ.get(real_logs.VARIABLE, "."))
needs_logs = pytest.mark.skipif(
    not (FOLDER / "BGL").is_dir(), reason=f"${real_logs.VARIABLE} names no folder. {real_logs.HOW}"
)


@needs_logs
@pytest.mark.parametrize("name", real_logs.FIELDS)
def test_the_default_finds_what_its_parts_find(name):
    """At 1 % false alarms as many as the mean; far more than the minimum on BGL."""
    log = real_logs.read_log(FOLDER, name)
    joint, least, mean = (real_logs.numbers(fit, log) for fit in list(real_logs.ROWS.values())[:3])
    assert joint[0] > max(least[0], mean[0]) - 0.005
    assert joint[1] >= mean[1]
    if name == "BGL":
        assert joint[1] > least[1] + 0.15


@needs_logs
def test_changed_lines_are_told_once():
    (message,) = real_logs.in_order_of_time(real_logs.read_log(FOLDER, "BGL"))
    assert "partial_fit" in message


def test_recall_at_a_rate():
    scores = np.array([*range(100), -1.0, 0.5, 50])
    is_odd = np.array([False] * 100 + [True] * 3)
    assert real_logs.recall(scores, is_odd, 0.01) == pytest.approx(2 / 3)
    assert real_logs.recall(scores, is_odd, 0.0) == pytest.approx(1 / 3)


def test_a_missing_folder_has_a_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match="git clone"):
        real_logs.read_log(tmp_path, "BGL")
