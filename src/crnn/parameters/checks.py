"""Checks of single values, with messages that show the value and suggest a name."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, short_repr


def did_you_mean(given: object, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Return the end of an error message that suggests the closest known name, or the one that `synonyms` give."""
    if not isinstance(given, str):
        return ""
    lower = given.lower()
    by_lower = {name.lower(): name for name in known}
    near = (synonyms or {}).get(lower)
    if near is None:
        import difflib  # only needed for an error

        near = next((by_lower[name] for name in difflib.get_close_matches(lower, by_lower, n=1)), None)
    return "" if near is None else f"; did you mean {near!r}?"


FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Check = Callable[[str, Any], Any]  # from a parameter's name and value to the checked value

MAX_SIZE = 2**31 - 1  # BLAS counts with 32 bits
MAX_STEPS = 2**63 - 1  # the kernel counts with 64
MAX_SCALE = 1e30  # of weights, well within the range of a float

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
# Never ask NumPy about other values: it evaluates some words as Python source.
_DTYPE_NAMES: dict[str | type, np.dtype[Any]] = {
    name: dtype for dtype in _DTYPES for name in (dtype.name, dtype.str, dtype.str[1:], dtype.type)
}
_DTYPE_NAMES[float] = np.dtype(np.float64)


def is_int(value: Any) -> bool:
    """Return whether a value is a Python or NumPy integer, but not a boolean."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def has_items(value: Any) -> TypeGuard[Iterable[Any]]:
    """Return whether a value can be run through; an array of no dimension has the method for it, which then raises."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0


def checked_int(name: str, value: Any, minimum: int, maximum: int = MAX_STEPS) -> int:
    """Return `value` as an int if it is a whole number from `minimum` to `maximum`, by default what 64 bits hold."""
    if is_int(value) and value >= minimum:
        if value <= maximum:
            return int(value)
        raise InvalidInputError(f"{name} must be at most {maximum}, not {short_repr(value)}")
    raise InvalidInputError(f"{name} must be a whole number of at least {minimum}, not {short_repr(value)}")


def checked_float(
    name: str,
    value: Any,
    *,
    minimum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
) -> float:
    """Return `value` as a float if it is finite and within its bounds."""
    if is_int(value) or isinstance(value, float | np.floating):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        above_bound = number >= minimum if minimum is not None else above is not None and number > above
        below_bound = (below is None or number < below) and (maximum is None or number <= maximum)
        if math.isfinite(number) and above_bound and below_bound:
            return number
    bound = f"of at least {minimum:g}" if minimum is not None else f"above {above:g}"
    bound += "" if below is None else f" and below {below:g}"
    bound += "" if maximum is None else f" and at most {maximum:g}"
    raise InvalidInputError(f"{name} must be a finite number {bound}, not {short_repr(value)}")


def checked_bool(name: str, value: Any) -> bool:
    """Return `value` as a bool if it is True or False."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InvalidInputError(f"{name} must be True or False, not {short_repr(value)}")


def checked_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """Return `value` if it is one of the known words."""
    if isinstance(value, str) and value in known:
        return value
    raise InvalidInputError(
        f"{name} must be one of {', '.join(map(repr, known))}, not {short_repr(value)}{did_you_mean(value, known)}"
    )


def checked_steps(name: str, value: Any, minimum: int, *, otherwise: str) -> int:
    """Return a number of steps; for a float, the error names the parameter `otherwise` that takes one."""
    if isinstance(value, float | np.floating):
        raise InvalidInputError(
            f"{name} must be a whole number of steps of at least {minimum}, not {short_repr(value)}. For a float, use "
            f"{otherwise}."
        )
    return checked_int(name, value, minimum)


def checked_callables(name: str, value: Any) -> tuple[Any, ...]:
    """Return the callbacks of a list of functions."""
    if has_items(value) and not isinstance(value, str | bytes | Iterator):  # an iterator serves only once
        functions = tuple(value)
        if all(map(callable, functions)):
            return functions
    raise InvalidInputError(
        f"{name} must be None or a list of functions, each called with the model and a record, not {short_repr(value)}"
    )


def checked_vocabulary(name: str, value: Any) -> str | bytes:
    """Return the symbols, each once and sorted, as one text."""
    if isinstance(value, bytes | bytearray) and value:
        return bytes(sorted(set(value)))
    if has_items(value) and not isinstance(value, bytearray | memoryview | Mapping | Iterator):
        symbols = list(value)
        for kind in (str, bytes):
            if symbols and all(isinstance(symbol, kind) and len(symbol) == 1 for symbol in symbols):
                return kind().join(sorted(set(symbols)))
    raise InvalidInputError(
        f"{name} must be None, a str, bytes, or a list of single characters (or of bytes of length 1), at least one, "
        f"not {short_repr(value)}"
    )


def checked_path(name: str, value: Any) -> str:
    """Return the path of a file, given as a str, bytes or a path object, as a str."""
    if isinstance(value, str | bytes | os.PathLike):
        path = os.fsdecode(value)
        try:
            if b"\0" not in os.fsencode(path):
                return path
        except UnicodeEncodeError:  # a lone surrogate
            pass
        raise InvalidInputError(f"{name} must be the path of a file, but no file can be named {short_repr(path)}")
    raise InvalidInputError(
        f"{name} must be the path of a file, as a str, bytes or a path object, not {short_repr(value)}"
    )


def checked_dtype(name: str, value: Any) -> np.dtype[Any]:
    """Return the dtype named by `value`, which must be float32 or float64."""
    dtype = value if isinstance(value, np.dtype) else None
    if isinstance(value, str | type):
        dtype = _DTYPE_NAMES.get(value)
    if dtype is None or dtype not in _DTYPES:
        near = did_you_mean(value, ("float32", "float64"))
        raise InvalidInputError(f"{name} must be 'float32' or 'float64', not {short_repr(value)}{near}")
    return dtype


def checked_threads(value: Any) -> int | None:
    """Return a checked `n_threads`."""
    if value is None or (type(value) is int and value >= 1):  # the usual case, for calls of some microseconds
        return value
    return checked_int("n_threads", value, 1)


def generator(random_state: Any) -> np.random.Generator:
    """Return the generator specified by `random_state`: a Generator itself, or a new one."""
    sources = np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | np.random.RandomState
    if random_state is None or isinstance(random_state, sources) or (is_int(random_state) and random_state >= 0):
        return np.random.default_rng(random_state)
    raise InvalidInputError(
        f"random_state must be None, an int of at least 0, a SeedSequence or a Generator, not "
        f"{short_repr(random_state)}"
    )


def pcg64_generator(random_state: Any) -> np.random.Generator:
    """Return the generator of a model, whose state a file can hold: a PCG64, seeded by a generator of another kind."""
    rng = generator(random_state)
    if isinstance(rng.bit_generator, np.random.PCG64):
        return rng
    return np.random.Generator(np.random.PCG64(int(rng.integers(2**63))))


def require_unmasked(name: str, values: Any, remedy: str) -> None:
    """Raise an error if an array has masked entries, which it would lose as a plain array."""
    ma = sys.modules.get("numpy.ma")  # an array with a mask has imported it
    if ma is not None and ma.is_masked(values):
        where = ", ".join(map(str, np.argwhere(ma.getmaskarray(values))[0].tolist()))
        raise InvalidInputError(f"{name}[{where}] is masked. {remedy}")


def checked_floats(name: str, values: Any, n: int, each: str) -> NDArray[np.float64]:
    """Return n weights as an array, one for each `each`: numbers from 0 to 1e30, so that no sum is infinite."""
    require_unmasked(name, values, "Give it a number.")
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biufO":
            raise TypeError(f"their type is {given.dtype}")
        array = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"{name} must be {n} numbers, one for each {each}: {error}") from None
    if array.shape != (n,):
        raise InvalidInputError(f"{name} must be {n} numbers, one for each {each}, not of shape {array.shape}")
    bad = np.flatnonzero(~((array >= 0) & (array <= MAX_SCALE)))  # NaN is among them
    if len(bad):
        raise InvalidInputError(f"{name}[{bad[0]}] must be a number from 0 to {MAX_SCALE:g}, not {array[bad[0]]}")
    return array


def checked_sample_weights(values: Any, n: int) -> NDArray[np.float64]:
    """Return the `sample_weight` of n documents, checked."""
    return checked_floats("sample_weight", values, n, "document")


def checked_times(values: Any, n: int) -> NDArray[np.int32]:
    """Return the `sample_weight` of n documents, checked, as the numbers of times that they are counted."""
    array = checked_sample_weights(values, n)
    most = np.iinfo(np.int32).max
    bad = np.flatnonzero((array != np.floor(array)) | (array > most))
    if len(bad):
        raise InvalidInputError(
            f"sample_weight[{bad[0]}] must be a whole number from 0 to {most}, since n-grams are counted, not "
            f"{array[bad[0]]}. Pass how often the document occurs."
        )
    return array.astype(np.int32)
