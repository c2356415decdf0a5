import re
import sys

import pytest
from source_tree import ROOT, needs_sources

import crnn
from crnn.datasets import english_towns, python_manual


def test_the_manual_has_a_size_that_every_python_reaches():
    text = python_manual()
    assert len(text) > 300_000
    assert 80 < len(set(text)) < 300
    assert text.count(" the ") > 2000


def test_the_towns_are_distinct_words_in_order():
    towns = english_towns()
    assert len(towns) == 486
    assert towns == sorted(set(towns))
    assert all(re.fullmatch("[A-Z][a-z]+", town) for town in towns)
    assert f"names of {len(towns)} towns" in english_towns.__doc__


def test_the_module_is_an_attribute_of_the_package():
    assert crnn.datasets.python_manual is python_manual


def test_a_python_without_the_manual(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(crnn.InvalidInputError, match=r"this Python lacks pydoc_data\.topics.*Use your own text"):
        python_manual()


@needs_sources
def test_no_page_imports_the_command_line():
    pages = [ROOT / "README.md", *ROOT.joinpath("docs").rglob("*.md")]
    importing = re.compile(r"^\s*(?:from|import) crnn\.cli", re.MULTILINE)
    assert [page.name for page in pages if importing.search(page.read_text("utf-8"))] == []
