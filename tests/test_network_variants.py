"""Models with an embedding, bigrams, products in bfloat16, or 8-bit weights: one test a property, over these variants.

Each kernel of a variant is compared with the reference in tests/kernels/test_variants.py.
"""

import copy
import io

import numpy as np
import pytest
from examples import (
    adaptable,
    adapted_by_reference,
    classifier_of,
    random_language_model,
    reference_sample,
    reference_state,
    saved,
)
from small_models import bits, learned_state
from texts import LONG_TEXT as TEXT

from crnn import CharRNN, InvalidInputError, Mixture, TextClassifier
from crnn._kernels.entry import core
from crnn.parameters.kinds import CELLS
from crnn.reference.network import text_gradient

NAMES, LABELS = ["anna", "eva", "olga", "bob", "otto", "tom"] * 5, ["f", "f", "f", "m", "m", "m"] * 5
VARIANTS = {
    "embedding": {"embedding_size": 5},
    "bigrams": {"n_bigrams": 17},
    "bfloat16": {"matmul_precision": "bfloat16"},
    "int8": {"embedding_size": 7, "n_bigrams": 11},  # quantized once it is fitted
}
WITH_TABLES = ["embedding", "bigrams"]


def small(**parameters):
    usual = {"hidden_size": 19, "cell": "gru", "batch_size": 3, "max_steps": 30, "random_state": 0, "optimizer": "adam"}
    return CharRNN(**{**usual, **parameters})


@pytest.mark.parametrize(("name", "shape"), [("embedding", (15, 5)), ("bigrams", (17, 4 * 19))])
def test_embedding_or_bigrams_are_learned(name, shape):
    model = small(cell="lstm", max_steps=300, learning_rate=0.01, **VARIANTS[name]).fit(TEXT)
    assert next(iter(model.params_)) == name
    assert model.params_[name].shape == shape
    assert model.optimizer_state_["exp_avg"][name].any()
    assert {"embedding": "embedding_size=5", "bigrams": "n_bigrams=17"}[name] in repr(model)
    before = model.score(TEXT)
    assert before > -0.5
    with model.editing():
        model.params_[name][:] = 0
    assert model.score(TEXT) < before - 0.005


@pytest.mark.parametrize(
    ("cell", "options"), [*zip(CELLS, [{"num_layers": 2}, VARIANTS["int8"]] * 2, strict=True)], ids=str
)
def test_quantized_scores_stay_near_float_scores(cell, options):
    model = small(cell=cell, max_steps=120, learning_rate=0.01, **options).fit(TEXT)
    assert 0 < abs(model.quantize().score(TEXT) - model.score(TEXT)) < 0.02


@pytest.mark.parametrize(("name", "dtype"), [("embedding", np.float64), ("bigrams", np.float32)])
def test_results_match_reference(name, dtype):
    model = random_language_model("abcdefgabeadgfceb", dtype=dtype, cell="gru", num_layers=2, **VARIANTS[name])
    assert model.sample(50, prime="gab", random_state=7) == reference_sample(model, 50, "gab", seed=7)
    state = model.start().feed("gab").feed("ba")
    parameters, after = reference_state(model, "gabba")
    y = after[0][-1] @ parameters.Wy + parameters.by
    np.testing.assert_allclose(state.next_proba(), (np.exp(y) / np.exp(y).sum())[0], rtol=1e-4)
    assert state.copy().feed("d").log_prob == pytest.approx(-model.surprisal("gabbad").sum(), rel=1e-5)
    found, layout = model.gradient("gabbadeaf"), learned_state(model).layout
    ids = model.vocabulary_.encode("gabbadeaf").astype(np.intp)
    loss, wanted, _ = text_gradient(layout.tensors(learned_state(model).params.astype(np.float64)), "gru", ids)
    rtol, atol = (1e-9, 1e-12) if dtype == np.float64 else (1e-3, 1e-5)
    assert found.loss == pytest.approx(loss, rel=rtol)
    table = wanted.embedding if name == "embedding" else wanted.pair_table
    assert table.any()
    np.testing.assert_allclose(found.params[name], table, rtol=rtol, atol=atol)
    if name == "embedding":
        np.testing.assert_allclose(found.params["Wxh_l0"], wanted.layers[0].Wx.T, rtol=rtol, atol=atol)


def test_matmul_precision_can_be_changed_on_a_fitted_model():
    model = random_language_model("abcdefg", dtype="float32", cell="lstm", num_layers=2)

    def results(precision):
        model.set_params(matmul_precision=precision)
        of_text, of_texts = ("surprisal", "hidden_states"), ("score_samples", "next_proba")
        found = [getattr(model, method)("gabba") for method in of_text]
        return [
            *found,
            *(getattr(model, method)(["gabba"]) for method in of_texts),
            model.gradient("gabba").params["Why"],
        ]

    for plain, rounded, again in zip(*map(results, ("float32", "bfloat16", "float32")), strict=True):
        assert not np.array_equal(rounded, plain)
        np.testing.assert_allclose(rounded, plain, rtol=0.1, atol=0.02)
        np.testing.assert_array_equal(again, plain)


def test_bfloat16_model_samples_in_bfloat16(monkeypatch):
    made = []
    monkeypatch.setattr(core, "Network", lambda *a, network=core.Network, **k: made.append(a[1]) or network(*a, **k))
    model = random_language_model("abcdefg", dtype="float32", matmul_precision="bfloat16")
    made.clear()
    assert len(model.sample(50, random_state=0)) == 50
    assert [packing.bfloat16 for packing in made] == [True]


def test_bfloat16_model_validates_in_bfloat16():
    model = small(matmul_precision="bfloat16", validation_fraction=0.3, eval_every=30).fit(TEXT)
    held_out = TEXT[len(TEXT) - len(TEXT) * 3 // 10 :]
    assert -model.score(held_out, exact=False) == pytest.approx(model.history_[-1]["validation_loss"], abs=2e-3)


# New symbols have the highest numbers, or the lowest.
@pytest.mark.parametrize("text", ["abxcdxy", "abAcdAB"])
@pytest.mark.parametrize("name", WITH_TABLES)
def test_new_symbols_get_zero_vectors_and_no_bigrams(name, text):
    model = random_language_model("bdacbdba", cell="lstm", optimizer="adam", **VARIANTS[name])
    before = copy.deepcopy(model)
    model.set_params(max_steps=0).partial_fit(text, extend_vocabulary=True)
    old = [list(model.vocabulary_).index(symbol) for symbol in "abcd"]
    assert model.bigrams_ == before.bigrams_
    p, q = before.next_proba(["ab", "cad"]), model.next_proba(["ab", "cad"])[:, old]
    np.testing.assert_allclose(q / q.sum(axis=1, keepdims=True), p, rtol=1e-9)
    if name == "embedding":
        vectors = model.params_["embedding"]
        np.testing.assert_array_equal(vectors[old], before.params_["embedding"])
        assert not np.delete(vectors, old, axis=0).any()
        np.testing.assert_array_equal(model.params_["Wxh_l0"], before.params_["Wxh_l0"])
        model.set_params(max_steps=200, learning_rate=0.02).partial_fit(text * 30)
        assert np.abs(model.params_["embedding"]).sum(axis=1).all()  # they learn


@pytest.mark.parametrize(
    ("name", "option", "documents"),
    [
        ("embedding", {"embedding_size": 3}, False),
        ("bigrams", {"n_bigrams": 3}, True),
        ("bigrams", {"n_bigrams": 3}, False),
    ],
)
def test_adaptation_matches_reference(name, option, documents):
    options = {"learning_rate": 0.02, "decay": 0.05, "block_length": 5}
    model = adaptable("lstm", "float64", documents=documents, **option)
    text = ["abcdabbacd"] if documents else "abcdabbacdab"
    nats, weights = adapted_by_reference(model, text, **options)
    given = text[0] if documents else text
    np.testing.assert_allclose(model.surprisal(given, adapt=options)[: len(given)], nats[: len(given)], rtol=1e-6)
    if not documents:
        adapted = model.adapt(given, **options)
        np.testing.assert_allclose(adapted.params_[name], weights[name], rtol=1e-6, atol=1e-9)
        assert not np.array_equal(adapted.params_[name], model.params_[name])


def test_bfloat16_models_adapt_and_sum_labels_in_bfloat16():
    model = small(matmul_precision="bfloat16").fit(TEXT)
    of_labels = small(matmul_precision="bfloat16").fit(["anna", "bob", "eva"] * 9, y=["f", "m", "f"] * 9)
    for model, score in (
        (model, lambda model: model.score(TEXT[:300], adapt=True)),
        (of_labels, lambda model: model.score_samples(["anna"])[0]),
    ):
        rounded, plain = score(model), score(model.set_params(matmul_precision="float32"))
        assert rounded != plain
        assert rounded == pytest.approx(plain, rel=0.05)


@pytest.mark.parametrize("option", [{"embedding_size": 5}, {"n_bigrams": 100}])
def test_model_for_label_keeps_its_table(option):
    texts, labels = ["anna", "bob", "eve", "otto"], ["f", "m", "f", "m"]
    model = small(cell="lstm", max_steps=60, dtype="float64", **option).fit(texts * 5, y=labels * 5)
    before, scores = copy.deepcopy(model), model.score_samples(texts, y="m")
    of_label = model.for_label("m")
    assert bits(model) == bits(before)
    np.testing.assert_array_equal(of_label.params_["Whh_l0"], before.params_["Whh_l0"])
    boundary = of_label.vocabulary_.boundary
    np.testing.assert_allclose(of_label.score_samples(texts), scores, rtol=1e-12)
    if "embedding" in model.params_:
        ours, theirs = of_label.params_["embedding"], model.params_["embedding"]
        np.testing.assert_array_equal(ours[boundary], theirs[boundary + 2])
        np.testing.assert_array_equal(ours[:boundary], theirs[:boundary])
    else:
        rows, rows_of_label = (dict(zip(m.bigrams_, m.params_["bigrams"], strict=True)) for m in (model, of_label))
        start, label = list(of_label.vocabulary_)[boundary], list(model.vocabulary_)[boundary + 2]
        np.testing.assert_array_equal(rows_of_label[start, "b"], rows[label, "b"])
        np.testing.assert_array_equal(rows_of_label["t", "o"], rows["t", "o"])


def test_classifier_in_bfloat16_learns_and_stays_in_bfloat16():
    model = classifier_of(hidden_size=11, max_steps=60, random_state=0, matmul_precision="bfloat16").fit(NAMES, LABELS)
    assert model.score(NAMES, LABELS) == 1
    again = TextClassifier.load(io.BytesIO(saved(model)))
    assert again.estimator.matmul_precision == "bfloat16"
    p = model.predict_proba(NAMES)
    np.testing.assert_array_equal(again.predict_proba(NAMES), p)
    for network in model.models_[0].values():
        network.set_params(matmul_precision="float32")
    plain = model.predict_proba(NAMES)
    assert not np.array_equal(plain, p)
    np.testing.assert_allclose(plain, p, atol=0.02)


def test_quantized_classifier_stays_near_its_classifier():
    model = classifier_of(hidden_size=19, max_steps=60, random_state=0).fit(NAMES, LABELS)
    small = model.quantize()
    np.testing.assert_allclose(small.predict_proba(NAMES), model.predict_proba(NAMES), atol=0.05)
    assert (small.predict_proba(NAMES) != model.predict_proba(NAMES)).any()
    assert small.models_[0]["forward"].for_label("f").score_samples(["anna"]).shape == (1,)


def test_mixture_keeps_the_precision_of_its_models():
    models = [small(matmul_precision="bfloat16").fit(TEXT), small(cell="lstm").fit(TEXT)]
    product = np.sqrt(np.prod([model.next_proba(["to b"]) for model in models], axis=0))
    np.testing.assert_allclose(Mixture.from_fitted(models).next_proba(["to b"]), product / product.sum(), rtol=1e-5)


def test_text_with_fewer_bigrams_has_fewer_rows():
    assert small(n_bigrams=2).fit(TEXT).bigrams_ == [(" ", "t"), (" ", "b")]  # the most frequent, the first of the next
    assert small(n_bigrams=3, batch_size=1, max_steps=0).fit("aa").bigrams_ == [("a", "a")]
    assert small(n_bigrams=None).fit("abababab").bigrams_ == []
    assert small(n_bigrams=3, max_steps=0).fit(["a", "b"]).params_["bigrams"].shape[0] == 2  # after the boundary
    assert small(n_bigrams=2**31 - 1).fit("abababab").params_["bigrams"].shape[0] == 2
    assert small(n_bigrams=1000).fit("abababab").bigrams_ == [("a", "b"), ("b", "a")]


def test_previous_symbol_is_part_of_the_state():
    model = small(batch_size=1, seq_length=7, n_bigrams=17).fit(TEXT)
    *_, symbol = model.state_
    position = 7 * model.n_steps_
    assert symbol.shape == (1, 1, 1)
    assert list(model.vocabulary_)[int(symbol[0, 0, 0]) - 1] == TEXT[(position - 1) % len(TEXT)]
    with model.editing():
        model.state_[-1][:] = 1e9  # an invalid symbol stands for none
    model.set_params(max_steps=2).partial_fit(TEXT)


def test_previous_symbol_keeps_its_meaning_in_another_vocabulary():
    model = small(batch_size=1, seq_length=3, max_steps=2, n_bigrams=17).fit("bcdbcdbcd")
    for _ in range(2):
        (last,) = model.state_[-1].ravel()
        assert list(model.vocabulary_)[int(last) - 1] == "d"
        model.set_params(max_steps=0).partial_fit("abcd", extend_vocabulary=True)
    model = small(batch_size=1, max_steps=2, n_bigrams=100).fit(["anna", "bob"], y=["f", "m"])
    with model.editing():
        model.state_[-1][:] = len(model.vocabulary_)  # the last label
    assert [model.for_label(label).state_[-1].item() for label in ("f", "m")] == [0, len(model.vocabulary_) - 2]


def test_quantized_model_can_be_fitted_anew():
    small = random_language_model(TEXT, dtype="float32").quantize().set_params(max_steps=3).fit(TEXT)
    assert small.partial_fit(TEXT).n_steps_ == 6


def test_quantize_refuses_more_units_than_sums_of_32_bits_hold(monkeypatch):
    model = random_language_model("abc", dtype="float32")
    H = model.hidden_size
    monkeypatch.setattr("crnn.model.state.MAX_INT8_UNITS", H - 1)
    with pytest.raises(InvalidInputError, match=f"hidden_size is {H}, but quantize supports at most {H - 1}, "):
        model.quantize()
    monkeypatch.setattr("crnn.model.state.MAX_INT8_UNITS", H)
    model.quantize()


def test_quantized_file_is_at_most_0_35_of_the_float_one():
    model = CharRNN(256, cell="lstm", max_steps=0, random_state=0).fit(TEXT)
    large, small = (len(saved(each, training_state=False)) for each in (model, model.quantize()))
    assert small < 0.35 * sum(array.nbytes for array in model.params_.values()) < 0.35 * large
