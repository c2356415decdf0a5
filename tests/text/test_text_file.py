"""TextFile and Lines name files, the kind of their symbols and a folder."""

from __future__ import annotations

import pathlib

import pytest

from crnn import Lines, TextFile


@pytest.mark.parametrize("named", [TextFile, Lines])
def test_names_are_kept_as_str(named):
    files = named([pathlib.Path("a.txt"), b"b.txt"], kind="bytes", cache=pathlib.Path("ids"))
    assert repr(files) == f"{named.__name__}(['a.txt', 'b.txt'], kind='bytes', cache='ids')"
    assert repr(named(pathlib.Path("a.txt"))) == f"{named.__name__}('a.txt')"
