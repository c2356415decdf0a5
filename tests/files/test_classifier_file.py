"""Classifier files: they come back as they were, and contents that form no classifier are refused."""

import io

import numpy as np
import pytest

from crnn import CharNGram, ModelFileError, TextClassifier
from crnn.files import classifier_file, mixture_file
from crnn.files.classifier_file import StoredClassifier
from crnn.files.plain_json import plain_json

LABELED = ("CharNGram", CharNGram(2).fit(["ab", "ba"], labels=["f", "m"]).to_bytes())
OTHER = ("CharNGram", CharNGram(2).fit(["ab", "ba"], labels=["f", "x"]).to_bytes())
GOOD = {
    "class_weight": None, "min_steps": 0, "directions": ["forward", "backward"], "listed": True, "prior": [0.25, 0.75],
}  # fmt: skip


def written(parts=(LABELED,) * 4, entries=None, **own):
    """Return a stream with a classifier's file, some of its values exchanged; None: removed."""
    values = {name: value for name, value in {**GOOD, **own}.items() if value != "removed"}
    entries = {"classifier": plain_json(values)} if entries is None else entries
    mixture_file.write(stream := io.BytesIO(), parts, np.repeat([0.5, 2.0], 2)[: len(parts)], entries)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("class_weight", [None, "balanced", {"f": 2.0}])
@pytest.mark.parametrize("directions", [("forward", "backward"), ("backward",)])
def test_round_trip(class_weight, directions):
    own = {"class_weight": class_weight, "min_steps": 7}
    parts = [LABELED] * 2 * len(directions)
    stored = StoredClassifier(parts, np.array([0.25, 3.0]), np.array([0.0, 1.0]), directions, True, own)
    classifier_file.write(stream := io.BytesIO(), stored)
    stream.seek(0)
    found = classifier_file.read(stream)
    for name, value in stored._asdict().items():
        assert (
            np.array_equal(getattr(found, name), value)
            if isinstance(value, np.ndarray)
            else (getattr(found, name) == value)
        )


@pytest.mark.parametrize(
    "own",
    [
        {"min_steps": 0.5}, {"more": 1}, {"prior": "removed"}, {"class_weight": "unbalanced"},
        {"class_weight": [["f", 1.0, 2.0]]}, {"class_weight": [[["f"], 1.0]]}, {"class_weight": ["f1"]},
        {"prior": [0.5, 2]}, {"prior": [1.5, 0.5]}, {"prior": [-0.5, 1.0]}, {"prior": [0.0, 0.0]}, {"prior": [1.0]},
        {"directions": ["backward", "forward"]}, {"directions": "forward"}, {"listed": False}, {"listed": 1},
        *({"directions": value, "listed": False} for value in (0, None, True, [], "both", {"forward": 1})),
    ],
)  # fmt: skip
def test_refuses_non_classifiers(own):
    assert TextClassifier.load(written()).weights_.tolist() == [0.5, 2.0]
    with pytest.raises(ModelFileError, match="its classifier is damaged"):
        TextClassifier.load(written(**own))


@pytest.mark.parametrize("own", [{"class_weight": [[-0.0, 1.0]]}, {"min_steps": -1}])
def test_refuses_parameters_that_fit_would_refuse(own):
    with pytest.raises(ModelFileError, match=rf"^model file .*{next(iter(own))}"):
        TextClassifier.load(written(**own))


def test_refuses_models_that_do_not_fit():
    with pytest.raises(ModelFileError, match="its classifier is damaged"):
        TextClassifier.load(written(parts=[LABELED] * 3))
    for parts, prior in (([LABELED, LABELED, OTHER, LABELED], [0.5, 0.5]), ([LABELED] * 4, [0.2, 0.2, 0.6])):
        with pytest.raises(ModelFileError, match="its models have different labels"):
            TextClassifier.load(written(parts=parts, prior=prior))


def test_the_file_of_a_mixture_is_no_classifier():
    with pytest.raises(ModelFileError, match=r"it contains a Mixture; load it with Mixture\.load"):
        TextClassifier.load(written(entries={}))
    with pytest.raises(ModelFileError, match="its classifier is not readable JSON"):
        TextClassifier.load(written(entries={"other": "1"}))
