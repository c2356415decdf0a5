"""Layout: where each weight is in the flat vector, and forms of weights that depend on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..parameters.kinds import CELLS, Cell
from ..parameters.settings import Settings
from ..text.documents import SCANNED_IDS
from ..text.vocabulary import Ids

ALIGNMENT = 64  # bytes: one cache line, and the widest vector register
PIECE_ELEMENTS = 1 << 20  # elements of an array drawn or copied at once, in a few milliseconds

Shape = tuple[int, ...]


class LayerTensors(NamedTuple):
    """One layer's part of a flat vector, row-major, input x output; G gates of H columns each."""

    Wx: Array  # (V, G H) in the first layer: row v is what symbol v adds; (E, G H) above an embedding; else (H, G H)
    Wh: Array  # (H, G H)
    bh: Array  # (G H,)
    bn: Array | None  # (H,): a GRU's recurrent bias of the gate n


@dataclass(frozen=True)
class Tensors:
    """The parts of a flat vector as the kernels see them; iteration yields them in order."""

    layers: tuple[LayerTensors, ...]
    Wy: Array  # (H, V)
    by: Array  # (V,)
    embedding: Array | None = None  # (V, E): row v is the vector of symbol v
    pair_table: Array | None = None  # (R, G H): row r is what the two symbols `pairs[r]` add
    pairs: SymbolPairs | None = None

    def __iter__(self) -> Iterator[Array]:
        if self.pair_table is not None:
            yield self.pair_table
        if self.embedding is not None:
            yield self.embedding
        for layer in self.layers:
            yield from (part for part in layer if part is not None)
        yield self.Wy
        yield self.by

    @property
    def lookup(self) -> Array:
        """The matrix with a row for each symbol read: the embedding, or else the first layer's Wx."""
        return self.layers[0].Wx if self.embedding is None else self.embedding


@dataclass(frozen=True)
class Layout:
    """Shapes and positions of a network's tensors in one flat, aligned vector.

    The order is ``(table of pairs) | (embedding)``, then ``Wx | Wh | bh | (bn)`` for each layer, then ``Wy | by``; each
    part starts on a cache line. An update treats the tables for looking up symbols, which come first, separately, since
    rows that a chunk does not read have no gradient.
    """

    vocab_size: int  # V, the number of symbols
    hidden_size: int  # H, the number of hidden units of each layer
    dtype: np.dtype[Any]  # float32 or float64
    cell: str = "rnn"
    num_layers: int = 1  # L
    # E, the length of the symbols' vectors that the first layer reads. None: it reads the symbols directly.
    embedding_size: int | None = None
    # The R pairs of consecutive symbols that have input weights of their own. None: no pairs.
    pairs: SymbolPairs | None = field(default=None, repr=False)
    shapes: tuple[Shape, ...] = field(init=False, repr=False)
    offsets: tuple[int, ...] = field(init=False, repr=False)
    size: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        V, H, G, E = self.vocab_size, self.hidden_size, self.kind.gates, self.embedding_size
        shapes = list(input_tables(V, G * H, E, self.n_pairs).values())
        for layer in range(self.num_layers):
            shapes += [(input_size(layer, V, H, E), G * H), (H, G * H), (G * H,)]
            if self.kind.separate_bias:
                shapes.append((H,))
        shapes += [(H, V), (V,)]
        step = ALIGNMENT // self.dtype.itemsize
        offsets = []
        end = 0
        for shape in shapes:
            offsets.append(end)
            end += -(-math.prod(shape) // step) * step
        object.__setattr__(self, "shapes", tuple(shapes))
        object.__setattr__(self, "offsets", tuple(offsets))
        object.__setattr__(self, "size", end)

    @property
    def kind(self) -> Cell:
        """The properties of the cell."""
        return CELLS[self.cell]

    @property
    def n_pairs(self) -> int | None:
        """R, the number of rows of the table of pairs; None: no table."""
        return None if self.pairs is None else len(self.pairs)

    @property
    def n_bigrams(self) -> int | None:
        """The limit on the number of pairs, at least R; None: no pairs."""
        return None if self.pairs is None else self.pairs.limit

    @property
    def states(self) -> tuple[str, ...]:
        """The names of what is carried between time steps: h, an LSTM's c, and with pairs the previous symbol."""
        return self.kind.states if self.pairs is None else (*self.kind.states, "symbol")

    def state_shapes(self, streams: int) -> dict[str, Shape]:
        """Return the shapes of B streams' states: h, c, and with pairs the last symbol's id plus 1 (0 at a start)."""
        shapes: dict[str, Shape] = dict.fromkeys(self.kind.states, (self.num_layers, streams, self.hidden_size))
        return shapes if self.pairs is None else {**shapes, "symbol": (1, streams, 1)}

    def renumbered_states(self, states: tuple[Array, ...], places: NDArray[Any]) -> tuple[Array, ...]:
        """Return states for a vocabulary where symbol v has the id places[v]; -1 and invalid symbols become none."""
        if self.pairs is None:
            return states
        *others, symbol = states
        known = (symbol >= 1) & (symbol <= len(places))
        ids = np.where(known, symbol, 0).astype(np.intp) - 1
        return (*others, np.where(known, places[ids] + 1, 0).astype(symbol.dtype))

    def zeros(self) -> Array:
        """Return a new flat vector of zeros, (size,)."""
        return aligned_zeros(self.size, self.dtype)

    def tensors(self, flat: Array) -> Tensors:
        """Return the parts of `flat` as views, in the kernels' shapes."""
        parts = [
            flat[start : start + math.prod(shape)].reshape(shape)
            for start, shape in zip(self.offsets, self.shapes, strict=True)
        ]
        pair_table = None if self.pairs is None else parts.pop(0)
        embedding = None if self.embedding_size is None else parts.pop(0)
        per_layer = 4 if self.kind.separate_bias else 3
        layers = tuple(
            LayerTensors(*parts[i : i + per_layer], *(() if self.kind.separate_bias else (None,)))
            for i in range(0, per_layer * self.num_layers, per_layer)
        )
        Wy, by = parts[-2:]
        return Tensors(layers, Wy, by, embedding, pair_table, self.pairs)

    def named(self, flat: Array) -> dict[str, Array]:
        """Return the parts of `flat` as writable views under min-char-rnn's names, and in its shapes."""
        part = self.tensors(flat)
        tables = input_tables(self.vocab_size, self.kind.gates * self.hidden_size, self.embedding_size, self.n_pairs)
        named = dict(zip(tables, part, strict=False))
        for k, layer in enumerate(part.layers):
            named |= {f"Wxh_l{k}": layer.Wx.T, f"Whh_l{k}": layer.Wh.T, f"bh_l{k}": layer.bh}
            if layer.bn is not None:
                named[f"bhn_l{k}"] = layer.bn
        return named | {"Why": part.Wy.T, "by": part.by}

    def torch_named(self, flat: Array) -> dict[str, Array]:
        """Return the parts of `flat` as writable views under PyTorch's names, and in its shapes.

        PyTorch's two biases are stored as their sum, but a GRU's recurrent bias of the gate n as ``rnn.bias_hn_lk``.
        """
        return {torch_name(name): array for name, array in self.named(flat).items()}


def input_tables(vocab_size: int, columns: int, embedding_size: int | None, n_pairs: int | None) -> dict[str, Shape]:
    """Return the shape of each lookup table except Wx, in the order of the flat vector; `columns` are G H."""
    tables: dict[str, Shape] = {} if n_pairs is None else {"bigrams": (n_pairs, columns)}
    return tables if embedding_size is None else {**tables, "embedding": (vocab_size, embedding_size)}


def input_size(layer: int, vocab_size: int, hidden_size: int, embedding_size: int | None) -> int:
    """Return the number of rows of a layer's input weights: hidden units below it, or what stands for a symbol."""
    if layer > 0:
        return hidden_size
    return vocab_size if embedding_size is None else embedding_size


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return a readable description of the network's shape, given a model's parameters."""
    sizes = {"layers": "num_layers", "hidden units": "hidden_size"}
    sizes |= {"embedding": "embedding_size", "bigrams": "n_bigrams"}
    shown = [f"{name}: {parameters[key]}" for name, key in sizes.items() if parameters[key] is not None]
    return ", ".join([parameters["cell"], *shown, str(parameters["dtype"])])


SHAPING = ("hidden_size", "num_layers", "cell", "dtype", "embedding_size", "n_bigrams")
"""The parameters that determine a model's layout, by the names of the layout's attributes."""


def layout_of(settings: Settings, vocab_size: int, pairs: SymbolPairs | None = None) -> Layout:
    """Return the layout of a network with these settings and, if any, these pairs of symbols."""
    shaping = {name: getattr(settings, name) for name in SHAPING if name != "n_bigrams"}
    return Layout(vocab_size, **shaping, pairs=pairs)


def second_bias(first: Array, bn: Array | None) -> Array:
    """Return PyTorch's second bias of a layer: zeros except for a GRU's gate n."""
    second = np.zeros_like(first)
    if bn is not None:
        second[-len(bn) :] = bn
    return second


def torch_name(name: str) -> str:
    """Return PyTorch's name of a parameter."""
    if name in _OUTSIDE_LAYERS:
        return _OUTSIDE_LAYERS[name]
    kind, layer = name.split("_")
    return f"rnn.{_TORCH_KINDS[kind]}_{layer}"


_OUTSIDE_LAYERS = {
    "bigrams": "bigrams.weight",
    "embedding": "embedding.weight",
    "Why": "decoder.weight",
    "by": "decoder.bias",
}
_TORCH_KINDS = {"Wxh": "weight_ih", "Whh": "weight_hh", "bh": "bias_ih", "bhn": "bias_hn"}


def n_labels(layout: Layout, boundary: int | None) -> int:
    """Return the number of label symbols, which follow the boundary, the last symbol of texts."""
    return 0 if boundary is None else layout.vocab_size - 1 - boundary


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Return an array of zeros whose first element is aligned with a cache line."""
    dtype = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    aligned: Array = raw[start : start + count * dtype.itemsize].view(dtype)
    return aligned.reshape(shape)


def copy_in_pieces(array: Array) -> Array:
    """Return a copy, made in pieces so that Ctrl-C gets through: a large model takes tenths of a second."""
    out = np.empty_like(array)
    for piece, target in zip(_pieces(array), _pieces(out), strict=True):
        target[...] = piece
    return out


def _pieces(array: Array) -> Iterator[Array]:
    """Yield consecutive rows or elements of an array, as views of a few megabytes."""
    step = max(1, PIECE_ELEMENTS * len(array) // max(array.size, 1))
    for first in range(0, len(array), step):
        yield array[first : first + step]


# Coupled gates in PyTorch's form: an LSTM whose input gate has the forget gate's weights, negated.
#
# Since sigmoid(-z) = 1 - sigmoid(z), one more block of rows lets any LSTM program compute a coupled cell.


def with_input_gate(rows: Array) -> Array:
    """Return weights of the gates f, g, o, (3 H, ...), as weights of i, f, g, o, (4 H, ...)."""
    return np.concatenate([-rows[: len(rows) // 3], rows])


def without_input_gate(rows: Array) -> Array:
    """Return weights of the gates i, f, g, o without the rows of i: (3 H, ...) of (4 H, ...)."""
    return rows[len(rows) // 4 :]


def is_coupled(rows: Array) -> bool:
    """Return whether weights of the gates i, f, g, o, (4 H, ...), make the input gate equal to 1 - f."""
    H = len(rows) // 4
    return bool((rows[:H] == -rows[H : 2 * H]).all())


def initial_weights(layout: Layout, rng: np.random.Generator, scale: float | None) -> Array:
    """Return a flat vector of new weights, drawn in float64 for either dtype.

    With a `scale`, or a single "rnn" layer, biases are zero, as in min-char-rnn; otherwise weights and biases are from
    U(-1/sqrt(H), 1/sqrt(H)), and embeddings from N(0, 1), as in PyTorch.
    """
    flat = layout.zeros()
    part = layout.tensors(flat)
    H = layout.hidden_size
    drawn = [array for array in part if array is not part.embedding and array is not part.pair_table]
    if scale is None and layout.num_layers == 1:
        scale = layout.kind.single_layer_scale
    if scale is None:
        bound = 1 / math.sqrt(H)
        for rows in (rows for array in drawn for rows in _pieces(array)):
            rows[...] = rng.uniform(-bound, bound, rows.shape)
    else:
        for rows in (rows for array in drawn if array.ndim == 2 for rows in _pieces(array)):
            rows[...] = scale * rng.standard_normal(rows.shape)
    if (gate := layout.kind.forget_gate) is not None:
        for layer in part.layers:
            layer.bh[gate * H : (gate + 1) * H] = 1  # Jozefowicz et al. 2015
    if part.embedding is not None:
        for rows in _pieces(part.embedding):
            rows[...] = rng.standard_normal(rows.shape)
    return flat


MAX_TABLE = 1 << 20  # size up to which all pairs are counted in a table; beyond, only those that occur are kept

Pairs = NDArray[np.int32]


class SymbolPairs:
    """Pairs of symbols (R, 2), previous and current, for each row of a table of up to `limit` rows; -1: no pair."""

    def __init__(self, pairs: NDArray[Any], limit: int | None = None) -> None:
        self.pairs: Pairs = np.array(pairs, np.int32)
        self.pairs.flags.writeable = False
        self.limit = len(self.pairs) if limit is None else limit

    @classmethod
    def most_frequent(cls, ids: Ids, n: int, *, vocab_size: int, boundary: int | None = None) -> Self:
        """Return the n most frequent pairs of a text; ties go to smaller ids. A text without pairs has a row of -1.

        Symbols from `boundary` on are read from a zero state: they form no pair with the previous symbol.
        """
        V = vocab_size
        keys, counts = _count_pairs(ids, V)
        if boundary is not None:
            inside = keys % V < boundary
            keys = keys[inside]
            counts = counts[inside]
        keys = keys[np.argsort(-counts, kind="stable")[:n]]
        pairs = np.stack(np.divmod(keys, V), axis=1)
        return cls(pairs if len(pairs) else np.full((1, 2), -1), n)

    def sorted_by_symbol(self, vocab_size: int) -> tuple[Pairs, Pairs, Pairs]:
        """Return the pairs sorted by the previous symbol, then by the current symbol: the start of each previous
        symbol's pairs and the end of the last, (vocab_size + 1,), and the current symbols and rows, (n,).
        """
        before, symbols, rows = self._sorted
        first = np.searchsorted(before, np.arange(vocab_size + 1, dtype=np.int32)).astype(np.int32)
        return first, symbols[: first[-1]], rows[: first[-1]]

    @cached_property
    def _sorted(self) -> tuple[Pairs, Pairs, Pairs]:
        """The previous symbols, current symbols and rows of all pairs, sorted by the symbols."""
        keys = self.pairs[:, 0].astype(np.int64) << 32 | self.pairs[:, 1]
        empty = np.count_nonzero(self.pairs[:, 0] < 0)  # rows without a pair, which sort first
        rows: Pairs = np.argsort(keys, kind="stable")[empty:].astype(np.int32)
        before, symbols = self.pairs[rows].T
        return before.copy(), symbols.copy(), rows

    def rows(self, before: NDArray[Any], symbols: NDArray[Any], boundary: int | None = None) -> NDArray[np.intp]:
        """Return the row of each symbol and its previous symbol (-1 for none), or -1 for a pair without a row."""
        numbers = {tuple(pair): row for row, pair in enumerate(self.pairs.tolist())}
        of_pairs = zip(np.ravel(before).tolist(), np.ravel(symbols).tolist(), strict=True)
        rows = np.array([-1 if pair[0] < 0 else numbers.get(pair, -1) for pair in of_pairs], np.intp)
        rows = rows.reshape(np.shape(symbols))
        return rows if boundary is None else np.where(symbols < boundary, rows, -1)

    def renumber(self, places: NDArray[Any]) -> Self:
        """Return the pairs for a vocabulary where symbol v has the id places[v], omitting pairs that map to -1."""
        moved = np.append(places, -1)[self.pairs]
        moved[(moved < 0).any(axis=1)] = -1
        return type(self)(moved, self.limit)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolPairs) and self.limit == other.limit and np.array_equal(self.pairs, other.pairs)

    def __hash__(self) -> int:
        return hash(self.pairs.tobytes())


def _count_pairs(ids: Ids, V: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs V * before + symbol that occur, in increasing order, and their counts."""
    keys = counts = np.empty(0, np.int64)
    table = np.zeros(V * V, np.int64) if V * V <= MAX_TABLE else None
    for first in range(0, len(ids) - 1, SCANNED_IDS):
        stop = min(first + SCANNED_IDS + 1, len(ids))
        part = ids[first:stop].astype(np.int64)
        pairs = V * part[:-1] + part[1:]
        if table is not None:
            table += np.bincount(pairs, minlength=V * V)
            continue
        new, of_new = np.unique(pairs, return_counts=True)
        keys, places = np.unique(np.concatenate([keys, new]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, of_new]), len(keys)).astype(np.int64)
    if table is not None:
        keys = np.flatnonzero(table)
        counts = table[keys]
    return keys, counts
