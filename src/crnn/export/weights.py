"""Read and check the weights of a fitted model for exports, through the model's public attributes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..model.int8_weights import Scales, round_matrices
from ..model.layout import second_bias, with_input_gate
from ..parameters.kinds import CELLS
from ..runtime.signals import signals_deferred
from ..text.vocabulary import BOUNDARY, Vocabulary

# In a comment at the top of exported C, HTML and JavaScript files, which contain code from crnn.
NOTICE = (
    "This file's code is crnn's, under the BSD-3-Clause license; its weights, and texts written with them, are yours."
)


class FittedModel(Protocol):
    """The attributes of a model that exports read."""

    @property
    def cell_(self) -> str:
        """The kind of cell, one of `CELLS`."""

    @property
    def params_(self) -> Mapping[str, Array]:
        """The weights under min-char-rnn's names."""

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols in id order."""

    @property
    def bigrams_(self) -> list[tuple[Any, Any] | None]:
        """The pairs of symbols with a row in the pair table; None for an unused row."""

    @property
    def scales_(self) -> Scales | None:
        """The scales of 8-bit weights; None for float weights."""


class LayerWeights(NamedTuple):
    """One layer in PyTorch's shapes and gate order: i, f, g, o; r, z, n; or for coupled gates f, g, o."""

    Wx: Array  # first layer (G H, V), or (G H, E) above an embedding; then (G H, H); see also `pairs_read_one_hot`
    Wh: Array  # (G H, H)
    bh: Array  # (G H,)
    bhn: Array | None  # (H,): the recurrent bias of a GRU's gate n


class Weights(NamedTuple):
    """All weights of a model."""

    cell: str
    layers: tuple[LayerWeights, ...]
    Why: Array  # (V, H)
    by: Array  # (V,)
    embedding: Array | None = None  # (V, E)
    pair_table: Array | None = None  # (R, G H): each pair's contribution to the first layer's input
    pairs: NDArray[np.int32] | None = None  # (R, 2): the ids of each row's two symbols; -1 for an unused row
    scales: Scales | None = None  # for 8-bit weights, each matrix's scales under its name in `params_`

    @classmethod
    def of(cls, model: FittedModel, dtype: Any = None, *, int8: bool = False) -> Self:
        """Return copies of a fitted model's weights, in the model's dtype unless another is given.

        With `int8`, float32 matrices are rounded as by `CharRNN.quantize`; a quantized model's already are.
        """
        params = {}
        for name, view in model.params_.items():
            params[name] = np.array(view, dtype, order="C")
            if not np.isfinite(params[name]).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(params[name]))[0])
                raise InvalidInputError(
                    f"params_[{name!r}]{list(where)} is {view[where]}, not finite in {params[name].dtype}. Train again "
                    "with a lower learning_rate, or load an earlier model."
                )
        scales = round_matrices(params) if int8 and model.scales_ is None else model.scales_
        layers: list[LayerWeights] = []
        while f"Whh_l{len(layers)}" in params:
            k = len(layers)
            layer = LayerWeights(
                Wx=params[f"Wxh_l{k}"], Wh=params[f"Whh_l{k}"], bh=params[f"bh_l{k}"], bhn=params.get(f"bhn_l{k}")
            )
            layers.append(layer)
        return cls(
            cell=model.cell_,
            layers=tuple(layers),
            Why=params["Why"],
            by=params["by"],
            embedding=params.get("embedding"),
            pair_table=params.get("bigrams"),
            pairs=_pairs(model) if "bigrams" in params else None,
            scales=scales,
        )

    @property
    def hidden_size(self) -> int:
        """H."""
        return len(self.Why.T)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all weights."""
        return self.Why.dtype

    def for_torch(self) -> Self:
        """Return the weights for PyTorch's cell classes; coupled gates get a separate input gate."""
        cell = CELLS[self.cell].coupled
        if cell is None and CELLS[self.cell].torch_class is None:
            raise InvalidInputError(f"cell is {self.cell!r}, which PyTorch and ONNX do not have")
        if cell is None:
            return self
        layers = (tuple(map(with_input_gate, (layer.Wx, layer.Wh, layer.bh))) for layer in self.layers)
        return self._replace(
            cell=cell,
            layers=tuple(LayerWeights(Wx, Wh, bh, bhn=None) for Wx, Wh, bh in layers),
            pair_table=None if self.pair_table is None else with_input_gate(self.pair_table.T).T,
        )

    def for_engine(self) -> Self:
        """Return the weights for the C source and the pages' engine."""
        if not CELLS[self.cell].c_order:
            raise InvalidInputError(f"cell is {self.cell!r}, which C files and HTML pages do not implement")
        return self

    def pairs_read_one_hot(self) -> Self:
        """Return equivalent weights whose first layer reads an additional one-hot vector, the row of the pair.

        The vector is zeros for symbols without a pair; its weights are the pair table. This form is for programs whose
        cells have a single matrix of input weights.
        """
        if self.pair_table is None:
            return self
        first = self.layers[0]
        wide = first._replace(Wx=np.concatenate([first.Wx, self.pair_table.T], axis=1))
        return self._replace(layers=(wide, *self.layers[1:]), pair_table=None)

    def pair_keys(self) -> NDArray[np.int64]:
        """Return a key for each pair, (R,): V * (first id + 1) + second id, or -1 for an unused row.

        The last symbol read is stored as its id plus 1, or 0 at the start, which matches no key.
        """
        assert self.pairs is not None
        before, symbol = self.pairs.astype(np.int64).T
        return np.where(before < 0, -1, (before + 1) * len(self.by) + symbol)

    def torch_named(self) -> dict[str, Array]:
        """Return the weights under PyTorch's names, with PyTorch's second bias (zeros except for a GRU's gate n).

        For a model with pairs, the weights are those of `pairs_read_one_hot`, since PyTorch has no pair table;
        ``pairs`` lists the pairs.
        """
        named: dict[str, Array] = {} if self.embedding is None else {"embedding.weight": self.embedding}
        if self.pairs is not None:
            named["pairs"] = self.pairs
        for k, layer in enumerate(self.pairs_read_one_hot().layers):
            named |= {
                f"rnn.weight_ih_l{k}": layer.Wx,
                f"rnn.weight_hh_l{k}": layer.Wh,
                f"rnn.bias_ih_l{k}": layer.bh,
                f"rnn.bias_hh_l{k}": second_bias(layer.bh, layer.bhn),
            }
        return named | {"decoder.weight": self.Why, "decoder.bias": self.by}


def vocabulary_data(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the code points or byte values in id order, and the ids of the special symbols, for JSON."""
    return {
        "kind": vocabulary.kind,
        "codes": vocabulary.codes.tolist(),
        "unknown": vocabulary.unknown,
        "boundary": vocabulary.boundary,
    }


def _pairs(model: FittedModel) -> NDArray[np.int32]:
    """Return the pairs' ids. No pair ends in a boundary, which is read from a state of zeros."""
    ids: dict[Any, int] = {symbol: i for i, symbol in enumerate(model.vocabulary_)}
    pairs = [None if pair is None or pair[1] is BOUNDARY else pair for pair in model.bigrams_]
    return np.array([(-1, -1) if pair is None else (ids[pair[0]], ids[pair[1]]) for pair in pairs], np.int32)


# ---------------------------------------------------------------- optional packages


def require_package(package: str, extra: str, purpose: str) -> Any:
    """Import an optional package; if it is missing, the error names the extra that installs it and the `purpose` that
    needs it.
    """
    try:
        with signals_deferred():
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:  # the package exists, but one of its own imports is missing
            raise
        raise ModuleNotFoundError(
            f'{purpose} needs {package}, which is not installed. Run: pip install "crnn[{extra}]"', name=error.name
        ) from None
