"""Convert PyTorch weights, from a state_dict or a file, to the parameters of a model."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, ModelFileError, short_repr
from ..files.container import read_header, read_tensors
from ..model.coupled_gates import is_coupled, without_input_gate
from ..model.layout import layout_of
from ..model.state import ModelState
from ..model.symbol_pairs import SymbolPairs
from ..parameters.cells import CELLS
from ..parameters.checks import checked_path, has_items, pcg64_generator
from ..parameters.settings import Settings
from ..text.symbols.special import BOUNDARY, UNKNOWN, Special
from ..text.symbols.vocabulary import Vocabulary
from .extras import needed

Array = NDArray[Any]

NAMES = (
    "Expected names are rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0 (and l1, ...), "
    "decoder.weight, decoder.bias, and optionally embedding.weight and pairs."
)
BY_GATES = {kind.gates: name for name, kind in CELLS.items() if kind.torch_class is not None}
COUPLED = {kind.coupled: name for name, kind in CELLS.items() if kind.coupled is not None}


def model_from_torch(
    state_dict: Any, vocabulary: Any, defaults: Mapping[str, Any]
) -> tuple[dict[str, Any], ModelState]:
    """Return the parameters and the state of a model with PyTorch's weights; see `crnn.CharRNN.from_torch`.

    The constructor's `defaults` hold for settings that the weights do not determine.
    """
    tensors = _tensors(state_dict)
    symbols, order = _sorted_vocabulary(vocabulary)
    V, H, L, gates = _sizes(tensors)
    E = _embedding_size(tensors)
    if len(symbols) != V:
        raise InvalidInputError(
            f"decoder.weight has {V} rows, but the vocabulary has {len(symbols)} symbols. Pass one symbol per row, in "
            "id order, including crnn.UNKNOWN and crnn.BOUNDARY if the model has them."
        )
    pairs, first = _pairs(tensors, order), V if E is None else E
    R = 0 if pairs is None else len(pairs)
    dtype = "float64" if all(array.dtype == np.float64 for array in tensors.values()) else "float32"
    params: dict[str, Array] = {}
    for k in range(L):
        params |= _layer(tensors, k, gates, H, H if k else first + R)
    cell = BY_GATES[gates]
    if cell in COUPLED and all(map(is_coupled, params.values())) and any(array[:H].any() for array in params.values()):
        cell, params = COUPLED[cell], {name: without_input_gate(array) for name, array in params.items()}
    params["Wxh_l0"], params["bigrams"] = params["Wxh_l0"][:, :first], params["Wxh_l0"][:, first:].T
    if E is None:
        params["Wxh_l0"] = params["Wxh_l0"][:, order]
    else:
        params["embedding"] = _taken(tensors, "embedding.weight", (V, E))[order]
    params["Why"] = _taken(tensors, "decoder.weight", (V, H))[order]
    params["by"] = _taken(tensors, "decoder.bias", (V,), missing_is_zero=True)[order]
    if tensors:
        raise InvalidInputError(f"state_dict contains an unexpected name, {min(tensors)!r}. {NAMES}")
    parameters = {**defaults, "hidden_size": H, "num_layers": L, "cell": cell, "dtype": dtype}
    parameters |= {"embedding_size": E, "n_bigrams": None if pairs is None else R}
    state = _initial_state(Settings.check(parameters), symbols, pairs)
    for name, view in state.layout.named(state.params).items():
        view[...] = params[name]
    return parameters, state


def _initial_state(settings: Settings, vocabulary: Vocabulary, pairs: SymbolPairs | None) -> ModelState:
    return ModelState.initial(
        layout_of(settings, len(vocabulary), pairs),
        vocabulary,
        pcg64_generator(settings.random_state),
        optimizer=settings.optimizer,
        batch_size=settings.batch_size,
        seq_length=settings.seq_length,
        init_scale=settings.init_scale,
    )


def _layer(tensors: dict[str, Array], k: int, gates: int, H: int, inputs: int) -> dict[str, Array]:
    """Remove layer k, which reads `inputs` numbers, from `tensors`, and return its parameters."""
    rows = gates * H
    bias = _taken(tensors, f"rnn.bias_ih_l{k}", (rows,), missing_is_zero=True)
    second = _taken(tensors, f"rnn.bias_hh_l{k}", (rows,), missing_is_zero=True)
    layer = {
        f"Wxh_l{k}": _taken(tensors, f"rnn.weight_ih_l{k}", (rows, inputs)),
        f"Whh_l{k}": _taken(tensors, f"rnn.weight_hh_l{k}", (rows, H)),
        f"bh_l{k}": bias + second,
    }
    if CELLS[BY_GATES[gates]].separate_bias:  # a GRU's reset gate scales n's second bias, so they cannot be added
        layer[f"bh_l{k}"][-H:] = bias[-H:]
        layer[f"bhn_l{k}"] = second[-H:]
    return layer


def _sizes(tensors: Mapping[str, Array]) -> tuple[int, int, int, int]:
    """Return V, H, L and the number of gates."""
    for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "decoder.weight"):
        if name not in tensors:
            shown = ", ".join(sorted(tensors)[:8]) or "nothing"
            raise InvalidInputError(f"state_dict does not contain {name!r}. {NAMES} Found: {shown}.")
        if tensors[name].ndim != 2:
            raise InvalidInputError(f"{name} has shape {tensors[name].shape}, but must be a matrix")
    V, H = tensors["decoder.weight"].shape
    rows = len(tensors["rnn.weight_hh_l0"])
    if not H or rows % H or rows // H not in BY_GATES:
        raise InvalidInputError(
            f"rnn.weight_hh_l0 has {rows} rows, but decoder.weight has H = {H} columns. rnn.weight_hh_l0 must have H "
            "(RNN), 3 H (GRU) or 4 H (LSTM) rows."
        )
    layers = [int(match[1]) for name in tensors if (match := re.fullmatch(r"rnn\.weight_hh_l(\d+)", name))]
    return V, H, max(layers) + 1, rows // H


def _embedding_size(tensors: Mapping[str, Array]) -> int | None:
    """Return E, or None without an embedding."""
    if "embedding.weight" not in tensors:
        return None
    if tensors["embedding.weight"].ndim != 2:
        raise InvalidInputError(f"embedding.weight has shape {tensors['embedding.weight'].shape}, but must be a matrix")
    return int(tensors["embedding.weight"].shape[1])


def _pairs(tensors: dict[str, Array], order: Array) -> SymbolPairs | None:
    """Remove the pairs from `tensors` and return them with crnn's ids, or None if it has no pairs."""
    if "bigrams.weight" in tensors:
        raise InvalidInputError(
            "state_dict contains 'bigrams.weight', the pair table of a model file of crnn, which PyTorch's cells "
            "cannot read. Load model files with CharRNN.load. In modules from to_torch, the table is part of "
            "rnn.weight_ih_l0, and 'pairs' lists its pairs."
        )
    if "pairs" not in tensors:
        return None
    pairs = tensors.pop("pairs")
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise InvalidInputError(f"pairs has shape {pairs.shape}, but must have shape (R, 2): one pair of ids per row")
    shown = [[int(number) if number.is_integer() else number for number in pair] for pair in pairs.tolist()]
    places: dict[tuple[float, ...], int] = {}
    for i, pair in enumerate(shown):
        first = places.setdefault(tuple(pair), i)
        if pair != [-1, -1] and not all(number in range(len(order)) for number in pair):
            raise InvalidInputError(f"pairs[{i}] is {pair}, but ids are 0 to {len(order) - 1}, or both -1 for no pair")
        if pair != [-1, -1] and first < i:
            raise InvalidInputError(f"pairs[{i}] is {pair}, a duplicate of pairs[{first}]")
    return SymbolPairs(pairs).renumbered(np.argsort(order))


def _taken(tensors: dict[str, Array], name: str, shape: tuple[int, ...], *, missing_is_zero: bool = False) -> Array:
    """Remove a tensor from `tensors` and return it."""
    if name not in tensors and missing_is_zero:  # bias=False in PyTorch
        return np.zeros(shape)
    if name not in tensors:
        raise InvalidInputError(f"state_dict does not contain {name!r}. {NAMES}")
    tensor = tensors.pop(name)
    if tensor.shape != shape:
        raise InvalidInputError(f"{name} has shape {tensor.shape}, but the other tensors require shape {shape}")
    if not np.isfinite(tensor).all():
        raise InvalidInputError(f"{name} contains a number that is not finite")
    return tensor.astype(np.float64)


# ------------------------------------------------------------------------------------------------- tensors


def _tensors(state_dict: Any) -> dict[str, Array]:
    """Return the arrays of a state_dict, a module or a file."""
    if isinstance(state_dict, str | bytes | os.PathLike):
        state_dict = _read(checked_path("state_dict", state_dict))
    elif hasattr(state_dict, "state_dict"):
        state_dict = state_dict.state_dict()
    if not isinstance(state_dict, Mapping):
        raise InvalidInputError(
            f"state_dict is of type {type(state_dict).__name__}. Pass a dict of names and tensors, a module or a path."
        )
    return {str(name): _array(name, tensor) for name, tensor in state_dict.items()}


def _array(name: object, tensor: Any) -> Array:
    """Return a PyTorch tensor, or anything NumPy accepts, as an array of float32 or float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor if str(tensor.dtype) == "torch.float64" else tensor.float()).numpy()
    try:
        array = np.asarray(tensor)
        return array.astype(np.float64 if array.dtype == np.float64 else np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"state_dict[{name!r}] is of type {type(tensor).__name__}, not a tensor. If this is a checkpoint with more "
            "than weights, pass only its state_dict."
        ) from error


def _read(path: str) -> Any:
    """Read a safetensors file, or a file written by torch.save."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    if start[8:] != b"{":
        torch = needed("torch", "torch", "from_torch of a file that is not safetensors")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise InvalidInputError(
                f"{path!r} contains objects other than tensors, and loading them could run code. Save the module's "
                "state_dict() instead."
            ) from error
    try:
        with Path(path).open("rb") as file:
            tensors = read_tensors(file, read_header(file, os.fstat(file.fileno()).st_size))
    except ModelFileError as error:
        raise InvalidInputError(
            f"{path!r} cannot be read as tensors of float16, float32 or float64: {error}. If they have another type, "
            "convert them and save them again."
        ) from error
    if any(name.startswith(("state.", "optimizer.")) or name == "training" for name in tensors):
        raise InvalidInputError(f"{path!r} is a model file of crnn. Load it with CharRNN.load.")
    return tensors


# ---------------------------------------------------------------------------------------------- vocabulary


def _sorted_vocabulary(vocabulary: Any) -> tuple[Vocabulary, Array]:
    """Return the symbols in crnn's order, and each symbol's id in the state_dict."""
    if isinstance(vocabulary, Vocabulary):
        return vocabulary, np.arange(len(vocabulary))
    if isinstance(vocabulary, Mapping) or not has_items(vocabulary):
        raise InvalidInputError(
            f"vocabulary is of type {type(vocabulary).__name__}. Pass a text or a list of symbols in id order."
        )
    symbols = [bytes([s]) if isinstance(s, int) else s for s in vocabulary]
    if not symbols:
        raise InvalidInputError("vocabulary is empty. Pass a text or a list of symbols in id order.")
    kinds = {type(symbol) for symbol in symbols if not isinstance(symbol, Special)}
    for i, symbol in enumerate(symbols):
        if not isinstance(symbol, str | bytes | Special) or (len(kinds) > 1 and kinds == {str, bytes}):
            raise InvalidInputError(
                f"vocabulary[{i}] is {short_repr(symbol)}, but symbols must be all str or all bytes, one character each"
            )
        if not isinstance(symbol, Special) and len(symbol) != 1:
            raise InvalidInputError(f"vocabulary[{i}] is {short_repr(symbol)}, but a symbol must be one character")
    order = sorted(range(len(symbols)), key=lambda i: _rank(symbols[i]))
    for i, j in pairwise(order):
        if symbols[i] == symbols[j]:
            raise InvalidInputError(f"vocabulary[{j}] is {short_repr(symbols[j])}, a duplicate of vocabulary[{i}]")
    codes = [ord(symbols[i]) for i in order if not isinstance(symbols[i], Special)]
    in_order = Vocabulary(
        np.array(codes, np.int64),
        "bytes" if kinds == {bytes} else "characters",
        unknown=UNKNOWN in symbols,
        boundary=BOUNDARY in symbols,
    )
    return in_order, np.array(order)


def _rank(symbol: Any) -> tuple[int, int]:
    """Return a symbol's sort key: characters by code point, then the unknown symbol, then the boundary."""
    return (1 + (symbol is BOUNDARY), 0) if isinstance(symbol, Special) else (0, ord(symbol))
