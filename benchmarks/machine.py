"""Describe where figures were measured: date, build, processor, kernels, BLAS and versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path


def build() -> str:
    """Return the commit of this checkout, marked where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> list[str]:
    """Date, build, processor, BLAS kernel, instruction set, versions."""
    import crnn._kernels as kernels
    from crnn.runtime.threads import scipy_blas

    names = {}
    if os.path.exists("/proc/cpuinfo"):
        names = dict(re.findall(r"^(model name|flags)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M))
    found = scipy_blas.controller.info()
    blas = [f"{library['internal_api']} {library['version']} {library.get('architecture')}" for library in found]
    versions = []
    for package in ("crnn", "numpy", "scipy", "torch", "jax"):
        try:
            versions.append(f"{package} {version(package)}")
        except ImportError:
            continue
    held = [f"{k}={os.environ[k]}" for k in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CRNN_ISA") if k in os.environ]
    return [
        f"{date.today()}, build {build()}.",
        f"Processor: {names.get('model name', platform.processor())}, {os.cpu_count()} cores; "
        f"crnn's kernels: {kernels.instruction_set}; scipy's BLAS: {', '.join([*blas, *held])}.",
        f"Python {platform.python_version()}, {', '.join(versions)}.",
    ]
