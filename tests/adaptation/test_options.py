"""The options of an adaptation."""

import inspect
from dataclasses import asdict

from crnn import CharRNN
from crnn.adaptation.options import AdaptationOptions


def test_defaults_are_those_of_the_method():
    parameters = inspect.signature(CharRNN.adapt).parameters
    assert asdict(AdaptationOptions.of(True)) == {
        name: parameters[name].default for name in ("learning_rate", "decay", "block_length")
    }


def test_a_dict_changes_what_it_names():
    options = AdaptationOptions.of({"block_length": 7})
    assert options == AdaptationOptions(block_length=7)
    assert options != AdaptationOptions()
