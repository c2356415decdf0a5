"""Quantized: a model with 8-bit weights, for sampling and scoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InvalidInputError
from .int8_weights import int8_weights
from .state import ModelState

MAX_UNITS = 1 << 16  # sums of this many products of two bytes fit into 32 bits


def quantized(state: ModelState) -> ModelState:
    """Return a state with 8-bit weights, which shares no array with the float state; another thread may be training
    that.
    """
    if state.scales is not None:
        raise InvalidInputError("the model already has 8-bit weights. Call quantize on the float model.")
    if state.layout.dtype != np.float32:
        raise InvalidInputError(
            f"quantize needs float32 weights, but the model has {state.layout.dtype}. Fit it with dtype='float32'."
        )
    if state.layout.hidden_size > MAX_UNITS:
        raise InvalidInputError(
            f"hidden_size is {state.layout.hidden_size}, but quantize supports at most {MAX_UNITS}, because it sums "
            "products in 32 bits. Fit a smaller model."
        )
    copy = state.copy_between_steps().averaged()
    copy.check_finite("quantize")
    params, scales = int8_weights(copy.layout, copy.params)
    return replace(copy, params=params, scales=scales, optimizer_state={}, gradient_rms=None)
