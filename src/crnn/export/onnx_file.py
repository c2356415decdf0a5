"""Export a model to ONNX as a graph of ONNX's standard recurrent operators."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .._version import __version__
from ..arrays import Array
from ..parameters.checks import FilePath, checked_path
from ..parameters.kinds import CELLS
from ..runtime.atomic_file import write_atomically
from .weights import FittedModel, LayerWeights, Weights, require_package, vocabulary_data

# ONNX 1.12 (2022) has both, and later runtimes read them as well.
OPSET = 17
IR_VERSION = 8

FLOAT = 1  # ONNX's code for float32

DOCUMENTATION = """\
ids (T, B): symbols, time first. h0 and for an LSTM c0 (L, B, H): the state before ids, zeros at the start of a text.
With n_bigrams, the state also has symbol0, or symboln after ids, (1, B): the last symbol plus 1, or 0 at the start.
hn and cn: the state after ids. logits (T, B, V): predictions of the symbol after each of ids. The logits of a
text's first symbol are decoder.bias. For a model of documents, the metadata "vocabulary" names a boundary id: each
document starts with the boundary, which predicts the document's first symbol. The graph does not reset states at a
boundary: start each document in its own call, with h0, c0 and symbol0 set to zeros and the boundary as the first id."""


def export_onnx(model: FittedModel, path: FilePath) -> None:
    """Write a model as an ONNX file; see `crnn.CharRNN.export_onnx`."""
    name = checked_path("path", path)
    write_atomically(name, onnx_model(model).SerializeToString())


def onnx_model(model: FittedModel) -> Any:
    """Return a model as a checked ONNX ModelProto.

    Weights of float64 are rounded to float32, since runtimes only have float32 recurrent operators.
    """
    onnx = require_package("onnx", "onnx", "export_onnx")
    helper = onnx.helper
    float32 = onnx.TensorProto.FLOAT
    int64 = onnx.TensorProto.INT64
    weights = Weights.of(model, np.float32).for_torch().pairs_read_one_hot()
    vocabulary = model.vocabulary_
    states = CELLS[weights.cell].states
    nodes, initializers = _body(helper, weights, states)
    shape = [len(weights.layers), "B", weights.hidden_size]
    value = helper.make_tensor_value_info
    carried = dict.fromkeys(states, (float32, shape))
    if weights.pairs is not None:
        carried["symbol"] = int64, [1, "B"]
    graph = helper.make_graph(
        nodes,
        "CharRNN",
        [value("ids", int64, ["T", "B"]), *(value(f"{s}0", *kind) for s, kind in carried.items())],
        [
            value("logits", float32, ["T", "B", len(vocabulary)]),
            *(value(f"{s}n", *kind) for s, kind in carried.items()),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in initializers.items()],
        DOCUMENTATION,
    )
    opset = helper.make_opsetid("", OPSET)
    proto = helper.make_model(
        graph, producer_name="crnn", producer_version=__version__, opset_imports=[opset], ir_version=IR_VERSION
    )
    helper.set_model_props(proto, {"vocabulary": json.dumps(vocabulary_data(vocabulary))})
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _body(helper: Any, weights: Weights, states: tuple[str, ...]) -> tuple[list[Any], dict[str, Array]]:
    """Return the graph's nodes, and the constants they read, by name."""
    node = helper.make_node
    L = len(weights.layers)
    H = weights.hidden_size
    constants: dict[str, Array] = {
        "direction_axis": np.array([1], np.int64),
        "one_layer_each": np.ones(L, np.int64),
        "decoder.weight.T": np.ascontiguousarray(weights.Why.T),
        "decoder.bias": weights.by,
    }
    symbols = "x_l0" if weights.pairs is None else "symbols"
    if weights.embedding is None:
        constants |= {"vocab_size": np.array(len(weights.by), np.int64), "off_on": np.array([0, 1], np.float32)}
        nodes = [node("OneHot", ["ids", "vocab_size", "off_on"], [symbols], axis=-1)]  # (T, B, V)
    else:
        constants["embedding.weight"] = weights.embedding
        nodes = [node("Gather", ["embedding.weight", "ids"], [symbols], axis=0)]  # (T, B, E)
    if weights.pairs is not None:
        of_pairs, constants_of_pairs = _pair_vectors(node, weights)
        nodes += [*of_pairs, node("Concat", [symbols, "pairs"], ["x_l0"], axis=-1)]
        constants |= constants_of_pairs
    for s in states:
        nodes.append(node("Split", [f"{s}0", "one_layer_each"], [f"{s}0_l{k}" for k in range(L)], axis=0))
    options = {"linear_before_reset": 1} if CELLS[weights.cell].separate_bias else {}
    for k, layer in enumerate(weights.layers):
        tensors = _layer_tensors(weights.cell, layer, H)
        constants |= {f"{name}_l{k}": array for name, array in tensors.items()}
        inputs = [f"x_l{k}", *(f"{name}_l{k}" for name in tensors), "", *(f"{s}0_l{k}" for s in states)]
        outputs = [f"y_l{k}", *(f"{s}n_l{k}" for s in states)]
        nodes.append(node(CELLS[weights.cell].torch_class, inputs, outputs, hidden_size=H, **options))
        nodes.append(node("Squeeze", [f"y_l{k}", "direction_axis"], [f"x_l{k + 1}"]))  # (T, 1, B, H) to (T, B, H)
    nodes += [node("Concat", [f"{s}n_l{k}" for k in range(L)], [f"{s}n"], axis=0) for s in states]
    nodes.append(node("MatMul", [f"x_l{L}", "decoder.weight.T"], ["y"]))
    nodes.append(node("Add", ["y", "decoder.bias"], ["logits"]))
    return nodes, constants


def _pair_vectors(node: Any, weights: Weights) -> tuple[list[Any], dict[str, Array]]:
    """Return the nodes that compute one-hot vectors of pairs (T, B, R) and symboln, and the constants they read."""
    constants: dict[str, Array] = {
        "symbols_of_pairs": np.array(len(weights.by), np.int64),
        "keys_of_pairs": weights.pair_keys(),
        "one": np.array(1, np.int64),
        "first": np.array([0], np.int64),
        "last": np.array([-1], np.int64),
        "end": np.array([np.iinfo(np.int64).max], np.int64),
    }
    nodes = [
        node("Add", ["ids", "one"], ["numbers"]),
        node("Concat", ["symbol0", "numbers"], ["read"], axis=0),  # (T + 1, B)
        node("Slice", ["read", "first", "last", "first"], ["before"]),  # (T, B)
        node("Slice", ["read", "last", "end", "first"], ["symboln"]),  # (1, B)
        node("Mul", ["before", "symbols_of_pairs"], ["first_keys"]),
        node("Add", ["first_keys", "ids"], ["keys"]),
        node("Unsqueeze", ["keys", "last"], ["column_of_keys"]),  # (T, B, 1)
        node("Equal", ["column_of_keys", "keys_of_pairs"], ["is_pair"]),  # (T, B, R)
        node("Cast", ["is_pair"], ["pairs"], to=FLOAT),
    ]
    return nodes, constants


def _layer_tensors(cell: str, layer: LayerWeights, H: int) -> dict[str, Array]:
    """Return ONNX's W, R and B: first axis for the direction, gates in ONNX's order, both biases in B."""
    second = np.zeros_like(layer.bh)
    if layer.bhn is not None:
        second[-H:] = layer.bhn

    def ordered(array: Array) -> Array:
        return np.concatenate([array[g * H : (g + 1) * H] for g in CELLS[cell].onnx_order])

    return {
        "W": ordered(layer.Wx)[None],
        "R": ordered(layer.Wh)[None],
        "B": np.concatenate([ordered(layer.bh), ordered(second)])[None],
    }
