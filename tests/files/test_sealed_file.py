"""A model file is read from a path or a stream, and written to either."""

from __future__ import annotations

import io

import pytest
from examples import classifier_of

from crnn import CharNGram, CharRNN, ModelFileError
from crnn.loading import load_model


@pytest.mark.parametrize("model", [
    CharRNN(5, max_steps=2, random_state=0).fit("abc" * 9),
    CharNGram(order=2).fit("abc" * 9),
    classifier_of(hidden_size=5, max_steps=2, random_state=0).fit(["ab", "ba"], [0, 1]),
], ids=lambda model: type(model).__name__)  # fmt: skip
def test_a_model_goes_through_a_stream(model):
    stream = io.BytesIO(b"before")
    stream.seek(6)
    model.save(stream)
    stream.seek(6)
    assert type(load_model(stream)) is type(model)
    stream.seek(6)
    assert repr(type(model).load(stream)) == repr(model)
    for content in (b"", stream.getvalue()[6:-1]):
        with pytest.raises(ModelFileError, match=r"^model file in a stream: it"):
            type(model).load(io.BytesIO(content))
