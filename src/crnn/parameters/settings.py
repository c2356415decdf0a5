"""Settings: the constructor's parameters, checked when training starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInputError
from .kinds import OPTIMIZERS
from .table import PARAMETERS, Parameters


class Settings(Parameters):
    """The parameters of `CharRNN`, checked, with every None resolved that does not depend on the text."""

    @classmethod
    def check(cls, parameters: Mapping[str, Any]) -> Settings:
        """Return the settings, or raise an `InvalidInputError` that names the first invalid parameter."""
        values = {name: checked_parameter(name, parameters[name]) for name in PARAMETERS}
        if values["weight_decay"] and not OPTIMIZERS[values["optimizer"]].decays_weights:
            able = " or ".join(repr(name) for name, kind in OPTIMIZERS.items() if kind.decays_weights)
            raise InvalidInputError(
                f"weight_decay is {values['weight_decay']:g}, but optimizer={values['optimizer']!r} does not decay "
                f"weights. Set weight_decay to 0, or optimizer to {able}."
            )
        rounds_operands(values["matmul_precision"], values["dtype"])
        if values["learning_rate"] is None:
            values["learning_rate"] = OPTIMIZERS[values["optimizer"]].learning_rate
        return cls(**values)


def checked_parameter(name: str, value: Any) -> Any:
    """Return a parameter's value in the type that training uses, or raise `InvalidInputError`; other parameters do not
    matter.
    """
    check = PARAMETERS[name].check
    return value if check is None else check(name, value)


def rounds_operands(matmul_precision: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether products round their operands to bfloat16; raise an error if the dtype does not allow it."""
    if isinstance(matmul_precision, str) and matmul_precision == "float32":  # the usual case, as in `checked_threads`
        return False
    bfloat16: bool = checked_parameter("matmul_precision", matmul_precision) == "bfloat16"
    if bfloat16 and dtype != np.float32:
        raise InvalidInputError(
            f"matmul_precision is 'bfloat16', but dtype is {dtype.name!r}. Set dtype to 'float32', or "
            f"matmul_precision to 'float32'."
        )
    return bfloat16
