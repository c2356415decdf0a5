"""Write a network's tables and sizes as C source."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..model.int8_weights import LARGEST_INT8, integers_of
from ..parameters.kinds import CELLS
from .c_parts import c_array, c_floats
from .models import ExportedNetwork
from .weights import Weights

COLUMNS = 64  # columns of a matrix stored together
PREFIXES = ("crnn_net_", "CRNN_NET_")  # of the names in a network's code


def network_sizes(model: ExportedNetwork) -> dict[str, object]:
    """Return the macros that describe a network."""
    weights = model.weights
    cell = CELLS[weights.cell]
    return {
        "CRNN_NET_CELL": f"CRNN_{weights.cell.upper()}",
        "CRNN_NET_LAYERS": len(weights.layers),
        "CRNN_NET_HIDDEN": weights.hidden_size,
        "CRNN_NET_EMBEDDING": 0 if weights.embedding is None else weights.embedding.shape[1],
        "CRNN_NET_PAIRS": len(_used_pairs(weights)),
        "CRNN_NET_GATES": cell.gates,
        "CRNN_NET_SUMS": cell.gates + cell.separate_bias,
        "CRNN_NET_INT8": int(weights.scales is not None),
        "CRNN_NET_COLUMNS": COLUMNS,
        "CRNN_NET_SYMBOLS": len(model.vocabulary),
        "CRNN_NET_OUTPUTS": len(model.vocabulary) - len(model.vocabulary.labels),
        "CRNN_NET_BOUNDARY": "(-1)" if model.vocabulary.boundary is None else model.vocabulary.boundary,
    }


def cell_numbers() -> dict[str, object]:
    """Return a macro for each kind of cell."""
    return {f"CRNN_{name.upper()}": kind.number for name, kind in CELLS.items() if kind.c_order}


def renamed_for_network(number: int, source: str) -> str:
    """Return code with the names of the network with this number; the first network keeps the source's names."""
    if number > 1:
        for prefix in PREFIXES:
            source = source.replace(prefix, f"{prefix[:-1]}{number}_")
    return source


def network_tables(model: ExportedNetwork) -> Iterator[str]:
    """Yield the definitions of a network's weights."""
    weights = model.weights
    scales = weights.scales or {}  # empty for float weights
    used = _used_pairs(weights)
    yield "/* A table has one row per symbol or pair. The multiplying functions document the layout of a matrix. */\n"
    yield f"typedef {'signed char' if scales else 'float'} crnn_net_weight;\n"
    if len(used):
        largest = weights.pair_keys()[used[-1]]  # sorted by key
        yield f"typedef uint{32 if largest < 1 << 32 else 64}_t crnn_net_key; /* of a pair */\n"
    if weights.embedding is not None:
        yield from _table("crnn_net_embedding", weights.embedding, scales.get("embedding"))
    if len(used):
        yield from _pair_tables(weights)
    layers = []
    for k, layer in enumerate(weights.layers):
        inputs = _ordered(weights, layer.Wx)
        scale = scales.get(f"Wxh_l{k}")
        scale = None if scale is None else _ordered(weights, scale)
        if k:
            yield from _state_matrix(f"crnn_net_input_{k}", inputs, scale)
        elif weights.embedding is None:
            yield from _table("crnn_net_input_0", inputs.T, scale)
        else:
            integers = inputs if scale is None else integers_of(inputs, scale)
            yield from _stored("crnn_net_input_0", _panels(integers), scale)
        yield from _state_matrix(f"crnn_net_recurrent_{k}", layer.Wh, scales.get(f"Whh_l{k}"))
        biases = [_ordered(weights, layer.bh), *([] if layer.bhn is None else [layer.bhn])]
        yield c_array("float", f"crnn_net_bias_{k}", c_floats(np.concatenate(biases)))
        names = [f"crnn_net_input_{k}", f"crnn_net_recurrent_{k}"]
        of_names = [f"{name}_scale" if scales else "NULL" for name in names]
        layers.append(f"    {{{', '.join([names[0], of_names[0], names[1], of_names[1], f'crnn_net_bias_{k}'])}}},\n")
    yield from _state_matrix("crnn_net_output", weights.Why, scales.get("Why"))
    yield "" if scales else "#define crnn_net_output_scale NULL\n"
    yield c_array("float", "crnn_net_output_bias", c_floats(weights.by))
    yield (
        "typedef struct crnn_net_layer {\n"
        "    const crnn_net_weight *input;\n"
        "    const float *input_scale;\n"
        "    const crnn_net_weight *recurrent;\n"
        "    const float *recurrent_scale, *bias;\n"
        "} crnn_net_layer;\n"
    )
    yield f"static const crnn_net_layer crnn_net_layers[CRNN_NET_LAYERS] = {{\n{''.join(layers)}}};\n"


def _used_pairs(weights: Weights) -> NDArray[np.intp]:
    """Return the rows of the pair table that have a pair, sorted by key."""
    if weights.pair_table is None:
        return np.empty(0, np.intp)
    keys = weights.pair_keys()
    order = np.argsort(keys, kind="stable")
    return order[keys[order] >= 0]


def _pair_tables(weights: Weights) -> Iterator[str]:
    """Yield the definitions of the sorted pair keys and of each pair's contribution to the gate sums."""
    assert weights.pair_table is not None
    used = _used_pairs(weights)
    scale = (weights.scales or {}).get("bigrams")
    yield c_array("crnn_net_key", "crnn_net_pairs", [str(key) for key in weights.pair_keys()[used].tolist()])
    rows = _ordered(weights, weights.pair_table[used].T).T
    yield from _table("crnn_net_pair_rows", rows, None if scale is None else _ordered(weights, scale))


def _ordered(weights: Weights, of_gates: Array) -> Array:
    """Return an array with one row per unit of each gate, (G H, ...), with the gates in the C code's order."""
    H = weights.hidden_size
    return np.concatenate([of_gates[g * H : (g + 1) * H] for g in CELLS[weights.cell].c_order])


def _table(name: str, rows: Array, scale: Array | None) -> Iterator[str]:
    """Yield the definition of a lookup table, and of its column scales if the weights are 8-bit."""
    yield from _stored(name, rows if scale is None else integers_of(rows.T, scale).T, scale)
    yield "" if scale is not None else f"#define {name}_scale {name}\n"


def _state_matrix(name: str, matrix: Array, scale: Array | None) -> Iterator[str]:
    """Yield the definition of a matrix (outputs, H) that multiplies states, laid out for `crnn_net_multiply_state`.

    The scales of 8-bit weights are divided by 127, since a state of 1 is represented by the integer 127.
    """
    if scale is None:
        yield from _stored(name, _panels(matrix), scale=None)
    else:
        yield from _stored(name, integers_of(matrix, scale), scale / np.float32(LARGEST_INT8))


def _stored(name: str, numbers: Array, scale: Array | None) -> Iterator[str]:
    """Yield the definitions of a matrix's numbers and, for integers, of its scales."""
    flat = numbers.ravel()
    yield c_array("crnn_net_weight", name, c_floats(flat) if scale is None else list(map(str, flat.tolist())))
    if scale is not None:
        yield c_array("float", f"{name}_scale", c_floats(scale))


def _panels(matrix: Array) -> Array:
    """Return a matrix in PyTorch's shape, (output, input), laid out for `crnn_net_multiply`."""
    stored = matrix.T
    return np.concatenate([stored[:, i : i + COLUMNS].ravel() for i in range(0, stored.shape[1], COLUMNS)])
