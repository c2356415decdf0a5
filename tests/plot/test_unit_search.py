"""The unit that follows a property: chosen on the first half of a text, measured on the second."""

import numpy as np
import pytest

from crnn import CharRNN, plot
from crnn.plot.units import correlations


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
