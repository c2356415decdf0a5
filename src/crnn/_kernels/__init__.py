"""Compiled kernels: Python calls `core`, which uses the kernels for the best instruction set of this processor.

The environment variable ``CRNN_ISA=baseline|avx2|avx512|avx512_vnni|avx512_bf16|amx|neon_dotprod`` forces an
instruction set when the package is first imported. The last four add instructions for int8 or bfloat16 products only:
everything else runs on the AVX-512 kernels or, on ARM, on the baseline.
"""

import functools
import importlib
import os
from pathlib import Path

from .entry import core
from .instruction_sets import sets_for
from .platform import cpu

INSTRUCTION_SETS = sets_for("float32")

instruction_set: str
"""The instruction set in use."""
bfloat16_set: str
"""The instruction set in use for bfloat16 products."""
int8_set: str
"""The instruction set in use for int8 products."""
forced: str | None
"""The instruction set passed to `use`."""


def available(kind: str) -> tuple[str, ...]:
    """Return the instruction sets for a number type supported by both this build and this processor."""
    if kind == "int8" and cpu.has_byte_products():
        sets = sets_for(kind)
    else:  # without such products, int8 uses the general sets
        sets = sets_for("bfloat16" if kind == "bfloat16" else "float32")[: cpu.level() + 1]
    return tuple(name for name in sets if _built(name, kind))


def use(name: str | None) -> None:
    """Use the kernels for an instruction set in networks made from now on; None: the best of each kind."""
    global instruction_set, bfloat16_set, int8_set, forced
    sets = {kind: available(kind) for kind in ("float32", "bfloat16", "int8")}
    names = dict.fromkeys(name for of_kind in sets.values() for name in of_kind)
    if name is not None and name not in names:
        raise ValueError(f"instruction set {name!r} is not available here. Set CRNN_ISA to one of {', '.join(names)}.")
    chosen = {kind: _chosen(of_kind, name, sets["float32"]) for kind, of_kind in sets.items()}
    folders = {"float32": chosen["float32"], "float64": chosen["float32"], **chosen}
    core.use(**{kind: importlib.import_module(f"{__name__}.{name}.{kind}.kernels") for kind, name in folders.items()})
    instruction_set, bfloat16_set, int8_set = chosen.values()
    forced = name


def _chosen(of_kind: tuple[str, ...], name: str | None, general: tuple[str, ...]) -> str:
    """Return the instruction set for a kind of products: `name`, or the last general one if `name` does not fit."""
    if name is None:
        return of_kind[-1]
    return name if name in of_kind else general[-1]


@functools.cache
def _built(name: str, kind: str) -> bool:
    return any(Path(__file__).parent.joinpath(name, kind).glob("kernels.*"))


use(os.environ.get("CRNN_ISA") or None)
