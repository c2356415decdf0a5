"""Models with weights of 8 bits: what they predict, what they refuse, and their files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from crnn import CharRNN, CharRNNClassifier, InvalidInputError, ModelFileError, NotFittedError
from crnn.files import model_file
from crnn.parameters.cells import CELLS

TEXT = "to be or not to be, that is the question. " * 20
NAMES, KINDS = ["anna", "eva", "olga", "bob", "otto", "tom"] * 5, ["f", "f", "f", "m", "m", "m"] * 5


def fitted(**options):
    settings = {"hidden_size": 19, "max_steps": 120, "optimizer": "adam", "learning_rate": 0.01, "random_state": 0}
    return CharRNN(**{**settings, **options}).fit(TEXT)


@pytest.fixture(scope="module")
def model():
    return fitted(cell="lstm")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{"num_layers": 2}, {"embedding_size": 7, "n_bigrams": 11}])
def test_scores_stay_near_those_of_the_float_model(cell, options):
    model = fitted(cell=cell, **options)
    small = model.quantize()
    assert 0 < abs(small.score(TEXT) - model.score(TEXT)) < 0.02
    for name, weights in model.params_.items():
        rounded = small.params_[name]
        if weights.ndim == 1:
            np.testing.assert_array_equal(rounded, weights)
        else:
            rows, values = (rounded.T, weights.T) if name in ("embedding", "bigrams") else (rounded, weights)
            steps = np.abs(values).max(axis=1, keepdims=True) / 127
            assert (np.abs(rows - values) <= 0.501 * steps).all()
            assert max(len(np.unique(row)) for row in rows) <= 255


def test_texts_have_the_same_bits_in_any_company(model):
    small = model.quantize()
    texts = [TEXT[i : i + 3 + 5 * i] for i in range(13)]
    together = small.score_samples(texts)
    for i, text in enumerate(texts):
        assert small.score_samples([text])[0] == together[i]
    small.set_params(n_threads=2)
    np.testing.assert_array_equal(small.score_samples(texts), together)
    assert small.sample(50, random_state=3) == model.quantize().sample(50, random_state=3)


@pytest.mark.parametrize("cell", CELLS)
def test_files_and_pickles_have_the_same_bits(tmp_path, cell):
    small = fitted(cell=cell, num_layers=2, embedding_size=7, n_bigrams=11).quantize()
    for training_state in (True, False):
        small.save(tmp_path / "small.crnn", training_state=training_state)
        again = CharRNN.load(tmp_path / "small.crnn")
        np.testing.assert_array_equal(again.surprisal(TEXT), small.surprisal(TEXT))
        for name, array in small.params_.items():
            np.testing.assert_array_equal(again.params_[name], array)
        with pytest.raises(InvalidInputError, match="on the float model"):
            again.partial_fit(TEXT)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(small)).surprisal(TEXT), small.surprisal(TEXT))
    assert again.n_steps_ == 0


def test_the_file_is_at_most_0_35_of_the_float_one(tmp_path):
    model = CharRNN(256, cell="lstm", max_steps=0, random_state=0).fit(TEXT)
    model.save(tmp_path / "float", training_state=False)
    model.quantize().save(tmp_path / "small", training_state=False)
    weights = sum(array.nbytes for array in model.params_.values())
    assert (tmp_path / "small").stat().st_size < 0.35 * weights < 0.35 * (tmp_path / "float").stat().st_size


REFUSED = [
    lambda small: small.partial_fit(TEXT),
    lambda small: small.adapt(TEXT),
    lambda small: small.score(TEXT, adapt=True),
    lambda small: small.surprisal(TEXT, adapt=True),
    lambda small: small.gradient("to be"),
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_needs_float_weights_is_refused(model, call):
    small = model.quantize()
    before = small.surprisal(TEXT)
    with pytest.raises(InvalidInputError, match="on the float model"):
        call(small)
    np.testing.assert_array_equal(small.surprisal(TEXT), before)


def test_fit_starts_anew_with_float_weights(model):
    small = model.quantize().set_params(max_steps=3).fit(TEXT)
    assert small.partial_fit(TEXT).n_steps_ == 6


def test_models_that_cannot_be_quantized(model):
    with pytest.raises(NotFittedError):
        CharRNN().quantize()
    with pytest.raises(InvalidInputError, match="already has 8-bit weights"):
        model.quantize().quantize()
    with pytest.raises(InvalidInputError, match="Fit it with dtype='float32'"):
        fitted(dtype="float64").quantize()
    spoiled = fitted()
    spoiled._learned.params[3] = np.nan
    with pytest.raises(InvalidInputError, match="finite"):
        spoiled.quantize()


def test_too_many_units_for_sums_in_32_bits(model, monkeypatch):
    H = model.hidden_size
    monkeypatch.setattr("crnn.model.state.MAX_INT8_UNITS", H)
    model.quantize()
    monkeypatch.setattr("crnn.model.state.MAX_INT8_UNITS", H - 1)
    with pytest.raises(InvalidInputError, match=f"hidden_size is {H}, but quantize supports at most {H - 1}, "):
        model.quantize()


def test_columns_of_tiny_weights_become_zeros(model):
    tiny = fitted()
    tiny._learned.params[...] *= np.float32(1e-36)
    small = tiny.quantize()
    assert not any(array.any() for array in small.params_.values() if array.ndim == 2)
    assert np.isfinite(small.score(TEXT))


def test_a_classifier(tmp_path):
    model = CharRNNClassifier().set_params(estimator__hidden_size=19, estimator__random_state=0).fit(NAMES, KINDS)
    small = model.quantize()
    np.testing.assert_allclose(small.predict_proba(NAMES), model.predict_proba(NAMES), atol=0.05)
    assert (small.predict_proba(NAMES) != model.predict_proba(NAMES)).any()
    small.save(tmp_path / "names")
    again = CharRNNClassifier.load(tmp_path / "names")
    np.testing.assert_array_equal(again.predict_proba(NAMES), small.predict_proba(NAMES))
    of_label = small.models_["forward"].for_label("f")
    assert of_label.score_samples(["anna"]).shape == (1,)
    with pytest.raises(NotFittedError):
        CharRNNClassifier().quantize()


def crafted(tmp_path, model, changes):
    """Return the path of an int8 file with other tensors, whose checksum is right."""
    model.quantize().save(tmp_path / "small")
    file = model_file.read(tmp_path / "small")
    for name, change in changes.items():
        file.tensors[name] = change(file.tensors[name])
    return model_file, tmp_path / "crafted", file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder.weight": lambda a: np.full_like(a, -128)}, "contains -128, which is not a valid 8-bit weight"),
        ({"decoder.weight": lambda a: a.astype(np.float32)}, "its architecture implies I8"),
        ({"decoder.weight.scale": lambda a: -a}, "contains an invalid scale"),
        ({"decoder.weight.scale": lambda a: a * np.float32(1e-38)}, "contains an invalid scale"),
        ({"decoder.weight.scale": lambda a: np.full_like(a, 3e38)}, "contains an invalid scale"),
        ({"decoder.weight.scale": lambda a: np.full_like(a, np.nan)}, "contains NaN or infinity"),
        ({"decoder.weight.scale": lambda a: a[:-1].copy()}, "its architecture implies F32"),
    ],
)
def test_crafted_files_are_refused(tmp_path, model, changes, message):
    writer, path, file = crafted(tmp_path, model, changes)
    with pytest.raises(ModelFileError, match=message):
        writer.write(path, file)


FIRST, SECOND = "decoder.weight", "second.rnn.weight_hh_l0"
CRAFTED_CLASSIFIERS = {
    "first, -128": (FIRST, lambda a: np.full_like(a, -128), "contains -128, which is not a valid 8-bit weight"),
    "first, scale of another size": (f"{FIRST}.scale", lambda a: a[:-1].copy(), "its architecture implies F32"),
    "first, negative scale": (f"{FIRST}.scale", lambda a: -a, "contains an invalid scale"),
    "first, floats": (FIRST, lambda a: a.astype(np.float32), "its architecture implies I8"),
    "second, -128": (SECOND, lambda a: np.full_like(a, -128), "its second network has no rnn.weight_hh_l0"),
    "second, floats": (SECOND, lambda a: a.astype(np.float32), "its second network has no rnn.weight_hh_l0"),
    "second, another shape": (SECOND, lambda a: a[:-1].copy(), "its second network has no rnn.weight_hh_l0"),
    "second, missing": (SECOND, None, "its second network has no rnn.weight_hh_l0"),
    "second, scale of another type": (f"{SECOND}.scale", lambda a: a.astype(np.float64), "its second network has no"),
    "second, scale of another size": (f"{SECOND}.scale", lambda a: a[:-1].copy(), "its second network has no"),
    "second, negative scale": (f"{SECOND}.scale", lambda a: -a, "its second network has no"),
    "second, huge scale": (f"{SECOND}.scale", lambda a: np.full_like(a, 3e38), "its second network has no"),
    "second, NaN": (f"{SECOND}.scale", lambda a: np.full_like(a, np.nan), "NaN|its second network has no"),
    "second, no scale": (f"{SECOND}.scale", None, "its second network has no"),
}


@pytest.mark.parametrize("case", CRAFTED_CLASSIFIERS)
def test_crafted_files_of_classifiers_are_refused(tmp_path, monkeypatch, case):
    """Bypass all checks when writing, but write a correct checksum."""
    name, change, message = CRAFTED_CLASSIFIERS[case]
    model = CharRNNClassifier().set_params(estimator__hidden_size=7, estimator__max_steps=20).fit(NAMES, KINDS)
    model.quantize().save(tmp_path / "small")
    file = model_file.read(tmp_path / "small")
    tensors = file.tensors if name in file.tensors else file.labels.tensors
    if change is None:
        del tensors[name]
    else:
        tensors[name] = change(tensors[name])
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "_declared_architecture", lambda metadata, tensors: None)
        patch.setattr(model_file, "_checked_parts", lambda tensors, architecture: None)
        model_file.write(tmp_path / "crafted", file)
    with pytest.raises(ModelFileError, match=message):
        CharRNNClassifier.load(tmp_path / "crafted")
    CharRNNClassifier.load(tmp_path / "small")
