"""Matrices as 8-bit integers with a scale for each output, as files have them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import Array
from ..model.int8_weights import LOOKUP_TABLES, Scales, by_output, integers_of
from ..model.layout import Layout, torch_name, with_input_gate, without_input_gate
from .entries import PARTS

SCALE = ".scale"  # appended to the name of a matrix
TABLES = tuple(f"{name}.weight" for name in LOOKUP_TABLES)  # their columns have the scales


def int8_tensors(tensors: Mapping[str, Array], scales: Mapping[str, Array]) -> dict[str, Array]:
    """Return tensors with the matrices as integers, followed by their scales."""
    out = dict(tensors)
    for name, scale in scales.items():
        out[name] = by_output(integers_of(by_output(tensors[name], name in TABLES), scale), name in TABLES)
        out[name + SCALE] = scale
    return out


def float_tensors(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the arguments of `int8_tensors`; tensors without scales are unchanged."""
    floats = dict(tensors)
    scales = {}
    for name in scale_names(tensors):
        matrix = name.removesuffix(SCALE)
        scale = np.array(floats.pop(name), np.float32)
        scales[matrix] = scale
        floats[matrix] = by_output(by_output(tensors[matrix], matrix in TABLES) * scale[:, None], matrix in TABLES)
    return floats, scales


def scale_names(tensors: Mapping[str, Array]) -> list[str]:
    """Return the names of the tensors that have scales."""
    return [name for name in tensors if name.endswith(SCALE) and name.partition(".")[0] not in PARTS]


def torch_scales(layout: Layout, scales: Scales) -> dict[str, Array]:
    """Return scales by PyTorch's names; a coupled input gate has the forget gate's scales."""
    by_name = {torch_name(name): scale for name, scale in scales.items()}
    if layout.kind.coupled:
        by_name |= {n: np.abs(with_input_gate(scale)) for n, scale in by_name.items() if n.startswith("rnn.")}
    return by_name


def named_scales(layout: Layout, by_name: Mapping[str, Array]) -> Scales | None:
    """Return scales under the names of `Layout.named`, the reverse of `torch_scales`; None if there are none."""
    scales: Scales = {}
    for name in layout.named(layout.zeros()):
        scale = by_name.get(torch_name(name))
        if scale is not None:
            coupled = layout.kind.coupled and torch_name(name).startswith("rnn.")
            scales[name] = without_input_gate(scale) if coupled else scale
    return scales or None
