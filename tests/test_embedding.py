"""The parameter `embedding_size`: training, continuing, files, labels, adaptation, exports and refusals."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from command_line import run
from examples import random_language_model, reference_sample, reference_state
from model_checks import check_adaptation, check_classifier, same_weights

from crnn import CharRNN, InvalidInputError, ModelFileError
from crnn.files import model_file
from crnn.parameters.cells import CELLS
from crnn.reference.text_gradient import text_gradient

TEXT = "to be or not to be, that is the question. " * 20
SIZE = {"embedding_size": 5}


def small(**parameters):
    usual = {"hidden_size": 19, "cell": "gru", "batch_size": 3, "max_steps": 30, "random_state": 0, **SIZE}
    return CharRNN(**{**usual, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small(optimizer="adam").fit(TEXT)


def test_it_learns_and_its_vectors_are_a_parameter():
    model = small(cell="lstm", max_steps=300, optimizer="adam", learning_rate=0.01).fit(TEXT)
    V = len(model.vocabulary_)
    assert next(iter(model.params_)) == "embedding"
    assert (model.params_["embedding"].shape, model.params_["Wxh_l0"].shape) == ((V, 5), (4 * 19, 5))
    assert model.optimizer_state_["exp_avg"]["embedding"].any()
    assert model.score(TEXT) > -0.5
    assert "embedding_size=5" in repr(model)
    with model.editing():
        model.params_["embedding"][:] = 0
    assert model.score(TEXT) < -1


@pytest.mark.parametrize("cell", CELLS)
def test_samples_and_scores_are_those_of_the_reference(cell, dtype):
    model = random_language_model("abcdefg", dtype=dtype, cell=cell, num_layers=2, embedding_size=3)
    assert model.sample(50, prime="gab", random_state=7) == reference_sample(model, 50, "gab", seed=7)
    state = model.start().feed("gabba")
    parameters, after = reference_state(model, "gabba")
    y = after[0][-1] @ parameters.Wy + parameters.by
    np.testing.assert_allclose(state.predict_proba(), (np.exp(y) / np.exp(y).sum())[0], rtol=1e-4)


def test_the_gradient_of_a_text_is_that_of_the_reference():
    model = random_language_model("abcdefg", cell="lstm", embedding_size=3)
    found, layout = model.gradient("gabbadeaf"), model._learned.layout
    ids = model.vocabulary_.encode("gabbadeaf").astype(np.intp)
    loss, wanted, _ = text_gradient(layout.tensors(model._learned.params), "lstm", ids)
    assert found.loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(found.params["embedding"], wanted.embedding, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.params["Wxh_l0"], wanted.layers[0].Wx.T, rtol=1e-9, atol=1e-12)


def test_any_number_of_threads_trains_the_same_model():
    one, two = (small(n_threads=n, batch_size=32, dropout=0.2).fit(TEXT) for n in (1, 2))
    assert same_weights(one, two)


# ------------------------------------------------------------ continuing


def test_a_file_holds_it(fitted, tmp_path):
    fitted.save(tmp_path / "model.crnn")
    file = model_file.read(tmp_path / "model.crnn")
    assert (file.architecture.embedding_size, file.tensors["embedding.weight"].shape[1]) == (5, 5)
    again = CharRNN.load(tmp_path / "model.crnn")
    assert again.get_params()["embedding_size"] == 5
    assert same_weights(fitted, again)
    assert same_weights(copy.deepcopy(fitted).partial_fit(TEXT), again.partial_fit(TEXT))
    fitted.save(tmp_path / "weights.crnn", training_state=False)
    assert same_weights(fitted, CharRNN.load(tmp_path / "weights.crnn"))


def test_a_file_without_one_does_not_name_it(tmp_path):
    small(embedding_size=None).fit(TEXT).save(tmp_path / "model.crnn")
    assert b"embedding.weight" not in (tmp_path / "model.crnn").read_bytes()
    assert model_file.read(tmp_path / "model.crnn").architecture.embedding_size is None


def test_it_is_pickled(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert same_weights(fitted, again)
    state = pickle.loads(pickle.dumps(fitted.start().feed("to be")))
    np.testing.assert_array_equal(state.predict_proba(), fitted.start().feed("to be").predict_proba())


@pytest.mark.parametrize("value", [None, 4])
def test_a_fitted_model_keeps_its_size(fitted, value):
    model = copy.deepcopy(fitted).set_params(embedding_size=value)
    with pytest.raises(InvalidInputError, match=f"embedding_size is now {value}, but the model was fitted with 5"):
        model.partial_fit(TEXT)
    assert same_weights(model, fitted)


def test_new_symbols_get_vectors_of_zeros():
    model = random_language_model("abcd", cell="lstm", optimizer="adam", embedding_size=3)
    before, text = copy.deepcopy(model), "abxcdxy"
    model.set_params(max_steps=0).partial_fit(text, extend_vocabulary=True)
    old = [list(model.vocabulary_).index(symbol) for symbol in "abcd"]
    vectors = model.params_["embedding"]
    np.testing.assert_array_equal(vectors[old], before.params_["embedding"])
    assert not np.delete(vectors, old, axis=0).any()
    np.testing.assert_array_equal(model.params_["Wxh_l0"], before.params_["Wxh_l0"])
    p, q = before.predict_proba(["ab", "c"]), model.predict_proba(["ab", "c"])[:, old]
    np.testing.assert_allclose(q / q.sum(axis=1, keepdims=True), p, rtol=1e-9)
    model.set_params(max_steps=200, learning_rate=0.02).partial_fit(text * 30)
    assert np.abs(model.params_["embedding"]).sum(axis=1).all()  # they learn


def test_documents_and_labels():
    texts, labels = ["anna", "bob", "eve", "otto"], ["f", "m", "f", "m"]
    model = random_language_model(texts, hidden_size=11, cell="gru", embedding_size=3)
    model = small(cell="lstm", max_steps=20, dtype="float64").fit(texts * 5, labels=labels * 5)
    of_one = model.for_label("m")
    boundary = of_one.vocabulary_.boundary
    np.testing.assert_array_equal(of_one.params_["embedding"][boundary], model.params_["embedding"][boundary + 2])
    np.testing.assert_array_equal(of_one.params_["embedding"][:boundary], model.params_["embedding"][:boundary])
    np.testing.assert_allclose(of_one.score_samples(texts), model.score_samples(texts, labels="m"), rtol=1e-12)


def test_a_classifier(tmp_path):
    check_classifier(tmp_path, embedding_size=7)


# ------------------------------------------------------------ adaptation


@pytest.mark.parametrize("documents", [False, True])
def test_adaptation_is_that_of_the_reference(documents):
    check_adaptation("embedding", documents=documents, embedding_size=3)


# ------------------------------------------------------------ refusals, options


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "5", [5]])
def test_a_size_that_none_can_have(value):
    with pytest.raises(InvalidInputError, match="embedding_size must be a whole number of at least 1"):
        CharRNN(embedding_size=value).fit("abc")


def test_a_size_beyond_all_memory():
    with pytest.raises(InvalidInputError, match=r"embedding_size=2147483647 .* GB of memory"):
        CharRNN(embedding_size=2**31 - 1).fit("abc" * 100)


def test_a_file_that_declares_another_size(fitted, tmp_path):
    path = tmp_path / "model.crnn"
    fitted.save(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'embedding_size\\": 5', b'embedding_size\\": 4'))
    assert path.read_bytes() != content
    with pytest.raises(ModelFileError, match="embedding"):
        CharRNN.load(path)


def test_the_command_line(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    model = tmp_path / "model.crnn"
    options = ["--embedding-size", "5", "--hidden-size", "11", "--max-steps", "5", "--quiet"]
    run("train", str(tmp_path / "text.txt"), "-o", str(model), *options)
    assert CharRNN.load(model).params_["embedding"].shape[1] == 5
    assert b"hidden units: 11, embedding: 5, float32" in run("info", str(model)).stdout


def test_a_recommendation_takes_it():
    model = CharRNN.recommended(TEXT, seconds=1, embedding_size=32)
    assert model.embedding_size == 32
