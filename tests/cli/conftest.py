"""A folder to run commands in."""

from __future__ import annotations

import os

import pytest
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a text and a small model of it."""
    monkeypatch.chdir(tmp_path)
    # A path that is relative to another directory would hide the package from `run`.
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(crnn.__file__))))
    (tmp_path / "text.txt").write_bytes(TEXT.encode())
    CharRNN(7, seq_length=5, max_steps=50, random_state=0).fit(TEXT).save("model.crnn")
    return tmp_path
