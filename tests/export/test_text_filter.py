"""Filters of hashes: every text of the list is recognized, in Python and JavaScript, and few others."""

import json
import subprocess

import numpy as np
import pytest
from node import needs_node

from crnn import CharNGram, Lines
from crnn.errors import InvalidInputError
from crnn.export import text_filter
from crnn.export.script import assets
from crnn.export.text_filter import TextFilter

RANDOM = np.random.default_rng(7)
LETTERS = list("abcdé€😀 \n\ud800")
NAMES = ["".join(RANDOM.choice(LETTERS, n)) for n in RANDOM.integers(0, 14, 3000)]
OTHERS = sorted({"".join(RANDOM.choice(LETTERS, 11)) for _ in range(20_000)} - set(NAMES))
VOCABULARY = CharNGram(1).fit([*"".join(LETTERS)]).vocabulary_


def found_in_javascript(found, texts, folder):
    lines = [
        assets("crnn.export", ["text_filter.js"]),
        f"const filter = new TextFilter({json.dumps(found.data())});",
        f"const texts = {json.dumps([[*map(ord, text)] for text in texts])};",
        "console.log(JSON.stringify(texts.map((codes) => filter.has(codes))));",
    ]
    (folder / "run.js").write_text("\n".join(lines))
    return json.loads(subprocess.run(["node", "run.js"], cwd=folder, capture_output=True, check=True).stdout)


@needs_node
def test_texts_of_the_list_are_recognized_and_few_others(tmp_path):
    found = TextFilter.of(NAMES, VOCABULARY)
    assert found.n_texts == len(set(NAMES))
    assert len(found.bits) < 15 * found.n_texts
    assert all(found_in_javascript(found, NAMES, tmp_path))
    wrong = sum(found_in_javascript(found, OTHERS, tmp_path))
    assert found.rate == pytest.approx(0.001, rel=0.2)
    assert wrong <= 2 * found.rate * len(OTHERS) + 5  # four standard deviations above what is stated
    assert wrong > 0


@needs_node
def test_a_list_that_fills_the_filter_has_a_higher_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(text_filter, "MAX_BITS", 20_000)
    found = TextFilter.of(NAMES, VOCABULARY)
    assert len(found.bits) == 20_000
    assert all(found_in_javascript(found, NAMES, tmp_path))
    wrong = sum(found_in_javascript(found, OTHERS, tmp_path)) / len(OTHERS)
    assert wrong == pytest.approx(found.rate, rel=0.2)
    assert 0.01 < found.rate < text_filter.MAX_RATE
    monkeypatch.setattr(text_filter, "MAX_BITS", 15_000)
    with pytest.raises(InvalidInputError, match=r"exclude has 2,\d{3} different texts, but .* room for 2,405"):
        TextFilter.of(NAMES, VOCABULARY)


def test_lists_of_every_kind(tmp_path):
    (tmp_path / "names.txt").write_text("anna\nbob\nanna\n")
    words = CharNGram(1).fit(["anna", "bob"]).vocabulary_
    wanted = TextFilter.of(["anna", "bob"], words)
    for X in ({"bob", "anna"}, ("anna", "bob", "bob"), Lines(tmp_path / "names.txt"), iter(["anna", "bob"])):
        assert TextFilter.of(X, words).data() == wanted.data()
    as_bytes = CharNGram(1).fit([b"anna", b"bob"]).vocabulary_
    assert TextFilter.of([b"anna", b"bob"], as_bytes).data() == wanted.data()
    assert TextFilter.of(["anna", "bob", "x" * 1001], words).data() == wanted.data()  # never drawn
    assert TextFilter.of([], words) is None
    for X, message in [("anna", "exclude is of type str"), ([b"a"], r"exclude\[0\] is bytes"), (3, "of type int")]:
        with pytest.raises(InvalidInputError, match=message):
            TextFilter.of(X, words)
