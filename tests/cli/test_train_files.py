"""``crnn train`` with several files, and with files read in blocks."""

import argparse
import os

import pytest

from crnn import CharRNN
from crnn.cli import main as cli
from crnn.cli.options import add_files

OPTIONS = ["-o", "new.crnn", "--max-steps", "3", "-q"]


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("to be\nor not")
    (tmp_path / "b.txt").write_text("to bé\n")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "to be\nor notto bé\n"), (["--lines"], ["to be", "or not", "bé"]),
        (["--bytes"], "to be\nor notto bé\n".encode()),
    ],
)  # fmt: skip
def test_several_files_are_one_text(parts, options, text):
    assert cli.main(["train", "a.txt", "b.txt", *options, *OPTIONS]) == 0
    assert CharRNN.load("new.crnn").vocabulary_ == CharRNN(max_steps=0).fit(text).vocabulary_


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


@pytest.mark.parametrize(("more", "found"), [([], "a.txt-*.crnn-ids"), (["--lines"], "a.txt-*.crnn-lines")])
def test_ids_are_kept_in_a_folder_of_choice(parts, more, found):
    (parts / "ids").mkdir()
    assert cli.main(["train", "a.txt", "--validation", "a.txt", *more, *OPTIONS, "--cache", "ids"]) == 0
    assert sorted(path.match(found) for path in (parts / "ids").iterdir()) == [False, True]  # with its description
    assert list(parts.glob("*.crnn-*")) == []
    assert CharRNN.load("new.crnn").n_steps_ == 3
