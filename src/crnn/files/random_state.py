"""The state of a model's random generator in a file, checked: NumPy accepts any numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


def random_state_fault(state: Any) -> str | None:
    """Return why a JSON document is not the state of a PCG64, or None.

    Examples
    --------
    >>> random_state_fault(np.random.default_rng(3).bit_generator.state)
    >>> random_state_fault({"bit_generator": "MT19937"})
    "its random state is not a valid state of NumPy's PCG64"
    """
    fault = "its random state is not a valid state of NumPy's PCG64"
    limits = {"has_uint32": 2, "uinteger": 2**32}  # the unused half of a 64-bit random number
    if not isinstance(state, dict) or state.keys() != {"bit_generator", "state", *limits}:
        return fault
    numbers = state["state"]
    if state["bit_generator"] != "PCG64" or not isinstance(numbers, dict) or numbers.keys() != {"state", "inc"}:
        return fault
    values = [(numbers["state"], 2**128), (numbers["inc"], 2**128), *((state[name], n) for name, n in limits.items())]
    if any(type(value) is not int or not 0 <= value < limit for value, limit in values) or numbers["inc"] % 2 == 0:
        return fault
    return None


def restored_generator(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator whose PCG64 has this checked state."""
    bits = np.random.PCG64()
    bits.state = state  # type: ignore[assignment]
    return np.random.Generator(bits)
