"""Does `benchmarks.demo` count words?"""

import sys

from benchmarks import demo
from crnn import CharNGram
from crnn.datasets import python_manual


def test_words_are_runs_of_letters_and_apostrophes():
    assert demo.words("Don't print('x_1'), ok? \u00e9t\u00e9 2.0") == ["Don't", "print", "x", "ok", "\u00e9t\u00e9"]


def test_the_last_word_of_a_sample_does_not_count():
    assert demo.existing_words("the cat sat on thi", "the cat on the mat") == (3, 4)


def test_counts_of_the_manual_write_its_words(tmp_path, monkeypatch, capsys):
    CharNGram(6).fit(python_manual()).save(tmp_path / "counts.crnn")
    monkeypatch.setattr(demo, "LENGTH", 2000)
    monkeypatch.setattr(sys, "argv", ["demo", str(tmp_path / "counts.crnn")])
    demo.main()
    last = capsys.readouterr().out.splitlines()[-1]
    existing, written = (int(word.replace(",", "")) for word in (last.split()[0], last.split()[2]))
    assert written > 100
    assert existing > 0.8 * written
