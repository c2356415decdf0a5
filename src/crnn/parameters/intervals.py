"""Intervals between events of training: in steps, in seconds, or not given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import InvalidInputError, short_repr


@dataclass(frozen=True)
class Interval:
    """The distance between two events of training, in steps or in seconds; neither is "not given"."""

    steps: int | None = None
    seconds: float | None = None


def refuse_both(first: str, first_value: Any, second: str, second_value: Any) -> None:
    """Raise InvalidInputError if both names of a pair are given; None is "not given"."""
    if first_value is not None and second_value is not None:
        raise InvalidInputError(
            f"{first} is {short_repr(first_value)} and {second} is {short_repr(second_value)}, but only one of the two "
            "can be given. Set the other to None."
        )
