"""PyTorch: weights from a state_dict or a file, and a model as a module."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError, short_repr
from ..files.sealed_file import read_header, read_tensors
from ..model.layout import SymbolPairs, is_coupled, layout_of, without_input_gate
from ..model.state import ModelState
from ..parameters.checks import checked_path, has_items, pcg64_generator
from ..parameters.kinds import CELLS
from ..parameters.settings import Settings
from ..runtime.signals import signals_deferred
from ..text.vocabulary import BOUNDARY, UNKNOWN, Special, Text, Vocabulary
from .weights import FittedModel, Weights, require_package

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    try:
        with signals_deferred():  # PyTorch crashes after an interrupted import
            import torch
            from torch import nn
    except ModuleNotFoundError:  # for tools that import every module; `to_torch` checks before importing this module
        from types import SimpleNamespace

        nn = SimpleNamespace(Module=object)


EXPECTED_NAMES = (
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
    pairs = _pairs(tensors, order)
    first = V if E is None else E
    R = 0 if pairs is None else len(pairs)
    dtype = "float64" if all(array.dtype == np.float64 for array in tensors.values()) else "float32"
    params: dict[str, Array] = {}
    for k in range(L):
        params |= _layer(tensors, k, gates, H, H if k else first + R)
    cell = BY_GATES[gates]
    if cell in COUPLED and all(map(is_coupled, params.values())) and any(array[:H].any() for array in params.values()):
        cell = COUPLED[cell]
        params = {name: without_input_gate(array) for name, array in params.items()}
    joined = params["Wxh_l0"]  # the columns of the symbols, then the columns of the pairs
    params["Wxh_l0"] = joined[:, :first]
    params["bigrams"] = joined[:, first:].T
    if E is None:
        params["Wxh_l0"] = params["Wxh_l0"][:, order]
    else:
        params["embedding"] = _take(tensors, "embedding.weight", (V, E))[order]
    params["Why"] = _take(tensors, "decoder.weight", (V, H))[order]
    params["by"] = _take(tensors, "decoder.bias", (V,), missing_is_zero=True)[order]
    if tensors:
        raise InvalidInputError(f"state_dict contains an unexpected name, {min(tensors)!r}. {EXPECTED_NAMES}")
    parameters = {**defaults, "hidden_size": H, "num_layers": L, "cell": cell, "dtype": dtype}
    parameters |= {"embedding_size": E, "n_bigrams": None if pairs is None else R}
    state = _initial_state(Settings.check(parameters), symbols, pairs)
    for name, view in state.layout.named(state.params).items():
        view[...] = params[name]
    return parameters, state


def _initial_state(settings: Settings, vocabulary: Vocabulary, pairs: SymbolPairs | None) -> ModelState:
    """Return the state of an untrained model with these settings, to be filled with PyTorch's weights."""
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
    bias = _take(tensors, f"rnn.bias_ih_l{k}", (rows,), missing_is_zero=True)
    second = _take(tensors, f"rnn.bias_hh_l{k}", (rows,), missing_is_zero=True)
    layer = {
        f"Wxh_l{k}": _take(tensors, f"rnn.weight_ih_l{k}", (rows, inputs)),
        f"Whh_l{k}": _take(tensors, f"rnn.weight_hh_l{k}", (rows, H)),
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
            raise InvalidInputError(f"state_dict does not contain {name!r}. {EXPECTED_NAMES} Found: {shown}.")
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
    return SymbolPairs(pairs).renumber(np.argsort(order))


def _take(tensors: dict[str, Array], name: str, shape: tuple[int, ...], *, missing_is_zero: bool = False) -> Array:
    """Remove a tensor from `tensors` and return it."""
    if name not in tensors and missing_is_zero:  # bias=False in PyTorch
        return np.zeros(shape)
    if name not in tensors:
        raise InvalidInputError(f"state_dict does not contain {name!r}. {EXPECTED_NAMES}")
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
        torch = require_package("torch", "torch", "from_torch of a file that is not safetensors")
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


def torch_module(model: FittedModel) -> TorchCharRNN:
    """Return a module with copies of a model's weights; see `crnn.CharRNN.to_torch`."""
    weights = Weights.of(model).for_torch()
    embedding_size = None if weights.embedding is None else weights.embedding.shape[1]
    module: TorchCharRNN = TorchCharRNN(
        model.vocabulary_,
        weights.hidden_size,
        cell=weights.cell,
        num_layers=len(weights.layers),
        embedding_size=embedding_size,
        pairs=weights.pairs,
    ).to(getattr(torch, weights.dtype.name))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.torch_named().items()})
    module.eval()
    return module


class TorchCharRNN(nn.Module):  # type: ignore[misc]
    """A recurrent network over symbols: a PyTorch recurrent layer `rnn` and a linear layer `decoder`.

    `rnn` reads one-hot vectors of the symbols, or with `embedding_size` the vectors of `embedding`. With `pairs`, a
    second one-hot vector is appended to each vector: the pair formed by the symbol and its predecessor, or zeros.

    As in PyTorch, time comes first: T symbols of B streams. A stream that reads the document boundary restarts from a
    state of zeros, and no gradient flows back past the boundary.

    Attributes
    ----------
    vocabulary : Vocabulary
        The symbols, whose `encode` and `decode` convert between text and ids.
    embedding : torch.nn.Embedding or None
        The symbols' vectors; None if the recurrent layer reads one-hot vectors.
    rnn : torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM or a module like these
        The recurrent layers.
    decoder : torch.nn.Linear
        The layer that turns hidden states into logits.
    pairs : torch.Tensor of int64 and shape (R, 2), or None
        The ids of the symbol pairs with input weights of their own; a row of -1 is unused. None without pairs.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        hidden_size: int,
        *,
        cell: str = "rnn",
        num_layers: int = 1,
        embedding_size: int | None = None,
        pairs: Any = None,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = None if embedding_size is None else nn.Embedding(len(vocabulary), embedding_size)
        inputs = (embedding_size or len(vocabulary)) + (0 if pairs is None else len(pairs))
        self.rnn = getattr(nn, CELLS[cell].torch_class or "")(inputs, hidden_size, num_layers)
        self.decoder = nn.Linear(hidden_size, len(vocabulary))
        self.register_buffer("pairs", None if pairs is None else torch.tensor(pairs, dtype=torch.int64))

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits (T, B, V) of the symbol after each of `ids` (T, B), and the state after the last.

        The state is (L, B, H), for an LSTM a pair of these; None: zeros. With `pairs`, it is a tuple whose last element
        is an int64 tensor (1, B, 1): each stream's last symbol plus 1, or 0 at the start.
        """
        if ids.ndim != 2:
            raise InvalidInputError(
                f"ids has shape {tuple(ids.shape)}, but must have shape (T, B). For one stream, pass ids[:, None]."
            )
        state = self._zeros(ids.shape[1]) if state is None else state
        outputs = [self.decoder.weight.new_zeros((0, ids.shape[1], self.rnn.hidden_size))]
        for part in self._parts(ids):
            output, state = self._read(part, self._restart_streams(part[0], state))
            outputs.append(output)
        return self.decoder(torch.cat(outputs)), state

    def start(self, batch_size: int = 1) -> tuple[Tensor, Any]:
        """Return the logits of a text's first symbol, (B, V), and the state before it.

        The state is zeros or, for a model of documents, the state after the boundary.
        """
        if self.vocabulary.boundary is not None:
            logits, state = self(self._device_ids([[self.vocabulary.boundary] * batch_size]))
            return logits[0], state
        state = self._zeros(batch_size)
        return self.decoder(state[0][-1] if isinstance(state, tuple) else state[-1]), state

    def log_probabilities(self, ids: Tensor) -> Tensor:
        """Return the log probability of each symbol of texts (T, B) given the preceding symbols.

        The texts have no boundary before them. A boundary after a document adds the document's end.
        """
        first, state = self.start(ids.shape[1])
        logits, _ = self(ids, state)
        predicted = torch.cat([first[None], logits])[:-1]
        return predicted.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)

    def encode(self, text: Text) -> Tensor:
        """Return the ids of a text as a single stream, (T, 1)."""
        return self._device_ids(self.vocabulary.encode(text, name="text").astype("int64"))[:, None]

    def _read(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the last layer's output for ids (T, B), T > 0, and the state; streams start only at the first ids."""
        if self.pairs is None:
            output, state = self.rnn(self._vectors(ids), state)
            return output, state
        *inner, symbol = state
        before = torch.cat([symbol[..., 0] - 1, ids[:-1]])
        is_pair = (before[..., None] == self.pairs[:, 0]) & (ids[..., None] == self.pairs[:, 1])  # (T, B, R)
        vectors = self._vectors(ids)
        output, after = self.rnn(
            torch.cat([vectors, is_pair.to(vectors.dtype)], -1), tuple(inner) if len(inner) > 1 else inner[0]
        )
        return output, (*(after if isinstance(after, tuple) else (after,)), ids[-1:, :, None] + 1)

    def _vectors(self, ids: Tensor) -> Tensor:
        """Return the first layer's input for ids (T, B): embeddings (T, B, E) or one-hot vectors (T, B, V)."""
        if self.embedding is not None:
            vectors: Tensor = self.embedding(ids)
            return vectors
        return nn.functional.one_hot(ids, len(self.vocabulary)).to(self.decoder.weight.dtype)

    def _device_ids(self, ids: Any) -> Tensor:
        return torch.as_tensor(ids, dtype=torch.int64, device=self.decoder.weight.device)

    def _zeros(self, batch_size: int) -> Any:
        h = self.decoder.weight.new_zeros((self.rnn.num_layers, batch_size, self.rnn.hidden_size))
        state = (h, h.clone()) if self.rnn.mode == "LSTM" else (h,)
        if self.pairs is not None:
            state = (*state, self.pairs.new_zeros((1, batch_size, 1)))
        return state if len(state) > 1 else h

    def _parts(self, ids: Tensor) -> Iterator[Tensor]:
        """Split ids along time before each step at which a stream reads the boundary."""
        cuts: list[int] = []
        if self.vocabulary.boundary is not None:
            cuts = (ids == self.vocabulary.boundary).any(1).nonzero().flatten().tolist()
        for start, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            if end > start:
                yield ids[start:end]

    def _restart_streams(self, ids: Tensor, state: Any) -> Any:
        """Return the state with zeros for the streams that read the boundary next."""
        if self.vocabulary.boundary is None:
            return state
        starting = (ids == self.vocabulary.boundary)[None, :, None]
        if isinstance(state, tuple):
            return tuple(part.masked_fill(starting, 0) for part in state)
        return state.masked_fill(starting, 0)
