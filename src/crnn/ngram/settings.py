"""The parameters of counts, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .._kernels.ngram import ngrams
from ..parameters.checks import checked_float, checked_int, checked_threads
from ..parameters.settings import checked_parameter


@dataclass(frozen=True)
class NGramSettings:
    """The parameters of `CharNGram`, converted to the types used for counting."""

    order: int | None
    max_memory: int | None
    min_count: int
    vocabulary: str | bytes | None
    n_threads: int | None
    verbose: int

    @classmethod
    def check(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the settings, or raise `InvalidInputError` for the first invalid parameter."""
        return cls(**{name: checked_ngram_parameter(name, value) for name, value in parameters.items()})


def checked_ngram_parameter(name: str, value: Any) -> Any:
    """Return the checked value of a parameter, or raise `InvalidInputError`."""
    if name == "order":
        return None if value is None else checked_int(name, value, 1, MAX_ORDER)
    if name == "max_memory":
        return None if value is None else int(checked_float(name, value, minimum=1))
    return checked_threads(value) if name == "n_threads" else checked_parameter(name, value)


MAX_ORDER: int = ngrams.LONGEST_ORDER
