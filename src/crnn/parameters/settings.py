"""The constructor's parameters, checked when training starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import InvalidInputError
from .cells import CELLS, MAX_LAYERS
from .checks import MAX_SIZE, MAX_STEPS, checked_float, checked_int, is_int
from .optimizers import OPTIMIZERS
from .schedule import SCHEDULES
from .suggestion import did_you_mean

MAX_AVERAGE_EVERY = 10**6
OUTER_RATE = 0.7  # of a step with momentum, as in DiLoCo
MAX_SCALE = 1e30  # of weights, well within the range of a float


MATMUL_PRECISIONS = ("float32", "bfloat16")


# Parameters that a classifier lacks, with the values that it trains by.
OPTIONAL = {"average_every": 1, "outer_learning_rate": None, "outer_momentum": 0.0}


@dataclass(frozen=True)
class Settings:
    """The parameters of `CharRNN`, checked, with every None resolved that does not depend on the text."""

    hidden_size: int
    num_layers: int
    cell: str
    embedding_size: int | None
    n_bigrams: int | None
    seq_length: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: int | float  # steps, or a share of the budget
    clip: float
    clip_norm: float
    weight_decay: float
    beta_1: float
    beta_2: float
    dropout: float
    weight_dropout: float
    state_reset: float
    sampled_softmax: int | None
    weight_average: float
    epochs: int
    max_steps: int | None
    max_seconds: float | None
    validation_fraction: float
    eval_every: int | float | None  # steps, or seconds
    patience: int | None
    restore_best: bool
    callbacks: tuple[Callable[[Any, dict[str, Any]], Any], ...]
    init_scale: float | None
    vocabulary: str | bytes | None  # sorted symbols
    min_count: int
    dtype: np.dtype[Any]
    matmul_precision: str
    n_threads: int | None
    random_state: Any
    verbose: int
    average_every: int
    outer_learning_rate: float
    outer_momentum: float

    @classmethod
    def check(cls, parameters: Mapping[str, Any]) -> Settings:
        """Return the settings; `InvalidInputError` names the first bad parameter.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> Settings.check(CharRNN(hidden_size=0).get_params())
        Traceback (most recent call last):
        crnn.errors.InvalidInputError: hidden_size must be a whole number of at least 1, not 0
        >>> Settings.check(CharRNN(optimizer="adam").get_params()).learning_rate
        0.002
        """
        parameters = {**OPTIONAL, **parameters}
        values = {field.name: checked_parameter(field.name, parameters[field.name]) for field in fields(cls)}
        if values["weight_decay"] and values["optimizer"] != "adam":
            raise InvalidInputError(
                f"weight_decay must be 0 with optimizer={values['optimizer']!r}, not {values['weight_decay']:g}: "
                f"only 'adam' decays weights"
            )
        rounds_operands(values["matmul_precision"], values["dtype"])
        if values["learning_rate"] is None:
            values["learning_rate"] = OPTIMIZERS[values["optimizer"]].learning_rate
        _resolve_outer_step(values)
        return cls(**values)


def checked_parameter(name: str, value: Any) -> Any:
    """Return the value of one parameter in the type that training uses, or raise `InvalidInputError`.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        Its value, checked without regard to the other parameters.

    Examples
    --------
    >>> checked_parameter("clip", None)
    inf
    """
    return _CHECKS[name](name, value)


def rounds_operands(matmul_precision: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether operands of products are rounded to bfloat16, or raise an error if a model of `dtype` refuses it.

    Examples
    --------
    >>> rounds_operands("float32", np.dtype("float64")), rounds_operands("bfloat16", np.dtype("float32"))
    (False, True)
    """
    bfloat16: bool = checked_parameter("matmul_precision", matmul_precision) == "bfloat16"
    if bfloat16 and dtype != np.float32:
        raise InvalidInputError(
            f"matmul_precision must be 'float32' with dtype={dtype.name!r}, not 'bfloat16': "
            f"only a model with dtype='float32' rounds the operands of products"
        )
    return bfloat16


def _resolve_outer_step(values: dict[str, Any]) -> None:
    """Replace a None, and refuse an outer step where nothing is averaged."""
    momentum, rate = values["outer_momentum"], values["outer_learning_rate"]
    for name, given in (("outer_momentum", momentum), ("outer_learning_rate", rate)):
        if given and values["average_every"] == 1:
            raise InvalidInputError(
                f"{name} is {given:g}, but with average_every=1 there are no averages to step towards: set "
                f"average_every to 2 or more, or leave {name} out"
            )
    if rate is None:
        values["outer_learning_rate"] = OUTER_RATE if momentum else 1.0


# -------------------------------------------------------------------- checks

_Check = Callable[[str, Any], Any]


def _at_least(minimum: int, maximum: int | None = None) -> _Check:
    return lambda name, value: checked_int(name, value, minimum, maximum)


def _real(**bounds: float) -> _Check:
    return lambda name, value: checked_float(name, value, **bounds)


def _or_none(check: _Check, none: Any = None) -> _Check:
    return lambda name, value: none if value is None else check(name, value)


def _one_of(known: Iterable[str]) -> _Check:
    def check(name: str, value: Any) -> str:
        if isinstance(value, str) and value in known:
            return value
        raise InvalidInputError(
            f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}{did_you_mean(value, known)}"
        )

    return check


def _warmup(name: str, value: Any) -> int | float:
    try:
        if is_int(value):
            return checked_int(name, value, 0, MAX_STEPS)
        return checked_float(name, value, minimum=0.0, below=1.0)
    except InvalidInputError:
        raise InvalidInputError(
            f"{name} must be a whole number of steps of at least 0, or a share of the training as a float of at least "
            f"0 and below 1, not {value!r}"
        ) from None


def _eval_every(name: str, value: Any) -> int | float:
    try:
        return checked_int(name, value, 1, MAX_STEPS) if is_int(value) else checked_float(name, value, above=0.0)
    except InvalidInputError:
        raise InvalidInputError(
            f"{name} must be None, a whole number of steps of at least 1, or a finite number of seconds above 0 as a "
            f"float, not {value!r}"
        ) from None


def _true_or_false(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InvalidInputError(f"{name} must be True or False, not {value!r}")


def _callables(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Iterator):  # an iterator serves only once
        functions = tuple(value)
        if all(map(callable, functions)):
            return functions
    raise InvalidInputError(
        f"{name} must be None or a list of functions, each called with the model and a record, not {value!r}"
    )


def _vocabulary(name: str, value: Any) -> str | bytes:
    """Return the symbols, each once and sorted, as one text."""
    if isinstance(value, bytes | bytearray) and value:
        return bytes(sorted(set(value)))
    if isinstance(value, Iterable) and not isinstance(value, bytearray | memoryview | Mapping | Iterator):
        symbols = list(value)
        for kind in (str, bytes):
            if symbols and all(isinstance(symbol, kind) and len(symbol) == 1 for symbol in symbols):
                return kind().join(sorted(set(symbols)))
    raise InvalidInputError(
        f"{name} must be None, a str, bytes, or a list of single characters (or of bytes of length 1), at least one, "
        f"not {value!r}"
    )


_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
# NumPy is never asked what another value means: it evaluates some words as Python source.
_DTYPE_NAMES: dict[str | type, np.dtype[Any]] = {
    name: dtype for dtype in _DTYPES for name in (dtype.name, dtype.str, dtype.str[1:], dtype.type)
}
_DTYPE_NAMES[float] = np.dtype(np.float64)


def _dtype(name: str, value: Any) -> np.dtype[Any]:
    dtype = value if isinstance(value, np.dtype) else None
    if isinstance(value, str | type):
        dtype = _DTYPE_NAMES.get(value)
    if dtype is None or dtype not in _DTYPES:
        near = did_you_mean(value, ("float32", "float64"))
        raise InvalidInputError(f"{name} must be 'float32' or 'float64', not {value!r}{near}")
    return dtype


def _anything(name: str, value: Any) -> Any:
    return value


_CHECKS: dict[str, _Check] = {
    "hidden_size": _at_least(1, MAX_SIZE),
    "num_layers": _at_least(1, MAX_LAYERS),
    "cell": _one_of(CELLS),
    "embedding_size": _or_none(_at_least(1, MAX_SIZE)),
    "n_bigrams": _or_none(_at_least(1, MAX_SIZE)),
    "seq_length": _at_least(1, MAX_SIZE),
    "batch_size": _at_least(1, MAX_SIZE),
    "optimizer": _one_of(OPTIMIZERS),
    "learning_rate": _or_none(_real(above=0.0)),
    "schedule": _one_of(SCHEDULES),
    "warmup": _warmup,
    "clip": _or_none(_real(above=0.0), math.inf),
    "clip_norm": _or_none(_real(above=0.0), math.inf),
    "weight_decay": _real(minimum=0.0),
    "beta_1": _real(minimum=0.0, below=1.0),
    "beta_2": _real(minimum=0.0, below=1.0),
    "dropout": _real(minimum=0.0, below=1.0),
    "weight_dropout": _real(minimum=0.0, below=1.0),
    "state_reset": _real(minimum=0.0, maximum=1.0),
    "sampled_softmax": _or_none(_at_least(1, MAX_SIZE)),
    "weight_average": _real(minimum=0.0, maximum=1.0),
    "epochs": _at_least(1, MAX_SIZE),
    "max_steps": _or_none(_at_least(0, MAX_STEPS)),
    "max_seconds": _or_none(_real(above=0.0)),
    "validation_fraction": _real(minimum=0.0, below=1.0),
    "eval_every": _or_none(_eval_every),
    "patience": _or_none(_at_least(1)),
    "restore_best": _true_or_false,
    "callbacks": _or_none(_callables, ()),
    "init_scale": _or_none(_real(minimum=0.0, below=MAX_SCALE)),
    "vocabulary": _or_none(_vocabulary),
    "min_count": _at_least(1),
    "dtype": _dtype,
    "matmul_precision": _one_of(MATMUL_PRECISIONS),
    "n_threads": _or_none(_at_least(1)),
    "random_state": _anything,  # checked by `generator`, since making a generator may advance another one
    "verbose": _at_least(0),
    "average_every": _at_least(1, MAX_AVERAGE_EVERY),
    "outer_learning_rate": _or_none(_real(above=0.0)),
    "outer_momentum": _real(minimum=0.0, below=1.0),
}
