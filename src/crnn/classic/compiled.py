"""The functions of `classic.pyx`, compiled for the instruction set that the kernels use."""

import importlib
from typing import TYPE_CHECKING

from .. import _kernels

if TYPE_CHECKING:
    from .classic import read_symbols, train_steps
else:
    _module = importlib.import_module(f"{__package__}.{_kernels.instruction_set}.classic")
    read_symbols = _module.read_symbols
    train_steps = _module.train_steps

__all__ = ["read_symbols", "train_steps"]
