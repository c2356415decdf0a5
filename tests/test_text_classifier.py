"""TextClassifier: prediction by Bayes' rule in both directions, scikit-learn's conventions, files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from examples import classifier_of
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.validation import check_is_fitted

from crnn import CharRNN, InvalidInputError, ModelFileError, NotFittedError, TextClassifier
from crnn.training.preparation.class_data import ClassData

X = ["anna", "hannah", "eva", "bob", "otto", "rob", "", "tim"] * 3
Y = ["f", "f", "f", "m", "m", "m", "x", "m"] * 3


OWN = ("class_weight", "directions", "min_steps")


def small(**parameters):
    usual = {"hidden_size": 7, "batch_size": 3, "max_steps": 60, "dtype": "float64", "random_state": 0}
    return classifier_of(**{**usual, **parameters})


@pytest.fixture(scope="module")
def model():
    return small().fit(X, Y)


def language_model(reverse=False):
    """Return the model of one direction, as CharRNN trains it."""
    texts = [text[::-1] for text in X] if reverse else X
    return clone(small().estimator).fit(texts, labels=Y)


def test_the_probabilities_are_those_of_bayes_rule(model):
    new = ["hanna", "bobby", ""]
    forward, backward = language_model(), language_model(reverse=True)
    prior = np.log([9 / 24, 12 / 24, 3 / 24])
    joint = np.array([
        [
            (forward.score_samples([text], labels=k)[0] + backward.score_samples([text[::-1]], labels=k)[0]) / 2
            for k in "fmx"
        ]
        for text in new
    ]) + prior
    expected = joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_log_proba(new), expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(new), np.exp(expected), rtol=1e-9)
    assert model.predict(new).tolist() == [["f", "m", "x"][k] for k in expected.argmax(axis=1)]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_one_direction(direction):
    one = small(directions=direction).fit(X, Y)
    told = language_model(reverse=direction == "backward")
    scores = [told.score_samples(["anna" if direction == "forward" else "anna"[::-1]], labels=k)[0] for k in "fmx"]
    joint = scores + np.log([9 / 24, 12 / 24, 3 / 24])
    np.testing.assert_allclose(one.predict_log_proba(["anna"])[0], joint - np.logaddexp.reduce(joint), rtol=1e-9)
    assert one.n_steps_ == 60


def test_classifier_learns():
    model = small(hidden_size=16, max_steps=300).fit(X, Y)
    assert model.score(X, Y) == 1
    assert model.predict_proba(X).max(axis=1).min() > 0.6


def test_learned_attributes(model):
    assert model.classes_.tolist() == ["f", "m", "x"]
    assert model.vocabulary_.labels == ("f", "m", "x")
    assert model.n_steps_ == 120
    assert {record["direction"] for record in model.history_} == {"forward", "backward"}
    html = model._repr_html_()
    assert "3 classes" in html
    assert "<svg" in html


def test_class_weights_change_the_prior(model):
    new, plain = ["hanna", "bobby", "q"], model.predict_log_proba(["hanna", "bobby", "q"])
    for weight, factors in (("balanced", [24 / 9, 2, 8]), ({"x": 5.0}, [1, 1, 5]), ({"x": 0}, [1, 1, 0])):
        weighted = small(class_weight=weight).fit(X, Y).predict_proba(new)
        expected = np.exp(plain) * factors
        np.testing.assert_allclose(weighted, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


def test_weights_of_texts_count_in_the_loss_and_in_the_prior():
    alone = small(max_steps=20).fit(X[:8], Y[:8])
    assert (small(max_steps=20).fit(X[:8], Y[:8], [1.0] * 8).predict_proba(X) == alone.predict_proba(X)).all()
    weighted = small(max_steps=20).fit(X[:8], Y[:8], [0, 0, 1, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(weighted.predict_proba(["eva"])[0, 2], 0.0)
    assert model_differs(weighted, alone)


def model_differs(one, other):
    return bool((one.predict_log_proba(["bob"])[:, :2] != other.predict_log_proba(["bob"])[:, :2]).any())


def test_texts_do_not_depend_on_one_another(model):
    together = model.predict_log_proba(X)
    assert (together == np.concatenate([model.predict_log_proba([text]) for text in X])).all()
    assert (model.predict_log_proba(iter(X)) == together).all()
    assert model.predict_proba([]).shape == (0, 3)


def test_unknown_characters_are_read(model):
    assert np.isfinite(model.predict_log_proba(["ü€𝄞"])).all()
    with pytest.raises(InvalidInputError, match=r"X\[1\] contains 'q'"):
        small(min_count=1, max_steps=1).fit(X, Y).predict(["anna", "q"])


@pytest.mark.parametrize("y", [[0, 1], [True, False], [0.5, 2.5], np.array(["b", "a"], object)])
def test_labels_of_any_kind(y, tmp_path):
    model = small(max_steps=1).fit(["ab", "b"], y)
    assert model.classes_.tolist() == sorted(y)
    assert model.predict(["ab"])[0] in list(y)
    model.save(tmp_path / "m.crnn")
    assert TextClassifier.load(tmp_path / "m.crnn").classes_.tolist() == sorted(y)


def test_bytes():
    model = small().fit([b"ab", b"ba", b"xy"] * 5, [1, 1, 2] * 5)
    assert model.predict([b"ab", b"yx"]).shape == (2,)


@pytest.mark.parametrize("directions", ["both", "backward"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"f": 2.0}])
def test_file_pickle_and_clone(tmp_path, directions, class_weight):
    model = small(max_steps=5, directions=directions, class_weight=class_weight).fit(X, Y)
    model.save(tmp_path / "m.crnn")
    loaded = TextClassifier.load(tmp_path / "m.crnn")
    for again in (loaded, pickle.loads(pickle.dumps(model))):
        assert repr(again) == repr(model)
        assert (again.predict_log_proba(X) == model.predict_log_proba(X)).all()
    loaded.save(tmp_path / "again.crnn")
    assert (tmp_path / "again.crnn").read_bytes() == (tmp_path / "m.crnn").read_bytes()
    assert CharRNN.load(tmp_path / "m.crnn").labels_.tolist() == ["f", "m", "x"]
    assert not hasattr(clone(model), "classes_")


def test_few_texts_are_read_until_there_are_enough_steps(tmp_path):
    model = small(max_steps=None, batch_size=8, hidden_size=2).fit(X, Y)
    assert 2 * 150 <= model.n_steps_ < 2 * 200
    model.set_params(min_steps=0).fit(X, Y)
    assert model.n_steps_ == 2 * 8 * model.models_["forward"].history_[-1]["step"] // 8
    assert model.n_steps_ < 100
    model.save(tmp_path / "m.crnn")
    again = TextClassifier.load(tmp_path / "m.crnn")
    assert (again.min_steps, again.estimator.epochs) == (0, 8)


def test_refuses_models_that_are_not_classifiers(tmp_path):
    CharRNN(5, max_steps=1, random_state=0).fit(X, labels=Y).save(tmp_path / "m.crnn")
    with pytest.raises(ModelFileError, match=r"it does not contain a classifier; load it with CharRNN.load"):
        TextClassifier.load(tmp_path / "m.crnn")


def test_time_is_shared_by_the_directions():
    data, limit = ClassData.checked(X, Y), {**CharRNN().get_params(), "max_seconds": 8.0}
    assert data.limits(limit, 150, 2.0, 2) == {"max_seconds": 3.0}
    assert data.limits(limit, 150, 5.0, 1) == {"max_seconds": 3.0}
    assert 0 < data.limits(limit, 150, 9.0, 1)["max_seconds"] < 0.01
    model = small(max_steps=None, max_seconds=0.2).fit(X, Y)
    assert {record["direction"] for record in model.history_} == {"forward", "backward"}


def test_validation_is_drawn_from_all_classes():
    model = small(validation_fraction=0.25, max_steps=20, eval_every=10).fit(sorted(X), sorted(Y))
    losses = [record["validation_loss"] for record in model.history_]
    assert np.isfinite([loss for loss in losses if loss is not None]).all()
    assert model.classes_.tolist() == ["f", "m", "x"]


def test_callbacks_see_the_direction():
    seen = []
    small(callbacks=[lambda model, record: seen.append((type(model), record["direction"]))], max_steps=3).fit(X, Y)
    assert {direction for _, direction in seen} == {"forward", "backward"}
    assert {kind for kind, _ in seen} == {TextClassifier}


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        ((["a", "b"], ["f", "f"]), {}, "y has only one class, .*'f'"),
        (("ab", ["f"]), {}, "^X is a single text. Pass a list of texts.$"),
        ((Path("names.txt"), ["f"]), {}, r"^X is the path names.txt. Pass crnn.Lines\(X\), or a list"),
        ((["a", "b"], ["f", "m"]), {"hidden_size": 0}, "hidden_size must be"),
    ],
)
def test_invalid_arguments_change_nothing(arguments, parameters, message):
    model = small(max_steps=2).fit(["ab", "b"], [3, 4])
    model.set_params(**{name if name in OWN else f"estimator__{name}": parameters[name] for name in parameters})
    with pytest.raises(InvalidInputError, match=message):
        model.fit(*arguments)
    assert model.classes_.tolist() == [3, 4]


def test_before_fit():
    with pytest.raises(NotFittedError, match=r"not fitted yet. Call fit, or load a model, before predict.$"):
        small().predict(["a"])
    for call in (lambda m: m.predict(["a"]), lambda m: m.classes_, lambda m: m.save("x"), check_is_fitted):
        with pytest.raises((NotFittedError, ValueError), match="not fitted"):
            call(small())


def test_a_callback_cannot_train_the_classifier_that_is_being_trained():
    classifier = small(callbacks=[lambda model, record: model.fit(X, Y)])
    with pytest.raises(InvalidInputError, match="this model is being trained by another call"):
        classifier.fit(X, Y)
    assert not classifier.__sklearn_is_fitted__()
    assert classifier.set_params(estimator__callbacks=None).fit(X, Y).n_steps_ == 120  # afterwards it may


def test_recommended(capsys):
    model = TextClassifier.recommended(X, Y, 0.3, random_state=0, dropout=0.0, fit=True)
    assert "units in each direction, 2 streams of 24 characters a step, for 0.3 s" in capsys.readouterr().err
    assert (model.estimator.dropout, model.estimator.max_seconds) == (0.0, 0.3)
    assert model.predict(X).shape == (24,)
    model = TextClassifier.recommended(X, Y, 0.3, verbose=0, directions="backward", min_steps=7)
    assert (model.directions, model.min_steps, model.estimator.max_seconds) == ("backward", 7, 0.3)
    assert not model.__sklearn_is_fitted__()
    assert capsys.readouterr().err == ""
    with pytest.raises(InvalidInputError, match="fit must be True or False"):
        TextClassifier.recommended(X, Y, 0.3, fit="yes")
    with pytest.raises(InvalidInputError, match="has no parameter 'droput'"):
        TextClassifier.recommended(X, Y, 0.3, droput=0.0)
    with pytest.raises(InvalidInputError, match="estimator is chosen by recommended"):
        TextClassifier.recommended(X, Y, 0.3, estimator=CharRNN())


def test_cross_validation_is_of_the_accuracy():
    assert is_classifier(small())
    scores = cross_val_score(small(hidden_size=13, max_steps=200), X, Y, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.8


def test_grid_search():
    search = GridSearchCV(small(), {"estimator__max_steps": [1, 200]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"estimator__max_steps": 200}
    assert search.predict(["anna"]).tolist() == ["f"]


def test_the_default_model_is_the_documented_one():
    model = TextClassifier().set_params(estimator__max_steps=1).fit(X, Y).models_["backward"]
    assert (model.hidden_size, model.cell, model.num_layers, model.optimizer) == (128, "lstm", 1, "adam")


def test_a_grid_search_over_the_default():
    grid = {"estimator__hidden_size": [2, 16], "estimator__max_steps": [90], "estimator__random_state": [0]}
    search = GridSearchCV(TextClassifier(), grid, cv=2).fit(X, Y)
    assert search.best_params_["estimator__hidden_size"] == 16
    assert search.estimator.estimator is None
    assert search.best_estimator_.estimator.hidden_size == 16


def test_the_parameters_of_the_estimator_are_parameters():
    model = TextClassifier(CharRNN(5), directions="forward")
    assert model.get_params()["estimator__hidden_size"] == 5
    assert "estimator__hidden_size" not in model.get_params(deep=False)
    copy = clone(model)
    assert copy.estimator is not model.estimator
    assert repr(copy) == repr(model) == "TextClassifier(estimator=CharRNN(hidden_size=5), directions='forward')"
    copy.set_params(estimator=CharRNN(7), estimator__cell="gru", directions="both")
    assert (copy.estimator.hidden_size, copy.estimator.cell, model.estimator.cell) == (7, "gru", "rnn")
    for name in ("estimator__hiden_size", "direction", "directions__x"):
        with pytest.raises(InvalidInputError):
            copy.set_params(**{"estimator__cell": "lstm", name: 3})
    assert copy.estimator.cell == "gru"
    with pytest.raises(InvalidInputError, match=r"estimator is of type int. Pass TextClassifier"):
        TextClassifier(3).fit(X, Y)


def test_the_estimator_is_not_changed(model):
    estimator = model.estimator
    before = estimator.get_params()
    assert not hasattr(estimator, "vocabulary_")
    assert {name: trained.get_params() for name, trained in model.models_.items()} == {
        "forward": before, "backward": before
    }
    of_label = model.models_["backward"].for_label("m")
    assert of_label.score_samples(["bob"]) == model.models_["backward"].score_samples(["bob"], labels="m")
