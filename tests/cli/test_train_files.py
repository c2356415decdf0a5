"""``crnn train`` with several files, and with files read in blocks."""

from __future__ import annotations

import argparse
import os

import pytest
from command_line import error, usage_error

from crnn import CharRNN, Lines, TextFile
from crnn.cli import files
from crnn.cli import main as cli
from crnn.cli.options import add_files

OPTIONS = ["-o", "new.crnn", "--max-steps", "3", "-q"]


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("to be\nor not")
    (tmp_path / "b.txt").write_text("to bé\n")
    return tmp_path


def test_several_files_are_one_text(parts):
    assert cli.main(["train", "a.txt", "b.txt", *OPTIONS]) == 0
    assert CharRNN.load("new.crnn").vocabulary_ == CharRNN(max_steps=0).fit("to be\nor notto bé\n").vocabulary_


def test_the_lines_of_several_files_are_documents(parts):
    assert cli.main(["train", "a.txt", "b.txt", "--lines", *OPTIONS]) == 0
    assert CharRNN.load("new.crnn").vocabulary_ == CharRNN(max_steps=0).fit(["to be", "or not", "bé"]).vocabulary_


def test_the_bytes_of_several_files(parts):
    assert cli.main(["train", "a.txt", "b.txt", "--bytes", *OPTIONS]) == 0
    assert "\xa9".encode("latin-1") in CharRNN.load("new.crnn").vocabulary_


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["*.txt"], ["a.txt", "b.txt"]),
        (["b.*", "?.txt"], ["b.txt", "a.txt", "b.txt"]),
        (["a.*"], "a.txt"),
        (["*.csv"], "*.csv"),
        (["[ab].*"], "[ab].*"),
        (["-"], "-"),
    ],
)
def test_wildcards_on_windows(parts, monkeypatch, given, found):
    parser = argparse.ArgumentParser()
    add_files(parser)
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        file = parser.parse_args(given).file
    assert file == found


def test_refuses_standard_input_among_files(parts, capsys):
    assert "standard input cannot be one of several files" in usage_error(capsys, "train", "a.txt", "-", *OPTIONS)


def test_no_file_is_replaced_by_the_model(parts, capsys):
    assert "would replace the text" in usage_error(capsys, "train", "a.txt", "b.txt", "-o", "b.txt")


def test_large_files_are_not_read_at_once(parts, monkeypatch):
    monkeypatch.setattr(files, "IN_MEMORY", 5)
    assert isinstance(files.read_documents("a.txt", as_bytes=False), Lines)
    assert isinstance(files.read_text("a.txt", as_bytes=True), TextFile)
    assert isinstance(files.read_text("a.txt", as_bytes=False), type(parts))


@pytest.mark.parametrize(("more", "found"), [([], "a.txt-*.crnn-ids"), (["--lines"], "a.txt-*.crnn-lines")])
def test_ids_are_kept_in_a_folder_of_choice(parts, more, found):
    (parts / "ids").mkdir()
    assert cli.main(["train", "a.txt", "--validation", "a.txt", *more, *OPTIONS, "--cache", "ids"]) == 0
    assert sorted(path.match(found) for path in (parts / "ids").iterdir()) == [False, True]  # with its description
    assert list(parts.glob("*.crnn-*")) == []
    assert CharRNN.load("new.crnn").n_steps_ == 3


def test_missing_folder_for_ids_is_an_error(parts, capsys):
    assert "ids" in error(capsys, "train", "a.txt", *OPTIONS, "--cache", "ids")
