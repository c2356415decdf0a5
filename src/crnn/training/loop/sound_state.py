"""The model restored when a run ends in ruin, as named arrays and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...model.state import ModelState

SOUND = "sound."  # prefix of the arrays' names

Array = NDArray[Any]


def sound_arrays(sound: ModelState) -> dict[str, Array]:
    """Return weights (under PyTorch's names), optimizer state and hidden state by name."""
    arrays = {f"params.{name}": array for name, array in sound.layout.torch_named(sound.params).items()}
    return {SOUND + name: array for name, array in (arrays | sound.training_arrays()).items()}


def sound_from(arrays: Mapping[str, Array], state: ModelState, n_steps: int, smooth_loss: float) -> ModelState:
    """Return the model that `sound_arrays` has taken apart; unrelated arrays are ignored, and `state` is the model in
    the same file.
    """
    sound = replace(state.copy(), n_steps=n_steps, smooth_loss=smooth_loss)
    own = sound_arrays(sound)
    if own.keys() != {name for name in arrays if name.startswith(SOUND)}:
        raise InvalidInputError("its sound model and the model have different arrays")
    for name, view in own.items():
        array = arrays[name]
        if array.dtype != view.dtype or array.shape != view.shape:
            raise InvalidInputError(f"{name} of its sound model differs in shape or type from the model's")
        view[...] = array
    if not np.isfinite(sound.params).all():
        raise InvalidInputError("its sound model has non-finite weights")
    return sound
