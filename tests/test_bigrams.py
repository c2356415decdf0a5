"""The parameter `n_bigrams`: training, continuing, files, labels, adaptation and refusals."""

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


def small(**parameters):
    usual = {"hidden_size": 19, "cell": "gru", "batch_size": 3, "max_steps": 30, "random_state": 0, "n_bigrams": 17}
    return CharRNN(**{**usual, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small(optimizer="adam").fit(TEXT)


def test_it_learns_and_its_rows_are_a_parameter():
    model = small(cell="lstm", max_steps=300, optimizer="adam", learning_rate=0.01).fit(TEXT)
    assert next(iter(model.params_)) == "bigrams"
    assert model.params_["bigrams"].shape == (17, 4 * 19)
    assert model.bigrams_[:2] == [(" ", "t"), (" ", "b")]  # the most frequent, and the first of the next ones
    assert model.optimizer_state_["exp_avg"]["bigrams"].any()
    assert model.score(TEXT) > -0.5
    assert "n_bigrams=17" in repr(model)
    before = model.score(TEXT)
    with model.editing():
        model.params_["bigrams"][:] = 0
    assert model.score(TEXT) < before - 0.005


def test_a_text_with_fewer_pairs_has_fewer_rows():
    assert small(n_bigrams=1000).fit("abababab").bigrams_ == [("a", "b"), ("b", "a")]
    assert small(n_bigrams=3, batch_size=1, max_steps=0).fit("aa").bigrams_ == [("a", "a")]
    assert small(n_bigrams=None).fit("abababab").bigrams_ == []
    assert small(n_bigrams=3, max_steps=0).fit(["a", "b"]).params_["bigrams"].shape[0] == 2  # after the boundary
    assert small(n_bigrams=2**31 - 1).fit("abababab").params_["bigrams"].shape[0] == 2


@pytest.mark.parametrize("cell", CELLS)
def test_samples_and_scores_are_those_of_the_reference(cell, dtype):
    symbols = "abcdefgabeadgfceb"
    model = random_language_model(symbols, dtype=dtype, cell=cell, num_layers=2, n_bigrams=11)
    assert model.sample(50, prime="gab", random_state=7) == reference_sample(model, 50, "gab", seed=7)
    state = model.start().feed("gab").feed("ba")
    parameters, after = reference_state(model, "gabba")
    y = after[0][-1] @ parameters.Wy + parameters.by
    np.testing.assert_allclose(state.predict_proba(), (np.exp(y) / np.exp(y).sum())[0], rtol=1e-4)
    assert state.copy().feed("d").log_prob == pytest.approx(-model.surprisal("gabbad").sum(), rel=1e-5)


def test_strings_side_by_side_have_the_bits_of_strings_alone():
    model = random_language_model(["abcd", "dab", "cacb", ""], cell="cifg", n_bigrams=9, dtype="float32")
    texts = ["abcd", "dab", "", "cacbda", "ab" * 40, "dcba" * 11]
    together = model.score_samples(texts)
    assert together.tolist() == [float(model.score_samples([text])[0]) for text in texts]
    np.testing.assert_allclose(together, [model.start().feed(text).end().log_prob for text in texts], rtol=1e-5)


def test_the_gradient_of_a_text_is_that_of_the_reference():
    model = random_language_model("abcdefgabba", cell="lstm", n_bigrams=7)
    found, layout = model.gradient("gabbadeaf"), model._learned.layout
    ids = model.vocabulary_.encode("gabbadeaf").astype(np.intp)
    loss, wanted, _ = text_gradient(layout.tensors(model._learned.params), "lstm", ids)
    assert found.loss == pytest.approx(loss, rel=1e-12)
    assert wanted.pair_table.any()
    np.testing.assert_allclose(found.params["bigrams"], wanted.pair_table, rtol=1e-9, atol=1e-12)


def test_any_number_of_threads_trains_the_same_model():
    one, two = (small(n_threads=n, batch_size=32, dropout=0.2).fit(TEXT) for n in (1, 2))
    assert same_weights(one, two)


# ------------------------------------------------------------ continuing


def test_a_file_holds_them(fitted, tmp_path):
    fitted.save(tmp_path / "model.crnn")
    file = model_file.read(tmp_path / "model.crnn")
    assert (file.architecture.n_pairs, file.tensors["bigrams.weight"].shape) == (17, (17, 3 * 19))
    again = CharRNN.load(tmp_path / "model.crnn")
    assert again.get_params()["n_bigrams"] == 17
    assert same_weights(fitted, again)
    assert same_weights(copy.deepcopy(fitted).partial_fit(TEXT), again.partial_fit(TEXT))
    fitted.save(tmp_path / "weights.crnn", training_state=False)
    assert same_weights(fitted, CharRNN.load(tmp_path / "weights.crnn"))


def test_a_file_of_a_text_with_fewer_pairs(tmp_path):
    model = small(n_bigrams=1000).fit("abababab")
    model.save(tmp_path / "model.crnn")
    again = CharRNN.load(tmp_path / "model.crnn")
    assert (again.n_bigrams, again.bigrams_) == (1000, model.bigrams_)
    assert same_weights(model.partial_fit("abababab"), again.partial_fit("abababab"))


def test_they_are_pickled(fitted):
    assert same_weights(fitted, pickle.loads(pickle.dumps(fitted)))
    state = pickle.loads(pickle.dumps(fitted.start().feed("to be")))
    np.testing.assert_array_equal(state.predict_proba(), fitted.start().feed("to be").predict_proba())


@pytest.mark.parametrize("value", [None, 4])
def test_a_fitted_model_keeps_its_pairs(fitted, value):
    model = copy.deepcopy(fitted).set_params(n_bigrams=value)
    with pytest.raises(InvalidInputError, match=f"n_bigrams is now {value}, but the model was fitted with 17"):
        model.partial_fit(TEXT)
    model.set_params(n_bigrams=17).partial_fit("a question, " * 10)
    assert model.bigrams_ == fitted.bigrams_


@pytest.mark.parametrize("text", ["abxcdxy", "abAcdAB"])  # new symbols have the highest numbers, or the lowest
def test_new_symbols_have_no_pairs(text):
    model = random_language_model("bdacbdba", cell="lstm", optimizer="adam", n_bigrams=9)
    before = copy.deepcopy(model)
    model.set_params(max_steps=0).partial_fit(text, extend_vocabulary=True)
    assert model.bigrams_ == before.bigrams_
    old = [list(model.vocabulary_).index(symbol) for symbol in "abcd"]
    p, q = before.predict_proba(["ab", "cad"]), model.predict_proba(["ab", "cad"])[:, old]
    np.testing.assert_allclose(q / q.sum(axis=1, keepdims=True), p, rtol=1e-9)


def test_the_carried_symbol_is_part_of_the_state():
    model = small(batch_size=1, seq_length=7).fit(TEXT)
    *_, symbol = model.state_
    position = 7 * model.n_steps_
    assert symbol.shape == (1, 1, 1)
    assert list(model.vocabulary_)[int(symbol[0, 0, 0]) - 1] == TEXT[(position - 1) % len(TEXT)]
    with model.editing():
        model.state_[-1][:] = 1e9  # an invalid symbol stands for none
    model.set_params(max_steps=2).partial_fit(TEXT)


def test_labels():
    texts, labels = ["anna", "bob", "eve", "otto"], ["f", "m", "f", "m"]
    model = small(cell="lstm", max_steps=200, n_bigrams=100, learning_rate=0.3).fit(texts * 5, labels=labels * 5)
    of_one = model.for_label("m")
    boundary = of_one.vocabulary_.boundary
    named = dict(zip(model.bigrams_, model.params_["bigrams"], strict=True))
    first = list(of_one.vocabulary_)[boundary]
    of_first = {pair: row for pair, row in zip(of_one.bigrams_, of_one.params_["bigrams"], strict=True) if pair}
    label = list(model.vocabulary_)[boundary + 2]
    np.testing.assert_array_equal(of_first[first, "b"], named[label, "b"])
    np.testing.assert_array_equal(of_first["t", "o"], named["t", "o"])
    np.testing.assert_allclose(of_one.score_samples(texts), model.score_samples(texts, labels="m"), rtol=1e-5)


def test_a_classifier(tmp_path):
    check_classifier(tmp_path, n_bigrams=7)


@pytest.mark.parametrize("documents", [False, True])
def test_adaptation_is_that_of_the_reference(documents):
    check_adaptation("bigrams", documents=documents, n_bigrams=3)


# ------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 99], [1, 2]], "contains an invalid pair of symbols"),
        ([[-1, 2], [1, 2]], "contains an invalid pair of symbols"),
        ([[1, 2], [1, 2]], "contains a pair twice"),
        ([[0, 1]], "its tensor 'bigrams.pairs' is I32"),
    ],
)
def test_a_file_with_other_pairs(tmp_path, pairs, message):
    model = small(n_bigrams=2).fit(TEXT)
    model.save(tmp_path / "model.crnn")
    file = model_file.read(tmp_path / "model.crnn")
    changed = {**vars(file), "pairs": np.array(pairs, np.int32)}
    with pytest.raises(ModelFileError, match=message):
        model_file.write(tmp_path / "other.crnn", model_file.ModelFile(**changed))


def test_the_command_line(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    model = tmp_path / "model.crnn"
    options = ["--n-bigrams", "5", "--hidden-size", "11", "--max-steps", "5", "--quiet"]
    run("train", str(tmp_path / "text.txt"), "-o", str(model), *options)
    assert CharRNN.load(model).params_["bigrams"].shape == (5, 11)


def test_the_carried_symbol_keeps_its_meaning_in_another_vocabulary():
    model = small(batch_size=1, seq_length=3, max_steps=2).fit("bcdbcdbcd")
    (last,) = model.state_[-1].ravel()
    assert list(model.vocabulary_)[int(last) - 1] == "d"
    model.set_params(max_steps=0).partial_fit("abcd", extend_vocabulary=True)
    (last,) = model.state_[-1].ravel()
    assert list(model.vocabulary_)[int(last) - 1] == "d"
    model = small(batch_size=1, max_steps=2, n_bigrams=100).fit(["anna", "bob"], labels=["f", "m"])
    with model.editing():
        model.state_[-1][:] = len(model.vocabulary_)  # the last label
    assert [model.for_label(label).state_[-1].item() for label in ("f", "m")] == [0, len(model.vocabulary_) - 2]


def test_parameters_that_were_changed_after_training_can_be_saved(fitted, tmp_path):
    model = copy.deepcopy(fitted).set_params(n_bigrams=4)
    model.save(tmp_path / "model.crnn")
    again = CharRNN.load(tmp_path / "model.crnn")
    assert (again.n_bigrams, again.bigrams_) == (4, fitted.bigrams_)
    with pytest.raises(InvalidInputError, match="n_bigrams is now 4, but the model was fitted with 17"):
        again.partial_fit(TEXT)
