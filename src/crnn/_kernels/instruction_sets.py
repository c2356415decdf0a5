"""The table of instruction sets, with the flags and uses of each. ``setup.py`` reads it, too, so it imports little.

To add an instruction set, add an entry here, its level or test in ``platform/cpu_features.h``, and its vectors and
tiles in the headers of ``platform/`` and ``products/``.
"""

import sys
from typing import NamedTuple

KINDS = ("float32", "float64", "bfloat16", "int8")  # number types; the last two for products alone
# What to set for a build with everything: Microsoft's compiler lacks some sets.
COMPLETE = "CRNN_BUILD=all" + (" and CC=clang-cl" if sys.platform == "win32" else "")


class InstructionSet(NamedTuple):
    """How the kernels are built for an instruction set."""

    gcc: tuple[str, ...]  # the flags for gcc and clang
    msvc: tuple[str, ...] | None = None  # the flags for Microsoft's compiler; None: not supported
    kinds: tuple[str, ...] = KINDS  # the number types built for the set
    platforms: str = "x86_64|amd64"  # a pattern for the names of platforms that have it, such as "linux-x86_64"


AVX512 = ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512")

INSTRUCTION_SETS = {  # for each kind, from the least to the most demanding
    "baseline": InstructionSet((), (), platforms=""),
    "avx2": InstructionSet(("-mavx2", "-mfma"), ("/arch:AVX2",)),
    "avx512": InstructionSet(AVX512, ("/arch:AVX512",)),
    # These add instructions for products of one kind: everything else runs on the kernels of the sets above.
    "avx512_vnni": InstructionSet((*AVX512, "-mavx512vnni"), kinds=("int8",)),
    "avx512_bf16": InstructionSet((*AVX512, "-mavx512bf16"), kinds=("bfloat16",)),
    # Only Linux is asked for the registers of AMX.
    "amx": InstructionSet(
        (*AVX512, "-mavx512bf16", "-mamx-tile", "-mamx-bf16"), kinds=("bfloat16",), platforms="linux-x86_64"
    ),
    # On macOS, every ARM processor has these, and compilers use them in the baseline.
    "neon_dotprod": InstructionSet(("-mcpu=generic+dotprod",), kinds=("int8",), platforms="linux-aarch64|win-arm64"),
}


def sets_for(kind: str) -> tuple[str, ...]:
    """Return the instruction sets that have kernels for a number type, from the least to the most demanding.

    Examples
    --------
    >>> from crnn._kernels.instruction_sets import sets_for
    >>> sets_for("float32"), sets_for("int8")[-1]
    (('baseline', 'avx2', 'avx512'), 'neon_dotprod')
    """
    return tuple(name for name, entry in INSTRUCTION_SETS.items() if kind in entry.kinds)


def sets_for_processor(kind: str, level: int, multiplies_bytes: bool) -> tuple[str, ...]:
    """Return the instruction sets for a number type that a processor supports, from the least to the most demanding.

    `level` and `multiplies_bytes` are what ``platform/cpu_features.h`` finds.

    Examples
    --------
    >>> from crnn._kernels.instruction_sets import sets_for_processor
    >>> sets_for_processor("float32", 1, False), sets_for_processor("int8", 2, True)
    (('baseline', 'avx2'), ('baseline', 'avx2', 'avx512', 'avx512_vnni'))
    """
    general = sets_for("bfloat16" if kind == "bfloat16" else "float32")[: level + 1]
    if kind == "int8" and multiplies_bytes:
        return (*general, "avx512_vnni" if level else "neon_dotprod")
    return general  # int8 uses the general sets if the processor does not multiply bytes
