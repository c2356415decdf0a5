"""Layout: places, shapes and views in the flat vector; the first weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.parameters import ALIGNMENT, TORCH_NAMES, Layout, aligned_zeros, initialise

sizes = st.integers(1, 67)
dtypes = st.sampled_from([np.dtype("float32"), np.dtype("float64")])


@given(sizes, sizes, dtypes)
def test_parts_are_aligned_in_order_and_disjoint(V, H, dtype):
    layout = Layout(V, H, dtype)
    flat = layout.zeros()
    assert flat.shape == (layout.size,)
    assert flat.dtype == dtype
    for i, part in enumerate(layout.tensors(flat), start=1):
        assert part.ctypes.data % ALIGNMENT == 0
        assert part.flags.c_contiguous
        assert not part.any()  # nothing of it was written through a part before it
        part[...] = i
    expected = [V * H, H * H, H, H * V, V]
    assert [np.count_nonzero(flat == i) for i in range(1, 6)] == expected
    assert (np.diff(flat[flat > 0]) >= 0).all()
    # No more than one cache line is lost after each part.
    assert (layout.size - sum(expected)) * dtype.itemsize < 5 * ALIGNMENT


def test_tensors_have_the_kernels_shapes():
    layout = Layout(5, 3, np.dtype("float32"))
    part = layout.tensors(layout.zeros())
    assert [a.shape for a in part] == [(5, 3), (3, 3), (3,), (3, 5), (5,)]
    assert part._fields == ("Wx", "Wh", "bh", "Wy", "by")


def test_names_are_writable_transposed_views():
    layout = Layout(5, 3, np.dtype("float64"))
    flat = layout.zeros()
    named, part = layout.named(flat), layout.tensors(flat)
    assert {name: a.shape for name, a in named.items()} == {
        "Wxh_l0": (3, 5),
        "Whh_l0": (3, 3),
        "bh_l0": (3,),
        "Why": (5, 3),
        "by": (5,),
    }
    named["Wxh_l0"][2, 4] = 1
    named["Whh_l0"][2, 0] = 2
    named["bh_l0"][1] = 3
    named["Why"][4, 1] = 4
    named["by"][3] = 5
    assert (part.Wx[4, 2], part.Wh[0, 2], part.bh[1], part.Wy[1, 4], part.by[3]) == (1, 2, 3, 4, 5)
    assert np.count_nonzero(flat) == 5


def test_torch_names_are_the_same_views():
    layout = Layout(5, 3, np.dtype("float32"))
    flat = layout.zeros()
    named = layout.named(flat)
    for torch_name, view in layout.torch_named(flat).items():
        mine = named[TORCH_NAMES[torch_name]]
        assert np.shares_memory(view, mine)
        assert view.shape == mine.shape
        assert view.strides == mine.strides
    assert len(layout.torch_named(flat)) == len(named)


@given(st.lists(st.integers(0, 7), max_size=3).map(tuple), dtypes)
def test_aligned_zeros(shape, dtype):
    a = aligned_zeros(shape, dtype)
    assert a.shape == shape
    assert a.dtype == dtype
    assert a.flags.c_contiguous
    assert a.flags.writeable
    assert not a.any()
    if a.size:
        assert a.ctypes.data % ALIGNMENT == 0


def test_first_weights_are_normal_and_biases_zero():
    layout = Layout(67, 101, np.dtype("float64"))
    part = layout.tensors(initialise(layout, np.random.default_rng(0), 0.01))
    for W in (part.Wx, part.Wh, part.Wy):
        n = W.size
        assert abs(W.mean()) < 5 * 0.01 / np.sqrt(n)
        assert W.std() == pytest.approx(0.01, rel=5 / np.sqrt(2 * n))
        assert np.mean(np.abs(W) < 0.01) == pytest.approx(0.6827, abs=5 * 0.47 / np.sqrt(n))
    assert not part.bh.any()
    assert not part.by.any()
    assert len(np.unique(np.concatenate([W.ravel() for W in (part.Wx, part.Wh, part.Wy)]))) == 2 * 67 * 101 + 101**2


def test_a_seed_means_the_same_weights_in_both_dtypes():
    flats = {}
    for name in ("float32", "float64"):
        layout = Layout(7, 5, np.dtype(name))
        flats[name] = layout.named(initialise(layout, np.random.default_rng(3), 0.01))
    for name, single in flats["float32"].items():
        np.testing.assert_array_equal(single, flats["float64"][name].astype(np.float32))


def test_scale_zero_means_zeros():
    layout = Layout(7, 5, np.dtype("float32"))
    assert not initialise(layout, np.random.default_rng(0), 0.0).any()
