"""Import the optional packages that exports need, only when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from ..runtime.deferred_signals import signals_deferred


def needed(package: str, extra: str, purpose: str) -> Any:
    """Import an optional package.

    Parameters
    ----------
    package : str
        The package to import.
    extra : str
        The extra of crnn that installs the package.
    purpose : str
        The feature that needs the package, for the message.
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
