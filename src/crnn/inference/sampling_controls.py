"""SamplingControls: what steers the drawing of a text, checked and in ids."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..settings import MOST, real, whole
from ..text.special import Special
from ..text.vocabulary import Vocabulary
from .stopping import Stops

Array = NDArray[Any]
_T = TypeVar("_T")

LARGEST_BIAS = 1e30  # more than any logit, and far from what a float cannot hold


@dataclass(frozen=True)
class SamplingControls:
    """How symbols are drawn from logits; the fields are in the order in which they are applied.

    Attributes
    ----------
    bias : (V,) float64 array or None
        Added to the logits; -inf for a symbol that is forbidden. None: nothing is added.
    repetition_penalty : float
        1: none.
    temperature : float
    top_k : int
        0: all.
    top_p : float
        1: all.
    min_p : float
        0: all.
    stops : Stops
        What a text stops before.
    """

    bias: Array | None = None
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    stops: Stops = field(default_factory=lambda: Stops([]))

    @classmethod
    def check(
        cls,
        vocabulary: Vocabulary,
        *,
        temperature: Any = 1.0,
        top_k: Any = None,
        top_p: Any = None,
        min_p: Any = None,
        repetition_penalty: Any = 1.0,
        stop: Any = None,
        logit_bias: Any = None,
        forbidden: Collection[int] = (),
        end: int | None = None,
    ) -> Self:
        """Return the controls, or raise `InvalidInputError` that names the first bad one.

        Parameters
        ----------
        vocabulary : Vocabulary
            Of the model.
        temperature, top_k, top_p, min_p, repetition_penalty, stop, logit_bias
            As `CharRNN.sample` takes them.
        forbidden : collection of int
            Ids that are never drawn.
        end : int, optional
            The id of a symbol that ends a text when it is drawn.

        Examples
        --------
        >>> from crnn.text.vocabulary import Vocabulary
        >>> SamplingControls.check(Vocabulary.from_text("abc"), logit_bias={"b": 2}).bias
        array([0., 2., 0.])
        >>> SamplingControls.check(Vocabulary.from_text("abc"), top_k=0)
        Traceback (most recent call last):
        crnn.errors.InvalidInputError: top_k must be a whole number of at least 1, or None for all symbols, not 0
        """
        return cls(
            temperature=checked_temperature(temperature),
            top_k=checked_top_k(top_k),
            top_p=checked_top_p(top_p),
            min_p=checked_min_p(min_p),
            repetition_penalty=checked_repetition_penalty(repetition_penalty),
            stops=Stops(_encoded_stops(stop, vocabulary), end),
            bias=_biases(logit_bias, vocabulary, forbidden),
        )

    @property
    def only_temperature(self) -> bool:
        """Whether the logits are left as they are but for the temperature."""
        return (
            self.bias is None
            and self.repetition_penalty == 1
            and self.top_k == 0
            and self.top_p == 1
            and self.min_p == 0
        )


def checked_temperature(value: Any) -> float:
    """Return the temperature as a float; NaN, infinite and negative ones raise."""
    return real("temperature", value, least=0.0)


def checked_top_k(value: Any) -> int:
    """Return how many symbols are left, 0 for all."""
    if value is None:
        return 0
    return _or_say(
        lambda: min(whole("top_k", value, 1), MOST),  # more than any vocabulary has
        f"top_k must be a whole number of at least 1, or None for all symbols, not {value!r}",
    )


def checked_top_p(value: Any) -> float:
    """Return the probability that is left, 1 for all."""
    return 1.0 if value is None else _share("top_p", value, "1 or None leaves all symbols, 0 only the likeliest")


def checked_min_p(value: Any) -> float:
    """Return the least share of the largest probability that is left, 0 for all."""
    return 0.0 if value is None else _share("min_p", value, "0 or None leaves all symbols, 1 only the likeliest")


def checked_repetition_penalty(value: Any) -> float:
    """Return the penalty as a float."""
    return _or_say(
        lambda: real("repetition_penalty", value, above=0.0),
        f"repetition_penalty must be a finite number above 0, not {value!r}: above 1 what was there becomes less "
        f"likely, 1 is no penalty",
    )


def _share(name: str, value: Any, remedy: str) -> float:
    complaint = f"{name} must be a number from 0 to 1, not {value!r}: {remedy}"
    share = _or_say(lambda: real(name, value, least=0.0), complaint)
    if share > 1:
        raise InvalidInputError(complaint)
    return share


def _or_say(check: Callable[[], _T], complaint: str) -> _T:
    """Return what a check lets through; where it does not, raise with this message."""
    try:
        return check()
    except InvalidInputError:
        raise InvalidInputError(complaint) from None


def _encoded_stops(stop: Any, vocabulary: Vocabulary) -> list[Array]:
    """Return the stops as ids, without those that hold a symbol that cannot be drawn."""
    if stop is None:
        return []
    if isinstance(stop, str | bytes | bytearray | memoryview):
        stops = {"stop": stop}
    elif isinstance(stop, Iterable) and not isinstance(stop, Mapping):
        stops = {f"stop[{i}]": text for i, text in enumerate(stop)}
    else:
        raise InvalidInputError(f"stop must be None, a text or a list of texts, not {type(stop).__name__}")
    encoded = []
    for name, text in stops.items():
        vocabulary.check_kind(text, name)
        if not len(text):
            raise InvalidInputError(f"{name} is empty: give the text that ends a sample, or None for no such text")
        if all(symbol in vocabulary for symbol in text):
            encoded.append(vocabulary.encode(text, name=name))
    return encoded


def _biases(logit_bias: Any, vocabulary: Vocabulary, forbidden: Collection[int]) -> Array | None:
    """Return what is added to each logit, or None if it is nothing."""
    if logit_bias is not None and not isinstance(logit_bias, Mapping):
        raise InvalidInputError(
            f"logit_bias must be None or a dict from symbols to numbers, not {type(logit_bias).__name__}"
        )
    bias = np.zeros(len(vocabulary))
    for symbol, value in (logit_bias or {}).items():
        if isinstance(symbol, Special) and symbol in vocabulary:  # the end of a document sooner or later
            bias[vocabulary.index(symbol)] = _bias(symbol, value)
            continue
        if isinstance(symbol, str | bytes) and len(symbol) != 1:
            raise InvalidInputError(f"logit_bias holds {symbol!r}, which is not one symbol: give each symbol its bias")
        bias[vocabulary.encode(symbol, name="a symbol in logit_bias")] = _bias(symbol, value)
    bias[list(forbidden)] = -np.inf
    if (bias == -np.inf).all():
        raise InvalidInputError(
            f"logit_bias forbids all {len(bias)} symbols of the model: leave one of them without -inf"
        )
    return bias if bias.any() else None


def _bias(symbol: str | bytes | Special, value: Any) -> float:
    if isinstance(value, float | np.floating) and value == -math.inf:
        return -math.inf
    complaint = (
        f"logit_bias[{symbol!r}] must be a number from -1e30 to 1e30, or -inf to forbid the symbol, not {value!r}"
    )
    number = _or_say(lambda: real("logit_bias", value, least=-LARGEST_BIAS), complaint)
    if number > LARGEST_BIAS:
        raise InvalidInputError(complaint)
    return number
