"""The parameter `matmul_precision`: training, changing it, files, refusals, several models, the command line."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from command_line import run
from examples import classifier_of, random_language_model

from crnn import CharRNN, InvalidInputError, Mixture
from crnn._kernels.entry import core
from crnn.reference import network as reference
from crnn.reference.products import operands_in_bfloat16

TEXT = "to be or not to be, that is the question. " * 20


def small(**parameters):
    usual = {"hidden_size": 19, "cell": "gru", "num_layers": 2, "batch_size": 3, "max_steps": 30, "random_state": 0}
    return CharRNN(**{**usual, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small(matmul_precision="bfloat16").fit(TEXT)


def test_training_rounds_and_learns(fitted):
    plain = small().fit(TEXT)
    losses = [model.history_[-1]["train_loss"] for model in (plain, fitted)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert fitted.params_["Why"].dtype == np.float32


@pytest.mark.parametrize("method", ["surprisal", "score_samples", "predict_proba", "hidden_states", "gradient"])
def test_it_may_be_changed_on_a_fitted_model(method):
    model = random_language_model("abcdefg", dtype="float32", cell="lstm", num_layers=2)
    given = ["gabba"] if method in ("score_samples", "predict_proba") else "gabba"

    def result():
        found = getattr(model, method)(given)
        return np.asarray(found.params["Why"] if method == "gradient" else found)

    plain = result()
    rounded = model.set_params(matmul_precision="bfloat16") and result()
    assert not np.array_equal(rounded, plain)
    np.testing.assert_allclose(rounded, plain, rtol=0.1, atol=0.02)
    np.testing.assert_array_equal(model.set_params(matmul_precision="float32") and result(), plain)


def test_scores_are_those_of_the_reference_with_rounded_operands():
    model = random_language_model("abcdefg", hidden_size=31, dtype="float32", cell="gru", num_layers=2)
    p = model._learned.layout.tensors(model._learned.params)
    x, state = model.vocabulary_.encode("gabbadeaf")[:, None], (np.zeros((2, 1, 31), np.float32),)
    found = -model.set_params(matmul_precision="bfloat16").surprisal("gabbadeaf")
    with operands_in_bfloat16():
        rounded = reference.log_probabilities(p, "gru", x, state)[0][:, 0]
    plain = reference.log_probabilities(p, "gru", x, state)[0][:, 0]
    assert np.linalg.norm(found - rounded) < 0.1 * np.linalg.norm(plain - rounded)


def test_sampling_rounds(monkeypatch, fitted):
    made = []
    monkeypatch.setattr(core, "Network", lambda *a, network=core.Network, **k: made.append(a[1]) or network(*a, **k))
    text = fitted.sample(50, random_state=0)
    assert len(text) == 50
    assert [packing.bfloat16 for packing in made] == [True]


def test_validation_is_of_the_same_precision():
    model = small(matmul_precision="bfloat16", validation_fraction=0.3, eval_every=30).fit(TEXT)
    cut = len(TEXT) * 3 // 10
    held_out = TEXT[len(TEXT) - cut :]
    assert -model.score(held_out, exact=False) == pytest.approx(model.history_[-1]["validation_loss"], abs=2e-3)


def test_a_file_keeps_it(fitted, tmp_path):
    path = tmp_path / "model.crnn"
    fitted.save(path)
    again = CharRNN.load(path)
    assert again.matmul_precision == "bfloat16"
    assert again.score(TEXT) == fitted.score(TEXT)
    assert pickle.loads(pickle.dumps(again)).score(TEXT) == fitted.score(TEXT)
    assert again.set_params(max_steps=5).partial_fit(TEXT).n_steps_ == 35


def test_training_goes_on_with_the_same_bits(tmp_path):
    whole = small(matmul_precision="bfloat16", max_steps=20).fit(TEXT)
    first = small(matmul_precision="bfloat16", max_steps=10).fit(TEXT, checkpoint=tmp_path / "c")
    for name, array in small(matmul_precision="bfloat16", max_steps=20).fit(TEXT).params_.items():
        np.testing.assert_array_equal(array, whole.params_[name])
    assert CharRNN.load(tmp_path / "c").score(TEXT) == first.score(TEXT)


@pytest.mark.parametrize(("estimator", "name"), [(CharRNN, ""), (classifier_of, "estimator__")])
def test_a_model_of_float64_refuses_it(estimator, name):
    name += "matmul_precision"
    model = estimator(hidden_size=4, max_steps=3, dtype="float64", matmul_precision="bfloat16")
    arguments = (TEXT,) if estimator is CharRNN else (["ab", "ba"], [0, 1])
    with pytest.raises(InvalidInputError, match=r"matmul_precision is 'bfloat16', but dtype is 'float64'. Set dtype"):
        model.fit(*arguments)
    model.set_params(**{name: "float32"}).fit(*arguments).set_params(**{name: "bfloat16"})
    with pytest.raises(InvalidInputError, match="matmul_precision is 'bfloat16', but dtype is 'float64'"):
        model.score("to be") if estimator is CharRNN else model.predict(["ab"])


def test_another_precision_is_refused(fitted):
    with pytest.raises(InvalidInputError, match="matmul_precision must be one of 'float32', 'bfloat16', not 'float16'"):
        small(matmul_precision="float16").fit(TEXT)


def test_weights_that_follow_a_text_learn_in_the_same_precision(fitted):
    rounded = fitted.score(TEXT[:300], adapt=True)
    plain = fitted.set_params(matmul_precision="float32").score(TEXT[:300], adapt=True)
    fitted.set_params(matmul_precision="bfloat16")
    assert rounded != plain
    assert rounded == pytest.approx(plain, rel=0.05)


def test_a_classifier_rounds():
    X, y = ["anna", "hannah", "eva", "bob", "otto", "rob"] * 3, ["f", "f", "f", "m", "m", "m"] * 3
    model = classifier_of(hidden_size=17, max_steps=60, matmul_precision="bfloat16", random_state=0).fit(X, y)
    rounded = model.predict_log_proba(["hanna", "bobby"])
    plain = model.set_params(estimator__matmul_precision="float32").predict_log_proba(["hanna", "bobby"])
    assert not np.array_equal(rounded, plain)
    np.testing.assert_allclose(rounded, plain, rtol=0.1, atol=0.02)


def test_a_model_with_labels_sums_over_them_in_the_same_precision():
    model = small(matmul_precision="bfloat16").fit(["anna", "bob", "eva"] * 9, labels=["f", "m", "f"] * 9)
    rounded = model.score_samples(["anna"])
    assert rounded != model.set_params(matmul_precision="float32").score_samples(["anna"])


def test_a_mixture_has_what_its_models_have(fitted):
    other = small(cell="lstm").fit(TEXT)
    both = Mixture([fitted, other]).predict_proba(["to b"])
    product = np.sqrt(fitted.predict_proba(["to b"]) * other.predict_proba(["to b"]))
    np.testing.assert_allclose(both, product / product.sum(), rtol=1e-5)


def test_the_command_has_it(tmp_path):
    (tmp_path / "text").write_text(TEXT)
    arguments = ["--hidden-size", "8", "--max-steps", "3", "--matmul-precision", "bfloat16", "-q"]
    run("train", str(tmp_path / "text"), "-o", str(tmp_path / "model"), *arguments)
    assert CharRNN.load(tmp_path / "model").matmul_precision == "bfloat16"
