"""Layout: places, shapes and views in the flat vector; the initial weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.model import layout as layout_module
from crnn.model.layout import ALIGNMENT, Layout, SymbolPairs, aligned_zeros, copied, initial_weights
from crnn.model.state import zero_hidden
from crnn.parameters.kinds import CELLS

sizes = st.integers(1, 37)
depths = st.integers(1, 4)
widths = st.one_of(st.none(), st.integers(1, 37))
cells = st.sampled_from(sorted(CELLS))
dtypes = st.sampled_from([np.dtype("float32"), np.dtype("float64")])

GATES = {"rnn": 1, "gru": 3, "lstm": 4, "cifg": 3}


def expected_shapes(V, H, cell, L, E):
    """Shapes in the order of the flat vector, from the definition of the network."""
    G, shapes = GATES[cell], [] if E is None else [(V, E)]
    for layer in range(L):
        shapes += [(H if layer else V if E is None else E, G * H), (H, G * H), (G * H,)]
        if cell == "gru":
            shapes.append((H,))
    return [*shapes, (H, V), (V,)]


@given(sizes, sizes, dtypes, cells, depths, widths)
def test_parts_are_aligned_in_order_and_disjoint(V, H, dtype, cell, L, E):
    layout = Layout(V, H, dtype, cell, L, E)
    flat = layout.zeros()
    assert flat.shape == (layout.size,)
    assert flat.dtype == dtype
    parts = list(layout.tensors(flat))
    for i, part in enumerate(parts, start=1):
        assert part.ctypes.data % ALIGNMENT == 0
        assert part.flags.c_contiguous
        assert not part.any()  # nothing of it was written through a part before it
        part[...] = i
    expected = [int(np.prod(shape)) for shape in expected_shapes(V, H, cell, L, E)]
    assert [np.count_nonzero(flat == i) for i in range(1, len(parts) + 1)] == expected
    assert (np.diff(flat[flat > 0]) >= 0).all()
    # No more than one cache line is lost after each part.
    assert (layout.size - sum(expected)) * dtype.itemsize < len(parts) * ALIGNMENT


@given(sizes, sizes, cells, depths, widths)
def test_tensors_have_the_kernels_shapes(V, H, cell, L, E):
    layout = Layout(V, H, np.dtype("float32"), cell, L, E)
    part = layout.tensors(layout.zeros())
    assert [a.shape for a in part] == expected_shapes(V, H, cell, L, E) == list(layout.shapes)
    assert len(part.layers) == L
    for k, layer in enumerate(part.layers):
        assert layer._fields == ("Wx", "Wh", "bh", "bn")
        assert layer.Wx.shape == (H if k else V if E is None else E, GATES[cell] * H)
        assert layer.Wh.shape == (H, GATES[cell] * H)
        assert layer.bh.shape == (GATES[cell] * H,)
        assert layer.bn is None if cell != "gru" else layer.bn.shape == (H,)
    assert (part.Wy.shape, part.by.shape) == ((H, V), (V,))
    assert part.lookup is (part.layers[0].Wx if E is None else part.embedding)
    assert part.lookup.shape[0] == V


def test_one_tanh_layer_lies_as_it_always_did():
    # Wx | Wh | bh | Wy | by, each from a multiple of 16 floats on: files and kernels rely on nothing else.
    layout = Layout(5, 3, np.dtype("float32"))
    assert (layout.cell, layout.num_layers) == ("rnn", 1)
    assert layout.shapes == ((5, 3), (3, 3), (3,), (3, 5), (5,))
    assert layout.offsets == (0, 16, 32, 48, 64)
    assert layout.size == 80


def test_names_are_writable_transposed_views():
    layout = Layout(5, 3, np.dtype("float64"), "gru", 2)
    flat = layout.zeros()
    named, part = layout.named(flat), layout.tensors(flat)
    assert {name: a.shape for name, a in named.items()} == {
        "Wxh_l0": (9, 5), "Whh_l0": (9, 3), "bh_l0": (9,), "bhn_l0": (3,),
        "Wxh_l1": (9, 3), "Whh_l1": (9, 3), "bh_l1": (9,), "bhn_l1": (3,), "Why": (5, 3), "by": (5,),
    }  # fmt: skip
    first, second = part.layers
    named["Wxh_l0"][8, 4] = 1
    named["Whh_l0"][7, 0] = 2
    named["bh_l0"][6] = 3
    named["bhn_l0"][2] = 4
    named["Wxh_l1"][5, 1] = 5
    named["Whh_l1"][4, 2] = 6
    named["bh_l1"][3] = 7
    named["bhn_l1"][0] = 8
    named["Why"][4, 1] = 9
    named["by"][3] = 10
    assert (first.Wx[4, 8], first.Wh[0, 7], first.bh[6], first.bn[2]) == (1, 2, 3, 4)
    assert (second.Wx[1, 5], second.Wh[2, 4], second.bh[3], second.bn[0]) == (5, 6, 7, 8)
    assert (part.Wy[1, 4], part.by[3]) == (9, 10)
    assert np.count_nonzero(flat) == 10


@given(cells, st.integers(1, 12), widths)
def test_torch_names_are_views_of_the_weights(cell, L, E):
    layout = Layout(5, 3, np.dtype("float32"), cell, L, E)
    flat = layout.zeros()
    mine, theirs = layout.named(flat), layout.torch_named(flat)
    assert len(mine) == len(theirs)
    words = {"weight_ih": "Wxh", "weight_hh": "Whh", "bias_ih": "bh", "bias_hn": "bhn"}
    for name, view in theirs.items():
        if name.startswith("rnn."):
            kind, layer = name.removeprefix("rnn.").rsplit("_", 1)
            other = mine[f"{words[kind]}_{layer}"]
        else:
            names = {"embedding.weight": "embedding", "decoder.weight": "Why", "decoder.bias": "by"}
            other = mine[names[name]]
        assert np.shares_memory(view, other)
        assert (view.ctypes.data, view.shape, view.strides) == (other.ctypes.data, other.shape, other.strides)


@given(st.lists(st.integers(0, 7), max_size=3).map(tuple), dtypes)
def test_aligned_zeros_are_zero_and_aligned(shape, dtype):
    a = aligned_zeros(shape, dtype)
    assert a.shape == shape
    assert a.dtype == dtype
    assert a.flags.c_contiguous
    assert a.flags.writeable
    assert not a.any()
    if a.size:
        assert a.ctypes.data % ALIGNMENT == 0


# ---------------------------------------------------------------- initial weights


@pytest.mark.parametrize("scale", [0.01, None])
def test_first_weights_are_normal_and_biases_zero(scale):
    layout = Layout(67, 101, np.dtype("float64"))
    part = layout.tensors(initial_weights(layout, np.random.default_rng(0), scale))
    (first,) = part.layers
    for W in (first.Wx, first.Wh, part.Wy):
        n = W.size
        assert abs(W.mean()) < 5 * 0.01 / np.sqrt(n)
        assert W.std() == pytest.approx(0.01, rel=5 / np.sqrt(2 * n))
        assert np.mean(np.abs(W) < 0.01) == pytest.approx(0.6827, abs=5 * 0.47 / np.sqrt(n))
    assert not first.bh.any()
    assert not part.by.any()
    drawn = np.concatenate([W.ravel() for W in (first.Wx, first.Wh, part.Wy)])
    assert len(np.unique(drawn)) == 2 * 67 * 101 + 101**2


@pytest.mark.parametrize(("cell", "L"), [("rnn", 2), ("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 3)])
def test_first_weights_of_gated_and_deep_networks_are_uniform(cell, L):
    H = 53
    layout = Layout(67, H, np.dtype("float64"), cell, L)
    part = layout.tensors(initial_weights(layout, np.random.default_rng(0), None))
    bound, matrices = 1 / np.sqrt(H), [a for a in part if a.ndim == 2]
    assert len(matrices) == 2 * L + 1
    for W in matrices:
        assert np.abs(W).max() <= bound
        assert np.abs(W).max() > 0.99 * bound
        assert abs(W.mean()) < 5 * bound / np.sqrt(3 * W.size)
        assert np.mean(np.abs(W) < bound / 2) == pytest.approx(0.5, abs=2.5 / np.sqrt(W.size))
    for k, layer in enumerate(part.layers):
        drawn = layer.bh if cell != "lstm" else np.delete(layer.bh, np.s_[H : 2 * H])
        assert len(np.unique(drawn)) == len(drawn), k
        assert 0.8 * bound < np.abs(drawn).max() <= bound
        if layer.bn is not None:
            assert 0.8 * bound < np.abs(layer.bn).max() <= bound
    assert 0.8 * bound < np.abs(part.by).max() <= bound
    everything = np.concatenate([W.ravel() for W in matrices])
    assert len(np.unique(everything)) == len(everything)


@pytest.mark.parametrize("scale", [None, 0.0, 0.1])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_an_embedding_starts_from_the_standard_normal_distribution(cell, scale):
    layout = Layout(67, 5, np.dtype("float64"), cell, embedding_size=53)
    part = layout.tensors(initial_weights(layout, np.random.default_rng(0), scale))
    n = part.embedding.size
    assert abs(part.embedding.mean()) < 5 / np.sqrt(n)
    assert part.embedding.std() == pytest.approx(1, rel=5 / np.sqrt(2 * n))
    assert np.abs(part.layers[0].Wx).max() <= 5 * (scale if scale is not None else 1 / np.sqrt(5))


@pytest.mark.parametrize("scale", [None, 0.0, 0.1])
@pytest.mark.parametrize(("cell", "gate"), [("lstm", 1), ("cifg", 0)])
def test_lstm_starts_with_open_forget_gates(cell, gate, scale):
    H = 5
    layout = Layout(7, H, np.dtype("float32"), cell, 2)
    forget = np.s_[gate * H : (gate + 1) * H]
    for layer in layout.tensors(initial_weights(layout, np.random.default_rng(0), scale)).layers:
        assert (layer.bh[forget] == 1).all()
        assert (np.abs(np.delete(layer.bh, forget)) < 1).all()


@given(cells, st.integers(1, 2), st.sampled_from([None, 0.01]))
def test_both_dtypes_start_from_the_same_weights(cell, L, scale):
    flats = {}
    for name in ("float32", "float64"):
        layout = Layout(7, 5, np.dtype(name), cell, L)
        flats[name] = layout.named(initial_weights(layout, np.random.default_rng(3), scale))
    for name, single in flats["float32"].items():
        np.testing.assert_array_equal(single, flats["float64"][name].astype(np.float32))


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("L", [1, 2])
def test_init_scale_zero_gives_zeros(cell, L):
    layout = Layout(7, 5, np.dtype("float32"), cell, L)
    assert not initial_weights(layout, np.random.default_rng(0), 0.0).any()


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("piece", [1, 7, 50])
def test_weights_are_drawn_in_pieces_that_change_none(monkeypatch, scale, piece):
    layout = Layout(11, 5, np.dtype("float64"), cell="gru", num_layers=2)
    whole = initial_weights(layout, np.random.default_rng(7), scale)
    sizes, uniform = [], np.random.Generator.uniform

    class Generator(np.random.Generator):
        def uniform(self, low, high, shape):
            sizes.append(int(np.prod(shape)))
            return uniform(self, low, high, shape)

    monkeypatch.setattr(layout_module, "PIECE", piece)
    rng = Generator(np.random.PCG64(7))
    np.testing.assert_array_equal(initial_weights(layout, rng, scale), whole)
    assert scale is not None or max(sizes) <= max(piece, 3 * 5)  # at least a row


@pytest.mark.parametrize("shape", [(0,), (1,), (23,), (5, 7)])
def test_arrays_are_copied_in_pieces(monkeypatch, shape):
    monkeypatch.setattr(layout_module, "PIECE", 10)
    array = np.random.default_rng(0).normal(size=shape).astype("float32")
    again = copied(array)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    assert not np.shares_memory(again, array)
    assert [len(piece) for piece in layout_module._pieces(np.zeros(23))] == [10, 10, 3]


@pytest.mark.parametrize(("cell", "names"), [("gru", ("h",)), ("lstm", ("h", "c"))])
def test_a_model_with_pairs_carries_the_last_symbol_too(cell, names):
    plain = Layout(7, 5, np.dtype("float32"), cell, 2)
    paired = replace(plain, pairs=SymbolPairs(np.array([[0, 1], [1, 2]]), 11))
    assert (plain.n_bigrams, paired.n_bigrams) == (None, 11)
    assert (tuple(plain.states), tuple(paired.states)) == (names, (*names, "symbol"))
    shapes = dict.fromkeys(names, (2, 3, 5))
    assert plain.state_shapes(3) == shapes
    assert paired.state_shapes(3) == shapes | {"symbol": (1, 3, 1)}
    for layout in (plain, paired):
        zeros = zero_hidden(layout, 3)
        assert [array.shape for array in zeros] == list(layout.state_shapes(3).values())
        assert [array.dtype == np.float32 for array in zeros] == [name != "symbol" for name in layout.states]
        assert not any(array.any() for array in zeros)


def test_the_last_symbol_is_renumbered():
    """A symbol's number is 1 more than its id; 0, like all invalid numbers, stands for none."""
    plain = Layout(3, 5, np.dtype("float32"))
    h = np.ones((1, 6, 5), np.float32)
    symbol = np.array([0, 1, 2, 3, 4, -1], np.int32).reshape(1, 6, 1)
    assert plain.renumbered_states((h,), np.array([4, 2, 0])) == (h,)
    paired = replace(plain, pairs=SymbolPairs(np.array([[0, 1]])))
    same, moved = paired.renumbered_states((h, symbol), np.array([4, -1, 0]))
    assert same is h
    assert moved.ravel().tolist() == [0, 5, 0, 1, 0, 0]
    assert (moved.shape, moved.dtype) == (symbol.shape, symbol.dtype)


@pytest.mark.parametrize("scale", [None, 0.3])
def test_a_table_of_pairs_starts_from_zeros(scale):
    plain = Layout(7, 5, np.dtype("float64"), "lstm", 2)
    paired = replace(plain, pairs=SymbolPairs(np.array([[0, 1], [1, 2]])))
    params = [layout.named(initial_weights(layout, np.random.default_rng(0), scale)) for layout in (plain, paired)]
    assert not params[1].pop("bigrams").any()
    assert params[0].keys() == params[1].keys()
    for name, array in params[0].items():
        np.testing.assert_array_equal(array, params[1][name])


def test_an_embedding_is_drawn_from_a_normal_distribution_after_all_others():
    layout, rng = Layout(7, 5, np.dtype("float64"), "lstm", 2, embedding_size=3), np.random.default_rng(0)
    tensors = layout.tensors(initial_weights(layout, np.random.default_rng(0), None))
    rng.uniform(size=sum(array.size for array in tensors if array is not tensors.embedding))
    np.testing.assert_array_equal(tensors.embedding, rng.standard_normal(tensors.embedding.shape))
