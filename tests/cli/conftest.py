"""A folder to run commands in."""

import os

import pytest
from examples import saved
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN


@pytest.fixture(scope="session")
def model_file():
    """The contents of the file of a small model."""
    return saved(CharRNN(7, seq_length=5, max_steps=50, random_state=0, n_threads=1).fit(TEXT))


@pytest.fixture
def folder(tmp_path, monkeypatch, model_file):
    """A working directory with a text and a small model of it."""
    monkeypatch.chdir(tmp_path)
    # A path that is relative to another directory would hide the package from `run`.
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(crnn.__file__))))
    (tmp_path / "text.txt").write_bytes(TEXT.encode())
    (tmp_path / "model.crnn").write_bytes(model_file)
    return tmp_path
