"""Quantized: a model with weights of 8 bits, for sampling and scoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InvalidInputError
from .int8_weights import int8_weights
from .state import ModelState

__all__ = ["quantized"]

MAX_UNITS = 1 << 16  # sums of so many products of two bytes fit into 32 bits


def quantized(state: ModelState) -> ModelState:
    """Return a state with weights of 8 bits, which shares no array with a float state.

    Parameters
    ----------
    state : ModelState
        Another thread may be training it.

    Raises
    ------
    InvalidInputError
        If its weights are float64, are not finite, or have 8 bits.

    Examples
    --------
    >>> from crnn.text.symbols.vocabulary import Vocabulary
    >>> from crnn.model.layout import Layout
    >>> layout = Layout(3, 5, np.dtype("float32"))
    >>> state = ModelState.initial(layout, Vocabulary.from_text("abc"), np.random.default_rng(0), optimizer="adam")
    >>> small = quantized(state)
    >>> {name: len(scale) for name, scale in small.scales.items()}, small.optimizer_state
    ({'Wxh_l0': 5, 'Whh_l0': 5, 'Why': 3}, {})
    """
    if state.scales is not None:
        raise InvalidInputError("the model has weights of 8 bits already: call quantize on the float model")
    if state.layout.dtype != np.float32:
        raise InvalidInputError(
            f"quantize needs weights of float32, and the model has {state.layout.dtype}: fit it with dtype='float32'"
        )
    if state.layout.hidden_size > MAX_UNITS:
        raise InvalidInputError(
            f"hidden_size is {state.layout.hidden_size}, but quantize sums at most {MAX_UNITS} products in 32 bits"
        )
    copy = state.copy_between_steps().averaged()
    copy.check_finite("quantize")
    params, scales = int8_weights(copy.layout, copy.params)
    return replace(copy, params=params, scales=scales, optimizer_state={}, gradient_rms=None)
