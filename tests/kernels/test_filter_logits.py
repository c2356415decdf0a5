"""What the controls of sampling make of logits: the compiled filter against the reference implementation."""

import itertools
import math

import numpy as np
import pytest
from examples import in_turns, instruction_set, sets
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crnn._kernels.entry import core
from crnn.reference import sampling as reference_sampling
from crnn.sampling.controls import OFF

INF = math.inf
DTYPES = ["float32", "float64"]


def compiled(kernels, y, dtype, seen=None, *, bias=0.0, **numbers):
    """The probabilities, not divided by their sum, that the kernels make of rows of logits."""
    y = np.array(y, dtype)
    kernels.filter_logits(
        y,
        kernels.Controls(
            OFF | numbers,
            order=np.empty(y.shape[1], np.int32),
            bias=None if np.isscalar(bias) else np.asarray(bias, dtype),
            seen=None if seen is None else seen.astype(np.uint8),
        ),
    )
    return y


def same_filter(kernels, dtype, y, seen, controls):
    """Compare with the reference; a symbol at the limit of top-p or min-p, to the last bits, may be kept or not."""
    p = compiled(kernels, y[None], dtype, None if seen is None else seen[None], **controls)[0].astype(np.float64)
    expected = reference_sampling.filtered(y, seen, **controls)
    eps = 1e-4 if dtype == "float32" else 1e-11
    loose, tight = dict(controls), dict(controls)
    loose["top_p"], tight["top_p"] = (min(1.0, controls["top_p"] * (1 + s * eps)) for s in (1, -1))
    loose["min_p"], tight["min_p"] = (min(1.0, controls["min_p"] * (1 - s * eps)) for s in (1, -1))
    most, least = (reference_sampling.filtered(y, seen, **c) > 0 for c in (loose, tight))
    if (most == least).all():
        np.testing.assert_allclose(p / p.sum(), expected, rtol=10 * eps, atol=1e-30)
    assert ((p > 0) <= most).all()
    assert ((p > 1e-30) >= (least & (expected > 1e-30))).all()


rows = st.lists(st.integers(-12, 12), min_size=1, max_size=70)
shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sets("float32"))
@given(row=rows, data=st.data())
@settings(max_examples=30, deadline=None)
def test_filter_matches_reference(name, dtype, row, data):
    y = np.array(row) / 4  # a grid: there are equals, and what is not equal differs by more than rounding does
    V = len(y)
    bias = data.draw(st.none() | st.lists(st.sampled_from([-INF, 0, 0, 1.5]), min_size=V, max_size=V))
    if bias is None or (np.array(bias) == -INF).all():
        bias = 0.0
    controls = {
        "bias": bias if np.isscalar(bias) else np.array(bias),
        "repetition_penalty": data.draw(st.sampled_from([1.0, 0.5, 2.0])),
        "temperature": data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        "top_k": data.draw(st.integers(0, V + 2)),
        "top_p": data.draw(shares),
        "min_p": data.draw(shares),
    }
    seen = data.draw(st.none() | st.lists(st.booleans(), min_size=V, max_size=V))
    with instruction_set(name):
        same_filter(core, dtype, y, None if seen is None else np.array(seen), controls)


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**32), V=st.integers(1, 3000), top_k=st.integers(0, 3000), top_p=shares, min_p=shares)
@example(seed=601, V=116, top_k=0, top_p=1 - 2**-53, min_p=0.5)  # where no sum of the reference reached top_p
@settings(max_examples=30, deadline=None)
def test_filter_of_normal_logits_matches_reference(dtype, seed, V, top_k, top_p, min_p):
    y = 3 * np.random.default_rng(seed).standard_normal(V).astype(dtype).astype(np.float64)
    controls = {"temperature": 0.8, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    if dtype == "float32":
        p = np.sort(reference_sampling.filtered(y))[::-1]
        k = min(max(top_k, 1), V) - 1
        if k + 1 < V and p[k] - p[k + 1] < 1e-5 * p[k]:
            controls["top_k"] = 0  # which of two is left is not for float32 to say
    same_filter(core, dtype, y, None, controls)


@in_turns("penalty, temperature", itertools.product([1e-300, 1e300], [1e-300, 1e-40, 1.0, 1e300]))
def test_extreme_numbers_leave_something(kernels, dtype, penalty, temperature):
    y, seen = np.array([[-3.0, 0.0, 3.0, 5.0]]), np.array([[1, 1, 1, 0]])
    bias = np.array([0.0, 1e30, -1e30, -INF])
    p = compiled(kernels, y, dtype, seen, bias=bias, repetition_penalty=penalty, temperature=temperature, top_p=0.9)
    assert np.isfinite(p).all()
    assert p.sum() > 0
    assert p[0, 3] == 0
    p = compiled(kernels, [[-3.0, -2.0, -1.0]], dtype, np.ones((1, 3)), repetition_penalty=penalty)
    assert np.isfinite(p).all()
    assert p.max() == 1


def test_the_largest_logit_may_be_at_any_place(kernels, dtype):
    y = np.full((67, 67), -1e4)
    np.fill_diagonal(y, 1e4)
    np.testing.assert_array_equal(compiled(kernels, y, dtype), np.eye(67))


def test_denormal_probabilities_are_zero_and_other_numbers_stay(kernels, dtype):
    tiny = np.finfo(dtype).tiny / 4
    assert compiled(kernels, [[0.0, np.log(tiny)]], dtype).tolist() == [[1, 0]]
    assert (np.full(3, tiny) * np.dtype(dtype).type(2) > tiny).all()


@pytest.mark.parametrize(
    ("y", "limits", "kept"),
    [
        ([0.0] * 4, {"top_p": 0.5}, [1, 1, 0, 0]),  # each has exactly a quarter
        ([0.0] * 4, {"min_p": 1.0}, [1, 1, 1, 1]),  # each has just the share
        ([0.0, -40.0], {}, [1, 1]),  # the second hardly adds to the sum
    ],
)
def test_symbols_at_a_limit(kernels, dtype, y, limits, kept):
    np.testing.assert_array_equal(compiled(kernels, [y], dtype, **limits)[0] > 0, kept)
    np.testing.assert_array_equal(reference_sampling.filtered(np.array(y), **limits) > 0, kept)


def test_refuses_invalid_controls():
    y, order = np.zeros((2, 5)), np.zeros(5, np.int32)
    for bias, seen, scratch in [
        (np.zeros(4), None, order), (None, np.zeros((2, 4), np.uint8), order),
        (None, np.zeros((1, 5), np.uint8), order), (None, None, order[:4]),
    ]:  # fmt: skip
        controls = core.Controls(OFF, bias=bias, seen=seen, order=scratch)
        with pytest.raises(ValueError, match=r"size|shape"):
            core.filter_logits(y, controls)
    with pytest.raises(ValueError, match="need an `order`"):
        core.filter_logits(y, core.Controls(OFF))
    with pytest.raises(ValueError, match="min_p"):
        core.Controls({name: number for name, number in OFF.items() if name != "min_p"})
