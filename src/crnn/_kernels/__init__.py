"""Compiled kernels: `core` is what Python calls; it uses the kernels of the best instruction set of this processor.

``CRNN_ISA=baseline|avx2|avx512|avx512_bf16|amx`` in the environment, when the package is first imported, forces one.
The last two add instructions for bfloat16 alone: all else runs on the kernels for AVX-512.
"""

import importlib
import os
from pathlib import Path

from .entry import core
from .platform import cpu

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # from the least to the most demanding
BFLOAT16_SETS = (*INSTRUCTION_SETS, "avx512_bf16", "amx")  # likewise, for products in bfloat16

instruction_set: str
"""The one in use."""
bfloat16_set: str
"""The one in use for products in bfloat16."""


def available() -> tuple[str, ...]:
    """Return the instruction sets that this build holds and this processor has."""
    return tuple(name for name in INSTRUCTION_SETS[: cpu.level() + 1] if _built(name))


def available_for_bfloat16() -> tuple[str, ...]:
    """Return the same with those that serve bfloat16 alone."""
    return tuple(name for name in BFLOAT16_SETS[: cpu.level() + 1] if _built(name))


def use(name: str) -> None:
    """Use the kernels of an instruction set, one of `available_for_bfloat16`, for networks made from now on."""
    global instruction_set, bfloat16_set
    names = available_for_bfloat16()
    if name not in names:
        raise ValueError(f"instruction set {name!r} is not available here; choose from {', '.join(names)} (CRNN_ISA)")
    of_floats = name if name in INSTRUCTION_SETS else INSTRUCTION_SETS[-1]
    builds = {"float32": of_floats, "float64": of_floats, "bfloat16": name}
    core.use(*(importlib.import_module(f"{__name__}.{folder}.{kind}.kernels") for kind, folder in builds.items()))
    instruction_set, bfloat16_set = of_floats, name


def _built(name: str) -> bool:
    return any(Path(__file__).parent.joinpath(name, "bfloat16").glob("kernels.*"))


use(os.environ.get("CRNN_ISA") or available_for_bfloat16()[-1])
