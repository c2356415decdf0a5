"""Mixture: the product of powers of the models' probabilities, in every method that samples or scores."""

import io
import pickle
import pkgutil
import re
from itertools import islice, product
from types import SimpleNamespace

import numpy as np
import pytest
from examples import saved
from texts import LONG_TEXT as TEXT
from texts import NAMES_OF_FEW_LETTERS as NAMES
from threadpoolctl import threadpool_limits

from crnn import CharNGram, CharRNN, DivergenceError, InvalidInputError, Mixture, NotFittedError, train
from crnn.inference import mixed_network, mixture_weights
from crnn.inference.mixed_network import letters_before
from crnn.inference.network import Use, log_softmax
from crnn.mixing import shared_time, weights_fit
from crnn.ngram.counts_network import AdaptiveCounts
from crnn.reference import longest_match
from crnn.reference.mixing import move_weights
from crnn.scoring.text_scores import log_likelihood
from crnn.text import held_out as held_out_module
from crnn.text.held_out import split_held_out

WEIGHTS = np.array([0.5, 0.2, 0.3])
BY_PLACE = np.array([[0.5, 0.2, 0.3], [0.1, 0.9, 0.0], [0.3, 0.4, 0.6], [0.0, 0.2, 0.7]])


def members(X, dtype="float64"):
    """Models that have little in common but their symbols."""
    rest = {"max_steps": 60, "dtype": dtype, "optimizer": "adam", "learning_rate": 0.02}
    return [
        CharRNN(7, random_state=0, **rest).fit(X),
        CharRNN(11, cell="lstm", num_layers=2, n_bigrams=13, random_state=1, **rest).fit(X),
        CharRNN(5, cell="gru", batch_size=2, random_state=2, **rest).fit(X),
    ]


@pytest.fixture(scope="module")
def models():
    return members(TEXT)


@pytest.fixture(scope="module")
def namers():
    return members(NAMES * 5)


def mixed(weights, prefixes, values):
    """Return the mixture's log-probabilities (n, V) after prefixes, given its members' (k, n, V)."""
    of_prefixes = np.array([weights if weights.ndim == 1 else weights[letters_after(text)] for text in prefixes])
    y = np.einsum("nk,knv->nv", of_prefixes, np.array(values))
    return y - np.logaddexp.reduce(y, axis=1, keepdims=True)


def letters_after(text):
    """Return how many letters, at most 3, end a text."""
    return min(3, len(re.search(r"[A-Za-z0-9_\x80-\U0010ffff]*$", text)[0]))


@pytest.fixture(scope="module", params=["networks", "network and counts", "counts"])
def any_models(request, models):
    counts = [CharNGram(order=order).fit(TEXT[:300]) for order in (2, 5, 3)]
    both = [counts[0], models[1], counts[1]]
    return {"networks": models, "network and counts": both, "counts": counts}[request.param]


@pytest.mark.parametrize("weights", [WEIGHTS, BY_PLACE])
def test_probabilities_are_the_normalized_product(any_models, weights):
    mixture = Mixture.from_fitted(any_models, weights)
    prefixes = [TEXT[:i] for i in range(90)]
    expected = mixed(weights, prefixes, [np.log(model.next_proba(prefixes)) for model in any_models])
    np.testing.assert_allclose(np.log(mixture.next_proba(prefixes)), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.log(mixture.start(TEXT[:7]).next_proba()), expected[7], rtol=1e-9)
    ids = mixture.vocabulary_.encode(TEXT[:90])
    log_p = expected[np.arange(90), ids]
    np.testing.assert_allclose(mixture.surprisal(TEXT[:90]), -log_p, rtol=1e-9, atol=1e-12)
    assert mixture.score(TEXT[:90]) == pytest.approx(log_p.mean())
    assert mixture.bits_per_char(TEXT[:90]) == pytest.approx(-log_p.mean() / np.log(2))
    ranks = 1 + (expected > log_p[:, None]).sum(axis=1)
    assert (np.abs(mixture.rank(TEXT[:90]) - ranks) <= 1).all()  # its own symbol may count by the last bit


def test_a_long_text_is_cut_as_that_of_one_model(models):
    mixture = Mixture.from_fitted([models[0], models[0]])
    assert mixture.score(TEXT * 10, exact=False) == pytest.approx(models[0].score(TEXT * 10, exact=False), rel=1e-12)


def test_strings_have_the_same_scores_alone_and_in_batches(namers):
    mixture = Mixture.from_fitted(namers, weights=BY_PLACE)
    strings = ["", *("".join(letters) for n in (1, 2, 5) for letters in product("ano", repeat=n))]
    found = mixture.score_samples(strings)
    alone = [mixture.score_samples([string])[0] for string in strings[:20]]
    np.testing.assert_array_equal(found[:20], alone)
    for string, score in list(zip(strings, found, strict=True))[:15]:
        state = mixture.start()
        assert state.feed(string).end().log_prob == score
    normal = mixture.score_samples(strings, reduce="mean")
    np.testing.assert_allclose(normal, found / (1 + np.array([len(string) for string in strings])))
    assert mixture.score(strings) == pytest.approx(found.sum() / sum(len(string) + 1 for string in strings))


CONTROLS = [
    {"temperature": 0.7, "top_k": 5},
    {"min_p": 0.1, "logit_bias": {"e": -np.inf, "t": 1.0}},
    {"stop": ["be", "o b", "t"]},
]


@pytest.mark.parametrize("controls", CONTROLS, ids=str)
def test_equal_models_sample_as_one(models, controls):
    """All draws use the same numbers, so the texts are the same unless a number lies within rounding of a limit."""
    one = models[1]
    mixture = Mixture.from_fitted([one, one], weights=[0.25, 0.75])
    options = {"prime": "to b", "n_samples": 7, "random_state": 3, **controls}
    expected = one.sample(40, **options)
    assert mixture.sample(40, **options) == expected
    assert Mixture.from_fitted([models[0], one], weights=[0, 1]).sample(40, **options) == expected
    alone = {**options, "n_samples": 1}
    assert "".join(islice(mixture.stream(40, prime="to b", random_state=3, **controls), 40)) == one.sample(40, **alone)
    assert mixture.sample(0, **options) == [""] * 7


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("n_rows", [1, 4])
def test_many_counts_sample_as_one(n, n_rows):
    counts = CharNGram(order=3).fit(TEXT)
    mixture = Mixture.from_fitted([counts] * n, weights=np.full((n_rows, n), 1 / n) if n_rows > 1 else [1 / n] * n)
    assert mixture.sample(60, n_samples=2, random_state=3) == counts.sample(60, n_samples=2, random_state=3)


def test_mixtures_sample_enumerate_and_guess_documents(namers):
    one = Mixture.from_fitted([namers[0]])
    assert one.sample(n_samples=20, random_state=0) == namers[0].sample(n_samples=20, random_state=0)
    mixture = Mixture.from_fitted(namers, BY_PLACE)
    names = mixture.sample(n_samples=5, unique=True, exclude=["anna"], max_length=6, random_state=0)
    assert len(set(names)) == 5
    assert "anna" not in names
    assert max(map(len, names)) <= 6
    found = mixture.enumerate_documents(4)
    np.testing.assert_allclose(found.log_probs, mixture.score_samples(found.documents), rtol=1e-9)
    guesses = mixture.guess_number(["anna", "bbbb"], n_samples=500, random_state=0)
    assert guesses.estimate[0] < guesses.estimate[1]
    state = mixture.start()
    assert isinstance(state.sample(5, random_state=0), str)


def test_beams_find_the_most_probable(models):
    mixture = Mixture.from_fitted(models, BY_PLACE)
    (best, log_p), *_ = mixture.beam_search(3, prime="to ", n_beams=400)
    symbols = list(models[0].vocabulary_)
    every = ["".join(letters) for letters in product(symbols, repeat=3)]
    scores = mixture.score_samples(["to " + text for text in every]) - mixture.score_samples(["to "])
    assert best == every[int(scores.argmax())]
    assert log_p == pytest.approx(scores.max())


def test_attributes_of_one_model(models):
    mixture = Mixture.from_fitted(models)
    assert mixture.vocabulary_ == models[0].vocabulary_
    html = mixture._repr_html_()
    assert "<b>Mixture</b> of 3 models" in html
    for weight, model in zip(mixture.weights_, mixture.models_, strict=True):
        assert f"<li>weight {weight:.3f}: {model._repr_html_()}</li>" in html
    assert "<li>weight 0.500/0.100/0.300/0.000: " in Mixture.from_fitted(models, BY_PLACE)._repr_html_()
    assert mixture.members_ == ["network 1", "network 2", "network 3"]
    assert "not fitted yet" in Mixture(models)._repr_html_()


def test_a_mixture_has_at_most_64_models():
    counts = CharNGram(order=2).fit("abba")
    assert Mixture.from_fitted([counts] * 64).score("ab", adapt=True) < 0
    with pytest.raises(InvalidInputError, match=r"^models contains 65 models\. Pass at most 64\.$"):
        Mixture.from_fitted([counts] * 65)


def test_models_must_have_the_same_labels():
    model = CharRNN(7, max_steps=30, random_state=0).fit(NAMES, y=list("aabbab"))
    of_a = model.for_label("a")
    with pytest.raises(InvalidInputError, match=r"models\[1\] has the labels \[\], but models\[0\] has \['a', 'b'\]"):
        Mixture.from_fitted([model, of_a])
    assert Mixture.from_fitted([of_a, of_a]).score_samples(["bob"]) == pytest.approx(of_a.score_samples(["bob"]))


def test_mixtures_learn_labels():
    labels = list("aabbab")
    mixture = Mixture([CharRNN(7, max_steps=60, random_state=0), CharNGram(3)], [0.4, 0.6]).fit(NAMES, labels)
    assert mixture.labels_.tolist() == ["a", "b"]
    texts = ["nano", "", "obab"]
    of_labels = [mixture.for_label(label) for label in "ab"]
    for label, of_label in zip("ab", of_labels, strict=True):
        scores = [model.for_label(label) for model in mixture.models_]
        assert of_label.score_samples(texts) == pytest.approx(
            Mixture.from_fitted(scores, [0.4, 0.6]).score_samples(texts)
        )
        assert mixture.score_samples(texts, y=label) == pytest.approx(of_label.score_samples(texts))
    joint = mixture.score_samples(texts)
    prior = np.mean([[0.5, 0.5], np.exp(mixture.models_[0]._label_networks("test")[0].log_prior)], axis=0)
    expected = np.logaddexp(
        *(np.log(p) + model.score_samples(texts) for p, model in zip(prior, of_labels, strict=True))
    )
    np.testing.assert_allclose(joint, expected, rtol=1e-6)
    assert len(mixture.sample(n_samples=3, random_state=0)) == 3
    assert mixture.sample(label="b", random_state=0) == of_labels[1].sample(random_state=0)
    with pytest.raises(InvalidInputError, match=r"surprisal needs a label.*for_label\('a'\)"):
        mixture.surprisal("nano")
    again = Mixture.load(io.BytesIO(saved(mixture)))
    np.testing.assert_array_equal(again.score_samples(texts), joint)


def test_weights_of_labeled_documents_predict_each_with_its_label():
    labels = list("aabbab")
    models = [CharNGram(order).fit(NAMES * 5, y=labels * 5) for order in (2, 4)]
    mixture = Mixture.from_fitted(models)
    mixture.fit_weights(["nabo", "onan", "bobo"], ["a", "b", "a"])

    def score(weights):
        other = Mixture.from_fitted(models, weights)
        return other.score_samples(["nabo", "onan", "bobo"], y=["a", "b", "a"]).sum()

    for step in product((-0.02, 0, 0.02), repeat=2):
        assert score(np.maximum(0, mixture.weights_ + step)) <= score(mixture.weights_) + 1e-6
    for wrong, message in (
        (None, "^y is missing, but the models have labels"),
        (["a", "b", "c"], r"^y\[2\] must be one of"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            mixture.fit_weights(["nabo", "onan", "bobo"], wrong)


@pytest.mark.parametrize("adapt", [False, True])
def test_a_model_that_was_fitted_again_is_checked_again(adapt):
    models = [CharNGram(order=2).fit("abc") for _ in range(2)]
    mixture = Mixture.from_fitted(models)
    models[1].fit("abca")
    assert mixture.score("abc", adapt=adapt) == Mixture.from_fitted(models).score("abc", adapt=adapt)
    models[1].fit("abd")
    with pytest.raises(InvalidInputError, match=r"models\[1\] has different symbols from models\[0\]: it has \['d'\]"):
        mixture.score("ab", adapt=adapt)


def test_methods_of_networks_say_what_to_do_instead(models):
    for name, message in (
        ("export_onnx", r"a Mixture has no export_onnx\. Export the mixture with export_js, one of its networks with "
         r"mixture\.models_\[1\]\.export_onnx, or train a small network on texts drawn from the mixture"),
        ("editing", r"a Mixture has no editing\. Use a single network's: mixture\.models_\[1\]\.editing\.$"),
    ):  # fmt: skip
        with pytest.raises(AttributeError, match=message):
            getattr(Mixture.from_fitted([CharNGram(order=2).fit(TEXT), models[0]]), name)


def test_advice_for_different_symbols_works():
    texts = ["abab" * 9, "acac" * 9]
    with pytest.raises(InvalidInputError, match=r"the same vocabulary=, a string of the characters of all texts\.$"):
        Mixture.from_fitted([CharNGram(order=2).fit(text) for text in texts])
    mixture = Mixture.from_fitted([CharNGram(order=2, vocabulary="".join(texts)).fit(text) for text in texts])
    assert len(mixture.vocabulary_) == 3
    network = CharRNN(3, vocabulary="".join(texts), max_steps=2).fit(texts[0])
    assert np.isfinite(Mixture.from_fitted([network, *mixture.models_]).score("abc"))


def test_refuses_bad_input_before_training_a_network(monkeypatch):
    monkeypatch.delattr(CharRNN, "fit")
    for X, seconds, options, message in (
        (iter(["ab"]), 1, {}, "^X is of type list_iterator, which can be read only once"),
        (TEXT, 0, {}, "seconds must be a finite number above 0"),
        ("", 1, {}, "^X is too short: its length is 0"),
        ([], 1, {}, "^X is (too short|an empty list)"),
        (TEXT, 1, {"models": []}, "CharRNN has no parameter 'models'"),
        (TEXT, 1, {"order": 0}, "order must be a whole number of at least 1, not 0"),
        (TEXT, 1, {"max_memory": 10_000, "order": 30}, "order is 30, which needs more than max_memory=10,000 bytes"),
        (TEXT, 1, {"max_memory": 1}, "max_memory is 1 bytes, too little for any order"),
        (TEXT, 1, {"validation": "xyz"}, "^validation contains 'x'"),
        (TEXT, 1, {"validation": ""}, "^validation is empty"),
    ):
        validation = options.pop("validation", None)
        with pytest.raises(InvalidInputError, match=message):
            Mixture.recommended(X, seconds, verbose=0, **options).fit(X, validation=validation)


def test_parameters_of_recommended_models(monkeypatch):
    options = {"order": 3, "max_memory": 10**6, "min_count": 2, "hidden_size": 5, "max_steps": 3}
    network, counts = Mixture.recommended(TEXT + "X", 1, verbose=0, **options).models
    assert (counts.order, counts.max_memory, counts.min_count) == (3, 10**6, 2)
    assert (network.hidden_size, network.min_count) == (5, 2)
    assert not hasattr(network, "vocabulary_")
    recommended = train(iter(NAMES * 9), 0.2, verbose=0, validation=iter(["nabo", "oba"]), max_steps=3)
    assert (
        recommended.weights_.tolist()
        == Mixture.from_fitted(recommended.models_).fit_weights(["nabo", "oba"]).weights_.tolist()
    )
    monkeypatch.delattr(CharNGram, "_fit")  # an unknown parameter is refused before the text is counted
    with pytest.raises(InvalidInputError, match=r"CharRNN has no parameter 'hiden_size'.*did you mean"):
        Mixture.recommended(TEXT, 1, verbose=0, hiden_size=8)


# ---------------------------------------------------------------- weights


def test_fitted_weights_are_the_best(any_models):
    text = TEXT[:200][::-1]
    mixture = Mixture.from_fitted(any_models).fit_weights(text)
    best, weights = mixture.score(text), mixture.weights_
    assert (weights >= 0).all()
    np.testing.assert_array_equal(Mixture.from_fitted(any_models).fit_weights(text).weights_, weights)
    for k in range(len(weights)):
        for step in (-0.02, 0.02):
            other = weights.copy()
            other[k] = max(0, other[k] + step)
            assert Mixture.from_fitted(any_models, other).score(text) <= best + 1e-7


@pytest.mark.parametrize("documents", [False, True])
def test_weights_for_each_place_in_a_word_are_fitted_if_it_has_500_symbols(documents):
    text = "".join(np.random.default_rng(0).choice(["be_1", "to", "é", ",", " "], 2600))
    X = text.split() if documents else text
    models = [CharNGram(order=order).fit(X) for order in (2, 4)]
    held_out = X[len(X) // 2 :]
    mixture = Mixture.from_fitted(models).fit_weights(held_out)
    if documents:
        beginnings = [document[:i] for document in held_out for i in range(len(document) + 1)]
    else:
        beginnings = [held_out[max(0, i - 9) : i] for i in range(len(held_out))]
    large = np.bincount([letters_after(text) for text in beginnings]) >= 500
    assert 1 <= large.sum() < 4
    best, weights = mixture.score(held_out), mixture.weights_
    assert weights.shape == (4, 2)
    assert len(np.unique(weights[large], axis=0)) == large.sum()
    for c in np.flatnonzero(large):
        for step in product((-0.02, 0, 0.02), repeat=2):
            other = weights.copy()
            other[c] = np.maximum(0, other[c] + step)
            assert Mixture.from_fitted(models, other).score(held_out) <= best + 1e-7
    assert Mixture.from_fitted(models).fit_weights(held_out[:30]).weights_.shape == (2,)


@pytest.mark.parametrize(("limit", "value", "length"), [("MAX_SYMBOLS", 101, 101), ("MAX_BYTES", 1, 512)])
def test_weights_are_fitted_to_the_beginning_of_a_long_text(models, monkeypatch, limit, value, length):
    text = TEXT[:700][::-1]
    expected = Mixture.from_fitted(models).fit_weights(text[:length]).weights_
    assert (Mixture.from_fitted(models).fit_weights(text).weights_ != expected).any()
    monkeypatch.setattr(mixture_weights, limit, value)
    np.testing.assert_array_equal(Mixture.from_fitted(models).fit_weights(text).weights_, expected)


def test_a_model_that_is_sure_of_the_wrong_symbol_has_no_weight():
    models = [CharRNN(3, max_steps=0, init_scale=0, dtype="float64").fit("ab") for _ in range(2)]
    for model, bias in zip(models, ([1e4, -1e4], [0.3, 0.0]), strict=True):
        with model.editing():
            model.params_["by"][:] = bias
    sure, unsure = Mixture.from_fitted(models).fit_weights("aab" * 50).weights_
    assert sure < 1e-3
    assert unsure > 0.1


def test_a_failed_fit_of_weights_changes_nothing(models):
    mixture = Mixture.from_fitted(models)
    for wrong in ("", "XYZ"):
        with pytest.raises(InvalidInputError):
            mixture.fit_weights(wrong)
    np.testing.assert_array_equal(mixture.weights_, np.full(3, 1 / 3))


# ------------------------------------------------------------- adaptation


def test_adapt_returns_a_mixture_of_adapted_models(models):
    network, counts, text = models[0], CharNGram(order=2).fit(TEXT), "the toe that bites " * 9
    mixture = Mixture.from_fitted([Mixture.from_fitted([network]), counts], n_threads=1).fit_weights(TEXT[:200])
    before = [pickle.dumps(model) for model in mixture.models_]
    adapted = mixture.adapt(text, learning_rate=1e-3)
    assert adapted.score(text) > mixture.score(text) + 0.1
    expected = [network.adapt(text, learning_rate=1e-3).score(text), counts.adapt(text).score(text)]
    assert [model.score(text) for model in adapted.models_] == expected
    np.testing.assert_array_equal(adapted.weights_, mixture.weights_)
    assert adapted.n_threads == 1
    adapted.weights_[0] = 0.5
    assert (adapted.weights_ != mixture.weights_).any()
    assert [pickle.dumps(model) for model in mixture.models_] == before


def test_each_model_adapts_to_the_texts_of_a_generator(namers):
    mixture, texts = Mixture.from_fitted([*namers, CharNGram(order=3).fit(NAMES * 5)]), ["nabo", "bobo"]
    assert mixture.adapt(text for text in texts).score(texts) == mixture.adapt(texts).score(texts)
    with pytest.raises(InvalidInputError, match="adapt has no option 'rate'"):
        Mixture.from_fitted(mixture.models_[-1:]).adapt(texts, rate=1)


@pytest.mark.parametrize(
    ("adapt", "weights"), [(True, [[0.6, 0.4], [0.8, 0.2], [0.3, 0.7], [0.4, 0.5]]), ("counts", [0.6, 0.4])]
)
def test_models_follow_the_text(models, adapt, weights):
    counts = CharNGram(order=4).fit(TEXT[:300])
    mixture, text = Mixture.from_fitted([models[1], counts], weights), "the toe that bites " * 9
    fixed = -mixture.surprisal(text).mean()
    before = mixture.score(text)
    assert mixture.score(text, adapt=adapt) > fixed + 0.1
    assert mixture.score(text) == before  # the models do not change
    whole = mixture.surprisal(text, adapt=adapt)
    for length in (1, 11):
        state = mixture.start(adapt=adapt)
        for i in range(0, len(text), length):
            state.feed(text[i : i + length])
        assert state.log_prob == pytest.approx(-whole.sum(), rel=1e-12)
    copy = state.copy()
    np.testing.assert_array_equal(copy.next_proba(), state.next_proba())
    assert copy.feed("toe").log_prob == state.feed("toe").log_prob


@pytest.fixture
def fixed_weights(monkeypatch):
    """Let a mixture's members learn from a text while its weights stay."""
    monkeypatch.setattr(mixed_network, "MOVING_RATE", 0.0)


@pytest.mark.usefixtures("fixed_weights")
def test_counts_alone_follow_the_text_while_networks_stay(models):
    mixture = Mixture.from_fitted([models[1], CharNGram(order=4).fit(TEXT[:300])], [1.0, 0.0])
    text = "the toe that bites " * 9
    assert mixture.score(text, adapt="counts") == pytest.approx(models[1].score(text), rel=1e-12)
    assert mixture.score(text, adapt=True) == pytest.approx(models[1].score(text, adapt=True), rel=1e-12)


@pytest.mark.usefixtures("fixed_weights")
def test_counts_of_a_mixture_in_a_mixture_follow_the_text(models):
    counts, text = CharNGram(order=4).fit(TEXT[:300]), "the toe that bites " * 9
    rows = np.array([[0.6, 0.4], [0.8, 0.2], [0.3, 0.7], [0.4, 0.5]])
    inner, outer = Mixture.from_fitted([models[1], counts], rows), np.array([0.5, 0.25])
    nested = Mixture.from_fitted([inner, Mixture.from_fitted(models[:1])], outer)  # the second mixture has no counts
    flat = Mixture.from_fitted([models[1], counts, models[0]], np.column_stack([0.5 * rows, [0.25] * 4]))
    for adapt in (False, True, "counts"):
        assert nested.score(text, adapt=adapt) == pytest.approx(flat.score(text, adapt=adapt), rel=1e-12)
        states = [mixture.start(adapt=adapt) for mixture in (nested, flat)]
        for piece in ("the toe", " that bites", " the toe that"):
            states = [state.copy().feed(piece) for state in states]
        assert states[0].log_prob == pytest.approx(states[1].log_prob, rel=1e-12)
        np.testing.assert_allclose(states[0].next_proba(), states[1].next_proba(), rtol=1e-9)
    assert nested.score(text, adapt="counts") > nested.score(text) + 0.05


@pytest.mark.parametrize(
    "weights", [[[0.6, 0.4], [0.8, 0.2], [0.3, 0.7], [0.4, 0.5]], [0.6, 0.4], [1.0, 0.0], [0.0004, 1.0]]
)
def test_weights_follow_the_text(models, weights):
    counts, text = CharNGram(order=4).fit(TEXT[:300]), "the toe that bites " * 40
    mixture = Mixture.from_fitted([models[1], counts], weights)
    ids = mixture.vocabulary_.encode(text)
    network, _ = mixture._network("test", use=Use.ONE_STREAM)
    x, last = ids.astype(np.int32), network.zero_state(1)[-1]
    states = [models[1].start(), counts.start(adapt=True)]
    V = len(mixture.vocabulary_)
    of_text = AdaptiveCounts(counts._growing("test")[1]).fresh()
    history, hits = [], longest_match.first_hits()
    rows = np.empty((4, len(x), V))
    for i, character in enumerate(text):
        for member, state in enumerate(states):
            rows[member, i] = np.log(state.next_proba())
            state.feed(character)
        of_text, rows[2, i] = of_text.read_rows(x[i : i + 1], learn=True)
        rows[3, i], guess, of_class = longest_match.match_row(history, history, hits, V)
        if guess >= 0:
            hits[of_class] += [guess == x[i], 1]
        history.append(int(x[i]))
    with_zeros = np.column_stack([network.weights, np.zeros((len(network.weights), 2))])
    classes = letters_before(network.letters, x[:, None], last)[:-1, 0]
    log_p, _, after = move_weights(
        list(rows), with_zeros, classes, x, mixed_network.MOVING_RATE, mixed_network.MOVING_LIMIT
    )
    state = mixture.start(adapt="counts").feed(text)
    np.testing.assert_allclose(mixture.surprisal(text, adapt="counts"), -log_p, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(state._reading.network.weights, after, rtol=1e-7, atol=1e-9)
    assert (after >= 0).all()
    assert (after[:, :2] != network.weights).any()
    assert (after[:, 2:] > 0).any(axis=0).all()  # counts of the text alone and the longest match have joined
    np.testing.assert_array_equal(mixture.weights_, weights)  # the mixture does not change


def test_a_text_read_without_learning_moves_no_weights(models):
    mixture = Mixture.from_fitted([models[1], CharNGram(order=4).fit(TEXT[:300])])
    state = mixture.start(adapt=True).feed("the toe", adapt=False)
    np.testing.assert_array_equal(state._reading.network.weights[0], [*mixture.weights_, 0, 0])
    uniform = np.full(len(mixture.vocabulary_), 1 / len(mixture.vocabulary_))
    fresh = state._reading._readings[2]
    np.testing.assert_allclose(np.exp(log_softmax(fresh.network.logits_after(fresh.state)))[0], uniform)
    state.feed(" that bites")
    assert (state._reading.network.weights[0] != [*mixture.weights_, 0, 0]).any()
    np.testing.assert_allclose(state.next_proba().sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("adapt", [True, "counts"])
def test_copies_and_pickles_carry_the_moved_weights(models, adapt):
    mixture = Mixture.from_fitted([models[1], CharNGram(order=4).fit(TEXT[:300])])
    state = mixture.start(adapt=adapt).feed("the toe that bites " * 9)
    others = [state.copy(), pickle.loads(pickle.dumps(state))]
    before = state.next_proba()
    state.feed("to be")
    for other in others:
        np.testing.assert_array_equal(other.next_proba(), before)
        other.feed("to be")
        assert other.log_prob == state.log_prob
        np.testing.assert_array_equal(other._reading.network.weights, state._reading.network.weights)


def test_weights_of_a_mixture_in_a_mixture_follow_the_text_too(models):
    inner = Mixture.from_fitted([models[1], CharNGram(order=4).fit(TEXT[:300])])
    nested, text = Mixture.from_fitted([inner, models[0]], [0.9, 0.1]), "the toe that bites " * 9
    reading = nested.start(adapt="counts").feed(text)._reading
    alone = inner.start(adapt="counts").feed(text)._reading
    np.testing.assert_allclose(reading._readings[0].network.weights, alone.network.weights, rtol=1e-12)
    assert (reading.network.weights[0] != nested.weights_).any()
    whole = nested.surprisal(text, adapt="counts")
    state = nested.start(adapt="counts")
    for character in text:
        state.feed(character)
    assert state.log_prob == pytest.approx(-whole.sum(), rel=1e-12)


def test_adaptive_surprisal_has_the_sum_of_the_adaptive_score(namers):
    counts = CharNGram(order=3).fit(NAMES)
    mixture = Mixture.from_fitted([namers[0], counts])
    for model, adapt in [(counts, True), (mixture, True), (mixture, "counts"), (namers[0], True)]:
        found = model.surprisal("nabo", end=True, adapt=adapt)
        assert found[0] == pytest.approx(model.surprisal("nabo")[0], rel=1e-12)  # nothing to learn from yet
        assert -found.mean() == pytest.approx(model.score(["nabo"], adapt=adapt), rel=1e-12)


# ------------------------------------------------------------------ files


def test_weights_that_are_all_zero_or_of_any_type_are_saved():
    mixture = Mixture.from_fitted([CharNGram(order=order).fit("ab" * 100) for order in (2, 3)]).fit_weights(
        "aabbbbaaaabb"
    )
    assert mixture.weights_.tolist() == [0, 0]  # each model predicts this text worse than a uniform guess
    assert Mixture.load(io.BytesIO(saved(mixture))).weights_.tolist() == [0, 0]
    for weights in (np.array([2, 1]), np.array([2, 1], np.float32), [2, 1]):
        mixture.weights_ = weights
        assert Mixture.load(io.BytesIO(saved(mixture))).weights_.tolist() == [2, 1]


def test_unloadable_mixtures_are_not_saved(tmp_path):
    path = tmp_path / "two"
    for change, message in (
        (lambda mixture: mixture.models_[1].fit(["xyz"]), r"^models\[1\] has different symbols"),
        (lambda mixture: mixture.models_[1].fit(["abba", "ab"]), r"^models\[1\] has different symbols"),
        (lambda mixture: mixture.models_.clear(), "^models is an empty list"),
        (lambda mixture: mixture.models_.pop(), "^weights_ must be 1 numbers"),
        (lambda mixture: mixture.models_.append(mixture.models_[0]), "^weights_ must be 3 numbers"),
        (lambda mixture: mixture.models_.extend(mixture.models_[:1] * 63), "^models contains 65 models"),
        (lambda mixture: setattr(mixture, "weights_", np.array([0.5, -1])), r"^weights_\[1\] must be a number"),
        (lambda mixture: setattr(mixture, "weights_", np.array([np.nan, 1])), r"^weights_\[0\] must be a number"),
        (
            lambda mixture: mixture.models_.__setitem__(0, Mixture.from_fitted(mixture.models_[:1])),
            r"models\[0\] is of type Mixture",
        ),
    ):
        mixture = Mixture.from_fitted([CharNGram(order=order).fit("abba" * 9) for order in (2, 3)])
        mixture.save(path)
        content = path.read_bytes()
        change(mixture)
        with pytest.raises(InvalidInputError, match=message):
            mixture.save(path)
        assert path.read_bytes() == content


def test_parameters_can_be_changed(models):
    mixture = Mixture.from_fitted(models).fit_weights(TEXT[:60][::-1])
    fitted = mixture.weights_
    np.testing.assert_array_equal(mixture.set_params(n_threads=1).weights_, fitted)
    assert [network.n_threads for network in mixture._network("score", use=Use.ONE_STREAM)[0].members] == [1] * 3
    assert mixture.set_params(weights=[1, 2, 3]).weights_ is fitted  # until the next fit
    with pytest.raises(InvalidInputError, match="has no parameter 'weight'"):
        mixture.set_params(weight=[1])
    assert mixture.weights == [1, 2, 3]
    assert mixture.set_params(models__1__hidden_size=13).models[1].hidden_size == 13
    assert mixture.get_params()["models__1__hidden_size"] == 13
    for name, message in (
        ("models__3__order", r"is of models\[3\], but there are 3 models"),
        ("models__0__order", "CharRNN has no parameter 'order'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            mixture.set_params(**{name: 3})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "^weights must be 3 numbers"),
        ([0, 0, 0], "^weights are all 0"),
        (BY_PLACE[:3], "^weights must be 3 numbers"),
        (BY_PLACE[:, :2], r"^weights\[0\] must be 3 numbers"),
        (-BY_PLACE, r"^weights\[0\]\[0\] must be a number"),
        (BY_PLACE * [[1], [1], [0], [1]], "^weights are all 0"),
    ],
)
def test_weights_are_checked(models, weights, message):
    with pytest.raises(InvalidInputError, match=message):
        Mixture.from_fitted(models, weights)
    mixture = Mixture(models, weights)
    with pytest.raises(InvalidInputError, match=message):
        mixture.fit(TEXT)
    assert not mixture.__sklearn_is_fitted__()


# ---------------------------------------------------------------- fit


def unfitted(**parameters):
    return Mixture([CharRNN(5, max_steps=9, random_state=0), CharNGram(3)], **parameters)


@pytest.mark.parametrize("weights", [None, [0.3, 0.6]])
def test_fit_trains_copies_of_the_models(weights):
    mixture = unfitted(weights=weights).fit(TEXT)
    network, counts = mixture.models_
    alone, alone_counts = CharRNN(5, max_steps=9, random_state=0).fit(TEXT), CharNGram(3).fit(TEXT)
    assert (network.score(TEXT), counts.score(TEXT)) == (alone.score(TEXT), alone_counts.score(TEXT))
    assert mixture.weights_.tolist() == ([0.5, 0.5] if weights is None else weights)
    assert not any(model.__sklearn_is_fitted__() for model in mixture.models)
    assert mixture.members_ == ["network", "counts"]
    again = mixture.fit(NAMES)
    assert again is mixture
    assert mixture.vocabulary_ == CharNGram(1).fit(NAMES).vocabulary_


def test_fit_refuses_bad_arguments_and_changes_nothing(long_enough):
    mixture = unfitted().fit(TEXT)
    before = mixture.models_, mixture.weights_
    for parameters, arguments, message in (
        ({"models": []}, {}, "^models is an empty list"),
        ({"models": CharNGram(3)}, {}, "^models is of type CharNGram. Pass a list"),
        ({"models": [CharNGram(3), 7]}, {}, r"^models\[1\] is of type int"),
        ({"max_seconds": 0}, {}, "^max_seconds must be a finite number above 0"),
        ({"n_threads": 0}, {}, "n_threads"),
        ({"verbose": -1}, {}, "verbose"),
        ({"weights": [1, 1]}, {"validation": "ab"}, "^validation is for the weights, but weights is given"),
        ({}, {"X": ""}, "empty"),
        ({}, {"validation": ("to be", ["a"])}, "^validation has labels, but y is missing"),
        ({}, {"X": NAMES, "y": list("ababab"), "validation": ["ab"]}, "^validation has no labels, but y is given"),
        ({}, {"X": NAMES, "y": list("ab")}, "y must be 6 labels"),
        ({}, {"validation": "xyz"}, "^validation contains 'x'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            unfitted().set_params(**parameters).fit(**{"X": TEXT, **arguments})
        kept = vars(mixture).copy()
        mixture.set_params(**parameters)
        with pytest.raises(InvalidInputError, match=message):
            mixture.fit(**{"X": TEXT, **arguments})
        vars(mixture).update(kept)
        assert (mixture.models_, mixture.weights_) == before
    with pytest.raises(NotFittedError, match="this Mixture is not fitted yet"):
        unfitted().score("to be")


def test_partial_fit_goes_on_with_all_models():
    options = {"vocabulary": sorted(set(TEXT))}
    mixture = Mixture([CharRNN(5, random_state=0, **options), CharNGram(3, **options)])
    expected = [CharRNN(5, random_state=0, **options).fit(TEXT[:400]), CharNGram(3, **options).fit(TEXT[:400])]
    assert mixture.partial_fit(TEXT[:400]) is mixture  # the first call is fit
    first = mixture.models_
    mixture.partial_fit(TEXT[400:])
    assert [model.score(TEXT) for model in first] == [model.score(TEXT) for model in expected]  # not changed
    for model in expected:
        model.partial_fit(TEXT[400:])
    assert [model.score(TEXT) for model in mixture.models_] == [model.score(TEXT) for model in expected]
    assert mixture.weights_.tolist() == [0.5, 0.5]
    found = mixture.partial_fit(TEXT[:90], validation=TEXT[:200]).weights_
    assert found.tolist() == Mixture.from_fitted(mixture.models_).fit_weights(TEXT[:200]).weights_.tolist()
    before = mixture.models_, mixture.weights_
    with pytest.raises(InvalidInputError, match="contains 'Z'"):
        mixture.partial_fit("toZ")
    assert (mixture.models_, mixture.weights_) == before


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), DivergenceError(8, float("inf"))])
def test_an_interrupted_fit_keeps_what_there_is(monkeypatch, ending):
    fit = CharRNN.fit

    def ended(model, X):
        fit(model.set_params(max_steps=7), X)
        raise ending

    monkeypatch.setattr(CharRNN, "fit", ended)
    mixture = unfitted()
    with pytest.raises(type(ending)):
        mixture.fit(TEXT)
    assert mixture.models_[0].n_steps_ == 7
    assert mixture.score(TEXT) < 0
    two = Mixture([*mixture.models, CharRNN(3)])
    with pytest.raises(type(ending)):
        two.fit(TEXT)
    assert not two.__sklearn_is_fitted__()  # the last network has learned nothing


def test_labels_and_weights_of_documents_reach_all_models(long_enough):
    texts = ["to be or", "not to be", "to bee", "or not"] * 40
    y, times = ["a", "b"] * 80, np.arange(160) % 3
    mixture = unfitted().fit(texts, y, sample_weight=times)
    split = split_held_out(texts, y=y, sample_weight=times)
    assert split.held_out is not None
    network, counts = mixture.models_
    expected = CharNGram(3).fit(split.X, y=split.y, sample_weight=split.sample_weight)
    assert counts.n_grams_ == expected.n_grams_
    assert counts.score(texts[:4], y="a") == expected.score(texts[:4], y="a")
    alone = CharRNN(5, max_steps=9, random_state=0).fit(split.X, y=split.y, sample_weight=split.sample_weight)
    assert network.score(texts[:4], y="a") == alone.score(texts[:4], y="a")
    fitted = Mixture.from_fitted([network, counts]).fit_weights(texts[50:51] + texts[150:151], ["a", "a"])
    assert mixture.weights_ == pytest.approx(fitted.weights_ / fitted.weights_.sum(), abs=1e-4)


def test_a_state_keeps_the_weights_of_its_time(models):
    mixture = Mixture.from_fitted(models)
    state = mixture.start("to b")
    before = state.next_proba()
    mixture.weights_[:] = [1, 0, 0]
    np.testing.assert_array_equal(state.next_proba(), before)


@pytest.mark.parametrize(("of_counts", "of_network"), [(3, 4.7), (17, 1)])
def test_network_trains_for_the_time_left(monkeypatch, of_counts, of_network):
    now, limits, counted, fit = [5.0], [], CharNGram._fit, CharRNN.fit

    def count(model, X, *, last, **options):
        assert last in (2_500_000, None)  # 250,000 symbols for each of 10 seconds
        now[0] += of_counts
        return counted(model, X, last=last, **options)

    def recommended(X, seconds, overrides, **options):
        now[0] += 2  # to measure the machine
        return CharRNN(max_steps=2, max_seconds=seconds)

    def fit_network(network, X):
        limits.append(network.max_seconds)
        return fit(network, X)

    monkeypatch.setattr(shared_time, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(CharNGram, "_fit", count)
    monkeypatch.setattr(CharRNN, "_recommended", recommended)
    monkeypatch.setattr(CharRNN, "fit", fit_network)
    mixture = train(TEXT, 10, verbose=0)
    assert limits == [pytest.approx(of_network)]
    assert mixture.models_[0].n_steps_ == 2
    assert (mixture.max_seconds, mixture.models_[0].max_seconds) == (10, mixture.models[0].max_seconds)
    assert train(TEXT, 10, verbose=0, max_seconds=None).max_seconds is None
    train(TEXT, 10, verbose=0, validation="to be")
    assert limits[-1] == pytest.approx(max(7.7 - 3 * of_counts, 1))  # the order's choice takes twice the counting


@pytest.mark.parametrize("X", ["zz" + TEXT, ["zz", *NAMES * 30]])
def test_counts_read_only_the_end_of_a_long_text(monkeypatch, X):
    monkeypatch.setattr(shared_time, "COUNTED_PER_SECOND", 1000)
    mixture = Mixture.recommended(X, 0.2, verbose=0, random_state=0, hidden_size=4).fit(X)
    end = X[-200:] if isinstance(X, str) else X[-49:]  # the fewest names with 200 symbols and ends of names
    expected = CharNGram(24 if isinstance(X, str) else None, vocabulary=sorted(set("".join(X)))).fit(end)
    assert mixture.models_[1].n_grams_ == expected.n_grams_
    assert mixture.models_[1].n_grams_ != CharNGram(expected.order).fit(X).n_grams_


FAILURES = [
    ("crnn.ngram.counts.ngrams.count_and_score", KeyboardInterrupt),
    ("crnn.ngram.counts_network.CountsNetwork.feed", MemoryError),
    ("crnn.text_states.text_state.seen_after", KeyboardInterrupt),
]


@pytest.mark.parametrize(
    ("place", "error", "mixed_models"), [(*FAILURES[0], False), (*FAILURES[1], True), (*FAILURES[2], True)]
)
def test_a_state_that_learns_is_as_it_was_after_a_failed_call(models, place, error, mixed_models, monkeypatch):
    counts = CharNGram(order=3).fit(TEXT[:300])
    model = Mixture.from_fitted([counts, models[1]]) if mixed_models else counts
    state, expected = (model.start(adapt=True).feed(TEXT[300:320]).feed(TEXT[320:330]) for _ in range(2))
    before = state.log_prob, state.next_proba().tobytes()
    module, _, name = place.rpartition(".")
    calls, original = [], pkgutil.resolve_name(place)

    def fails(*arguments, **options):  # after it has done its work
        result = original(*arguments, **options)
        calls.append(result)
        raise error

    monkeypatch.setattr(pkgutil.resolve_name(module), name, fails)
    with pytest.raises(error):
        state.feed(TEXT[330:400])
    monkeypatch.undo()
    assert calls
    assert (state.log_prob, state.next_proba().tobytes()) == before
    assert state.copy().sample(9, random_state=0) == expected.copy().sample(9, random_state=0)
    state.feed(TEXT[500:550])
    expected.feed(TEXT[500:550])
    assert (state.log_prob, state.next_proba().tobytes()) == (expected.log_prob, expected.next_proba().tobytes())


@pytest.mark.parametrize("seconds", [1e-9, 1e308])
def test_a_budget_may_be_any_positive_number(seconds):
    mixture = Mixture.recommended(TEXT, seconds, verbose=0, hidden_size=3, max_steps=2)
    assert 0.1 * seconds <= mixture.models[0].max_seconds <= seconds
    _, counts = mixture.fit(TEXT).models_
    assert counts.n_grams_[0] >= 1


LONG = "the cat sat on the mat, and the dog on the log; " * 40


@pytest.fixture
def long_enough(monkeypatch):
    monkeypatch.setattr(held_out_module, "MIN_LENGTH", 1000)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_passages_of_a_long_text_are_held_out_for_the_weights(long_enough, as_bytes):
    text = LONG.encode() if as_bytes else LONG
    rest, _, _, (source, _) = split_held_out(text)
    held_out = b"".join(source.blocks()) if as_bytes else "".join(source.blocks())
    length = len(LONG) // 100 // 8
    assert len(held_out) == 8 * length
    assert len(rest) == len(text) - len(held_out)
    assert sorted(rest + held_out) == sorted(text)
    assert held_out[:length] == text[len(text) // 16 :][:length]


def test_a_long_file_is_read_for_the_weights(long_enough, tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(LONG, encoding="utf-8")
    assert split_held_out(path).X == split_held_out(LONG).X


def test_every_hundredth_document_is_held_out_for_the_weights(long_enough):
    texts = [f"{i} green bottles" for i in range(310)]
    weights = np.arange(310)
    rest, labels, of_rest, (source, held_out_labels) = split_held_out(
        texts, y=[*map(str, range(5))] * 62, sample_weight=weights
    )
    assert [text for text in texts if text not in rest] == [texts[50], texts[150], texts[250]]
    assert rest == [texts[i] for i in of_rest]
    assert labels.tolist() == [str(i % 5) for i in of_rest]
    assert source.n_documents == 3
    assert held_out_labels == ["0"] * 3


@pytest.mark.parametrize("place", [0.5, 1 / 16])
def test_models_know_the_symbols_of_a_text_with_a_rare_symbol(long_enough, place):
    start = round(len(LONG) * place) + 1
    split = split_held_out(LONG[:start] + "Z" + LONG[start:])
    assert "Z" in split.X
    assert split.held_out is not None


@pytest.mark.parametrize(("n", "most", "n_held_out"), [
    (199_999, 10**9, 0), (200_000, 200_000, 2000), (200_000, 199_999, 0), (1_640_000, 10**9, 16_384),
])  # fmt: skip
def test_texts_of_some_lengths_have_a_held_out_part(monkeypatch, n, most, n_held_out):
    monkeypatch.setattr(held_out_module, "IN_MEMORY", most)
    assert len(split_held_out("to be, or" * (n // 9) + "." * (n % 9)).X) == n - n_held_out


def test_a_document_with_a_rare_symbol_is_not_held_out(long_enough):
    texts = ["abcdefghij"] * 150
    texts[50] = "Z"
    assert split_held_out(texts) == (texts, None, None, None)
    labels = ["a"] * 150
    labels[50] = "b"
    assert split_held_out(["abcdefghij"] * 150, y=labels).held_out is None


def test_a_short_text_has_equal_weights():
    assert split_held_out(LONG) == (LONG, None, None, None)
    assert train(LONG, 0.1, verbose=0, hidden_size=4).weights_.tolist() == [0.5, 0.5]


def test_a_validation_text_leaves_the_whole_text_to_the_models(long_enough):
    split = split_held_out(LONG, LONG[:100])
    assert split.X is LONG
    assert split.held_out.source.name == "validation"


@pytest.mark.parametrize(("X", "options", "order"), [
    (TEXT, {}, 24),
    (NAMES * 9, {}, CharNGram().fit(NAMES * 9).order_),
    (["to be or not to be, "] * 9, {}, 24),
    (["to be or not to be,"] * 9, {}, 24),
    (["to be or not to be"] * 9, {}, CharNGram().fit(["to be or not to be"] * 9).order_),
    (TEXT, {"max_memory": 9_000}, 6),
    (TEXT, {"order": 3}, 3),
])  # fmt: skip
def test_counts_of_a_text_with_no_held_out_part_have_the_longest_order(X, options, order):
    counts = train(X, 0.2, verbose=0, hidden_size=4, max_steps=2, **options).models_[1]
    assert counts.order_ == order
    assert counts.n_grams_ == CharNGram(order).fit(X).n_grams_


@pytest.mark.parametrize("X", [LONG * 9, LONG.split("; ")[:-1] * 9, NAMES * 99], ids=["text", "lines", "names"])
@pytest.mark.parametrize("of_part", [True, False])
def test_the_order_and_its_weights_are_the_best_in_the_mixture(long_enough, X, of_part):
    validation = None if of_part else X[::-1][:60]
    limits = {"max_seconds": None, "max_steps": 20}
    mixture = train(X, 0.2, verbose=0, hidden_size=4, random_state=0, validation=validation, **limits)
    network, counts = mixture.models_
    rest, _, _, held_out = split_held_out(X, validation)
    documents = weights_fit.encode_held_out(held_out, mixture.vocabulary_)
    ((_, ids, given),), losses = documents.parts, {}
    for order in (24, 10, 8, 7, 6, 5, 4, 3, 2):
        members = [network, CharNGram(order).fit(rest)]
        fitted = weights_fit.fit_to_held_out(members, documents, sum_to_one=of_part)
        other = Mixture.from_fitted(members, fitted.members.weights)
        scored, _ = other._network("score", use=Use.ONE_TEXT)
        losses[order] = -log_likelihood(scored, ids, given) / (len(ids) - given)
        if losses[order] > min(losses.values()) + 0.0005:
            break
        expected = other
    assert counts.order is None
    assert counts.n_grams_ == expected.models_[1].n_grams_
    assert mixture.weights_ == pytest.approx(expected.weights_)
    assert (mixture.weights_.sum(axis=-1) == pytest.approx(1)) == of_part
    assert mixture.vocabulary_ == CharNGram(1).fit(X).vocabulary_


def test_no_shorter_order_is_tried_when_the_time_is_over(long_enough, monkeypatch):
    now = [0.0]
    fit = mixture_weights.HeldOutText.fit

    def slow_fit(*arguments, **options):
        now[0] += 2
        return fit(*arguments, **options)

    monkeypatch.setattr(shared_time, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(mixture_weights.HeldOutText, "fit", slow_fit)
    text = NAMES * 99
    orders = []
    for seconds in (3, 5, 9, None):
        mixture = Mixture([CharRNN(4, max_steps=3, random_state=0), CharNGram()], max_seconds=seconds)
        now[0] = 0.0
        mixture.fit(text)
        orders.append(mixture.models_[1].order_)
        assert seconds is None or now[0] <= seconds
    assert orders[:3] == [24, 10, 7]
    assert orders[3] < 7


def test_weights_of_many_symbols_are_fitted_to_the_likeliest():
    rng = np.random.default_rng(0)
    ids = np.minimum(rng.zipf(1.3, 30_000), 3000)
    ids[1::2] = ids[::2] // 2 + 1  # something to learn from a context of one
    text = "".join(chr(0x4E00 + i) for i in ids)
    models = [CharNGram(order, vocabulary=text).fit(text[:25_000]) for order in (1, 2, 3)]
    fitted = Mixture.from_fitted(models).fit_weights(text[25_000:25_600]).weights_[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture_weights, "MAX_SYMBOLS_OF_ROW", 1 << 20)
        exact = Mixture.from_fitted(models).fit_weights(text[25_000:25_600]).weights_[-1]
    scores = [Mixture.from_fitted(models, weights).score(text[25_000:25_600]) for weights in (fitted, exact)]
    assert scores[0] != scores[1]
    assert scores[0] == pytest.approx(scores[1], abs=0.002)
    assert scores[1] > max(model.score(text[25_000:25_600]) for model in models)


def test_fitted_weights_have_the_same_bits_for_every_number_of_blas_threads():
    rng = np.random.default_rng(0)
    text = "".join(chr(0x4E00 + i) for i in np.minimum(rng.zipf(1.3, 20_000), 3000))
    models = [CharNGram(order, vocabulary=text).fit(text[:10_000]) for order in (1, 3)]
    fitted = []
    for n_threads in (1, 2, 1):
        with threadpool_limits(n_threads):
            fitted.append(Mixture.from_fitted(models).fit_weights(text[10_000:]).weights_.tolist())
    assert fitted[0] == fitted[1] == fitted[2]


def test_fitted_weights_below_a_sum_of_1_are_raised_to_it():
    models = [CharNGram(order=n).fit("abab" * 20 + "ba") for n in (1, 3)]
    raw = Mixture.from_fitted(models).fit_weights("abbaabab" * 3).weights_

    def raised(models, text):
        held_out = weights_fit.held_out_documents(text, None, models[0].vocabulary_)
        return weights_fit.fit_to_held_out(models, held_out, sum_to_one=True).members.weights

    assert 0 < raw.sum() < 0.9
    assert raised(models, "abbaabab" * 3) == pytest.approx(raw / raw.sum())
    assert raised(models, "abbaabab" * 3).tolist() != [0.5, 0.5]
    of_none = [CharNGram(order=n).fit("ab" * 100) for n in (2, 3)]  # both worse than a uniform guess
    scores = [model.score("aabbbbaaaabb") for model in of_none]
    found = Mixture.from_fitted(of_none, raised(of_none, "aabbbbaaaabb"))
    assert found.score("aabbbbaaaabb") >= max(scores) - 1e-9  # never worse than the best alone


# ------------------------------------------------------------- checkpoints


def stopping(step):
    """Return a callback that interrupts training after a step."""

    def interrupt(model, record):
        if record["step"] >= step:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("options", [{}, {"validation": LONG[:700]}], ids=["held-out part", "validation"])
def test_a_resumed_fit_ends_as_if_it_had_not_been_interrupted(long_enough, tmp_path, options):
    path = tmp_path / "run.crnn"
    parameters = {"hidden_size": 5, "max_steps": 60, "eval_every": 10, "random_state": 0, "dropout": 0.2}
    expected = Mixture([CharRNN(**parameters), CharNGram()]).fit(LONG, **options)
    stopped = Mixture([CharRNN(**parameters, callbacks=[stopping(20)]), CharNGram()])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(LONG, checkpoint=path, checkpoint_every=7, **options)
    so_far = Mixture.load(path)
    assert so_far.models_[0].n_steps_ >= 20
    assert so_far.weights_.tolist() == [0.5, 0.5]
    mixture = Mixture.resume(path, LONG, **options)
    assert [saved(model, training_state=False) for model in mixture.models_[:1]] == [
        saved(model, training_state=False) for model in expected.models_[:1]
    ]
    assert mixture.models_[1].n_grams_ == expected.models_[1].n_grams_
    np.testing.assert_array_equal(mixture.weights_, expected.weights_)
    again = Mixture.resume(path, LONG, **options)
    np.testing.assert_array_equal(again.weights_, expected.weights_)
    assert Mixture.load(path).score(LONG) == mixture.score(LONG)


def test_a_resumed_partial_fit_keeps_the_weights(tmp_path):
    path = tmp_path / "run.crnn"
    first = Mixture([CharRNN(5, random_state=0), CharNGram(3)], [0.3, 0.6]).fit(TEXT)
    expected = pickle.loads(pickle.dumps(first)).partial_fit(TEXT[:300], epochs=3)
    first.models_[0].set_params(callbacks=[stopping(expected.models_[0].n_steps_ - 9)], eval_every=1)
    with pytest.raises(KeyboardInterrupt):
        first.partial_fit(TEXT[:300], epochs=3, checkpoint=path)
    assert first.models_[0].n_steps_ < expected.models_[0].n_steps_
    mixture = Mixture.resume(path, TEXT[:300])
    assert mixture.score(TEXT) == expected.score(TEXT)
    assert mixture.weights_.tolist() == [0.3, 0.6]


def test_resume_refuses_what_was_not_interrupted(tmp_path):
    mixture = unfitted().fit(TEXT)
    path = tmp_path / "model.crnn"
    mixture.save(path)
    with pytest.raises(InvalidInputError, match="contains a mixture, but no unfinished training run"):
        Mixture.resume(path, TEXT)
    mixture.fit(TEXT, checkpoint=path)
    with pytest.raises(InvalidInputError, match="validation is given, but the interrupted run has none"):
        Mixture.resume(path, TEXT, validation=TEXT)
    for models in ([CharNGram(3)], [CharRNN(3), CharRNN(3)]):
        with pytest.raises(InvalidInputError, match="checkpoint needs a mixture of one CharRNN"):
            Mixture(models).fit(TEXT, checkpoint=path)
    stopped = Mixture([CharRNN(5, max_steps=9, eval_every=1, callbacks=[stopping(3)]), CharNGram(3)])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(TEXT, checkpoint=path)
    with pytest.raises(InvalidInputError, match=r"^X is not the text of the interrupted run"):
        Mixture.resume(path, TEXT + "to be")
