"""A state's arrays as PyTorch's tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError
from ..model.int8_weights import Scales
from ..model.layout import (
    Layout,
    SymbolPairs,
    is_coupled,
    second_bias,
    with_input_gate,
    without_input_gate,
)
from ..model.state import zero_hidden, zero_optimizer_state
from .int8_tensors import int8_tensors, torch_scales

MAX_NEW_HIDDEN = 4 << 20  # maximum bytes of a hidden state made for a file of weights alone, for its batch size


def torch_tensors(layout: Layout, params: Array, scales: Scales | None = None) -> dict[str, Array]:
    """Return the weights in PyTorch's form, with the second bias; if scales are given, matrices are integers."""
    tensors = layout.torch_named(params)
    if layout.kind.coupled:
        tensors |= {name: with_input_gate(array) for name, array in tensors.items() if name.startswith("rnn.")}
    for k, layer in enumerate(layout.tensors(params).layers):
        tensors.pop(f"rnn.bias_hn_l{k}", None)
        tensors[f"rnn.bias_hh_l{k}"] = second_bias(tensors[f"rnn.bias_ih_l{k}"], layer.bn)
    return tensors if scales is None else int8_tensors(tensors, torch_scales(layout, scales))


def flat_weights(layout: Layout, tensors: Mapping[str, Array]) -> Array:
    """Return the flat vector of weights, given PyTorch's tensors."""
    if layout.kind.coupled:
        tensors = _without_input_gates(layout, tensors)
    params = layout.zeros()
    for name, view in layout.torch_named(params).items():
        if name in tensors:  # all but rnn.bias_hn
            view[...] = tensors[name]
    for k, layer in enumerate(layout.tensors(params).layers):
        second = tensors[f"rnn.bias_hh_l{k}"]
        if layer.bn is not None:
            second, layer.bn[...] = np.split(second, [-len(layer.bn)])
        first = layer.bh[: len(second)]
        np.add(first, second, out=first, where=second != 0)  # -0.0 + 0.0 would be 0.0, and other bits than were saved
    if not np.isfinite(params).all():  # two finite biases may add up to infinity
        raise ModelFileError("the sum of a unit's two biases is infinite")
    return params


def _without_input_gates(layout: Layout, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights of PyTorch's LSTM without the input gate's, if it is coupled."""
    coupled = dict(tensors)
    for k in range(layout.num_layers):
        names = [f"rnn.{part}_l{k}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        first, second = (tensors[name] for name in names[2:])
        for name, rows in ((names[0], tensors[names[0]]), (names[1], tensors[names[1]]), (names[2], first + second)):
            if not is_coupled(rows):
                raise ModelFileError(
                    f"its tensor {name!r} does not have coupled gates, in which the input gate has the forget gate's "
                    "weights, negated",
                    remedy="load an LSTM trained by PyTorch with CharRNN.from_torch(state_dict)",
                )
        coupled |= {name: without_input_gate(tensors[name]) for name in names}
    return coupled


def optimizer_state_of(layout: Layout, optimizer: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Copy an optimizer's state from a file's tensors into flat vectors."""
    state = zero_optimizer_state(optimizer, layout)
    for part, flat in state.items():
        for name, view in layout.torch_named(flat).items():
            tensor = f"optimizer.{part}.{name}"
            if tensor not in tensors:
                raise ModelFileError(f"it has a training state without {tensor}")
            view[...] = tensors[tensor]
    return state


def hidden_state_of(layout: Layout, tensors: Mapping[str, Array]) -> tuple[Array, ...]:
    """Return the hidden state in aligned arrays of its own."""
    return tuple(np.array(tensors[f"state.{name}"]) for name in layout.states)


def new_hidden_state(layout: Layout, batch_size: int) -> tuple[Array, ...]:
    """Return a zero hidden state, of one stream if the batch size takes much memory: training makes its own."""
    per_stream = layout.num_layers * layout.hidden_size * layout.dtype.itemsize * len(layout.kind.states)
    return zero_hidden(layout, batch_size if batch_size * per_stream <= MAX_NEW_HIDDEN else 1)


def symbol_pairs(pairs: Array | None, configuration: Mapping[str, Any]) -> SymbolPairs | None:
    """Return the pairs in a tensor; the text may have had fewer than the configuration asks for."""
    if pairs is None:
        return None
    limit = configuration.get("n_bigrams")
    return SymbolPairs(pairs, limit if type(limit) is int and limit > len(pairs) else None)


def generator_from_bits(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator whose PCG64 has this checked state."""
    bits = np.random.PCG64()
    bits.state = state  # type: ignore[assignment]
    return np.random.Generator(bits)
