"""Layout: places, shapes and views in the flat vector; the initial weights; pairs of symbols; coupled gates."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.model import layout as layout_module
from crnn.model.layout import (
    ALIGNMENT,
    Layout,
    SymbolPairs,
    copy_in_pieces,
    initial_weights,
    is_coupled,
    with_input_gate,
    without_input_gate,
)
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
def test_parts_have_the_kernels_shapes_are_aligned_in_order_and_disjoint(V, H, dtype, cell, L, E):
    layout = Layout(V, H, dtype, cell, L, E)
    flat, shapes = layout.zeros(), expected_shapes(V, H, cell, L, E)
    assert (flat.shape, flat.dtype, flat.flags.writeable) == ((layout.size,), dtype, True)
    parts = layout.tensors(flat)
    assert [a.shape for a in parts] == shapes == list(layout.shapes)
    for i, part in enumerate(parts, start=1):
        assert part.ctypes.data % ALIGNMENT == 0
        assert part.flags.c_contiguous
        assert not part.any()  # nothing of it was written through a part before it
        part[...] = i
    expected = [int(np.prod(shape)) for shape in shapes]
    assert [np.count_nonzero(flat == i) for i in range(1, len(shapes) + 1)] == expected
    assert (np.diff(flat[flat > 0]) >= 0).all()
    # No more than one cache line is lost after each part.
    assert (layout.size - sum(expected)) * dtype.itemsize < len(shapes) * ALIGNMENT
    assert len(parts.layers) == L
    assert all(layer._fields == ("Wx", "Wh", "bh", "bn") for layer in parts.layers)
    assert parts.lookup is (parts.layers[0].Wx if E is None else parts.embedding)


def test_names_are_writable_transposed_views():
    layout = Layout(5, 3, np.dtype("float64"), "gru", 2)
    flat = layout.zeros()
    named, part = layout.named(flat), layout.tensors(flat)
    assert {name: a.shape for name, a in named.items()} == {
        "Wxh_l0": (9, 5), "Whh_l0": (9, 3), "bh_l0": (9,), "bhn_l0": (3,),
        "Wxh_l1": (9, 3), "Whh_l1": (9, 3), "bh_l1": (9,), "bhn_l1": (3,), "Why": (5, 3), "by": (5,),
    }  # fmt: skip
    arrays = [*part.layers[0], *part.layers[1], part.Wy, part.by]
    for i, (view, array) in enumerate(zip(named.values(), arrays, strict=True), start=1):
        view[...] = i
        assert (array == i).all()
        assert view.strides == array.strides[::-1]
    assert np.count_nonzero(flat) == sum(a.size for a in arrays)


# ---------------------------------------------------------------- initial weights


@pytest.mark.parametrize(("dtype", "cell", "L", "E", "scale"), [
    ("float64", "rnn", 1, None, None), ("float32", "rnn", 2, None, None), ("float32", "gru", 1, 3, None),
    ("float64", "lstm", 2, None, None), ("float64", "cifg", 2, 3, None), ("float32", "lstm", 1, 3, 0.3),
    ("float64", "rnn", 2, 3, 0.0),
])  # fmt: skip
def test_first_weights_are_drawn_in_turn(monkeypatch, dtype, cell, L, E, scale):
    """One "rnn" layer's from N(0, 0.01²); others and their biases from U(-1/√H, 1/√H); forget gates start open."""
    H, gate, rng = 5, {"lstm": 1, "cifg": 0}.get(cell), np.random.default_rng(3)
    layout = Layout(7, H, np.dtype(dtype), cell, L, E, SymbolPairs(np.array([[0, 1], [1, 2]])))
    monkeypatch.setattr(layout_module, "PIECE_ELEMENTS", 11)  # which changes nothing
    part = layout.tensors(initial_weights(layout, np.random.default_rng(3), scale))
    if scale is None and (cell, L) == ("rnn", 1):
        scale = 0.01
    for array in (a for a in part if a is not part.embedding and a is not part.pair_table):
        expected = np.zeros(array.shape)
        if scale is None:
            expected = rng.uniform(-1 / np.sqrt(H), 1 / np.sqrt(H), array.shape)
        elif array.ndim == 2:
            expected = scale * rng.standard_normal(array.shape)
        if gate is not None and any(array is layer.bh for layer in part.layers):
            expected[gate * H : (gate + 1) * H] = 1
        np.testing.assert_array_equal(array, expected.astype(dtype))
    assert not part.pair_table.any()
    if E is not None:
        np.testing.assert_array_equal(part.embedding, rng.standard_normal((7, E)).astype(dtype))


def test_arrays_are_copied_in_pieces(monkeypatch):
    monkeypatch.setattr(layout_module, "PIECE_ELEMENTS", 10)
    for shape in ((0,), (23,), (5, 7)):
        array = np.random.default_rng(0).normal(size=shape).astype("float32")
        again = copy_in_pieces(array)
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


@given(ids=st.lists(st.integers(0, 6), max_size=60), n=st.integers(1, 60), boundary=st.none() | st.integers(1, 6))
def test_pairs_match_a_counter(ids, n, boundary):
    counts = Counter(pair for pair in itertools.pairwise(ids) if boundary is None or pair[1] < boundary)
    wanted = sorted(counts, key=lambda pair: (-counts[pair], pair))[:n] or [(-1, -1)]
    found = SymbolPairs.most_frequent(np.array(ids, np.uint8), n, vocab_size=7, boundary=boundary)
    assert [tuple(pair) for pair in found.pairs.tolist()] == wanted
    assert found.limit == n


@pytest.mark.parametrize("scan", [7, 1 << 20])
def test_a_text_is_counted_in_parts_with_or_without_a_table(monkeypatch, scan):
    ids = np.random.default_rng(0).integers(0, 29, 1009).astype(np.uint16)
    wanted = SymbolPairs.most_frequent(ids, 101, vocab_size=29)
    monkeypatch.setattr(layout_module, "SCANNED_IDS", scan)
    assert SymbolPairs.most_frequent(ids, 101, vocab_size=29) == wanted
    monkeypatch.setattr(layout_module, "MAX_TABLE", 0)
    assert SymbolPairs.most_frequent(ids, 101, vocab_size=29) == wanted


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40, unique=True),
    empty=st.integers(0, 3),
    vocab_size=st.integers(1, 9),
)
def test_pairs_are_sorted(pairs, empty, vocab_size):
    table = np.array([(-1, -1)] * empty + pairs, np.int32).reshape(-1, 2)
    first, symbols, rows = SymbolPairs(table).sorted_by_symbol(vocab_size)
    assert len(first) == vocab_size + 1
    found = [
        [(before, symbol, table[row].tolist()) for symbol, row in zip(symbols[a:b], rows[a:b], strict=True)]
        for before, (a, b) in enumerate(itertools.pairwise(first))
    ]
    assert found == [
        [(before, symbol, [before, symbol]) for symbol in range(7) if (before, symbol) in pairs]
        for before in range(vocab_size)
    ]


PAIRS = [[0, 0], [0, 2], [-1, -1], [2, 0], [1, 3], [2, 1], [-1, -1]]


@pytest.mark.parametrize(("boundary", "allowed"), [(None, 4), (3, 3), (2, 2), (1, 1)])
def test_each_pair_has_its_row(boundary, allowed):
    before, symbols = (array.reshape(5, 4) for array in np.divmod(np.arange(20), 4))
    rows = SymbolPairs(np.array(PAIRS)).rows(before - 1, symbols, boundary)
    assert rows.shape == (5, 4)
    for row, b, symbol in zip(rows.flat, before.flat, symbols.flat, strict=True):
        pair = [int(b) - 1, int(symbol)]
        assert row == (PAIRS.index(pair) if pair in PAIRS and symbol < allowed else -1), pair


@pytest.mark.parametrize(
    ("places", "moved"),
    [
        ([0, 1, 2, 3], PAIRS), ([3, 0, 1, 2], [[3, 3], [3, 1], [-1, -1], [1, 3], [0, 2], [1, 0], [-1, -1]]),
        ([-1, 0, 1, 2], [*[[-1, -1]] * 4, [0, 2], [1, 0], [-1, -1]]),
        ([5, 7, 0, -1], [[5, 5], [5, 0], [-1, -1], [0, 5], [-1, -1], [0, 7], [-1, -1]]),
    ],
)  # fmt: skip
def test_symbols_are_renumbered(places, moved):
    found = SymbolPairs(np.array(PAIRS), 11).renumber(np.array(places))
    assert found == SymbolPairs(np.array(moved), 11)


def test_pairs_tell_layouts_apart_and_are_read_only():
    pairs = np.array([[0, 1], [1, 2]], np.int32)
    layouts = [
        Layout(5, 3, np.dtype("float32"), pairs=own)
        for own in (SymbolPairs(pairs), SymbolPairs(pairs), SymbolPairs(pairs[::-1]), SymbolPairs(pairs, 7), None)
    ]
    assert layouts[0] == layouts[1]
    assert hash(layouts[0]) == hash(layouts[1])
    assert all(layouts[0] != other for other in layouts[2:])
    pairs[:] = 7
    assert layouts[0].pairs.pairs.tolist() == [[0, 1], [1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        layouts[0].pairs.pairs[:] = 7


@pytest.mark.parametrize("shape", [(15,), (15, 7)])
def test_the_input_gate_is_the_negated_forget_gate(shape):
    H, rows = 5, np.random.default_rng(0).normal(size=shape)
    wide = with_input_gate(rows)
    assert wide.shape == (4 * H, *shape[1:])
    np.testing.assert_array_equal(wide[:H], -wide[H : 2 * H])
    np.testing.assert_array_equal(wide[H:], rows)
    np.testing.assert_array_equal(without_input_gate(wide), rows)
    assert is_coupled(wide)
    for place in (0, H - 1, H, 2 * H - 1):  # the first and the last row of both gates
        other = wide.copy()
        other[place] += 1.0
        assert not is_coupled(other)
    for place in (2 * H, 4 * H - 1):
        other = wide.copy()
        other[place] += 1.0
        assert is_coupled(other)
