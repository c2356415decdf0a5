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


def test_recall_of_the_lowest_shares_ties():
    scores = np.array([1.0, 2, 2, 2, 3])
    is_odd = np.array([True, True, False, False, True])
    assert real_logs.recall_of_lowest(scores, is_odd, 1) == pytest.approx(1 / 3)
    assert real_logs.recall_of_lowest(scores, is_odd, 2) == pytest.approx((1 + 1 / 3) / 3)
    assert real_logs.recall_of_lowest(scores, is_odd, 5) == 1.0


def test_rare_events_are_anomalies_where_there_are_no_labels():
    log = real_logs.Log(["a"] * 21 + ["b"], ["E1"] * 21 + ["E2"], None)
    assert real_logs.rare_events(log).tolist() == [False] * 21 + [True]


def test_one_anomaly_is_found_in_place_and_thirty_are_not():
    usual = [f"job {word} done in 0 ms" for word in ("alpha", "beta", "gamma", "delta") for _ in range(200)]
    alone = real_logs.in_place([*usual, "disk failure on node 0"])
    many = real_logs.in_place([*usual, *["disk failure on node 0"] * 30])
    assert alone.argmin() == 800
    assert many[800] > alone[800] + 5
