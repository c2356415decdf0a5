"""The standard output of commands."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Let an error of standard output name it, since the system reports no file name for it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or "standard output") from None


def write(text: str | bytes) -> None:
    """Write to standard output without changing line ends, escaping characters outside its encoding."""
    if isinstance(text, str):
        text = text.encode(sys.stdout.encoding, "backslashreplace")
    with named():
        sys.stdout.buffer.write(text)


def table(rows: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, rows))
    with named():
        for name, value in rows.items():
            print(f"{name:{width}}  {value}")


def flush() -> None:
    """Flush standard output, unless it is closed."""
    if sys.stdout is not None:
        with named():
            sys.stdout.flush()


def discard() -> None:
    """Flush standard output; if that fails, make sure that the interpreter has nothing to flush when it exits."""
    try:
        flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
