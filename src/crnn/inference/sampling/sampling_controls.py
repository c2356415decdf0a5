"""The controls of sampling: each is defined once, in `SamplingOptions`; `SamplingControls` holds checked values.

To add a numeric control, add an entry to `SamplingOptions`, a field to the kernel's `Controls` with its arithmetic,
and the same arithmetic to `crnn.reference.sampling`. The signatures and docstrings of `CharRNN.sample`,
`CharRNN.stream` and `TextState.sample` and the options of ``crnn sample`` are derived from the entry.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, Self, TypedDict, TypeVar, get_type_hints

from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import MAX_SIZE, checked_float, checked_int, is_int
from ...text.symbols.vocabulary import Vocabulary
from .logit_bias import checked_bias
from .stopping import Stops, encoded_stops

Array = NDArray[Any]
_T = TypeVar("_T")
_Method = TypeVar("_Method", bound=Callable[..., Any])

DOC_WIDTH = 108  # of the parameters' text in docstrings, without indentation


class Control(NamedTuple):
    """Everything about a control except its name and its type annotation."""

    default: Any  # turns the control off; a temperature of 1 changes nothing
    kind: str  # the type in words, for the docstring
    text: str
    check: Callable[[Any], float] | None = None  # of a number: converts it for the kernel, or raises


# ------------------------------------------------------------------ the checks


def _temperature(value: Any) -> float:
    return checked_float("temperature", value, minimum=0.0)


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
    message = f"{name} must be a number from 0 to 1, not {short_repr(value)}: {remedy}"
    share = _check_or_raise(lambda: checked_float(name, value, minimum=0.0), message)
    if share > 1:
        raise InvalidInputError(message)
    return share


def _check_or_raise(check: Callable[[], _T], message: str) -> _T:
    """Return the result of a check; if it raises, raise with this message instead."""
    try:
        return check()
    except InvalidInputError:
        raise InvalidInputError(message) from None


# -------------------------------------------------------------- the definition


class SamplingOptions(TypedDict, total=False):
    """The keyword arguments that control drawing, as users pass them, in order of application."""

    logit_bias: Annotated[Mapping[Any, float] | None, Control(
        None, "dict",
        "Numbers to add to the logits of some characters, or of `crnn.BOUNDARY`, the end of a document; -inf "
        "forbids a character, which the model may lack.",
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
        _temperature,
    )]
    top_k: Annotated[int | None, Control(
        None, "int",
        "Draw only from this many of the most probable characters. None: from all.",
        _top_k,
    )]
    top_p: Annotated[float | None, Control(
        None, "float",
        "Draw from the smallest set of most probable characters whose probabilities add up to this (the nucleus), "
        "at least one. None or 1: from all.",
        _top_p,
    )]
    min_p: Annotated[float | None, Control(
        None, "float",
        "Never draw a character whose probability is below this fraction of the largest. None or 0: no limit.",
        _min_p,
    )]
    stop: Annotated[Any, Control(
        None, "str, bytes or list",
        "End the text before the first of these strings to be completed, or the longest if several are completed at "
        "once. The prime does not count. A stop with an unknown character never occurs.",
    )]  # fmt: skip


class SampleOptions(SamplingOptions, total=False):
    """The keyword arguments of `LanguageModel.sample` that do not affect the type of the returned text.

    They serve the overloads for type checkers; the method itself has the defaults and descriptions.
    """

    max_length: int | None
    matching: Any
    label: Any
    unique: bool
    exclude: Iterable[Any]
    random_state: Any


_HINTS = get_type_hints(SamplingOptions, include_extras=True)
CONTROLS: dict[str, Control] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}
NUMBERS = {name: control.check for name, control in CONTROLS.items() if control.check is not None}
OFF: dict[str, Any] = {name: check(CONTROLS[name].default) for name, check in NUMBERS.items()}


def with_controls(method: _Method) -> _Method:
    """Show each control in the signature and docstring of a method that takes them as ``**controls``.

    In the docstring a line ``{controls}`` becomes the description of all controls, and ``{control_names}`` their names.
    """
    signature = inspect.signature(method)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    shown = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=control.default, annotation=_HINTS[name].__origin__
        )
        for name, control in CONTROLS.items()
    ]
    method.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
    if method.__doc__ is not None:  # None with python -OO
        lines = method.__doc__.replace("{control_names}", ", ".join(CONTROLS)).split("\n")
        method.__doc__ = "\n".join(_expanded(line) for line in lines)
    return method


def _expanded(line: str) -> str:
    """Return a line of a docstring, or the description of all controls in its place."""
    if line.strip() != "{controls}":
        return line
    margin, described = line[: line.index("{")], list[str]()
    for name, control in CONTROLS.items():
        described.append(f"{margin}{name} : {control.kind}, default={control.default}")
        indent = margin + "    "
        described.append(textwrap.fill(control.text, DOC_WIDTH, initial_indent=indent, subsequent_indent=indent))
    return "\n".join(described)


# ----------------------------------------------------------------- the checked


@dataclass(frozen=True)
class SamplingControls:
    """The checked controls of a draw, as numbers and ids."""

    # The value of each numeric control; `OFF` has the values that change nothing.
    numbers: dict[str, Any] = field(default_factory=lambda: OFF)
    bias: Array | None = None  # (V,): added to the logits; -inf for a forbidden symbol. None: nothing is added.
    stops: Stops = field(default_factory=lambda: Stops([]))  # the texts before which a drawn text ends

    @classmethod
    def check(cls, vocabulary: Vocabulary, options: SamplingOptions) -> Self:
        """Return the controls, or raise an `InvalidInputError` that names the first invalid one.

        The vocabulary's boundary ends a text; its symbol for unknown characters is never drawn.
        """
        for name in options:
            if name not in CONTROLS:
                raise TypeError(f"unexpected keyword argument {name!r}; the controls are {', '.join(CONTROLS)}")
        given = {name: control.default for name, control in CONTROLS.items()} | dict(options)
        return cls(
            numbers={name: check(given[name]) for name, check in NUMBERS.items()},
            bias=checked_bias(given["logit_bias"], vocabulary),
            stops=Stops(encoded_stops(given["stop"], vocabulary), vocabulary.boundary),
        )

    @property
    def penalizes_repetition(self) -> bool:
        """Whether a draw depends on the symbols in the text so far."""
        return bool(self.numbers["repetition_penalty"] != OFF["repetition_penalty"])

    @property
    def only_temperature(self) -> bool:
        """Whether only the temperature changes the logits."""
        return self.bias is None and self.numbers == {**OFF, "temperature": self.numbers["temperature"]}
