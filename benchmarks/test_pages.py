"""Does `benchmarks.pages` measure what it says? Its figures are that command's to print."""

import pytest

from benchmarks import pages


def test_a_page_writes(tmp_path):
    pytest.importorskip("selenium")
    assert all(speed > 0 for speed in pages.written_per_second(5, 2, tmp_path))


def test_a_report_is_written(tmp_path):
    assert pages.report_seconds("rnn", 5, tmp_path) > 0
    assert (tmp_path / "report.html").stat().st_size > 10_000
