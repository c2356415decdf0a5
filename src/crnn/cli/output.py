"""The standard output of commands."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping

__all__ = ["discard", "flush", "table", "write"]


def write(text: str | bytes) -> None:
    """Write to standard output without changing line ends; characters that it cannot encode are escaped."""
    if isinstance(text, str):
        text = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.buffer.write(text)


def table(rows: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")


def flush() -> None:
    """Flush standard output, unless it is closed."""
    if sys.stdout is not None:
        sys.stdout.flush()


def discard() -> None:
    """Flush standard output; if that fails, let the interpreter find nothing to flush when it exits."""
    try:
        flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
