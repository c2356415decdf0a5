"""Optional packages, imported when an export needs them."""

from __future__ import annotations

import importlib
from typing import Any

from ..runtime.signals import signals_deferred


def require_package(package: str, extra: str, purpose: str) -> Any:
    """Import an optional package; if it is missing, the error names the extra that installs it and the `purpose` that
    needs it.
    """
    try:
        with signals_deferred():
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:  # the package exists, but one of its own imports is missing
            raise
        raise ModuleNotFoundError(
            f'{purpose} needs {package}, which is not installed. Run: pip install "crnn[{extra}]"', name=error.name
        ) from None
