"""Build information: the instruction set, BLAS, versions and processor in use."""

from __future__ import annotations

import os
import sys

from .. import _kernels
from .._kernels.instruction_sets import COMPLETE
from .._version import __version__
from .machine import cores
from .threads import scipy_blas

PACKAGES = ("numpy", "scipy", "threadpoolctl", "tqdm")
# Read from the environment when the package or its BLAS is loaded.
VARIABLES = ("CRNN_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_told = False  # this process, by `slower_build`


def build_info() -> dict[str, str]:
    """Return the facts that a bug report or benchmark should name: versions, instruction sets in use and available,
    SciPy's BLAS, the number of threads, the processor and the relevant environment variables.
    """
    # Imported here and below, since `import crnn` should be fast and rarely needs these.
    import platform
    from importlib.metadata import PackageNotFoundError, version

    info = {
        "crnn": __version__,
        "instruction set": _described_sets(_kernels.instruction_set, "float32"),
        "for bfloat16": _described_sets(_kernels.bfloat16_set, "bfloat16"),
        "for int8": _described_sets(_kernels.int8_set, "int8"),
        "BLAS": "; ".join(_blas()),
        "cores": str(cores()),
        "processor": processor_name(),
        "system": platform.platform(),
        "Python": f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})",
    }
    for package in PACKAGES:
        try:
            info[package] = version(package)
        except PackageNotFoundError:
            info[package] = "not installed under this name"
    info |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return info


def _described_sets(used: str | None, kind: str) -> str:
    """Return the instruction set in use, the available ones, and the remedy if this build lacks the best one."""
    faster = _kernels.faster(kind)
    lacking = "" if faster is None else f"; {faster} is faster, but not built: use {COMPLETE}"
    return f"{used or 'none'} (available: {', '.join(_kernels.available(kind)) or 'none'}{lacking})"


def slower_build(kind: str) -> str | None:
    """Return what to tell a user, once, whose processor could run faster kernels for a number type, or None."""
    global _told
    if _told or _kernels.forced is not None or (faster := _kernels.faster(kind)) is None:
        return None
    _told = True
    used = _kernels.bfloat16_set if kind == "bfloat16" else _kernels.instruction_set
    return (
        f"crnn uses its kernels for {used}, because this build has none for {faster}, which are faster on this "
        f"processor. Build crnn again with {COMPLETE}."
    )


def show_config() -> None:
    """Print the result of `build_info`, one entry per line, like ``crnn info --build``.

    Examples
    --------
    >>> from crnn import show_config
    >>> show_config()  # doctest: +ELLIPSIS
    crnn             ...
    instruction set  ...
    """
    info = build_info()
    width = max(map(len, info))
    for name, value in info.items():
        print(f"{name:{width}}  {value}")


def processor_name() -> str:
    """Return the processor's name given by its maker, or the system's best description."""
    import platform
    import subprocess

    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(command, capture_output=True, check=True, text=True, timeout=5).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine() or "unknown"


def _blas() -> list[str]:
    """Describe each BLAS that the kernels may call; threadpoolctl does not know all (such as Apple's)."""
    libraries = [
        f"{library['internal_api']} {library['version'] or 'of unknown version'}, "
        f"{library.get('architecture') or 'unknown'} kernels, threads: {library['num_threads']}"
        for library in scipy_blas.controller.info()
    ]
    return libraries or ["unknown to threadpoolctl"]
