"""Describe where figures were measured: date, build, processor, kernels, BLAS and versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build() -> str:
    """Return the last commit that changed what is measured, the sources, marked where files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments, "--", "src", "setup.py"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("log", "-1", "--format=%h", "--abbrev=8")
        return f"{commit}-dirty" if git("diff", "--name-only", "HEAD") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of this machine's processor, with its family and model.

    Virtual machines often name only the brand, and processors of two generations then have the same name.
    """
    if not cpuinfo.exists():
        return platform.processor()
    names = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", cpuinfo.read_text(), re.M))
    if "model name" not in names:
        return platform.processor()
    if "cpu family" not in names or "model" not in names:
        return names["model name"]
    return f"{names['model name']} (family {names['cpu family']}, model {names['model']})"


def blas() -> str:
    """Return the BLAS libraries that SciPy uses, their kernels, and what the environment holds them at."""
    from crnn.runtime.threads import scipy_blas

    found = scipy_blas.controller.info()
    names = [f"{library['internal_api']} {library['version']} {library.get('architecture')}" for library in found]
    held = [f"{k}={os.environ[k]}" for k in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CRNN_ISA") if k in os.environ]
    return ", ".join([*names, *held])


def versions(*packages: str) -> str:
    """Return the versions of Python and of those packages that are installed."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except ImportError:
            continue
    return ", ".join(found)


def machine() -> list[str]:
    """Return lines with date, build, processor, BLAS kernel, instruction set and versions."""
    import crnn._kernels as kernels

    return [
        f"{date.today()}, build {build()}.",
        f"Processor: {processor()}, {os.cpu_count()} cores; "
        f"crnn's kernels: {kernels.instruction_set}; scipy's BLAS: {blas()}.",
        f"{versions('crnn', 'numpy', 'scipy', 'torch', 'jax')}.",
    ]


def processor_and_commit() -> str:
    """Return the line that stands below a table."""
    import crnn._kernels as kernels

    return f"{processor()}, kernels {kernels.instruction_set}; {date.today()}, commit {build()}."


def software() -> str:
    """Return the line that stands once on a page of tables."""
    return f"{os.cpu_count()} cores; SciPy's BLAS: {blas()}; {versions('numpy', 'scipy', 'torch', 'jax')}."
