"""The `logit_bias` argument of sampling, checked and converted to a number per symbol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import checked_float
from ...text.symbols.special import Special
from ...text.symbols.vocabulary import Vocabulary

MAX_BIAS = 1e30  # larger than any logit, and far below the largest float


def checked_bias(logit_bias: Any, vocabulary: Vocabulary) -> NDArray[np.float64] | None:
    """Return the numbers to add to the logits, or None if all are 0.

    The symbol for unknown characters gets -inf, so that it is never drawn.

    Examples
    --------
    >>> checked_bias({"a": -math.inf, "c": 1.5}, Vocabulary.from_text("abc")).tolist()
    [-inf, 0.0, 1.5]
    """
    if logit_bias is not None and not isinstance(logit_bias, Mapping):
        raise InvalidInputError(
            f"logit_bias is of type {type(logit_bias).__name__}. Pass None or a dict from symbols to numbers."
        )
    bias = np.zeros(len(vocabulary))
    for symbol, value in (logit_bias or {}).items():
        if isinstance(symbol, Special) and symbol in vocabulary:
            bias[vocabulary.index(symbol)] = _checked_number(symbol, value)
            continue
        if isinstance(symbol, str | bytes) and len(symbol) != 1:
            raise InvalidInputError(
                f"logit_bias contains {short_repr(symbol)}, which is not a single symbol. Pass a bias for each symbol."
            )
        number = _checked_number(symbol, value)
        vocabulary.check_kind(symbol, "a symbol in logit_bias")
        if number > -math.inf or symbol in vocabulary:  # a symbol that the model lacks never occurs anyway
            bias[vocabulary.encode(symbol, name="a symbol in logit_bias")] = number
    if vocabulary.unknown is not None:
        bias[vocabulary.unknown] = -np.inf
    if (bias == -np.inf).all():
        raise InvalidInputError(
            f"logit_bias forbids all {len(bias)} symbols of the model. Leave at least one without -inf."
        )
    return bias if bias.any() else None


def _checked_number(symbol: str | bytes | Special, value: Any) -> float:
    if isinstance(value, float | np.floating) and value == -math.inf:
        return -math.inf
    message = (
        f"logit_bias[{short_repr(symbol)}] must be a number from -1e30 to 1e30, or -inf to forbid the symbol, not "
        f"{short_repr(value)}"
    )
    try:
        number = checked_float("logit_bias", value, minimum=-MAX_BIAS)
    except InvalidInputError:
        raise InvalidInputError(message) from None
    if number > MAX_BIAS:
        raise InvalidInputError(message)
    return number
