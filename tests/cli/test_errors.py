"""Errors in one line, with the names of files."""

import pytest

from crnn.cli.errors import described

FILES = {"X": "book.txt", "validation": "held.txt"}


def undecodable(note=None):
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    if note is not None:
        error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("note", "files", "name"),
    [
        (None, FILES, "book.txt"), ("in 'book.txt'", FILES, "book.txt"), ("in 'held.txt'", FILES, "held.txt"),
        (None, {"X": "book.txt", "validation": None}, "book.txt"), (None, {"X": "-"}, "standard input"),
        (None, {"X": ["a.txt", "b.txt"]}, "a.txt, b.txt"),
    ],
)  # fmt: skip
def test_the_file_that_is_not_utf_8(note, files, name):
    assert described(undecodable(note), files).startswith(f"{name} is not UTF-8: ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("X is too short:\n  its length is 1"), "book.txt is too short: its length is 1"),
        (ValueError("validation contains 'z'"), "held.txt contains 'z'"),
        (ValueError("X needs two lines"), "book.txt needs two lines"),
        (ValueError("X holds no text"), "book.txt holds no text"),
        (ValueError("X-rays are short"), "X-rays are short"),
        (ValueError("validation_fraction is 2"), "validation_fraction is 2"),
        (ValueError("the text is empty"), "book.txt is empty"),
        (ValueError("texts[0] is empty"), "line 1 is empty"),
        (FileNotFoundError(2, "No such file", b"caf\xc3\xa9"), "caf\xe9: No such file"),
        (OSError("standard input is closed"), "standard input is closed"),
    ],
)
def test_an_error_is_one_line(error, line):
    assert described(error, FILES) == line
    assert described(MemoryError("7 GB")).startswith("out of memory (7 GB). ")
    assert described(MemoryError()).startswith("out of memory. ")
