"""CountingProgress: it shows how far counting is, and never gets in its way."""

from __future__ import annotations

import io
import sys

import pytest

from crnn.training.progress.counting_progress import CountingProgress


def shown(stream, monkeypatch, verbose=1):
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(verbose, "data: 5 characters") as progress:
        progress.show(2, 5)
        progress.show(5, 5)
    progress.write("done")


def test_a_log_has_the_summary_and_a_line(monkeypatch):
    stream = io.StringIO()
    shown(stream, monkeypatch)
    first, second, last = stream.getvalue().splitlines()
    assert (first, last) == ("data: 5 characters", "done")
    assert second.startswith("100%  5.00/5.00 [")
    assert "char/s" in second


def test_silent_command_shows_no_progress(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(0, "data") as progress:
        progress.show(5, 5)
    assert stream.getvalue() == ""


class Broken(io.StringIO):
    def write(self, text):
        raise OSError("disk full")


@pytest.mark.parametrize("stream", [Broken(), None])
def test_a_broken_stream_does_not_matter(monkeypatch, stream):
    shown(stream, monkeypatch)


def test_a_stream_that_breaks_in_between_does_not_matter(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(1, "data") as progress:
        progress.show(2, 5)
        stream.close()
        progress.show(5, 5)
    progress.write("done")
