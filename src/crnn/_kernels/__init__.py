"""Compiled kernels: Python calls `core`, which uses the kernels for the best instruction set of this processor.

The environment variable ``CRNN_ISA=baseline|avx2|avx512|avx512_vnni|avx512_bf16|amx|neon_dotprod`` forces an
instruction set when the package is first imported. The last four add instructions for int8 or bfloat16 products only:
everything else runs on the AVX-512 kernels or, on ARM, on the baseline. The variable ``CRNN_BUILD`` (see ``setup.py``)
decides which sets a build has.
"""

import functools
import importlib
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from .entry import core
from .instruction_sets import COMPLETE, KINDS, sets_for, sets_for_processor
from .instruction_sets import INSTRUCTION_SETS as TABLE

INSTRUCTION_SETS = sets_for("float32")

instruction_set: str
"""The instruction set in use."""
bfloat16_set: str | None
"""The instruction set in use for bfloat16 products; None: this build has none that the processor supports."""
int8_set: str | None
"""The instruction set in use for int8 products; None: this build has none that the processor supports."""
forced: str | None
"""The instruction set passed to `use`."""


def supported(kind: str) -> tuple[str, ...]:
    """Return the instruction sets for a number type supported by this processor, built or not."""
    return sets_for_processor(kind, *core.processor())


def available(kind: str) -> tuple[str, ...]:
    """Return the instruction sets for a number type supported by both this build and this processor."""
    return tuple(name for name in supported(kind) if _built(name, kind))


def faster(kind: str) -> str | None:
    """Return the best instruction set for a number type, if this build lacks it and the processor supports it."""
    import sysconfig  # here, since `import crnn` should be fast and rarely needs it

    best = supported(kind)[-1]
    possible = re.search(TABLE[best].platforms, sysconfig.get_platform())  # not in a build for two kinds of processors
    return best if possible and not _built(best, kind) else None


def use(name: str | None) -> None:
    """Use the kernels for an instruction set in networks made from now on; None: the best of each kind."""
    global instruction_set, bfloat16_set, int8_set, forced
    sets = {kind: available(kind) for kind in KINDS}
    names = dict.fromkeys(name for of_kind in sets.values() for name in of_kind)
    if name is not None and name not in names:
        raise ValueError(
            f"instruction set {name!r} is not available here. Set CRNN_ISA to one of {', '.join(names)}, or build crnn "
            f"again with {COMPLETE}."
        )
    chosen = {kind: _chosen(of_kind, name, sets["float32"]) for kind, of_kind in sets.items()}
    tables: dict[str, Any] = {kind: _kernels_module(set_name, kind) for kind, set_name in chosen.items()}
    core.use(**tables)
    instruction_set = str(chosen["float32"])
    bfloat16_set = chosen["bfloat16"]
    int8_set = chosen["int8"]
    forced = name


def _chosen(of_kind: tuple[str, ...], name: str | None, general: tuple[str, ...]) -> str | None:
    """Return the instruction set for a number type: `name`, or the last general one if `name` does not fit."""
    if name is None:
        return of_kind[-1] if of_kind else None
    wanted = name if name in of_kind else general[-1]
    return wanted if wanted in of_kind else None


def _kernels_module(name: str | None, kind: str) -> ModuleType | None:
    return None if name is None else importlib.import_module(f"{__name__}.{name}.{kind}.kernels")


@functools.cache
def _built(name: str, kind: str) -> bool:
    return any(Path(__file__).parent.joinpath(name, kind).glob("kernels.*"))


use(os.environ.get("CRNN_ISA") or None)
