"""Root mean squares of each weight's training gradients, the scale of an adaptation's steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..parameters.optimizers import OPTIMIZERS
from .layout import Layout
from .state import ModelState

Array = NDArray[Any]


def gradient_rms(state: ModelState, beta_2: float) -> Array | None:
    """Return the root mean square of each weight's gradient in training, as float16, or None if unknown.

    The values come from the optimizer state. A model loaded from a file of weights alone, and not trained since, has
    the values in the file. Half precision suffices for a scale, and adds only half to a file of weights. The values
    (n_weights,) are in the order of `Layout.torch_named`, each tensor flattened, without padding. `beta_2` is Adam's,
    for its bias correction.
    """
    steps = state.n_steps - state.optimizer_start
    if steps <= 0:
        return state.gradient_rms
    kind = OPTIMIZERS[state.optimizer]
    if kind.squares is None or kind.mean_factor is None:
        return None
    return gathered(state.layout, np.sqrt(state.optimizer_state[kind.squares] * kind.mean_factor(steps, beta_2)))


def gathered(layout: Layout, flat: Array) -> Array:
    """Return the elements of a flat vector in the order of `gradient_rms`, in half precision."""
    limit = float(np.finfo(np.float16).max)
    parts = [np.clip(array.ravel(), 0.0, limit) for array in layout.torch_named(flat).values()]
    return np.concatenate(parts).astype(np.float16)


def spread(layout: Layout, rms: Array) -> Array:
    """Return a layout's flat vector with the elements of `gradient_rms`; the padding is 0."""
    flat, done = layout.zeros(), 0
    for array in layout.torch_named(flat).values():
        array[...] = rms[done : done + array.size].reshape(array.shape)
        done += array.size
    return flat
