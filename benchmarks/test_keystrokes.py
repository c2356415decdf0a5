"""Does `benchmarks.keystrokes` measure what it says?"""

from benchmarks import keystrokes
from crnn import CharNGram


def test_keys_are_counted():
    peer = keystrokes.FrequentWords("anna anna anton ann")
    keys, seconds = keystrokes.type_text("anna annu", peer)
    # a, then the ending "nna" by one key, a space; "a", "n", "n", "u" typed, as no word ends so.
    assert keys == 2 + 1 + 4
    assert len(seconds) == 1 + 4


def test_a_model_suggests_endings_of_words():
    model = CharNGram(5).fit("the value of the list is the value. " * 30)
    keys, seconds = keystrokes.type_text("the value", keystrokes.Session(model))
    assert keys == 2 + 1 + 2
    assert len(seconds) == 2
