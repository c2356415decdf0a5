"""Compiled kernels; `core` is the build for the best instruction set that this processor has.

``CRNN_ISA=baseline|avx2|avx512`` in the environment, when the package is first imported, forces one.
"""

import importlib.util
import os
from types import ModuleType
from typing import TYPE_CHECKING

from . import cpu

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # from the least to the most demanding


def available() -> tuple[str, ...]:
    """Return the instruction sets that this build holds and this processor has."""
    return tuple(
        name for name in INSTRUCTION_SETS[: cpu.level() + 1] if importlib.util.find_spec(f"{__name__}.{name}.core")
    )


def load(name: str) -> ModuleType:
    """Return the kernels built for an instruction set, one of `available`."""
    if name not in available():
        raise ValueError(
            f"instruction set {name!r} is not available here; choose from {', '.join(available())} (CRNN_ISA)"
        )
    return importlib.import_module(f"{__name__}.{name}.core")


instruction_set = os.environ.get("CRNN_ISA") or available()[-1]
if TYPE_CHECKING:
    from . import core
else:
    core = load(instruction_set)
