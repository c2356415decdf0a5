"""Properties of characters; the unit that follows one is chosen on half of a text and measured on the other half."""

import numpy as np
import pytest

from crnn import CharRNN, plot
from crnn.plot.units import PROPERTIES, correlations

FOUND = [
    ("inside quotes", 'a "b" c', "0011000"),
    ("inside quotes", "\u201ca\u201d \u201cb", "110011"),
    ("inside quotes", '\u201ca" b', "11111"),  # another quote does not close it
    ("inside quotes", '"a\nb\n\nc', "1111100"),
    ("inside brackets", "a(b[c{d}])e", "01122332100"),
    ("inside brackets", ")(a))b(", "0110001"),
    ("line length", "ab\n\nc d", "1200123"),
    ("word length", "to b7.e", "1201201"),
    ("indentation", "  a b\n\tc\nd ", "12222044000"),
    ("between words", "a b.7\n", "010101"),
    ("capital letter", "Aa BC\u00c9\u00e9 1", "100111000"),
]


def test_properties_of_characters():
    for name, text, expected in FOUND:
        assert PROPERTIES[name](text).tolist() == [float(digit) for digit in expected], name
    assert {name for name, _, _ in FOUND} == PROPERTIES.keys()


def test_units_are_chosen_on_the_first_half_and_measured_on_the_second():
    text = "to be or not to be, that is the question. " * 3 + "Words, words, words."
    model = CharRNN(5, num_layers=2, max_steps=30, random_state=0).fit(text)
    (found,) = plot.find_units(model, text, {"t": lambda text: [character == "t" for character in text]})
    states = model.hidden_states(text).reshape(len(text), -1).astype(float)
    values = np.array([c == "t" for c in text], float)
    half = len(text) // 2
    first, second = (correlations(states[part], values[part]) for part in (slice(half), slice(half, None)))
    best = int(np.argmax(first**2))
    assert (found.property, found.layer, found.unit) == ("t", best // 5, best % 5)
    assert (found.chosen_by, found.correlation) == (pytest.approx(first[best]), pytest.approx(second[best]))


def test_a_property_counts_if_it_varies_in_both_halves():
    text = "to be or not to be\n" * 5
    model = CharRNN(5, max_steps=3, random_state=0).fit(text)
    half = len(text) // 2
    properties = {
        "first half": lambda text: [i % 3 if i < half else 0 for i in range(len(text))],
        "second half": lambda text: [i % 3 if i >= half else 0 for i in range(len(text))],
        "both": lambda text: [i % 3 for i in range(len(text))],
    }
    assert [found.property for found in plot.find_units(model, text, properties)] == ["both"]
