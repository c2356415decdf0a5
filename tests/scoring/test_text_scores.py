import numpy as np
import pytest
from examples import packed, random_language_model, reference_state
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.inference.network import Use
from crnn.reference import network as reference
from crnn.scoring.limits import ScoringLimits
from crnn.scoring.text_scores import mean_log_likelihood, surprisal_of_words

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"


def random_text(n, seed=0, symbols=SYMBOLS):
    return "".join(np.random.default_rng(seed).choice(list(symbols), n))


def score_in_parts(model, text, *, n_threads=None, **limits):
    """Return `model.score(text, exact=False)` with other limits."""
    network = packed(model, use=Use.MANY_STREAMS)
    options = {"exact": False, "n_threads": n_threads, "limits": ScoringLimits(**limits)}
    return mean_log_likelihood(network, model.vocabulary_, text, **options)


def reference_score(model, text):
    parameters, state = reference_state(model)
    ids = model.vocabulary_.encode(text)[:, None]
    return reference.log_probabilities(parameters, model.cell, ids, state)[0].mean()


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


# --- exact


KINDS = [{"cell": "rnn", "num_layers": 2}, {"cell": "gru"}, {"cell": "lstm", "num_layers": 2}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["cell"])
@pytest.mark.parametrize("n", [1, 64, 515])
def test_score_matches_reference(dtype, kind, n):
    model, text = random_language_model(SYMBOLS, dtype=dtype, **kind), random_text(n)
    expected = pytest.approx(reference_score(model, text), rel=1e-13 if dtype == "float64" else 1e-6)
    assert model.score(text) == expected
    assert score_in_parts(model, text, call_symbols=257) == expected  # of one part


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["cell"])
def test_threads_do_not_change_score(dtype, kind):
    model, text = random_language_model(SYMBOLS, dtype=dtype, **kind), random_text(5003)
    exact = model.score(text)
    # Parts so short that there are several groups of them, and of the last one not a whole one.
    scores = {score_in_parts(model, text, n_threads=n, min_part_symbols=37) for n in (1, 2, 3, 7)}
    assert len(scores) == 1
    assert scores.pop() == pytest.approx(exact, abs=1e-3)
    assert {model.set_params(n_threads=n).score(text) for n in (1, 2)} == {exact}


def test_scores_of_certain_and_nearly_impossible_texts():
    model = CharRNN(3, max_steps=0, init_scale=0).fit("ab")
    with model.editing():
        model.params_["by"][:] = [200, -200]
    assert model.score("aaaa") == 0
    assert model.score("b") == pytest.approx(-400)


# --- in parts


def test_short_text_is_one_part(model):
    for n in (1, 100, 2 * ScoringLimits.min_part_symbols - 1):
        text = random_text(n)
        assert model.score(text, exact=False) == model.score(text)


@given(n=st.integers(1, 3000), part=st.sampled_from([2, 3, 17, 130, 700]), most=st.sampled_from([1, 2, 5, 67, 512]))
@settings(max_examples=30, deadline=None)
def test_every_symbol_counts_once(n, part, most):
    # Without a recurrence, and with logits of their own for every symbol, parts need no warm-up to be exact.
    model = random_language_model(SYMBOLS)
    with model.editing():
        model.params_["Why"][:] = 0
    text = random_text(n, seed=n)
    counts = np.bincount(model.vocabulary_.encode(text), minlength=len(SYMBOLS))
    by = model.params_["by"]
    expected = counts @ (by - np.log(np.exp(by).sum())) / n
    limits = {"min_part_symbols": part, "max_parts": most, "warm_up": part // 2}
    assert score_in_parts(model, text, **limits) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("text", "words", "parts"), [
    (" to  be\n", ["to", "be"], [slice(0, 5), slice(5, 8)]),
    ("or", ["or"], [slice(0, 2)]), (" \n", [], []), ("", [], []),
])  # fmt: skip
@pytest.mark.parametrize("as_bytes", [False, True])
def test_white_space_counts_with_the_word_before_it(text, words, parts, as_bytes):
    nats = np.arange(1.0, len(text) + 1)
    text, words = (text.encode(), [word.encode() for word in words]) if as_bytes else (text, words)
    found = surprisal_of_words(text, nats, "bits")
    assert found.words == words
    np.testing.assert_allclose(found.surprisal, [nats[part].sum() / np.log(2) for part in parts])
