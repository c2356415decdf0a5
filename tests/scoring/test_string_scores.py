"""Surprisal, rank, hidden states and next symbols of strings, against the reference implementation."""

import itertools
import math

import numpy as np
import pytest
from examples import in_turns, packed, random_language_model, reference_state
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.inference.network import Use
from crnn.parameters.kinds import CELLS
from crnn.reference import network as reference
from crnn.scoring.limits import ScoringLimits
from crnn.scoring.string_scores import RecentScores, next_probabilities
from crnn.scoring.text_scores import log_likelihood, log_probabilities, ranks

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"


def by_reference(model, text):
    """Return the logits before each symbol and after the last (n + 1, V), and the units (n, L, H)."""
    part, state = reference_state(model)
    ids = model.vocabulary_.encode(text).astype(int)
    layers, _ = reference.forward(part, model.cell, ids[:, None], state)
    y = layers[-1].h[:, 0] @ part.Wy + part.by
    return y, np.stack([layer.h[1:, 0] for layer in layers], axis=1)


def random_text(n, seed=0):
    return "".join(np.random.default_rng(seed).choice(list(SYMBOLS), n))


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


# Every cell with every length, with one layer and two in turns.
@in_turns("cell, n, num_layers", [
    (cell, n, 1 + i % 2) for i, (cell, n) in enumerate(itertools.product(CELLS, [1, 2, 511, 512, 1300]))
])  # fmt: skip
def test_scores_match_reference(kernels, dtype, cell, num_layers, n):
    model, text = random_language_model(SYMBOLS, cell=cell, num_layers=num_layers, dtype=dtype), random_text(n)
    y, units = by_reference(model, text)
    log_p = reference.log_softmax(y)
    ids = model.vocabulary_.encode(text).astype(int)
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    np.testing.assert_allclose(model.surprisal(text), -log_p[np.arange(n), ids], atol=tolerance)
    np.testing.assert_allclose(model.next_proba([text])[0], np.exp(log_p[-1]), atol=tolerance)
    np.testing.assert_allclose(model.hidden_states(text), units, atol=tolerance)
    right = model.rank(text) == (y[:-1] > y[np.arange(n), ids, None]).sum(axis=1) + 1
    assert right.all() if dtype == "float64" else right.mean() > 0.99  # float32 may reverse what is nearly alike


def test_types_and_shapes(dtype):
    model = random_language_model(SYMBOLS, dtype=dtype, num_layers=2)
    assert model.surprisal("abc").dtype == model.next_proba(["abc"]).dtype == np.float64
    assert model.surprisal("").shape == model.rank("").shape == (0,)
    assert model.rank("abc").dtype.kind == "i"
    assert model.hidden_states("").shape == (0, 2, 7)
    assert model.hidden_states("abc").dtype == dtype
    assert model.hidden_states("abc").shape == (3, 2, 7)
    assert model.hidden_states("abc").flags.writeable


def test_rank_of_equals_is_the_best_one():
    model = CharRNN(3, max_steps=0, init_scale=0).fit("abcd")
    assert model.rank("dcba").tolist() == [1, 1, 1, 1]
    with model.editing():
        model.params_["by"][:] = [1, 3, 2, 2]
    assert model.rank("abcd").tolist() == [4, 1, 2, 2]


@pytest.mark.parametrize("n", [6, 7, 14, 15])
def test_long_texts_are_read_in_pieces(model, n):
    text = random_text(n)
    ids, limits = model.vocabulary_.encode(text), ScoringLimits(call_symbols=7)
    network = packed(model, use=Use.ONE_TEXT)
    log_p = log_probabilities(network, ids, network.start(), limits)
    np.testing.assert_array_equal(-log_p, model.surprisal(text))
    np.testing.assert_array_equal(ranks(network, ids, network.start(), 7), model.rank(text))
    assert log_likelihood(network, ids, limits=limits) / n == pytest.approx(model.score(text), rel=1e-14)


# --- next_proba


def test_rows_sum_to_one_closely_enough_to_draw_from(dtype):
    model = random_language_model(SYMBOLS, dtype=dtype, scale=2.0)
    p = model.next_proba([random_text(n, n) for n in range(50)])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.random.default_rng(0).choice(list(SYMBOLS), p=p[0])


@given(
    prefixes=st.lists(st.text(SYMBOLS, max_size=30), max_size=30),
    rows=st.integers(1, 9),
    block=st.integers(1, 9),
    n_threads=st.integers(1, 3),
)
@settings(max_examples=25)
def test_predictions_do_not_depend_on_other_prefixes_or_threads(prefixes, rows, block, n_threads):
    model = random_language_model(SYMBOLS, cell="lstm", dtype="float32")
    alone = [model.next_proba([prefix])[0] for prefix in prefixes]
    network = packed(model, use=Use.MANY_STREAMS)
    limits = ScoringLimits(rows=rows, block_strings=block, min_rows=1)
    together = next_probabilities(network, model.vocabulary_, iter(prefixes), n_threads, limits=limits)
    assert together.shape == (len(prefixes), len(SYMBOLS))
    np.testing.assert_array_equal(together, np.reshape(alone, together.shape))


def test_long_prefixes_are_read_in_pieces(model):
    prefixes = [random_text(n, n) for n in (500, 480, 3)]
    expected = model.next_proba(prefixes)
    limits = ScoringLimits(block_symbols=64 * 21)
    network = packed(model, use=Use.MANY_STREAMS)
    found = next_probabilities(network, model.vocabulary_, prefixes, 1, limits=limits)
    np.testing.assert_array_equal(found, expected)


def test_huge_logits_do_not_overflow(dtype):
    model = random_language_model(SYMBOLS, dtype=dtype)
    with model.editing():
        model.params_["Why"][:] *= 1e30
    p = model.next_proba(["", "abc"])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    assert model.rank("abc").shape == (3,)


# --- recent scores


def scorer(asked):
    """Return a function that scores a text by its hash, and notes the texts it is asked for."""

    def score(texts):
        asked.append(list(texts))
        return np.array([hash(text) / 7 for text in texts])

    return score


@given(st.lists(st.lists(st.one_of(st.none(), st.text("ab", max_size=3)), max_size=9), max_size=9), st.integers(1, 5))
def test_recent_scores_keep_the_order_of_texts(blocks, limit):
    recent = RecentScores(ScoringLimits(recent_texts=limit))
    for block in blocks:
        expected = [math.nan if text is None else hash(text) / 7 for text in block]
        np.testing.assert_array_equal(recent.look_up(block, scorer([])), np.array(expected, np.float64))


def test_frequent_texts_stay_and_others_are_dropped():
    recent, asked = RecentScores(ScoringLimits(recent_texts=3)), []
    for i in range(20):
        recent.look_up(["often", str(i)], scorer(asked))
    recent.look_up(["0"], scorer(asked))
    assert sum(texts.count("often") for texts in asked) == 1
    assert asked[-1] == ["0"]


def test_long_texts_are_dropped_by_their_symbols():
    recent, asked = RecentScores(ScoringLimits(recent_symbols=10)), []
    for text in ("a" * 11, "b" * 11, "b" * 11, "c", "a" * 11):
        recent.look_up([text], scorer(asked))
    assert [texts[0][0] for texts in asked] == ["a", "b", "c", "a"]
