"""A folder and a file that each example of a property writes anew."""

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def path(folder):
    return folder / "text.txt"
