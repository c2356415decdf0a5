"""The text and the table of `benchmarks.large_alphabet`, with few symbols."""

from benchmarks import large_alphabet


def test_words_become_symbols():
    assert large_alphabet.words_as_symbols("to be, to see", 3) == "\u4e00\u4e01\u4e02\u4e00\u4e02"


def test_rows():
    text = large_alphabet.words_as_symbols("to be, or not to be, that is the question. " * 60, 9)
    learned, held_out = large_alphabet.split(text)
    assert text == learned + held_out
    found = [*large_alphabet.rows(text, 0.3)]
    assert {row.count("|") for row in found} == {large_alphabet.HEAD.splitlines()[0].count("|")}
