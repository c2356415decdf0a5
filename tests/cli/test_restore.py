"""The command ``crnn restore``."""

from __future__ import annotations

import gzip

import pytest
from command_line import error, feed_standard_input, usage_error

from crnn import CharNGram
from crnn.cli import main as cli

TEXT = "The function returns a list of strings. " * 3


@pytest.fixture
def model(folder):
    CharNGram(5).fit(TEXT).save("counts.crnn")
    CharNGram(5).fit(TEXT.encode()).save("bytes.crnn")


@pytest.mark.parametrize("name", ["counts.crnn", "bytes.crnn"])
def test_lines_are_restored(model, capfd, monkeypatch, name):
    feed_standard_input(monkeypatch, b"the functoin\n\na_list\r\n")
    assert cli.main(["restore", name, "-", "--case", "--gaps", "_", "--typos", "0.05", "--prime", "s. "]) == 0
    assert capfd.readouterr().out == "The function\n\na list\n"


def test_a_whole_text_is_restored(model, folder, capfd):
    for data in (b"afunction", gzip.compress(b"afunction")):
        (folder / "text.txt").write_bytes(data)
        assert cli.main(["restore", "counts.crnn", "text.txt", "--spaces", "--beams", "3", "--whole"]) == 0
        assert capfd.readouterr().out == "a function"


def test_a_whole_text_of_windows_is_restored(folder, capfd):
    CharNGram(5).fit("The function\nreturns a list\n").save("lines.crnn")
    (folder / "text.txt").write_bytes(b"the function\r\nreturns a list\r\n")
    assert cli.main(["restore", "lines.crnn", "text.txt", "--case", "--whole"]) == 0
    assert capfd.readouterr().out == "The function\nreturns a list\n"


def test_restore_refuses_wrong_arguments(model, folder, capsys):
    (folder / "text.txt").write_text("a")
    assert "give at least one kind of damage" in usage_error(capsys, "restore", "counts.crnn", "text.txt")
    assert "typos must be" in usage_error(capsys, "restore", "counts.crnn", "text.txt", "--typos", "2")
    (folder / "odd.txt").write_bytes(b"Th\xe9")
    odd = error(capsys, "restore", "counts.crnn", "odd.txt", "--case")
    assert odd == "crnn: error: line 1 is not UTF-8. Convert the lines, or train a model of bytes\n"
    assert "contains 'Z'" in error(capsys, "restore", "counts.crnn", "text.txt", "--case", "--prime", "Z")


def test_unknown_characters_stay(model, folder, capfd):
    (folder / "text.txt").write_bytes("the §functoin\n7 ☃\n".encode())
    assert cli.main(["restore", "counts.crnn", "text.txt", "--case", "--typos", "0.05"]) == 0
    assert capfd.readouterr().out.encode() == "The §function\n7 ☃\n".encode()
