"""The command ``crnn restore``."""

import gzip

import pytest
from command_line import feed_standard_input

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
    for data in (b"afunction\r\n", gzip.compress(b"afunction\n")):
        (folder / "text.txt").write_bytes(data)
        assert cli.main(["restore", "counts.crnn", "text.txt", "--spaces", "--n-beams", "3", "--whole"]) == 0
        assert capfd.readouterr().out == "a function\n"


def test_lines_are_restored_among_those_of_a_list(model, folder, capfd):
    (folder / "list.txt").write_text("returns\nfunction\nstrings\n")
    (folder / "text.txt").write_text("functoin\nretrn\n")
    for name in ("counts.crnn", "bytes.crnn"):
        assert cli.main(["restore", name, "text.txt", "--typos", "0.05", "--among", "list.txt"]) == 0
        assert capfd.readouterr().out == "function\nreturns\n"


@pytest.mark.parametrize(
    ("words", "changes"),
    [("--case", [["2", "0", "'t'"], ["2", "10", "'0'"]]), ("--whole", [["text.txt", "14", "'0'"]])],
)
def test_changes_have_their_places(model, folder, capfd, words, changes):
    (folder / "text.txt").write_bytes(b"The\nthe functi0n\n")
    assert cli.main(["restore", "counts.crnn", "text.txt", "--ocr", "--least", "0", "--changes", words]) == 0
    assert [row.split("\t")[:3] for row in capfd.readouterr().out.splitlines()] == changes


def test_scanned_files_are_restored_into_a_folder(model, folder, capfd):
    for name in ("a.txt", "b.txt"):
        (folder / name).write_bytes(b"The functi0n re-\nturns a list\n")
    arguments = [
        "counts.crnn",
        "a.txt",
        "b.txt",
        "--ocr",
        "--least",
        "3",
        "--case",
        "0.001",
        "--output-folder",
        "mended",
    ]
    assert cli.main(["restore", *arguments, "--changes"]) == 0
    assert [(folder / "mended" / name).read_bytes() for name in ("a.txt", "b.txt")] == [
        b"The function returns a list\n"
    ] * 2
    rows = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    changes = [["10", "'0'", "'o'"], ["15", r"'-\n'", "''"]]
    assert [row[:4] for row in rows] == [[name, *change] for name in ("a.txt", "b.txt") for change in changes]
    assert all(float(row[4]) >= 3 for row in rows)
