"""Use with scikit-learn: model selection, pipelines, clone, and the estimator checks that apply to texts."""

import numpy as np
import pytest
from examples import classifier_of

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture

pytest.importorskip("sklearn", reason="scikit-learn is an extra: pip install 'crnn[sklearn]'")

from sklearn.base import clone, is_classifier, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted

NAMES = ["anna", "hannah", "nan", "ana", "hanna", "nanna", "ann", "hana", "anan", "nana", "ah", "han"]


def small(**parameters):
    return CharRNN(**{"hidden_size": 5, "max_steps": 7, "random_state": 0, **parameters})


def test_tags_say_that_it_takes_texts():
    tags = get_tags(small())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert not tags.target_tags.required
    assert not is_classifier(small())


def test_counts_are_an_estimator():
    tags = get_tags(CharNGram())
    assert tags.input_tags.string
    assert not tags.non_deterministic
    assert tags.transformer_tags is None
    assert not get_tags(Mixture.from_fitted([CharNGram(2).fit(NAMES)])).non_deterministic
    model = CharNGram(4, vocabulary=["a", "h", "n"])
    assert repr(clone(model.fit(NAMES))) == repr(model) == "CharNGram(order=4, vocabulary=['a', 'h', 'n'])"
    search = GridSearchCV(model, {"order": [1, 3]}, cv=2).fit(NAMES)
    assert search.best_params_ == {"order": 3}
    assert search.best_estimator_.order_ == 3
    weights = np.arange(len(NAMES))
    parts = [(NAMES[:6], NAMES[6:], weights[6:]), (NAMES[6:], NAMES[:6], weights[:6])]
    scores = cross_val_score(model, NAMES, cv=2, params={"sample_weight": weights})
    assert scores.tolist() == [model.fit(train, sample_weight=w).score(test) for test, train, w in parts]


def test_mixtures_are_estimators_of_estimators():
    mixture = Mixture([small(), CharNGram(2)], weights=[0.3, 0.9]).fit(NAMES)
    check_is_fitted(mixture)
    copy = clone(mixture)
    assert repr(copy) == repr(mixture)
    assert copy.models[0] is not mixture.models[0]
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    assert copy.fit(NAMES).score(NAMES) == mixture.score(NAMES)
    search = GridSearchCV(mixture, {"models__1__order": [1, 3], "weights": [[0.5, 0.5], [0, 1]]}, cv=2).fit(NAMES)
    assert search.best_estimator_.models_[1].order_ == search.best_params_["models__1__order"]
    lower = FunctionTransformer(lambda names: [name.lower() for name in names])
    model = make_pipeline(lower, clone(mixture)).fit([name.title() for name in NAMES])
    assert model.score(["Anna"]) == mixture.score(["anna"])
    model.set_params(mixture__models__0__hidden_size=3)
    assert model[-1].models[0].hidden_size == 3
    assert get_tags(Mixture([CharRNN()])).non_deterministic


def test_cross_val_score_is_the_mean_log_likelihood_of_the_parts():
    scores = cross_val_score(small(), NAMES, cv=3)
    parts = [(NAMES[:4], NAMES[4:]), (NAMES[4:8], NAMES[:4] + NAMES[8:]), (NAMES[8:], NAMES[:8])]
    assert scores.tolist() == [small().fit(train).score(test) for test, train in parts]


def test_grid_search_finds_the_model_that_has_learned():
    search = GridSearchCV(small(), {"max_steps": [0, 40], "cell": ["rnn", "gru"]}, cv=2).fit(NAMES)
    assert search.best_params_["max_steps"] == 40
    assert search.best_estimator_.n_steps_ == 40
    assert search.score(NAMES) == search.best_estimator_.score(NAMES)


def test_last_step_of_a_pipeline():
    lower = FunctionTransformer(lambda names: [name.lower() for name in names])
    model = make_pipeline(lower, small()).fit([name.title() for name in NAMES])
    assert model.score(["Anna"]) == small().fit(NAMES).score(["anna"])


def test_a_detector_is_an_outlier_detector():
    detector = AnomalyDetector(CharNGram(3, min_count=2), contamination=0.2, random_state=0)
    assert is_outlier_detector(detector)
    assert get_tags(detector).input_tags.string
    assert get_tags(detector).transformer_tags is None
    assert get_tags(AnomalyDetector()).non_deterministic
    with pytest.raises(NotFittedError):
        check_is_fitted(detector)
    names = [a + b + c for a in NAMES for b in NAMES for c in NAMES]
    check_is_fitted(detector.fit(names))
    again = clone(detector)
    assert repr(again) == repr(detector)
    with pytest.raises(NotFittedError):
        check_is_fitted(again)
    lower = FunctionTransformer(lambda names: [name.lower() for name in names])
    pipeline = make_pipeline(lower, clone(detector)).fit([name.title() for name in names])
    assert pipeline.predict(["Annahannan", "BXB"]).tolist() == [1, -1]
    pipeline.set_params(anomalydetector__estimator__order=2)
    assert pipeline[-1].estimator.order == 2


ESTIMATORS = [
    small(),
    classifier_of(hidden_size=7, max_steps=60),
    AnomalyDetector(CharNGram(3)),
    Mixture([CharNGram(3), small()]),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_scikit_learns_own_checks_that_need_no_table_of_numbers(estimator):
    for check in (
        "no_attributes_set_in_init", "parameters_default_constructible", "get_params_invariance", "set_params",
        "estimator_repr", "estimator_tags_renamed", "valid_tag_types", "mixin_order", "estimator_cloneable",
    ):  # fmt: skip
        getattr(estimator_checks, f"check_{check}")(type(estimator).__name__, estimator)


def test_html_shows_parameters_learned_attributes_and_losses():
    html = small(cell="gru")._repr_html_()
    assert "cell" in html
    assert "gru" in html
    assert "not fitted" in html
    fitted = small(cell="gru").fit(["<b>&"])._repr_html_()
    assert "GRU of 5 units, 5 symbols" in fitted
    assert "<b>&" not in fitted
    model = small(num_layers=2, max_steps=60, validation_fraction=0.2, eval_every=20).fit("to be or not to be, " * 20)
    html = model._repr_html_()
    losses = [record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None]
    assert "RNN of 2 layers of 5 units" in html
    assert f"validation loss {losses[-1]:.3f} nats" in html
    assert html.count("<circle") == len(losses)


def test_before_a_classifier_in_a_pipeline():
    y = [name[-1] for name in NAMES]
    pipeline = make_pipeline(small(hidden_size=7, max_steps=100), LogisticRegression(C=100.0)).fit(NAMES, y)
    assert pipeline.score(NAMES, y) == 1
    assert pipeline[:-1].get_feature_names_out().tolist() == [f"h_l0_{i}" for i in range(7)]
    assert cross_val_score(pipeline, NAMES, y, cv=2).shape == (2,)
    assert get_tags(small()).transformer_tags is not None
