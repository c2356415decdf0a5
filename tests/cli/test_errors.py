"""Errors in one line, with the names of files."""

import pytest

from crnn import InvalidInputError
from crnn.cli.errors import error_message

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
def test_names_the_file_that_is_not_utf_8(note, files, name):
    assert error_message(undecodable(note), files).startswith(f"{name} is not UTF-8: ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InvalidInputError("X is short:\n  its length is 1", argument="X"), "book.txt is short: its length is 1"),
        (InvalidInputError("validation contains 'z'", argument="validation"), "held.txt contains 'z'"),
        (InvalidInputError("the text is empty", argument="the text"), "book.txt is empty"),
        (InvalidInputError("y is empty", argument="y"), "y is empty"),
        (InvalidInputError("texts[0] is empty", argument="texts", index=0), "line 1 is empty"),
        (InvalidInputError("validation_fraction is 2"), "validation_fraction is 2"),
        (ValueError("X is short"), "X is short"),
        (FileNotFoundError(2, "No such file", b"caf\xc3\xa9"), "caf\xe9: No such file"),
        (OSError("standard input is closed"), "standard input is closed"),
    ],
)
def test_an_error_is_one_line(error, line):
    assert error_message(error, FILES) == line
    assert error_message(MemoryError("7 GB")).startswith("out of memory (7 GB). ")
    assert error_message(MemoryError()).startswith("out of memory. ")
