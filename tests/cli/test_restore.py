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


SCAN = b"The functi0n re-\nturns a list\n"


def test_scanned_files_are_restored_into_a_folder(model, folder, capfd):
    for name in ("a.txt", "b.txt"):
        (folder / name).write_bytes(SCAN)
    arguments = ["counts.crnn", "a.txt", "b.txt", "--ocr", "--least", "3", "--case", "0.001", "--output", "mended"]
    assert cli.main(["restore", *arguments, "--changes"]) == 0
    assert [(folder / "mended" / name).read_bytes() for name in ("a.txt", "b.txt")] == [
        b"The function returns a list\n"
    ] * 2
    rows = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    changes = [["10", "'0'", "'o'"], ["15", r"'-\n'", "''"]]
    assert [row[:4] for row in rows] == [[name, *change] for name in ("a.txt", "b.txt") for change in changes]
    assert all(float(row[4]) >= 3 for row in rows)


def test_changes_of_lines_have_their_numbers(model, folder, capfd):
    (folder / "text.txt").write_bytes(b"The\nthe functi0n\n")
    assert cli.main(["restore", "counts.crnn", "text.txt", "--ocr", "--case", "--changes"]) == 0
    assert [row.split("\t")[:3] for row in capfd.readouterr().out.splitlines()] == [
        ["2", "0", "'t'"],
        ["2", "10", "'0'"],
    ]


def test_a_whole_text_has_changes(model, folder, capfd):
    (folder / "text.txt").write_bytes(SCAN)
    assert cli.main(["restore", "counts.crnn", "text.txt", "--ocr", "--changes", "--whole"]) == 0
    assert [row.split("\t")[:2] for row in capfd.readouterr().out.splitlines()] == [
        ["text.txt", "10"],
        ["text.txt", "15"],
    ]


def test_restore_refuses_wrong_arguments(model, folder, capsys):
    (folder / "text.txt").write_text("a")
    assert "give at least one kind of damage" in usage_error(capsys, "restore", "counts.crnn", "text.txt")
    assert "the rate must be" in usage_error(capsys, "restore", "counts.crnn", "text.txt", "--typos", "2")
    assert "several files need --output" in usage_error(capsys, "restore", "counts.crnn", "a", "b", "--case")
    for arguments in (["text.txt", "--output", "."], ["a/text.txt", "b/text.txt", "--output", "c"]):
        assert "would overwrite" in usage_error(capsys, "restore", "counts.crnn", *arguments, "--ocr")
    (folder / "odd.txt").write_bytes(b"Th\xe9")
    odd = error(capsys, "restore", "counts.crnn", "odd.txt", "--case")
    assert odd == "crnn: error: line 1 is not UTF-8. Convert the lines, or train a model of bytes\n"
    assert "contains 'Z'" in error(capsys, "restore", "counts.crnn", "text.txt", "--case", "--prime", "Z")


def test_unknown_characters_stay(model, folder, capfd):
    (folder / "text.txt").write_bytes("the §functoin\n7 ☃\n".encode())
    assert cli.main(["restore", "counts.crnn", "text.txt", "--case", "--typos", "0.05"]) == 0
    assert capfd.readouterr().out.encode() == "The §function\n7 ☃\n".encode()
