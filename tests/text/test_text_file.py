"""TextFile and Lines name files, the kind of their symbols and a folder."""

from __future__ import annotations

import pathlib

import pytest

from crnn import Lines, TextFile
from crnn.errors import InvalidInputError


@pytest.mark.parametrize("named", [TextFile, Lines])
def test_names_are_kept_as_str(named):
    files = named([pathlib.Path("a.txt"), b"b.txt"], kind="bytes", cache=pathlib.Path("ids"))
    assert repr(files) == f"{named.__name__}(['a.txt', 'b.txt'], kind='bytes', cache='ids')"
    assert repr(named(pathlib.Path("a.txt"))) == f"{named.__name__}('a.txt')"


@pytest.mark.parametrize(
    ("paths", "message"), [([], "empty list"), (3, "paths is of type int"), (["a", 3], r"paths\[1\] must be the path")]
)
def test_refuses_non_paths(paths, message):
    with pytest.raises(InvalidInputError, match=message):
        Lines(paths)


def test_refuses_an_unknown_kind():
    with pytest.raises(InvalidInputError, match="kind must be"):
        TextFile("names.txt", kind="words")
