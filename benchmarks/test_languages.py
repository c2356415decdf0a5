"""The table of `benchmarks.languages` on little data."""

import pytest

from benchmarks import languages

pytest.importorskip("wordfreq")
pytest.importorskip("django")
pytest.importorskip("sklearn")


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(languages, "LANGUAGES", ("de", "en", "fi"))
    monkeypatch.setattr(languages, "N_WORDS", 400)
    monkeypatch.setattr(languages, "N_COMMON", 100)
    monkeypatch.setattr(languages, "find_spec", lambda name: None)
    languages.words.cache_clear()
    yield
    languages.words.cache_clear()


def test_the_table_has_every_contender(few):
    _, _, head, rule, *rows = languages.table()
    assert head.count("|") == rule.count("|") == rows[0].count("|")
    assert len(rows) == 2
    for row in rows:
        assert [float(cell.strip(" %")) > 60 for cell in row.split("|")[2:5]] == [True] * 3


def test_words_that_are_tested_are_not_learned(few):
    learned = {word for text in languages.learned()[0] for word in text.split()}
    words, pairs = (languages.tested()[kind][0] for kind in ("words", "pairs"))
    assert learned.isdisjoint(words)
    assert learned.isdisjoint(" ".join(pairs).split())
