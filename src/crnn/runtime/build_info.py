"""What this crnn was built for and runs on: instruction set, BLAS, versions, processor."""

from __future__ import annotations

import os
import sys

from .. import _kernels
from .._version import __version__
from .threads import cores, scipy_blas

__all__ = ["build_info", "processor_name", "show_config"]

PACKAGES = ("numpy", "scipy", "safetensors", "threadpoolctl", "tqdm")
# What is read from the environment when the package, or its BLAS, is loaded.
VARIABLES = ("CRNN_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def build_info() -> dict[str, str]:
    """Return what a bug report or a benchmark should name.

    Returns
    -------
    dict of str to str
        ``crnn``; ``instruction set`` (the one in use, and those that could be), and the same ``for bfloat16`` and
        ``for int8``; ``BLAS`` (scipy's, one entry for each library: name, version, kernel, threads); ``threads``; the
        versions of Python and the packages; ``processor``, ``system``; and each variable of the environment that
        counts, if set.

    Examples
    --------
    >>> build_info()["crnn"] == __version__
    True
    """
    # Imported here and below, since `import crnn` shall cost little and hardly ever ends here.
    import platform
    from importlib.metadata import PackageNotFoundError, version

    info = {
        "crnn": __version__,
        "instruction set": f"{_kernels.instruction_set} (available: {', '.join(_kernels.available())})",
        "for bfloat16": f"{_kernels.bfloat16_set} (available: {', '.join(_kernels.available_for_bfloat16())})",
        "for int8": f"{_kernels.int8_set} (available: {', '.join(_kernels.available_for_int8())})",
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
            info[package] = "no installed package has this name"
    info |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return info


def show_config() -> None:
    """Print what `build_info` returns, one entry a line, as ``crnn info --build`` does.

    Examples
    --------
    >>> show_config()  # doctest: +ELLIPSIS
    crnn             ...
    instruction set  ...
    """
    info = build_info()
    width = max(map(len, info))
    for name, value in info.items():
        print(f"{name:{width}}  {value}")


def processor_name() -> str:
    """Return the processor's name as its maker writes it, or the best that the system tells.

    Examples
    --------
    >>> processor_name() != ""
    True
    """
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
    """Describe each BLAS that the kernels may call; threadpoolctl does not know every one (not Apple's)."""
    libraries = [
        f"{library['internal_api']} {library['version'] or 'of unknown version'}, "
        f"{library.get('architecture') or 'unknown'} kernels, threads: {library['num_threads']}"
        for library in scipy_blas.controller.info()
    ]
    return libraries or ["one that threadpoolctl does not know"]
