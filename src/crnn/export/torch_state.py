"""Weights from PyTorch: a state_dict, or a file that holds one, as the parameters of a model."""

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

from ..errors import InvalidInputError, short_repr
from ..model.coupled_gates import is_coupled, without_input_gate
from ..model.layout import layout_of
from ..model.state import ModelState
from ..model.symbol_pairs import SymbolPairs
from ..parameters.cells import CELLS
from ..parameters.checks import checked_path, generator, has_items
from ..parameters.settings import Settings
from ..text.symbols.special import BOUNDARY, UNKNOWN, Special
from ..text.symbols.vocabulary import Vocabulary
from .extras import needed

__all__ = ["model_from_torch"]

Array = NDArray[Any]

NAMES = (
    "the names are rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0, the same of l1 and so on, "
    "decoder.weight, decoder.bias, embedding.weight of a network with an embedding, and pairs of one that reads pairs"
)
BY_GATES = {kind.gates: name for name, kind in CELLS.items() if kind.torch_class is not None}
COUPLED = {kind.coupled: name for name, kind in CELLS.items() if kind.coupled is not None}


def model_from_torch(
    state_dict: Any, vocabulary: Any, defaults: Mapping[str, Any]
) -> tuple[dict[str, Any], ModelState]:
    """Return the parameters and the state of a model from PyTorch's weights.

    Parameters
    ----------
    state_dict, vocabulary
        As `crnn.CharRNN.from_torch` takes them.
    defaults : dict
        The constructor's parameters, for those that weights do not tell.

    Raises
    ------
    InvalidInputError
        If the weights are not those of such a network.
    """
    tensors = _tensors(state_dict)
    symbols, order = _sorted_vocabulary(vocabulary)
    V, H, L, gates = _sizes(tensors)
    E = _embedding_size(tensors)
    if len(symbols) != V:
        raise InvalidInputError(
            f"decoder.weight has {V} rows, but the vocabulary has {len(symbols)} symbols: give one for each row, in "
            "the order of ids, crnn.UNKNOWN and crnn.BOUNDARY included where the model has them"
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
        raise InvalidInputError(f"state_dict holds {min(tensors)!r}, which is no part of such a network: {NAMES}")
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
        generator(settings.random_state),
        optimizer=settings.optimizer,
        batch_size=settings.batch_size,
        seq_length=settings.seq_length,
        init_scale=settings.init_scale,
    )


def _layer(tensors: dict[str, Array], k: int, gates: int, H: int, inputs: int) -> dict[str, Array]:
    """Return the parameters of layer k, which reads `inputs` numbers; its tensors are removed from `tensors`."""
    rows = gates * H
    bias = _taken(tensors, f"rnn.bias_ih_l{k}", (rows,), missing_is_zero=True)
    second = _taken(tensors, f"rnn.bias_hh_l{k}", (rows,), missing_is_zero=True)
    layer = {
        f"Wxh_l{k}": _taken(tensors, f"rnn.weight_ih_l{k}", (rows, inputs)),
        f"Whh_l{k}": _taken(tensors, f"rnn.weight_hh_l{k}", (rows, H)),
        f"bh_l{k}": bias + second,
    }
    if CELLS[BY_GATES[gates]].separate_bias:  # a GRU's reset gate multiplies n's second bias: the two cannot be added
        layer[f"bh_l{k}"][-H:] = bias[-H:]
        layer[f"bhn_l{k}"] = second[-H:]
    return layer


def _sizes(tensors: Mapping[str, Array]) -> tuple[int, int, int, int]:
    """Return V, H, L and the number of gates."""
    for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "decoder.weight"):
        if name not in tensors:
            shown = ", ".join(sorted(tensors)[:8]) or "nothing"
            raise InvalidInputError(f"state_dict has no {name!r}: {NAMES}; it has {shown}")
        if tensors[name].ndim != 2:
            raise InvalidInputError(f"{name} has shape {tensors[name].shape}, which is no matrix")
    V, H = tensors["decoder.weight"].shape
    rows = len(tensors["rnn.weight_hh_l0"])
    if not H or rows % H or rows // H not in BY_GATES:
        raise InvalidInputError(
            f"rnn.weight_hh_l0 has {rows} rows and decoder.weight {H} columns, but H columns go with H rows (RNN), 3 H "
            "(GRU) or 4 H (LSTM)"
        )
    layers = [int(match[1]) for name in tensors if (match := re.fullmatch(r"rnn\.weight_hh_l(\d+)", name))]
    return V, H, max(layers) + 1, rows // H


def _embedding_size(tensors: Mapping[str, Array]) -> int | None:
    """Return E, or None if the network has no embedding."""
    if "embedding.weight" not in tensors:
        return None
    if tensors["embedding.weight"].ndim != 2:
        raise InvalidInputError(f"embedding.weight has shape {tensors['embedding.weight'].shape}, which is no matrix")
    return int(tensors["embedding.weight"].shape[1])


def _pairs(tensors: dict[str, Array], order: Array) -> SymbolPairs | None:
    """Remove the pairs of symbols from the tensors; return them with crnn's ids, or None if there are none."""
    if "bigrams.weight" in tensors:
        raise InvalidInputError(
            "state_dict holds 'bigrams.weight', the table of a model with n_bigrams, which no cell of PyTorch reads. A "
            "model file of crnn is read by CharRNN.load; the state_dict of a module of to_torch has the table as "
            "columns of rnn.weight_ih_l0, and names their pairs in 'pairs'"
        )
    if "pairs" not in tensors:
        return None
    found = tensors.pop("pairs")
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise InvalidInputError(f"pairs has shape {found.shape}, not (R, 2): a pair of ids for each of R inputs")
    shown = [[int(number) if number.is_integer() else number for number in pair] for pair in found.tolist()]
    places: dict[tuple[float, ...], int] = {}
    for i, pair in enumerate(shown):
        first = places.setdefault(tuple(pair), i)
        if pair != [-1, -1] and not all(number in range(len(order)) for number in pair):
            raise InvalidInputError(f"pairs[{i}] is {pair}, but ids are 0 to {len(order) - 1}, or both -1 for no pair")
        if pair != [-1, -1] and first < i:
            raise InvalidInputError(f"pairs[{i}] is {pair}, which is pairs[{first}] as well")
    return SymbolPairs(found).renumbered(np.argsort(order))


def _taken(tensors: dict[str, Array], name: str, shape: tuple[int, ...], *, missing_is_zero: bool = False) -> Array:
    """Remove a tensor from those that are left, and return it."""
    if name not in tensors and missing_is_zero:  # bias=False in PyTorch
        return np.zeros(shape)
    if name not in tensors:
        raise InvalidInputError(f"state_dict has no {name!r}: {NAMES}")
    tensor = tensors.pop(name)
    if tensor.shape != shape:
        raise InvalidInputError(f"{name} has shape {tensor.shape}, but by the other tensors it must be {shape}")
    if not np.isfinite(tensor).all():
        raise InvalidInputError(f"{name} holds a number that is not finite")
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
            f"state_dict must be a mapping of names to tensors, a module or a path, not {type(state_dict).__name__}"
        )
    return {str(name): _array(name, tensor) for name, tensor in state_dict.items()}


def _array(name: object, tensor: Any) -> Array:
    """Return a tensor of PyTorch, or what NumPy takes, as an array of float32 or float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor if str(tensor.dtype) == "torch.float64" else tensor.float()).numpy()
    try:
        array = np.asarray(tensor)
        return array.astype(np.float64 if array.dtype == np.float64 else np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"state_dict[{name!r}] is no tensor but a {type(tensor).__name__}: where a checkpoint holds more than "
            "weights, give the part that is the state_dict"
        ) from error


def _read(path: str) -> Any:
    """Read a file of safetensors, or one that torch.save wrote."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    if start[8:] != b"{":
        torch = needed("torch", "torch", "from_torch of a file that is not safetensors")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise InvalidInputError(
                f"{path!r} holds more than tensors, which is not read since it could run code: save the "
                "module's state_dict() instead"
            ) from error
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, Array] = load_file(path)
    except (SafetensorError, KeyError, TypeError) as error:  # the last two: a type that NumPy does not have
        raise InvalidInputError(
            f"{path!r} cannot be read as tensors of float32 or float64 ({type(error).__name__}: {error})"
        ) from error
    if any(name.startswith(("state.", "optimizer.")) or name == "training" for name in tensors):
        raise InvalidInputError(f"{path!r} is a model file of crnn: read it by CharRNN.load")
    return tensors


# ---------------------------------------------------------------------------------------------- vocabulary


def _sorted_vocabulary(vocabulary: Any) -> tuple[Vocabulary, Array]:
    """Return the symbols in crnn's order, and for each the id that the state_dict has for it.

    Examples
    --------
    >>> _sorted_vocabulary(["b", BOUNDARY, "a"])
    (Vocabulary(2 characters: 'ab', crnn.BOUNDARY), array([2, 0, 1]))
    """
    if isinstance(vocabulary, Vocabulary):
        return vocabulary, np.arange(len(vocabulary))
    if isinstance(vocabulary, Mapping) or not has_items(vocabulary):
        raise InvalidInputError(
            f"vocabulary must be a text or a list of symbols in the order of ids, not {type(vocabulary).__name__}"
        )
    symbols = [bytes([s]) if isinstance(s, int) else s for s in vocabulary]
    kinds = {type(symbol) for symbol in symbols if not isinstance(symbol, Special)}
    for i, symbol in enumerate(symbols):
        if not isinstance(symbol, str | bytes | Special) or (len(kinds) > 1 and kinds == {str, bytes}):
            raise InvalidInputError(
                f"vocabulary[{i}] is {short_repr(symbol)}: symbols are all str, or all bytes, of one character"
            )
        if not isinstance(symbol, Special) and len(symbol) != 1:
            raise InvalidInputError(f"vocabulary[{i}] is {short_repr(symbol)}, which is not one character")
    order = sorted(range(len(symbols)), key=lambda i: _rank(symbols[i]))
    for i, j in pairwise(order):
        if symbols[i] == symbols[j]:
            raise InvalidInputError(f"vocabulary[{j}] is {short_repr(symbols[j])}, which is vocabulary[{i}] as well")
    codes = [ord(symbols[i]) for i in order if not isinstance(symbols[i], Special)]
    found = Vocabulary(
        np.array(codes, np.int64),
        "bytes" if kinds == {bytes} else "characters",
        unknown=UNKNOWN in symbols,
        boundary=BOUNDARY in symbols,
    )
    return found, np.array(order)


def _rank(symbol: Any) -> tuple[int, int]:
    """Return where a symbol stands among others: characters by their code, then the unknown one, then the boundary."""
    return (1 + (symbol is BOUNDARY), 0) if isinstance(symbol, Special) else (0, ord(symbol))
