"""The file of a mixture: what is in it, and what is refused."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
import pytest

from crnn import CharNGram, Mixture, ModelFileError
from crnn.files import mixture_file
from crnn.files.plain_json import plain_json
from crnn.files.sealed_file import sealed_bytes, with_format, write_path

MODELS = [("CharNGram", CharNGram(2).fit(["ab", "ba"]).to_bytes()), ("CharNGram", CharNGram(3).fit(["ab"]).to_bytes())]


def written(weights, *, models=("CharNGram", "CharNGram"), **tensors):
    """Return the bytes of a file with these weights, names of models and other tensors."""
    files = {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(MODELS)}
    tensors = {"weights": np.array(weights, np.float64), **files} | tensors
    metadata = with_format("mixture", {"models": plain_json(list(models))})
    write_path(stream := io.BytesIO(), partial(sealed_bytes, metadata, tensors))
    return stream.getvalue()


def read(content):
    return mixture_file.read(io.BytesIO(content))


@pytest.mark.parametrize("weights", [[0.25, 0.75], [0, 1e-300], [1e30, 1e30], [0.0, 0.0]])
def test_mixtures_come_back(weights):
    parts, found, _ = read(written(weights))
    assert parts == MODELS
    assert found.tolist() == weights
    mixture_file.write(stream := io.BytesIO(), MODELS, np.array(weights))
    assert stream.getvalue() == written(weights)


@pytest.mark.parametrize("weights", [[-0.1, 1], [np.nan, 1], [1, np.inf], [1.1e30, 1]])
def test_weights_that_are_refused(weights):
    with pytest.raises(ModelFileError, match=r"its weights must be numbers from 0 to 1e\+30"):
        read(written(weights))


@pytest.mark.parametrize(
    "content",
    [
        {"weights": [1]}, {"weights": [[1, 1]]}, {"weights": [1, 1, 1]}, {"more": np.zeros(1)},
        {"models.1": np.zeros(3)}, {"models.1": np.zeros((3, 3), np.uint8)}, {"models": ["CharNGram"]},
        {"models": ["CharNGram"] * 3}, {"models": ["CharNGram"] * 64},
    ],
)  # fmt: skip
def test_refuses_invalid_tensors(content):
    with pytest.raises(ModelFileError, match="its tensors do not belong to its models"):
        read(written(**{"weights": [1, 1], **content}))


@pytest.mark.parametrize("models", [[], ["CharNGram", "Mixture"], ["CharNGram", 3], ["CharNGram"] * 65])
def test_refuses_models_that_no_mixture_can_hold(models):
    with pytest.raises(ModelFileError, match="its models are not a list of up to 64 of CharRNN, CharNGram"):
        read(written([1, 1], models=models))


def test_refuses_models_with_different_symbols(tmp_path):
    other = np.frombuffer(CharNGram(2).fit(["xy"]).to_bytes(), np.uint8)
    path = tmp_path / "two.crnn"
    path.write_bytes(written([1, 1], **{"models.1": other}))
    with pytest.raises(ModelFileError, match=r"^model file '.*two\.crnn': its models do not fit together: models"):
        Mixture.load(path)


def test_refuses_a_damaged_model_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "two.crnn"
    path.write_bytes(written([1, 1], **{"models.1": np.zeros(99, np.uint8)}))
    with pytest.raises(ModelFileError, match=r"^model file '.*two\.crnn', models\[1\]: its header"):
        Mixture.load(path)
