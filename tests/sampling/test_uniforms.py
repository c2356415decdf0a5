"""Uniforms: NumPy's numbers to the bit, a stream for each sample."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from crnn._kernels.entry import core
from crnn.sampling.controls import Uniforms, root


@given(st.integers(0, 2**200), st.integers(0, 2**63), st.integers(1, 7), st.integers(0, 5))
def test_stream_does_not_depend_on_other_streams_or_cuts(seed, i, n, more):
    numbers = Uniforms(root(seed), range(i, i + 1)).draw(n + more)[:, 0]
    group = Uniforms(root(seed), range(max(i - 1, 0), i + 2))
    parts = np.concatenate([group.draw(n), group.draw(more)])
    np.testing.assert_array_equal(parts[:, min(i, 1)], numbers)
    assert ((numbers >= 0) & (numbers < 1)).all()


@given(st.integers(0, 2**200), st.integers(0, 2**70), st.integers(0, 11))
@example(0, 0, 3)
def test_streams_match_numpy(seed, i, n):
    bits = np.random.PCG64(seed).jumped(i + 2)
    uniforms = Uniforms(root(seed), range(i, i + 3))
    np.testing.assert_array_equal(uniforms.draw(n)[:, 2], np.random.Generator(bits).random(n))
    now = bits.state["state"]
    assert [int(half) for half in uniforms.states[2]] == [now["state"] >> 64, now["state"] % 2**64]
    assert [int(half) for half in uniforms.increment] == [now["inc"] >> 64, now["inc"] % 2**64]


def test_streams_of_one_seed_are_independent():
    numbers = Uniforms(root(0), range(5000)).draw(3)
    pairs = np.floor(7 * numbers[:, :-1]) * 7 + np.floor(7 * numbers[:, 1:])  # of neighboring streams
    for draw, pair in zip(numbers, pairs, strict=True):
        assert stats.kstest(draw, "uniform").pvalue > 1e-4
        assert stats.chisquare(np.bincount(pair.astype(int), minlength=49)).pvalue > 1e-4
    assert abs(np.corrcoef(numbers)[np.triu_indices(3, 1)]).max() < 0.06


def test_refuses_arrays_of_another_shape():
    states, pair, one = np.zeros((3, 2), np.uint64), np.zeros(2, np.uint64), np.zeros(1, np.uint64)
    for bad in [(states[:, :1].copy(), pair, pair), (states, one, pair), (states, pair, one)]:
        with pytest.raises(ValueError, match="size"):
            core.space_streams(*bad)
    for bad in [(states[:, :1].copy(), pair, np.zeros((5, 3))), (states, one, np.zeros((5, 3))),
                (states, pair, np.zeros((5, 2)))]:  # fmt: skip
        with pytest.raises(ValueError, match="size"):
            core.uniforms(*bad)
