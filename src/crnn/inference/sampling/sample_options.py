"""SampleOptions: the keyword arguments of `CharRNN.sample` that do not tell what type of text it returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .sampling_controls import SamplingOptions


class SampleOptions(SamplingOptions, total=False):
    """For the overloads that type checkers read; the method itself has the defaults and the descriptions."""

    max_length: int | None
    label: Any
    unique: bool
    exclude: Iterable[Any]
    random_state: Any
