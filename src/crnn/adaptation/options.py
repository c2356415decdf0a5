"""AdaptationOptions: how weights adapt to a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_float, checked_int, did_you_mean

MAX_BLOCK_LENGTH = 1_000_000  # a block's states and logits are in memory together


@dataclass(frozen=True)
class AdaptationOptions:
    """The rates of adaptation per symbol, and the length of a block."""

    learning_rate: float = 1.5e-4
    decay: float = 3e-6
    block_length: int = 100

    @classmethod
    def of(cls, adapt: bool | str | Mapping[str, Any]) -> Self:
        """Return the options for True, or for a dict of some of them."""
        if adapt is True:
            return cls()
        if not isinstance(adapt, Mapping):
            raise InvalidInputError(f"adapt is {short_repr(adapt)}. Pass True, False or a dict of {_NAMES}.")
        names = [field.name for field in fields(cls)]
        for name in adapt:
            if name not in names:
                near = did_you_mean(name, names, {"rate": "learning_rate", "seq_length": "block_length"})
                raise InvalidInputError(f"adapt has no option {short_repr(name)}, only {_NAMES}{near}")
        return cls(**{name: checked_option(name, value) for name, value in adapt.items()})


_NAMES = "learning_rate, decay and block_length"


def checked_option(name: str, value: Any) -> Any:
    """Return an option's value, or raise InvalidInputError."""
    if name == "block_length":
        return checked_int(name, value, 1, MAX_BLOCK_LENGTH)
    return checked_float(name, value, minimum=0.0, maximum=1.0 if name == "decay" else None)
