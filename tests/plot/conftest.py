"""Models whose answers are known."""

import numpy as np
import pytest

from crnn import CharRNN

pytest.importorskip("matplotlib")


@pytest.fixture
def blank():
    """A function that makes a model whose weights are all 0."""

    def make(symbols, hidden_size=3, **parameters):
        model = CharRNN(hidden_size, max_steps=0, dtype="float64", **parameters).fit(symbols)
        with model.editing():
            for array in model.params_.values():
                array[:] = 0
        return model

    return make


@pytest.fixture
def fixed(blank):
    """A function that makes a model without memory: whatever comes before, its probabilities are those given."""

    def make(p):
        model = blank("".join(p))
        with model.editing():
            model.params_["by"][:] = [np.log(p[symbol]) for symbol in model.vocabulary_]
        return model

    return make


@pytest.fixture
def abc(fixed):
    """A model without memory, of 1, 2, 3 and 3 bits for a, b, c and a line end."""
    return fixed({"a": 1 / 2, "b": 1 / 4, "c": 1 / 8, "\n": 1 / 8})


@pytest.fixture
def letters_seen(blank):
    """A model of a, b and a space. Unit 0 is about 1 after a letter and -1 after a space; unit 1 tanh(1/2) after b."""
    model = blank("ab ")
    symbols = list(model.vocabulary_)
    with model.editing():
        model.params_["Wxh_l0"][0] = [-9.0 if symbol == " " else 9.0 for symbol in symbols]
        model.params_["Wxh_l0"][1] = [0.5 if symbol == "b" else 0.0 for symbol in symbols]
    return model
