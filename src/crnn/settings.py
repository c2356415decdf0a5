"""The constructor's parameters, checked when training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InvalidInputError

MOST = 2**31 - 1  # what a BLAS can count
OPTIMIZERS = {"adagrad": 0.1}  # and the learning rate that each is usually given


@dataclass(frozen=True)
class Settings:
    """What `CharRNN` trains with: every value checked, every None resolved that does not depend on the text."""

    hidden_size: int
    seq_length: int
    batch_size: int
    optimizer: str
    learning_rate: float
    clip: float
    epochs: int
    max_steps: int | None
    init_scale: float
    dtype: np.dtype[Any]
    n_threads: int | None
    random_state: Any
    verbose: int

    @classmethod
    def check(cls, parameters: Mapping[str, Any]) -> Settings:
        """Return the settings, or raise `InvalidInputError` that names the first bad parameter.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> Settings.check(CharRNN(hidden_size=0).get_params())
        Traceback (most recent call last):
        crnn.errors.InvalidInputError: hidden_size must be a whole number of at least 1, not 0
        """
        p = parameters
        if not isinstance(p["optimizer"], str) or p["optimizer"] not in OPTIMIZERS:
            known = ", ".join(map(repr, OPTIMIZERS))
            raise InvalidInputError(f"optimizer must be one of {known}, not {p['optimizer']!r}")
        rate = p["learning_rate"]
        return cls(
            hidden_size=whole("hidden_size", p["hidden_size"], 1, MOST),
            seq_length=whole("seq_length", p["seq_length"], 1, MOST),
            batch_size=whole("batch_size", p["batch_size"], 1, MOST),
            optimizer=p["optimizer"],
            learning_rate=OPTIMIZERS[p["optimizer"]] if rate is None else real("learning_rate", rate, above=0.0),
            clip=math.inf if p["clip"] is None else real("clip", p["clip"], above=0.0),
            epochs=whole("epochs", p["epochs"], 1),
            max_steps=None if p["max_steps"] is None else whole("max_steps", p["max_steps"], 0),
            init_scale=real("init_scale", p["init_scale"], least=0.0),
            dtype=_dtype(p["dtype"]),
            n_threads=threads(p["n_threads"]),
            random_state=p["random_state"],
            verbose=whole("verbose", p["verbose"], 0),
        )


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int if it is a whole number of at least `least` and at most `most`."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least:
        if most is None or value <= most:
            return int(value)
        raise InvalidInputError(f"{name} must be at most {most}, not {value}")
    raise InvalidInputError(f"{name} must be a whole number of at least {least}, not {value!r}")


def real(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> float:
    """Return `value` as a float if it is finite and not below its bound."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        above_bound = number >= least if least is not None else above is not None and number > above
        if math.isfinite(number) and above_bound:
            return number
    bound = f"of at least {least:g}" if least is not None else f"above {above:g}"
    raise InvalidInputError(f"{name} must be a finite number {bound}, not {value!r}")


def threads(value: Any) -> int | None:
    """Return `n_threads` checked."""
    return None if value is None else whole("n_threads", value, 1)


def generator(random_state: Any) -> np.random.Generator:
    """Return the generator that `random_state` stands for.

    Parameters
    ----------
    random_state : None, int, numpy.random.SeedSequence, BitGenerator or Generator
        None: fresh entropy. A Generator is used as it is, and moves on.

    Examples
    --------
    >>> int(generator(3).integers(100)) == int(generator(3).integers(100))
    True
    """
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"random_state must be None, an int of at least 0, a SeedSequence or a Generator, not {random_state!r}"
        ) from error


def _dtype(value: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] | None = None if value is None else np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or dtype not in (np.float32, np.float64):
        raise InvalidInputError(f"dtype must be 'float32' or 'float64', not {value!r}")
    return dtype
