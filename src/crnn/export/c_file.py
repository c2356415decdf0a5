"""C source of a model: one C99 file with the weights, which samples and scores and needs nothing but a compiler."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from .._version import __version__
from ..parameters.cells import CELLS
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from ..text.symbols.vocabulary import Vocabulary
from .int8 import quantize
from .weights import FittedModel, Weights

__all__ = ["export_c", "int8_cost", "with_int8_weights"]

Array = NDArray[Any]

CODE = ("network.c", "random_numbers.c", "symbols.c", "program.c")  # of the folder c_source, after the weights
SAMPLE, DOCUMENTS = 1000, 50  # symbols, or documents, that `int8_cost` measures on
COLUMNS = 64  # of a matrix that are stored together
WIDTH = 110  # of a line of numbers


def export_c(model: FittedModel, path: FilePath, *, int8: bool = False) -> None:
    """Write a model as one C99 file; see `crnn.CharRNN.export_c`."""
    name = checked_path("path", path)
    weights = Weights.of(model, np.float32).for_engine()
    parts = [
        _configuration(weights, model.vocabulary_, int8),
        _source("declarations.h"),
        "#ifndef CRNN_HEADER\n",
        *_tables(weights, model.vocabulary_, int8),
        *(_source(part) for part in CODE),
        "#endif /* CRNN_HEADER */",
    ]
    write_atomically(name, "\n".join(parts).encode("ascii") + b"\n")


def _source(name: str) -> str:
    return resources.files(__package__).joinpath("c_source", name).read_text("ascii")


def with_int8_weights(model: Any) -> Any:
    """Return a copy of a model whose matrices are rounded as `export_c` rounds them with ``int8=True``.

    Parameters
    ----------
    model : CharRNN
        A fitted model.

    Returns
    -------
    CharRNN
        It scores and samples as the exported program does.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(16, max_steps=1000, random_state=0).fit("abc" * 100)
    >>> abs(with_int8_weights(model).score("abcabc") - model.score("abcabc")) < 0.01
    True
    """
    rounded = copy.deepcopy(model)
    with rounded.editing():
        for array in rounded.params_.values():
            if array.ndim == 2:
                array[...] = quantize(array).values
    return rounded


def int8_cost(model: Any) -> float:
    """Return how many nats per symbol a model loses by 8-bit weights, on texts that it writes itself.

    It is the mean Kullback-Leibler divergence of what the rounded model predicts from what the model predicts. It needs
    no text and varies less than the difference of two scores.

    Parameters
    ----------
    model : CharRNN
        A fitted model.

    Returns
    -------
    float
        At least 0.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> 0 <= int8_cost(CharRNN(16, max_steps=1000, random_state=0).fit("abc" * 100)) < 0.01
    True
    """
    rounded = with_int8_weights(model)
    if model.vocabulary_.boundary is None:
        texts = [model.sample(SAMPLE, random_state=0)]
    else:
        texts = model.sample(num_samples=DOCUMENTS, random_state=0)
    divergences = []
    for text in texts:
        state, other = model.start(), rounded.start()
        for i in range(len(text) + 1):
            p, q = state.predict_proba(), other.predict_proba()
            divergences.append(float(rel_entr(p, q).sum()))
            state.feed(text[i : i + 1])
            other.feed(text[i : i + 1])
    return max(0.0, float(np.mean(divergences)))


def _configuration(weights: Weights, vocabulary: Vocabulary, int8: bool) -> str:
    """Return the head of the file: what the model is, in a comment and in macros."""
    cell = CELLS[weights.cell]
    numbers = {
        **{f"CRNN_{name.upper()}": kind.number for name, kind in CELLS.items() if kind.c_order},
        "CRNN_CELL": f"CRNN_{weights.cell.upper()}",
        "CRNN_LAYERS": len(weights.layers),
        "CRNN_HIDDEN": weights.hidden_size,
        "CRNN_EMBEDDING": 0 if weights.embedding is None else weights.embedding.shape[1],
        "CRNN_PAIRS": len(_used_pairs(weights)),
        "CRNN_GATES": cell.gates,
        "CRNN_SUMS": cell.gates + cell.separate_bias,
        "CRNN_CHARACTERS": len(vocabulary.codes),
        "CRNN_SYMBOLS": len(vocabulary),
        "CRNN_UNKNOWN": "(-1)" if vocabulary.unknown is None else vocabulary.unknown,
        "CRNN_BOUNDARY": "(-1)" if vocabulary.boundary is None else vocabulary.boundary,
        "CRNN_BYTES": int(vocabulary.kind == "bytes"),
        "CRNN_INT8": int(int8),
        "CRNN_COLUMNS": COLUMNS,
    }
    sizes = f"layers: {len(weights.layers)}, units: {weights.hidden_size}, symbols: {len(vocabulary)}"
    title = f"/* A character-level language model, written by crnn {__version__}: {weights.cell}, {sizes}. */\n"
    return "".join([title, *(f"#define {name} {value}\n" for name, value in numbers.items())])


def _tables(weights: Weights, vocabulary: Vocabulary, int8: bool) -> Iterator[str]:
    """Give the definitions of the symbols and the weights."""
    cell, H = CELLS[weights.cell], weights.hidden_size
    codes = vocabulary.codes if len(vocabulary.codes) else np.zeros(1, np.uint32)  # C has no array of length 0
    yield "/* Code points, or values of bytes, in the order of ids. */\n"
    yield _array("uint32_t", "crnn_codes", [str(code) for code in codes])
    yield "/* Matrices are input by output; crnn_multiply says in which order. The first has a row a symbol. */\n"
    yield f"typedef {'signed char' if int8 else 'float'} crnn_weight;\n"
    if weights.embedding is not None:
        yield from _matrix("crnn_embedding", weights.embedding, int8, np.asarray)
        yield "" if int8 else "#define crnn_embedding_scale crnn_embedding\n"
    if len(_used_pairs(weights)):
        yield from _pair_tables(weights, int8)
    layers, embedded = [], weights.embedding is not None
    for k, layer in enumerate(weights.layers):
        inputs = [layer.Wx[g * H : (g + 1) * H] for g in cell.c_order]
        biases = [layer.bh[g * H : (g + 1) * H] for g in cell.c_order]
        if layer.bhn is not None:
            biases.append(layer.bhn)
        yield from _matrix(f"crnn_input_{k}", np.concatenate(inputs), int8, None if k or embedded else np.transpose)
        yield from _matrix(f"crnn_recurrent_{k}", layer.Wh, int8)
        yield _array("float", f"crnn_bias_{k}", _floats(np.concatenate(biases)))
        names = [f"crnn_input_{k}", f"crnn_recurrent_{k}"]
        scales = [f"{name}_scale" if int8 else "NULL" for name in names]
        layers.append(f"    {{{', '.join([names[0], scales[0], names[1], scales[1], f'crnn_bias_{k}'])}}},\n")
    yield from _matrix("crnn_output", weights.Why, int8)
    yield "" if int8 else "#define crnn_output_scale NULL\n"
    yield _array("float", "crnn_output_bias", _floats(weights.by))
    yield (
        "typedef struct crnn_layer {\n"
        "    const crnn_weight *input;\n"
        "    const float *input_scale;\n"
        "    const crnn_weight *recurrent;\n"
        "    const float *recurrent_scale, *bias;\n"
        "} crnn_layer;\n"
    )
    yield f"static const crnn_layer crnn_layers[CRNN_LAYERS] = {{\n{''.join(layers)}}};\n"


def _used_pairs(weights: Weights) -> NDArray[np.intp]:
    """Return the rows of the table of pairs that stand for one, in the order of their keys."""
    if weights.pair_table is None:
        return np.empty(0, np.intp)
    keys = weights.pair_keys()
    order = np.argsort(keys, kind="stable")
    return order[keys[order] >= 0]


def _pair_tables(weights: Weights, int8: bool) -> Iterator[str]:
    """Give the definitions of the keys of pairs, in increasing order, and of what each pair adds to the sums."""
    assert weights.pair_table is not None
    cell, used = CELLS[weights.cell], _used_pairs(weights)
    rows = weights.pair_table[used]

    def ordered(matrix: Array) -> Array:
        return matrix.reshape(len(matrix), cell.gates, -1)[:, list(cell.c_order)]

    yield _array("uint64_t", "crnn_pairs", [str(key) for key in weights.pair_keys()[used].tolist()])
    yield from _matrix("crnn_pair_rows", rows, int8, ordered)
    yield "" if int8 else "#define crnn_pair_rows_scale crnn_pair_rows\n"


def _matrix(name: str, matrix: Array, int8: bool, order: Callable[[Array], Array] | None = None) -> Iterator[str]:
    """Give the definition of a matrix, of which each row has a scale, and of the scales; by default in panels."""
    small = quantize(matrix) if int8 else None
    stored = (order or _panels)(matrix if small is None else small.integers)
    yield _array("crnn_weight", name, [str(i) for i in stored.ravel().tolist()] if int8 else _floats(stored))
    if small is not None:
        yield _array("float", f"{name}_scale", _floats(small.scale))


def _panels(matrix: Array) -> Array:
    """Return a matrix in PyTorch's shape, (output, input), as `crnn_multiply` reads it."""
    stored = matrix.T
    return np.concatenate([stored[:, i : i + COLUMNS].ravel() for i in range(0, stored.shape[1], COLUMNS)])


def _floats(array: Array) -> list[str]:
    """Return numbers of float32 as hexadecimal constants, which every compiler reads alike."""
    return [_hexadecimal(value) for value in array.ravel().tolist()]


def _hexadecimal(value: float) -> str:
    """Return a number as C writes it.

    Examples
    --------
    >>> _hexadecimal(-0.75), _hexadecimal(0.0)
    ('-0x1.8p-1f', '0x0p+0f')
    """
    significand, exponent = value.hex().split("p")
    return f"{significand.rstrip('0').rstrip('.') if '.' in significand else significand}p{exponent}f"


def _array(kind: str, name: str, numbers: list[str]) -> str:
    """Return the definition of an array, broken into lines."""
    lines, line = [], "   "
    for number in numbers:
        if len(line) + len(number) > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {number},"
    lines.append(line)
    return f"static const {kind} {name}[{len(numbers)}] = {{\n" + "\n".join(lines) + "\n};\n"
