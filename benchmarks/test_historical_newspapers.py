"""The measure of `benchmarks.historical_newspapers`, by hand, and its table on a small file."""

import json

import pytest

pytest.importorskip("rapidfuzz")

from benchmarks import historical_newspapers as measure


def test_errors_are_counted_after_normalizing():
    assert measure.errors("The Æon, 1st", "the aeon 1st!") == (12, 0)
    assert measure.errors("abc d", "abxd") == (3, 2)  # one letter wrong, a space lost
    assert measure.rate([measure.Errors(3, 2), measure.Errors(4, 1)]) == 0.3


def test_excluded_chunks_are_not_read(tmp_path):
    records = [
        {"ground_truth": {"transcription_unit": "a", "exclude_from_icdar_evaluation": excluded},
         "ocr_hypothesis": {"transcription_unit": "b"}}
        for excluded in (False, True)
    ]  # fmt: skip
    file = tmp_path / "test.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert measure.read(file) == [("b", "a")]


def test_a_row_says_what_became_better_and_worse():
    test = [measure.Chunk(*texts) for texts in (("tbe", "the"), ("the", "the"), ("tho", "the"))]
    line = measure.row("name", test, lambda scans: ["the", "thc", "tho"])
    assert line.startswith("| name | 0.2222 | 0.00 | 1 | 1 | 1 of 1 |")
