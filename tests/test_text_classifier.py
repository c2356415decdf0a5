"""TextClassifier: prediction by Bayes' rule in both directions, scikit-learn's conventions, files."""

import io
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from examples import classifier_of, saved
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags

from crnn import (
    BOUNDARY,
    UNKNOWN,
    CharNGram,
    CharRNN,
    InvalidInputError,
    TextClassifier,
    text_classifier,
)
from crnn.reference.kneser_ney import KneserNey
from crnn.scoring.class_probabilities import estimator_weights
from crnn.training.data import ClassData

X = ["anna", "hannah", "eva", "bob", "otto", "rob", "", "tim"] * 3
Y = ["f", "f", "f", "m", "m", "m", "x", "m"] * 3


def small(**parameters):
    usual = {"hidden_size": 7, "batch_size": 3, "max_steps": 60, "dtype": "float64", "random_state": 0}
    return classifier_of(**{**usual, **parameters})


@pytest.fixture(scope="module")
def model():
    return small().fit(X, Y)


def language_model(reverse=False):
    """Return the model of one direction, as CharRNN trains it."""
    texts = [text[::-1] for text in X] if reverse else X
    return clone(small().estimator).fit(texts, y=Y)


def test_the_probabilities_are_those_of_bayes_rule(model):
    new = ["hanna", "bobby", ""]
    forward, backward = language_model(), language_model(reverse=True)
    prior = np.log([9 / 24, 12 / 24, 3 / 24])
    scores = [
        forward.score_samples(new, y=k) + backward.score_samples([text[::-1] for text in new], y=k) for k in "fmx"
    ]
    joint = np.transpose(scores) / 2 + prior
    expected = joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_log_proba(new), expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(new), np.exp(expected), rtol=1e-9)
    one = small(directions="backward").fit(X, Y)
    joint = np.transpose([backward.score_samples([text[::-1] for text in new], y=k) for k in "fmx"]) + prior
    np.testing.assert_allclose(
        one.predict_log_proba(new), joint - np.logaddexp.reduce(joint, axis=1, keepdims=True), rtol=1e-9
    )
    assert one.n_steps_ == 60
    assert model.predict(new).tolist() == [["f", "m", "x"][k] for k in expected.argmax(axis=1)]


def test_learned_attributes(model):
    assert model.predict_proba([]).shape == (0, 3)
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
    assert (weighted.predict_log_proba(["bob"])[:, :2] != alone.predict_log_proba(["bob"])[:, :2]).any()
    # Counts have no loss.
    plain = TextClassifier(counts()).fit(X[:8], Y[:8]).predict_proba(["hanna", "zoe"])
    weighted = TextClassifier(counts()).fit(X[:8], Y[:8], [2, 2, 2, 1, 1, 1, 1, 1]).predict_proba(["hanna", "zoe"])
    expected = plain * [2, 1, 1]
    np.testing.assert_allclose(weighted, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize(("estimator", "as_bytes"), [
    (CharNGram(3), True), (CharRNN(5, max_steps=2, random_state=0), False),
    ([CharNGram(2), CharRNN(5, max_steps=2), CharNGram(3, min_count=2)], True),
])  # fmt: skip
def test_models_without_rare_characters_read_any_text(estimator, as_bytes):
    """No character of the texts is rare with min_count=1, yet the copies have a symbol for unknown ones."""
    texts, odd = [f"{text}{'z' * (i == 3)}" for i, text in enumerate(X)], ["", "z", "𝄞", "anna\0"]
    if as_bytes:
        texts, odd = ([text.encode() for text in some] for some in (texts, odd))
    model = TextClassifier(estimator).fit(texts, Y)
    copies = [copy for of_each in model.models_ for copy in of_each.values()]
    given = [base for base in (estimator if isinstance(estimator, list) else [estimator]) for _ in range(2)]
    for base, copy in zip(given, copies, strict=True):
        assert copy.get_params(deep=False) == base.get_params(deep=False)
        assert UNKNOWN in copy.vocabulary_
    assert (b"z" if as_bytes else "z") in copies[0].vocabulary_
    np.testing.assert_allclose(model.predict_proba(odd).sum(axis=1), 1)


def test_a_given_vocabulary_gets_an_unknown_symbol():
    model = TextClassifier(CharNGram(2, vocabulary="abn")).fit(X, Y)
    assert [*model.vocabulary_][:5] == ["a", "b", "n", UNKNOWN, BOUNDARY]
    assert len(model.predict(["xyz"])) == 1


def test_few_texts_are_read_until_there_are_enough_steps():
    model = small(max_steps=None, batch_size=8, hidden_size=2).fit(X, Y)
    assert 2 * 150 <= model.n_steps_ < 2 * 200
    model.set_params(min_steps=0).fit(X, Y)
    assert model.n_steps_ == 2 * 8 * model.models_[0]["forward"].history_[-1]["step"] // 8
    assert model.n_steps_ < 100
    again = TextClassifier.load(io.BytesIO(saved(model)))
    assert (again.min_steps, again.estimator.epochs) == (0, 8)


def test_validation_is_drawn_from_all_classes_and_callbacks_see_the_direction():
    seen, options = [], {"validation_fraction": 0.25, "max_steps": 20, "eval_every": 10}
    note = lambda model, record: seen.append((type(model), record["direction"]))  # noqa: E731
    model = small(callbacks=[note], **options).fit(sorted(X), sorted(Y))
    losses = [record["validation_loss"] for record in model.history_]
    assert np.isfinite([loss for loss in losses if loss is not None]).all()
    assert model.classes_.tolist() == ["f", "m", "x"]
    assert set(seen) == {(TextClassifier, "forward"), (TextClassifier, "backward")}


def test_a_callback_cannot_train_the_classifier_that_is_being_trained():
    classifier = small(callbacks=[lambda model, record: model.fit(X, Y)])
    with pytest.raises(InvalidInputError, match="this model is being trained by another call"):
        classifier.fit(X, Y)
    assert not classifier.__sklearn_is_fitted__()
    assert classifier.set_params(estimator__callbacks=None).fit(X, Y).n_steps_ == 120  # afterwards it may


def test_recommended_classifier_takes_parameters_and_time(capsys):
    model = TextClassifier.recommended(X, Y, 2.0, random_state=0, dropout=0.0, max_steps=2, order=3)
    counts, network = model.estimator
    assert "units in each direction, 2 streams of 24 characters a step, for 2 s" in capsys.readouterr().err
    assert (counts.order, network.dropout, network.max_steps, network.max_seconds) == (3, 0.0, 2, 2.0)
    assert model.fit(X, Y).predict(X).shape == (24,)
    model = TextClassifier.recommended(X, Y, 1.9, directions="backward", min_steps=7, order=4)
    assert capsys.readouterr().err == "n-grams of up to 4 alone, for 1.9 s\n"
    assert repr(model.estimator) == "CharNGram(order=4, min_count=2)"
    assert (model.directions, model.min_steps) == ("backward", 7)
    assert not model.__sklearn_is_fitted__()
    TextClassifier.recommended(X, Y, 1.9, verbose=0)
    assert capsys.readouterr().err == ""


def test_cross_validation_is_of_the_accuracy():
    assert is_classifier(small())
    tags = get_tags(small())
    assert (tags.target_tags.required, tags.transformer_tags, tags.non_deterministic) == (True, None, False)
    assert get_tags(TextClassifier()).non_deterministic
    search = GridSearchCV(small(), {"estimator__max_steps": [1, 100]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"estimator__max_steps": 100}
    assert search.best_score_ > 0.8
    assert search.predict(["anna"]).tolist() == ["f"]


def test_the_default_model_is_the_documented_one():
    counts, network = TextClassifier().set_params(estimator__max_steps=1).fit(X, Y).models_
    model = network["backward"]
    assert (counts["forward"].order_, counts["forward"].min_count) == (5, 2)
    assert repr(model) == (
        "CharRNN(hidden_size=128, cell='lstm', min_count=2, init_scale=0.2, seq_length=24, batch_size=32, "
        "optimizer='adam', learning_rate=0.03, schedule='cosine', warmup_fraction=0.02, clip=None, clip_norm=1.0, "
        "beta_2=0.99, weight_decay=0.02, dropout=0.3, epochs=8, max_steps=1)"
    )


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


def test_the_estimator_is_not_changed(model):
    estimator = model.estimator
    before = estimator.get_params()
    assert not hasattr(estimator, "vocabulary_")
    assert {name: trained.get_params() for name, trained in model.models_[0].items()} == {
        "forward": before,
        "backward": before,
    }
    of_label = model.models_[0]["backward"].for_label("m")
    assert of_label.score_samples(["bob"]) == model.models_[0]["backward"].score_samples(["bob"], y="m")


def counts(**parameters):
    return CharNGram(**{"order": 3, "min_count": 2, **parameters})


def tiny(**parameters):
    return CharRNN(5, batch_size=2, max_steps=9, min_count=2, random_state=0, **parameters)


@pytest.mark.parametrize("directions", ["both", "forward"])
def test_counts_by_bayes_rule(directions):
    model = TextClassifier(counts(), directions=directions).fit(X, Y)
    found, scores = model.predict_log_proba(["hanna", "bobby", ""]), 0
    vocabulary = model.vocabulary_.with_labels(())

    def encoded(text, step):
        return [*vocabulary.encode(text[::step]).tolist(), vocabulary.boundary]

    for step in {"both": (1, -1), "forward": (1,)}[directions]:
        own = [[encoded(text, step) for text, y in zip(X, Y, strict=True) if y == label] for label in "fmx"]
        references = [KneserNey(texts, 3, len(vocabulary), vocabulary.boundary) for texts in own]
        texts = [encoded(text, step) for text in ("hanna", "bobby", "")]
        scores = scores + np.array([[reference.log_probability(text) for reference in references] for text in texts])
    joint = scores / (1 + (directions == "both")) + np.log([9 / 24, 12 / 24, 3 / 24])
    np.testing.assert_allclose(found, joint - np.logaddexp.reduce(joint, axis=1, keepdims=True), rtol=1e-9)
    assert (model.n_steps_, model.history_, model.weights_.tolist()) == (0, [], [1.0])


def many(n=40):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*("abcd" if i % 2 else "cdef")], 1 + i % 5)) for i in range(n)]
    return texts, ["ab"[i % 2] for i in range(n)]


def test_weights_of_few_texts_are_the_minimum_of_the_penalized_loss():
    rng = np.random.default_rng(0)
    log_p, numbers, log_prior = rng.normal(size=(3, 2, 5)), np.array([0, 1, 0, 0, 1]), np.log([0.3, 0.7])

    def loss(weights):
        joint = np.einsum("m,mkn->kn", weights, log_p) + log_prior[:, None]
        return -(joint - np.logaddexp.reduce(joint))[numbers, range(5)].sum() + ((weights - 1 / 3) ** 2).sum()

    weights = estimator_weights(log_p, log_prior, numbers)
    for step in 0.01 * np.concatenate([np.eye(3), -np.eye(3)]):
        assert loss(np.maximum(weights + step, 0)) >= loss(weights)


def test_weights_come_from_held_out_texts():
    texts, y = many()
    learned, held = ClassData.checked(texts, y).held_out()
    model = TextClassifier([counts(), tiny()]).fit(texts, y)
    labels = learned.labeled.labels[learned.labeled.numbers].tolist()
    alone = [TextClassifier(estimator, class_weight="balanced").fit(learned.texts, labels) for estimator in
             (counts(), tiny())]  # fmt: skip
    log_p = np.array([np.transpose(one.predict_log_proba(held.texts)) for one in alone])
    weights = estimator_weights(log_p, np.log([0.5, 0.5]), held.labeled.numbers)
    np.testing.assert_allclose(model.weights_, weights, rtol=1e-4)
    network = tiny().fit(learned.texts, y=labels)
    assert model.models_[1]["forward"].score_samples(["ab"], y="a") == network.score_samples(["ab"], y="a")
    everything = counts().fit(texts, y=y)  # counts learn the held-out texts, too
    assert model.models_[0]["forward"].score_samples(["ab"], y="a") == everything.score_samples(["ab"], y="a")


def test_held_out_texts_may_have_characters_of_their_own():
    texts, y = many()
    _, held = ClassData.checked(texts, y).held_out()
    texts[texts.index(held.texts[0])] = "é"
    model = TextClassifier([counts(min_count=1), tiny().set_params(min_count=1)]).fit(texts, y)
    assert ["é" in of_each["forward"].vocabulary_ for of_each in model.models_] == [True, False]
    assert model.predict(["é"])[0] in y


def test_networks_share_the_time_that_counts_leave(monkeypatch):
    limits, train, count = [], TextClassifier._train, text_classifier._count

    def noted_count(*arguments):
        text_classifier.time.perf_counter()  # a second
        return count(*arguments)

    def noted_train(classifier, network, data, *rest):
        limits.append(rest)
        return train(classifier, network, data, *rest)

    monkeypatch.setattr(TextClassifier, "_train", noted_train)
    monkeypatch.setattr(text_classifier, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    monkeypatch.setattr(text_classifier, "_count", noted_count)
    model = TextClassifier([tiny(), counts()]).fit(*many())
    assert limits == [("forward", 3, 2), ("backward", 4, 1)]  # after counting in both directions
    assert [type(by_direction["forward"]) for by_direction in model.models_] == [CharRNN, CharNGram]


def test_the_posterior_of_a_list_weighs_its_models():
    texts, y = many()
    model = TextClassifier([counts(), tiny()]).fit(texts, y)
    scores = [
        sum(of_each[name].score_samples([t[::step] for t in texts], y=label) / 2 for name, step in
            (("forward", 1), ("backward", -1)))
        for of_each in model.models_ for label in "ab"
    ]  # fmt: skip
    joint = np.tensordot(model.weights_, np.reshape(scores, (2, 2, -1)), axes=1).T + np.log(0.5)
    expected = joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_log_proba(texts), expected, rtol=1e-6)
    assert (model.n_steps_, len({record["direction"] for record in model.history_})) == (18, 2)
    assert "CharNGram with weight" in model._repr_html_()


def test_parameters_of_a_list_go_to_the_models_that_have_them():
    model = TextClassifier([counts(), tiny()]).set_params(estimator__order=4, estimator__min_count=3)
    assert [estimator.min_count for estimator in model.estimator] == [3, 3]
    assert len(TextClassifier([counts()] * 32)._bases()) == 32
    assert model.set_params(estimator__hidden_size=7, directions="forward").estimator[1].hidden_size == 7
    for wrong in ({"estimator__odrer": 3, "estimator__order": 5}, {"estimator__order": 5, "direction": "both"}):
        with pytest.raises(InvalidInputError, match=r"has a parameter 'odrer'|has no parameter 'direction'"):
            model.set_params(**wrong)
    assert model.estimator[0].order == 4


def test_counts_of_a_class_with_one_text_and_of_empty_texts():
    model = TextClassifier(counts()).fit(["anna", "", "", "bob"], [1, 2, 2, 3])
    np.testing.assert_allclose(model.predict_proba(["anna", "", "zoe"]).sum(axis=1), 1)
    assert model.predict(["anna", "", "bob"]).tolist() == [1, 2, 3]
    empty = TextClassifier(CharNGram(2)).fit(["", "", ""], [0, 0, 1])  # no character is left for unknown ones
    assert empty.predict(["", "a"]).tolist() == [0, 0]


@pytest.mark.parametrize("make", [lambda: [counts(), tiny()], lambda: counts()])
def test_a_classifier_with_counts_is_quantized(make):
    model = TextClassifier(make()).fit(X, Y)
    small = model.quantize()
    assert [part.bits for part in small.models_[0]["forward"]._learned.labeled.parts] == [8] * len(model.classes_)
    np.testing.assert_allclose(small.predict_proba(X), model.predict_proba(X), atol=0.05)


def test_networks_are_quantized_once():
    with pytest.raises(InvalidInputError, match="8-bit"):
        TextClassifier([counts(), tiny()]).fit(X, Y).quantize().quantize()
