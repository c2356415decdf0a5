"""Mixtures in the compiled code: rows of logits added before a draw, and log-probabilities of mixed logits."""

import itertools

import numpy as np
import pytest

from crnn._kernels.entry import core
from crnn.inference.mixed_network import MixedNetwork
from crnn.inference.network import Context, Use, log_softmax
from crnn.inference.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.reference.mixing import move_weights
from crnn.sampling.controls import CheckedControls, Uniforms, root
from crnn.sampling.symbol_draws import NetworkDraws, PythonDraws, RowDraws, symbol_draws
from crnn.sampling.text_sampler import TextSampler
from crnn.text.vocabulary import Vocabulary

V, H, ORDER = 11, 5, 4
SYMBOLS = "abcdefghijk"
LETTERS = np.array([1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1], np.uint8)
WITH_BEGINNING = np.append(LETTERS, np.uint8(0))
WEIGHTS = np.array([[0.7, 0.4], [0.1, 0.9], [1.2, 0.0], [0.5, 0.6]])


def of_order(order):
    counts = Counts(order, symbols=V)
    counts.add(np.random.default_rng(3).integers(V, size=997).astype(np.int32) ** 2 % V)
    return counts


@pytest.fixture(scope="module")
def counts():
    return CountsNetwork(of_order(ORDER))


def network(dtype, seed=0, cell="lstm"):
    layout = Layout(V, H, np.dtype(dtype), cell)
    params = np.random.default_rng(seed).normal(size=layout.size).astype(dtype)
    return PackedNetwork.pack(layout, params, use=Use.ONE_STREAM)


# Each way to mix with each control, for one text and several in turns.
MIXED = itertools.product(
    ["network, counts", "counts, network", "counts"],
    [{}, {"temperature": 0}, {"temperature": 0.7, "top_k": 5}, {"repetition_penalty": 1.3}, {"stop": ["ca"]}],
    [(WEIGHTS[0], ORDER), (WEIGHTS, ORDER), (WEIGHTS, 2)],
)


@pytest.mark.parametrize(
    ("members", "controls", "weights", "order", "texts"),
    [(members, controls, *kind, texts) for (members, controls, kind), texts in zip(MIXED, itertools.cycle([1, 7]))],
)
def test_the_compiled_loop_draws_what_python_draws(counts, members, controls, weights, order, texts):
    parts = {"network": network("float64"), "counts": counts if order == ORDER else CountsNetwork(of_order(order))}
    chosen = [parts[name] for name in members.split(", ")]
    mixed = chosen[0] if len(chosen) == 1 else MixedNetwork(chosen, weights, WITH_BEGINNING)
    checked = CheckedControls.check(Vocabulary.from_text(SYMBOLS), controls)

    def drawn(draws):
        prime = np.array([[3], [1], [4], [1], [5]], np.int32)
        state = mixed.zero_state(1)
        mixed.feed(prime, state)
        seen = np.zeros(V, np.bool_)
        seen[prime] = True
        return draws(mixed, Context(state, seen), Uniforms(root(5), range(texts)), checked)

    compiled = drawn(symbol_draws)
    assert type(compiled) is (RowDraws if len(chosen) == 1 else NetworkDraws)
    found, expected = (TextSampler(draws, 67, checked.stops).run() for draws in (compiled, drawn(PythonDraws)))
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(found.ids, expected.ids)


def test_two_networks_and_counts_are_drawn_in_python(counts):
    mixed = MixedNetwork([network("float32"), network("float32", 1), counts], np.ones(3), WITH_BEGINNING)
    context = Context(mixed.zero_state(1), np.zeros(V, np.bool_))
    controls = CheckedControls.check(Vocabulary.from_text(SYMBOLS), {})
    draws = symbol_draws(mixed, context, Uniforms(root(2), range(2)), controls)
    assert type(draws) is PythonDraws
    assert len(TextSampler(draws, 3, controls.stops).run().ids) == 6


ONES, ONE_CLASS = np.ones((1, 1)), np.zeros(1, np.int32)


def test_log_probabilities_of_mixed_logits():
    rng = np.random.default_rng(0)
    y, z = rng.normal(size=(13, V + 5)).astype(np.float32), 9 * rng.normal(size=(13, V))
    y[:, V:] = -np.inf  # padding
    weights, x, out = np.array([[0.6, 1.1], [0.2, 0.5]]), rng.integers(V, size=13).astype(np.int32), np.empty(13)
    classes = rng.integers(2, size=13).astype(np.int32)
    core.mixture_log_probabilities((y, z), weights, classes, x, np.empty(V), out)
    own, other = weights[classes].T[..., None]
    expected = log_softmax(own * y[:, :V].astype(np.float64) + other * z)[np.arange(13), x]
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-15)


def test_mixed_logits_far_apart_do_not_overflow():
    y, x, out = np.linspace(-1e4, 1e4, V)[None], np.array([0], np.int32), np.empty(1)
    core.mixture_log_probabilities((y,), ONES, ONE_CLASS, x, np.empty(V), out)
    np.testing.assert_allclose(out, -2e4)


def test_a_member_without_weight_may_forbid_symbols():
    y, z, out = np.full((1, V), -np.inf), np.zeros((1, V)), np.empty(1)
    core.mixture_log_probabilities((y, z), np.array([[0.0, 1.0]]), ONE_CLASS, ONE_CLASS + 2, np.empty(V), out)
    np.testing.assert_allclose(out, -np.log(V))


@pytest.mark.parametrize(
    ("logits", "weights", "classes", "x", "what"),
    [
        ((), [], [0], [0], "1 to 64 members, not 0"),
        ((np.zeros((1, V)),), [1.0, 1.0], [0], [0], "weights: size is 2"),
        ((np.zeros((2, V)),), [1.0], [0], [0], "rows of logits"),
        ((np.zeros((1, V - 1)),), [1.0], [0], [0], "logits must have at least"),
        ((np.zeros((1, V)),), [1.0], [0, 0], [0], "classes: size is 2"),
        ((np.zeros((1, V)),), [1.0], [1], [0], "classes must be from 0 to 0"),
        ((np.zeros((1, V)),), [1.0], [-1], [0], "classes must be from 0 to 0"),
        ((np.zeros((1, V)),), [1.0], [0], [V], "ids must be from"),
        ((np.zeros((1, V)),), [1.0], [0], [-1], "ids must be from"),
        ((np.zeros((1, V)),), [1.0], [0], [1], "output: size is 2, but must be 1"),
    ],
)
def test_refuses_invalid_arrays(logits, weights, classes, x, what):
    arrays = np.array([weights], np.float64), np.array(classes, np.int32), np.array(x, np.int32)
    with pytest.raises(ValueError, match=what):
        core.mixture_log_probabilities(logits, *arrays, np.empty(V), np.empty(2 if "output" in what else 1))


def moved(logits, weights, classes, x, rate, limit=32.0):
    after, used, out = weights.copy(), np.empty((len(x), len(logits))), np.empty(len(x))
    core.moving_mixture_log_probabilities(logits, after, classes, x, rate, limit, np.empty(V), used, out)
    return out, used, after


@pytest.mark.parametrize(("rate", "limit"), [(0.05, 32.0), (0.05, 0.3), (0.7, 32.0)])
def test_moving_weights_are_those_of_the_reference(rate, limit):
    rng = np.random.default_rng(1)
    y, z = rng.normal(size=(29, V + 5)).astype(np.float32), 2 * rng.normal(size=(29, V))
    y[:, V:] = -np.inf  # padding
    z[7] = -np.inf  # forbidden, but for the target
    x, classes = rng.integers(V, size=29).astype(np.int32), rng.integers(3, size=29).astype(np.int32)
    z[7, x[7]] = 0.5
    weights = np.array([[0.6, 1.1], [0.2, 0.5], [0.0, 0.3]])
    found = moved((y, z), weights, classes, x, rate, limit)
    expected = move_weights([y[:, :V].astype(np.float64), z], weights, classes, x, rate, limit)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    assert (found[2] >= 0).all()
    assert (found[2] != weights).any(axis=1).all()


def test_weights_move_against_the_derivative_of_the_loss():
    rng = np.random.default_rng(2)
    logits, x, weights = (rng.normal(size=(1, V)), rng.normal(size=(1, V))), np.array([4], np.int32), np.ones((1, 2))
    step = (moved(logits, weights, ONE_CLASS, x, 1e-3)[2] - weights)[0]
    for k in range(2):
        d = 1e-6 * np.eye(2)[k]
        up, down = (moved(logits, weights + sign * d, ONE_CLASS, x, 0.0)[0][0] for sign in (1, -1))
        assert step[k] == pytest.approx(1e-3 * (up - down) / 2e-6, rel=1e-6)


def test_weights_at_rate_0_predict_as_fixed_ones():
    rng = np.random.default_rng(4)
    logits, x = (rng.normal(size=(13, V)), rng.normal(size=(13, V))), rng.integers(V, size=13).astype(np.int32)
    weights, classes, out = np.array([[0.6, 1.1], [0.2, 0.5]]), rng.integers(2, size=13).astype(np.int32), np.empty(13)
    found, used, after = moved(logits, weights, classes, x, 0.0)
    core.mixture_log_probabilities(logits, weights, classes, x, np.empty(V), out)
    np.testing.assert_array_equal(found, out)
    np.testing.assert_array_equal(used, weights[classes])
    np.testing.assert_array_equal(after, weights)


def test_a_member_that_forbids_symbols_keeps_its_weight():
    logits = (np.full((1, V), -np.inf), np.arange(V, dtype=np.float64)[None])
    after = moved(logits, np.array([[0.0, 1.0]]), ONE_CLASS, ONE_CLASS + 2, 0.1)[2]
    assert after[0, 0] == 0
    assert 0 < after[0, 1] < 1


@pytest.mark.parametrize(("used", "what"), [((2, 1), "used weights: size is 2"), ((1, 2), "columns of used weights")])
def test_refuses_invalid_weights_used(used, what):
    arrays = np.ones((1, 1)), ONE_CLASS, ONE_CLASS, 0.1, 32.0, np.empty(V), np.empty(used), np.empty(1)
    with pytest.raises(ValueError, match=what):
        core.moving_mixture_log_probabilities((np.zeros((1, V)),), *arrays)


def test_refuses_invalid_mixtures(counts):
    source, before = counts.row_source(counts.zero_state(1))
    for weights in (np.array([[-1.0, 1.0]]), np.array([[np.nan, 1.0]]), np.ones((1, 3)), np.ones((0, 2))):
        with pytest.raises(ValueError, match="weights must be pairs"):
            core.MixedRows(weights, LETTERS, source, before)
    with pytest.raises(ValueError, match="letters: size is 10"):
        core.MixedRows(WEIGHTS, LETTERS[1:], source, before)
    for rows, size in ((4, 2), (5, 3)):
        with pytest.raises(ValueError, match=f"symbols before: size is {size}"):
            core.MixedRows(np.ones((rows, 2)), LETTERS, source, before[:size].copy())
    with pytest.raises(ValueError, match="PyCapsule"):
        core.MixedRows(WEIGHTS, LETTERS, object(), before)
