"""A random generator's state in a model file, checked against the ranges of its kind.

NumPy accepts a state unchecked. For example, it would read a position beyond the state of a Mersenne Twister from
foreign memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_Check = Callable[[Any], bool]

KINDS = {
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
    "Philox": np.random.Philox,
    "SFC64": np.random.SFC64,
    "MT19937": np.random.MT19937,
}


def _below(limit: int) -> _Check:
    return lambda value: type(value) is int and 0 <= value < limit


def _many(count: int, limit: int) -> _Check:
    return lambda value: type(value) is list and len(value) == count and all(map(_below(limit), value))


def _odd(limit: int) -> _Check:
    return lambda value: _below(limit)(value) and value % 2 == 1


_HALF = {"has_uint32": _below(2), "uinteger": _below(2**32)}  # the unused half of a 64-bit random number
_PCG: dict[str, Any] = {"state": {"state": _below(2**128), "inc": _odd(2**128)}} | _HALF
_FIELDS: dict[str, dict[str, Any]] = {
    "PCG64": _PCG,
    "PCG64DXSM": _PCG,
    "Philox": {
        "state": {"counter": _many(4, 2**64), "key": _many(2, 2**64)},
        "buffer": _many(4, 2**64),
        "buffer_pos": _below(5),
    }
    | _HALF,
    "SFC64": {"state": {"state": _many(4, 2**64)}} | _HALF,
    "MT19937": {"state": {"key": _many(624, 2**32), "pos": _below(625)}},
}


def random_state_fault(state: Any) -> str | None:
    """Return why a JSON document is not the state of one of NumPy's bit generators, or None."""
    kind = state.get("bit_generator") if isinstance(state, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        return f"its random state is not one of NumPy's bit generators {', '.join(KINDS)}"
    if not _fits({name: value for name, value in state.items() if name != "bit_generator"}, _FIELDS[kind]):
        return f"its random state is not a valid state of NumPy's {kind}"
    return None


def _fits(document: Any, fields: dict[str, Any]) -> bool:
    if not isinstance(document, dict) or document.keys() != fields.keys():
        return False
    return all(
        _fits(document[name], check) if isinstance(check, dict) else check(document[name])
        for name, check in fields.items()
    )


def restored_generator(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator whose bit generator has this checked state."""
    bits = KINDS[state["bit_generator"]]()
    bits.state = state
    return np.random.Generator(bits)
