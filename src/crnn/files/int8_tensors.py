"""8-bit weights in a file: each matrix as integers under its own name, with its scales as another tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..arrays import Array
from ..model import int8_weights
from ..model.int8_weights import LARGEST, SMALLEST_SCALE, by_output, integers_of

SCALE = ".scale"  # appended to the name of a matrix
TABLES = tuple(f"{name}.weight" for name in int8_weights.TABLES)  # their columns have the scales


def outputs(name: str, shape: tuple[int, ...]) -> int:
    """Return the number of scales of a matrix, given PyTorch's name and shape."""
    return shape[1] if name in TABLES else shape[0]


def int8_tensors(tensors: Mapping[str, Array], scales: Mapping[str, Array]) -> dict[str, Array]:
    """Return tensors with the matrices as integers, followed by their scales."""
    out = dict(tensors)
    for name, scale in scales.items():
        out[name] = by_output(integers_of(by_output(tensors[name], name in TABLES), scale), name in TABLES)
        out[name + SCALE] = scale
    return out


def float_tensors(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the arguments of `int8_tensors`; tensors without scales are unchanged."""
    floats, scales = dict(tensors), {}
    for name in scale_names(tensors):
        matrix, scale = name.removesuffix(SCALE), np.array(floats.pop(name), np.float32)
        scales[matrix] = scale
        floats[matrix] = by_output(by_output(tensors[matrix], matrix in TABLES) * scale[:, None], matrix in TABLES)
    return floats, scales


def scale_names(names: Iterable[str]) -> list[str]:
    """Return the names that belong to scales."""
    return [name for name in names if name.endswith(SCALE)]


def int8_fault(tensors: Mapping[str, Array]) -> str | None:
    """Return what is wrong with finite integers and scales, or None."""
    largest = np.finfo(np.float32).max / LARGEST
    for name in scale_names(tensors):
        scale, matrix = tensors[name], name.removesuffix(SCALE)
        if not ((scale == 0) | (scale >= SMALLEST_SCALE) & (scale <= largest)).all():
            return f"its tensor {name!r} contains an invalid scale: each is 0, or {SMALLEST_SCALE:.3g} to {largest:.3g}"
        if (tensors[matrix] < -LARGEST).any():
            return f"its tensor {matrix!r} contains {-LARGEST - 1}, which is not a valid 8-bit weight"
    return None
