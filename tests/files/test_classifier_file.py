"""Classifier files: contents that form no classifier are refused."""

from dataclasses import replace

import numpy as np
import pytest
from examples import classifier_of

from crnn import CharRNN, ModelFileError, TextClassifier
from crnn.files import checkpoint, classifier_file, model_file
from crnn.model.stored_record import StoredRecord

OPTIONS = {"hidden_size": 3, "batch_size": 2, "max_steps": 1, "n_bigrams": 2, "random_state": 0}
PARAMETERS = CharRNN(**OPTIONS).get_params()
OWN = {"class_weight": None, "min_steps": 0}
PRIOR = np.array([0.25, 0.75])


@pytest.fixture(scope="module")
def networks():
    model = classifier_of(**OPTIONS).fit(["ab", "ba"] * 3, ["f", "m"] * 3)
    return {direction: one._learned for direction, one in model.models_.items()}


@pytest.mark.parametrize(
    ("own", "prior"),
    [
        (OWN | {"min_steps": 0.5}, PRIOR),
        (OWN | {"more": 1}, PRIOR),
        (OWN | {"class_weight": "unbalanced"}, PRIOR),
        (OWN | {"class_weight": [["f", 1.0, 2.0]]}, PRIOR),
        (OWN | {"class_weight": [[["f"], 1.0]]}, PRIOR),
        (OWN | {"class_weight": ["f1"]}, PRIOR),
        (OWN, np.ones(3)),
        (OWN, np.ones(2, np.float32)),
        (OWN, np.array([1.5, -0.5])),
        (OWN, np.array([1.0, np.nan])),
        (OWN, np.zeros(2)),
    ],
)
def test_refuses_non_classifiers(tmp_path, networks, own, prior):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN | {"class_weight": {"f": 2.0}}, tmp_path / "good.crnn")
    assert TextClassifier.load(tmp_path / "good.crnn").class_weight == {"f": 2.0}
    classifier_file.write(networks, prior, PARAMETERS, own, tmp_path / "bad.crnn")
    with pytest.raises(ModelFileError, match="its classifier is damaged"):
        TextClassifier.load(tmp_path / "bad.crnn")


def test_a_file_has_the_weights_alone(tmp_path, networks):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN, tmp_path / "m.crnn")
    file = model_file.read(tmp_path / "m.crnn")
    assert file.training is None
    assert file.training_tensors == {}


@pytest.mark.parametrize("directions", [["forward", "backward"], ["forward"], ["backward"]])
def test_the_directions(tmp_path, networks, directions):
    used = {direction: networks[direction] for direction in directions}
    classifier_file.write(used, np.array([0.0, 1.0]), PARAMETERS, OWN, tmp_path / "m.crnn")
    found = classifier_file.read(tmp_path / "m.crnn", PARAMETERS)
    assert found.own == OWN | {"directions": "both" if len(directions) == 2 else directions[0]}
    assert found.prior.tolist() == [0, 1]
    assert list(found.networks) == directions
    for direction, state in found.networks.items():
        np.testing.assert_array_equal(state.params, networks[direction].params)
        np.testing.assert_array_equal(state.layout.pairs.pairs, networks[direction].layout.pairs.pairs)


@pytest.mark.parametrize("record", [None, StoredRecord({"classes": [1]}, {})])
def test_refuses_files_of_language_models(tmp_path, networks, record):
    state = networks["forward"].copy()
    state.labels = record
    checkpoint.write(state, PARAMETERS, tmp_path / "m.crnn", training_state=False)
    with pytest.raises(ModelFileError, match=r"m\.crnn': it does not contain a classifier; load it with CharRNN\.load"):
        classifier_file.read(tmp_path / "m.crnn", PARAMETERS)


def damaged(path, name, array):
    """Exchange a tensor of the second network; None: remove it."""
    file = model_file.read(path)
    assert f"second.{name}" in file.labels.tensors
    tensors = {key: value for key, value in file.labels.tensors.items() if key != f"second.{name}"}
    tensors |= {} if array is None else {f"second.{name}": array}
    model_file.write(path, replace(file, labels=StoredRecord(file.labels.values, tensors)))


@pytest.mark.parametrize(
    "pairs",
    [
        None,
        np.zeros((2, 2), np.int64),
        np.zeros((0, 2), np.int32),
        np.zeros((2, 3), np.int32),
        np.zeros(2, np.int32),
        np.array([[0, 9], [1, 0]], np.int32),
        np.zeros((2, 2), np.int32),
    ],
)
def test_a_second_network_without_pairs(tmp_path, networks, pairs):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN, tmp_path / "m.crnn")
    damaged(tmp_path / "m.crnn", "bigrams.pairs", pairs)
    with pytest.raises(ModelFileError, match=r"its second network has no bigrams\.pairs; restore it from a copy"):
        TextClassifier.load(tmp_path / "m.crnn")


@pytest.mark.parametrize(
    "weights", [None, np.zeros(6), *(np.array(row, np.float32) for row in ([0] * 5, [0] * 5 + [np.nan], [-np.inf] * 6))]
)
def test_a_second_network_without_weights(tmp_path, networks, weights):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN, tmp_path / "m.crnn")
    damaged(tmp_path / "m.crnn", "decoder.bias", np.zeros(6, np.float32))
    TextClassifier.load(tmp_path / "m.crnn")
    damaged(tmp_path / "m.crnn", "decoder.bias", weights)
    with pytest.raises(ModelFileError, match=r"its second network has no decoder\.bias; restore it from a copy"):
        TextClassifier.load(tmp_path / "m.crnn")
