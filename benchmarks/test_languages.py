"""The table of `benchmarks.languages` on little data."""

import itertools

import pytest

from benchmarks import languages

pytest.importorskip("wordfreq")
pytest.importorskip("django")
pytest.importorskip("sklearn")

FEW = languages.Sizes(words=400, common=100)
THREE = ("de", "en", "fi")


def test_the_table_has_a_row_for_each_program():
    programs = itertools.islice(languages.contenders(), 2)
    _, _, head, rule, *rows = languages.table(programs, THREE, FEW)
    assert head.count("|") == rule.count("|") == rows[0].count("|")
    assert len(rows) == 2
    for row in rows:
        assert [float(cell.strip(" %")) > 60 for cell in row.split("|")[2:5]] == [True] * 3


def test_words_that_are_tested_are_not_learned():
    known = {word for text in languages.learned(THREE, FEW)[0] for word in text.split()}
    kinds = languages.tested(THREE, FEW)
    assert known.isdisjoint(kinds["words"][0])
    assert known.isdisjoint(" ".join(kinds["pairs"][0]).split())
