"""The options of an adaptation."""

import inspect
from dataclasses import asdict

import pytest

from crnn import CharRNN, InvalidInputError
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


def test_a_block_is_one_symbol_or_more():
    for length in (1, 10**6):
        assert AdaptationOptions.of({"block_length": length}).block_length == length
    for length in (0, -1, 1.0, True, 10**6 + 1):
        with pytest.raises(InvalidInputError, match=r"^block_length must be "):
            AdaptationOptions.of({"block_length": length})
    for rate in ("learning_rate", "decay"):
        assert AdaptationOptions.of({rate: 0}) == AdaptationOptions(**{rate: 0.0})
        with pytest.raises(InvalidInputError, match=rf"^{rate} must be "):
            AdaptationOptions.of({rate: -0.1})
