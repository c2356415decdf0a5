"""Layout: where each tensor of a network lies in the one flat vector that holds them all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64  # bytes: one cache line, and the widest vector register

Array = NDArray[Any]

TORCH_NAMES = {
    "rnn.weight_ih_l0": "Wxh_l0",
    "rnn.weight_hh_l0": "Whh_l0",
    "rnn.bias_ih_l0": "bh_l0",
    "decoder.weight": "Why",
    "decoder.bias": "by",
}


class Tensors(NamedTuple):
    """The parts of a flat vector as the kernels see them: row-major, input x output.

    The same names serve parameters, gradients and optimiser memory, since all have the same layout.
    """

    Wx: Array  # (V, H): row v is what symbol v adds to the hidden units
    Wh: Array  # (H, H)
    bh: Array  # (H,)
    Wy: Array  # (H, V)
    by: Array  # (V,)


@dataclass(frozen=True)
class Layout:
    """Shapes and places of a network's tensors in one flat, aligned vector.

    The order is ``Wx | Wh | bh | Wy | by``; each part starts on a cache line. ``Wx`` comes first because an
    update treats it apart: rows of symbols that a chunk did not hold have no gradient and are left alone, while
    everything after it is one unbroken run.

    Parameters
    ----------
    vocab_size : int
        V, the number of symbols.
    hidden_size : int
        H, the number of hidden units.
    dtype : dtype
        float32 or float64.

    Examples
    --------
    >>> layout = Layout(vocab_size=5, hidden_size=3, dtype=np.dtype("float64"))
    >>> flat = layout.zeros()
    >>> layout.tensors(flat).Wh.shape
    (3, 3)
    >>> layout.named(flat)["Wxh_l0"].shape  # min-char-rnn's shape: a view, not a copy
    (3, 5)
    """

    vocab_size: int
    hidden_size: int
    dtype: np.dtype[Any]
    offsets: tuple[int, ...] = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        step = ALIGNMENT // self.dtype.itemsize
        offsets, end = [], 0
        for shape in self.shapes:
            offsets.append(end)
            end += -(-math.prod(shape) // step) * step
        object.__setattr__(self, "offsets", tuple(offsets))
        object.__setattr__(self, "size", end)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of ``Wx, Wh, bh, Wy, by``, in the order of the flat vector."""
        V, H = self.vocab_size, self.hidden_size
        return (V, H), (H, H), (H,), (H, V), (V,)

    def zeros(self) -> Array:
        """Return a new flat vector of zeros, (size,)."""
        return aligned_zeros(self.size, self.dtype)

    def tensors(self, flat: Array) -> Tensors:
        """Return the parts of `flat` as views, in the kernels' shapes."""
        return Tensors(
            *(
                flat[start : start + math.prod(shape)].reshape(shape)
                for start, shape in zip(self.offsets, self.shapes, strict=True)
            )
        )

    def named(self, flat: Array) -> dict[str, Array]:
        """Return the parts of `flat` as writable views under min-char-rnn's names and in its shapes."""
        part = self.tensors(flat)
        return {"Wxh_l0": part.Wx.T, "Whh_l0": part.Wh.T, "bh_l0": part.bh, "Why": part.Wy.T, "by": part.by}

    def torch_named(self, flat: Array) -> dict[str, Array]:
        """Return the parts of `flat` as writable views under PyTorch's names and in its shapes.

        PyTorch adds a second bias, ``rnn.bias_hh_l0``, to the first; there is none here.
        """
        named = self.named(flat)
        return {torch_name: named[name] for torch_name, name in TORCH_NAMES.items()}


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Return an array of zeros whose first element lies on a cache line.

    Examples
    --------
    >>> aligned_zeros((2, 3), np.float32).ctypes.data % 64
    0
    """
    dtype = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    aligned: Array = raw[start : start + count * dtype.itemsize].view(dtype)
    return aligned.reshape(shape)


def initialise(layout: Layout, rng: np.random.Generator, scale: float) -> Array:
    """Return a flat vector of new weights: N(0, scale^2), biases zero, as min-char-rnn draws them.

    The draws are made in float64 whatever the layout's dtype, so that a seed means the same weights in both.
    """
    flat = layout.zeros()
    part = layout.tensors(flat)
    for weights in (part.Wx, part.Wh, part.Wy):
        weights[...] = scale * rng.standard_normal(weights.shape)
    return flat
