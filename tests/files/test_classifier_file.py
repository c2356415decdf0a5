"""Classifier files: contents that form no classifier are refused."""

import numpy as np
import pytest
from examples import classifier_of

from crnn import CharRNN, CharRNNClassifier, ModelFileError
from crnn.files import classifier_file, model_file

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
def test_what_is_no_classifier(tmp_path, networks, own, prior):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN | {"class_weight": {"f": 2.0}}, tmp_path / "good.crnn")
    assert CharRNNClassifier.load(tmp_path / "good.crnn").class_weight == {"f": 2.0}
    classifier_file.write(networks, prior, PARAMETERS, own, tmp_path / "bad.crnn")
    with pytest.raises(ModelFileError, match="its classifier is damaged"):
        CharRNNClassifier.load(tmp_path / "bad.crnn")


def test_a_file_has_the_weights_alone(tmp_path, networks):
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN, tmp_path / "m.crnn")
    file = model_file.read(tmp_path / "m.crnn")
    assert file.training is None
    assert file.training_tensors == {}


def test_a_second_network_without_pairs(tmp_path, networks, monkeypatch):
    monkeypatch.setattr(classifier_file, "SECOND_PAIRS", "second.other")
    classifier_file.write(networks, PRIOR, PARAMETERS, OWN, tmp_path / "m.crnn")
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="its second network has no "):
        CharRNNClassifier.load(tmp_path / "m.crnn")
