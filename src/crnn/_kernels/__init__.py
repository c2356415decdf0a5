"""Compiled kernels: `core` is what Python calls; it uses the kernels of the best instruction set of this processor.

``CRNN_ISA=baseline|avx2|avx512`` in the environment, when the package is first imported, forces one.
"""

import importlib
import os
from pathlib import Path

from . import core, cpu

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # from the least to the most demanding

instruction_set: str
"""The one in use."""


def available() -> tuple[str, ...]:
    """Return the instruction sets that this build holds and this processor has."""
    return tuple(name for name in INSTRUCTION_SETS[: cpu.level() + 1] if _built(name))


def use(name: str) -> None:
    """Use the kernels of an instruction set, one of `available`, for the networks that are made from now on."""
    global instruction_set
    if name not in available():
        raise ValueError(
            f"instruction set {name!r} is not available here; choose from {', '.join(available())} (CRNN_ISA)"
        )
    core.use(*(importlib.import_module(f"{__name__}.{name}.{dtype}.kernels") for dtype in ("float32", "float64")))
    instruction_set = name


def _built(name: str) -> bool:
    return any(Path(__file__).parent.joinpath(name, "float32").glob("kernels.*"))


use(os.environ.get("CRNN_ISA") or available()[-1])
