"""Packages that only an export needs: imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from ..runtime.deferred_signals import signals_deferred

__all__ = ["needed"]


def needed(package: str, extra: str, purpose: str) -> Any:
    """Import a package that is not a dependency.

    Parameters
    ----------
    package : str
        What is imported.
    extra : str
        The extra of crnn that installs it.
    purpose : str
        What needs it, for the message.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed: the message names the extra.

    Examples
    --------
    >>> needed("no_such_package", "torch", "to_torch")
    Traceback (most recent call last):
    ModuleNotFoundError: to_torch needs no_such_package, which is not installed: pip install "crnn[torch]"
    """
    try:
        with signals_deferred():
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:  # it is there, and lacks something itself
            raise
        raise ModuleNotFoundError(
            f'{purpose} needs {package}, which is not installed: pip install "crnn[{extra}]"', name=error.name
        ) from None
