"""Standard output: what is written to it, and the names of its errors."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from crnn.cli import output


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device: 'standard output'"),
        (OSError(28, "No space left on device", "a.txt"), "[Errno 28] No space left on device: 'a.txt'"),
        (BrokenPipeError(32, "Broken pipe"), "[Errno 32] Broken pipe"),
        (ValueError("closed"), "closed"),
    ],
)
def test_an_error_without_a_file_is_one_of_standard_output(given, shown):
    with pytest.raises(type(given)) as caught, output.name_output_errors():
        raise given
    assert str(caught.value) == shown


@pytest.mark.parametrize(
    ("encoding", "text", "data"),
    [
        ("ascii", "a\u00e9\ud800\r\n", b"a\\xe9\\ud800\r\n"), ("utf-8", "a\u00e9\ud800\n", b"a\xc3\xa9\\ud800\n"),
        ("ascii", b"\xff\r\n", b"\xff\r\n"),
    ],
)  # fmt: skip
def test_texts_are_escaped_and_bytes_are_not(monkeypatch, encoding, text, data):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding, newline="\r\n"))
    output.write(text)
    output.flush()
    assert shown.getvalue() == data


def test_tables_align_their_second_column(capsys):
    output.print_table({"a": "1 2", "long name": "3", "": "4"})
    assert capsys.readouterr().out == "a          1 2\nlong name  3\n           4\n"


def test_flushing_a_closed_standard_output_does_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    output.flush()
    output.discard()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("I/O operation on closed file")])
def test_unwritable_output_is_discarded(monkeypatch, tmp_path, error):
    """The file behind standard output is then the null device, to which the interpreter can write when it exits."""
    with open(tmp_path / "out", "w", encoding="utf-8") as file:

        def flush():
            raise error

        monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=flush, fileno=file.fileno))
        with pytest.raises(type(error)):
            output.flush()
        output.discard()
        file.write("lost")
    assert (tmp_path / "out").read_text() == ""
