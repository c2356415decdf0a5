"""Sampling controls: temperature, top-k, top-p, penalties, biases and stop texts, checked."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, NamedTuple, Self, TypedDict, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..arrays import Array
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import MAX_SIZE, checked_float, checked_int, generator, has_items, is_int
from ..text.vocabulary import Special, Vocabulary

MAX_BIAS = 1e30  # larger than any logit, and far below the largest float


def checked_bias(logit_bias: Any, vocabulary: Vocabulary) -> NDArray[np.float64] | None:
    """Return the numbers to add to the logits, -inf for unknown characters, or None if all are 0."""
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
    """Return the value that `logit_bias` gives a symbol, if it is a number or minus infinity."""
    if isinstance(value, float | np.floating) and value == -math.inf:
        return -math.inf
    return _check_or_raise(
        lambda: checked_float("logit_bias", value, minimum=-MAX_BIAS, maximum=MAX_BIAS),
        f"logit_bias[{short_repr(symbol)}] must be a number from -1e30 to 1e30, or -inf to forbid the symbol, not "
        f"{short_repr(value)}",
    )


# ---------------------------------------------------------------- sampling controls
# Signatures, docstrings and the options of ``crnn sample`` are derived from `GivenControls`. After a change, run
# ``python tools/fill_docstrings.py``.

_T = TypeVar("_T")
_Method = TypeVar("_Method", bound=Callable[..., Any])


class Control(NamedTuple):
    """Everything about a control except its name and its type annotation."""

    default: Any  # turns the control off; a temperature of 1 changes nothing
    kind: str  # the type in words, for the docstring
    text: str
    check: Callable[[Any], float] | None = None  # of a number: converts it for the kernel, or raises


def _top_k(value: Any) -> int:
    """Return how many symbols to keep, 0 for all."""
    if value is None:
        return 0
    return _check_or_raise(
        lambda: checked_int("top_k", min(value, MAX_SIZE) if is_int(value) else value, 1),  # no vocabulary has more
        f"top_k must be a whole number of at least 1, or None for all symbols, not {short_repr(value)}",
    )


def _top_p(value: Any) -> float:
    """Return the probability to keep, 1 for all."""
    return 1.0 if value is None else _share("top_p", value, "1 or None keeps all symbols, 0 only the most likely")


def _min_p(value: Any) -> float:
    """Return the smallest share of the largest probability to keep, 0 for all."""
    return 0.0 if value is None else _share("min_p", value, "0 or None keeps all symbols, 1 only the most likely")


def _repetition_penalty(value: Any) -> float:
    return _check_or_raise(
        lambda: checked_float("repetition_penalty", value, above=0.0),
        f"repetition_penalty must be a finite number above 0, not {short_repr(value)}: above 1 a repeated character "
        f"becomes less likely, 1 is no penalty",
    )


def _share(name: str, value: Any, remedy: str) -> float:
    return _check_or_raise(
        lambda: checked_float(name, value, minimum=0.0, maximum=1.0),
        f"{name} must be a number from 0 to 1, not {short_repr(value)}: {remedy}",
    )


def _check_or_raise(check: Callable[[], _T], message: str) -> _T:
    """Return the result of a check; if it raises, raise with this message instead."""
    try:
        return check()
    except InvalidInputError:
        raise InvalidInputError(message) from None


class GivenControls(TypedDict, total=False):
    """The keyword arguments that control drawing, as users pass them, in order of application."""

    # fmt: off
    logit_bias: Annotated[Mapping[Any, float] | None, Control(
        None, "dict",
        "Numbers to add to the logits of some characters, or of `crnn.BOUNDARY`, the end of a document; -inf forbids a "
        "character, even one that the model lacks.",
    )]
    repetition_penalty: Annotated[float, Control(
        1.0, "float",
        "Divides the logit of each character that occurs in the prime or the text so far, or multiplies it if "
        "negative. Above 1, these characters become less likely; below 1, more likely.",
        _repetition_penalty,
    )]
    temperature: Annotated[float, Control(
        1.0, "float",
        "Divides the logits: below 1, likely characters become more likely; 0 always takes the most likely one.",
        partial(checked_float, "temperature", minimum=0.0),
    )]
    top_k: Annotated[int | None, Control(
        None, "int", "Draw only from this many of the most probable characters. None: from all.", _top_k,
    )]
    top_p: Annotated[float | None, Control(
        None, "float",
        "Draw from the smallest set of most probable characters whose probabilities add up to this (the nucleus), at "
        "least one. None or 1: from all.",
        _top_p,
    )]
    min_p: Annotated[float | None, Control(
        None, "float",
        "Never draw a character whose probability is below this fraction of the largest. None or 0: no limit.",
        _min_p,
    )]
    stop: Annotated[Any, Control(
        None, "list of str, or of bytes",
        "Texts that end the sample: it ends before the first of them to occur, or before the longest if several end at "
        "the same character. The prime does not count. A stop with an unknown character never occurs.",
    )]
    # fmt: on


class SampleArguments(GivenControls, total=False):
    """The keyword arguments of `LanguageModel.sample` that do not affect the type of the returned text."""

    max_length: int | None
    matching: Any
    label: Any
    unique: bool
    exclude: Iterable[Any]
    random_state: Any


_HINTS = get_type_hints(GivenControls, include_extras=True)
CONTROLS: dict[str, Control] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}
NUMBERS = {name: control.check for name, control in CONTROLS.items() if control.check is not None}
OFF: dict[str, Any] = {name: check(CONTROLS[name].default) for name, check in NUMBERS.items()}


def with_controls(method: _Method) -> _Method:
    """Show the controls in a method's signature; ``tools/fill_docstrings.py`` describes them in its docstring."""
    signature = inspect.signature(method)
    arguments = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    shown = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=control.default, annotation=_HINTS[name].__origin__
        )
        for name, control in CONTROLS.items()
    ]
    method.__signature__ = signature.replace(parameters=[*arguments, *shown])  # type: ignore[attr-defined]
    return method


@dataclass(frozen=True)
class CheckedControls:
    """The checked controls of a draw, as numbers and ids."""

    # The value of each numeric control; `OFF` has the values that change nothing.
    numbers: dict[str, Any] = field(default_factory=lambda: OFF)
    bias: Array | None = None  # (V,): added to the logits; -inf for a forbidden symbol. None: nothing is added.
    stops: Stops = field(default_factory=lambda: Stops([]))  # the texts before which a drawn text ends

    @classmethod
    def check(cls, vocabulary: Vocabulary, options: GivenControls) -> Self:
        """Return the controls, or raise an `InvalidInputError` that names the first invalid one."""
        for name in options:
            if name not in CONTROLS:
                raise TypeError(f"unexpected keyword argument {name!r}; the controls are {', '.join(CONTROLS)}")
        values = {name: control.default for name, control in CONTROLS.items()} | dict(options)
        return cls(
            numbers={name: check(values[name]) for name, check in NUMBERS.items()},
            bias=checked_bias(values["logit_bias"], vocabulary),
            stops=Stops(encoded_stops(values["stop"], vocabulary), vocabulary.boundary),
        )

    @property
    def penalizes_repetition(self) -> bool:
        """Whether a draw depends on the symbols in the text so far."""
        return bool(self.numbers["repetition_penalty"] != OFF["repetition_penalty"])

    @property
    def only_temperature(self) -> bool:
        """Whether only the temperature changes the logits."""
        return self.bias is None and self.numbers == {**OFF, "temperature": self.numbers["temperature"]}


# ---------------------------------------------------------------- stopping

Ids = NDArray[Any]
NO_STOPS = np.zeros(0, np.int32), np.zeros(0, np.intp)


class Stops:
    """Texts, as ids, that end a drawn text: it stops before the first.

    The first is the one completed first; of two completed by the same symbol, the longer. `end` is a symbol that ends a
    text, equivalent to a stop of just this symbol. Stops are found by ``_kernels/inference/texts.pxd``.
    """

    def __init__(self, texts: Iterable[Ids], end: int | None = None) -> None:
        # As Python strings, for searching in C: an id never exceeds the largest code point.
        self._texts = [_to_text(ids) for ids in texts]
        if end is not None:
            self._texts.append(_to_text(np.array([end])))
        self._max_length = max(map(len, self._texts), default=0)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return the symbols of all stops, longer ones first, and the end of each."""
        if not self._texts:
            return NO_STOPS
        texts = sorted(self._texts, key=len, reverse=True)
        symbols = np.array([*map(ord, "".join(texts))], np.int32)
        return symbols, np.cumsum([*map(len, texts)], dtype=np.intp)

    def begun_length(self, ids: Ids) -> int:
        """Return how many of the last symbols may be the beginning of a stop."""
        text = _to_text(ids[max(0, len(ids) - self._max_length + 1) :])
        for length in range(len(text), 0, -1):
            if any(len(stop) > length and stop.startswith(text[-length:]) for stop in self._texts):
                return length
        return 0


def encoded_stops(stop: Any, vocabulary: Vocabulary) -> list[Ids]:
    """Return the `stop` argument of sampling as ids, omitting stops with symbols that cannot be drawn."""
    if stop is None:
        return []
    if isinstance(stop, str | bytes | bytearray | memoryview):
        shown = short_repr(stop)
        raise InvalidInputError(f"stop is the text {shown}, but must be a list of texts. Pass stop=[{shown}].")
    if isinstance(stop, Mapping) or not has_items(stop):
        raise InvalidInputError(f"stop is of type {type(stop).__name__}. Pass a list of texts, or None.")
    encoded = []
    for i, text in enumerate(stop):
        name = f"stop[{i}]"
        vocabulary.check_kind(text, name)
        if not len(text):
            raise InvalidInputError(f"{name} is empty. Pass the text that ends a sample, or None for no such text.")
        if all(symbol in vocabulary for symbol in text):
            encoded.append(vocabulary.encode(text, name=name))
    return encoded


def _to_text(ids: Ids) -> str:
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


# ---------------------------------------------------------------- uniforms

GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835  # draws between streams: 2**128 over the golden ratio, as `PCG64.jumped`
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # PCG64: the next state is (MULTIPLIER * state + increment) mod MODULUS
MODULUS = 2**128


def root(random_state: Any) -> np.random.PCG64:
    """Return the bit generator behind the streams of all samples."""
    rng = generator(random_state)
    if isinstance(random_state, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
        return np.random.PCG64(rng.integers(2**63, size=2).tolist())  # advances the caller's generator
    return np.random.PCG64(random_state)


def _advance(draws: int) -> tuple[int, int]:
    """Return (a, b) such that a * state + b * increment is the state after this many draws."""
    a = 1
    b = 0
    factor = MULTIPLIER
    plus = 1
    while draws:
        if draws & 1:
            a = a * factor % MODULUS
            b = (b * factor + plus) % MODULUS
        plus = (factor + 1) * plus % MODULUS
        factor = factor * factor % MODULUS
        draws >>= 1
    return a, b


_TO_NEXT_STREAM = _advance(GOLDEN)


class Uniforms:
    """One stream of uniform numbers in [0, 1) for each sample: stream i is `root` advanced by i * GOLDEN draws.

    `states` (samples, 2) and the common `increment` (2,) are the halves of PCG64's, upper half first.
    """

    def __init__(self, root: np.random.PCG64, samples: range) -> None:
        now = root.state["state"]
        state = now["state"]
        increment = now["inc"]
        self.increment = _halves(increment)
        self.states = np.empty((len(samples), 2), np.uint64)
        if samples:
            a, b = _advance(samples.start * GOLDEN % MODULUS)
            self.states[0] = _halves(a * state + b * increment)
            a, b = _TO_NEXT_STREAM
            core.space_streams(self.states, _halves(a), _halves(b * increment))

    def draw(self, n: int) -> NDArray[np.float64]:
        """Return the next n numbers of every stream, (n, samples)."""
        out = np.empty((n, len(self.states)))
        core.uniforms(self.states, self.increment, out)
        return out


def _halves(number: int) -> NDArray[np.uint64]:
    return np.array([number >> 64 & 2**64 - 1, number & 2**64 - 1], np.uint64)
