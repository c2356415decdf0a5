"""Errors of the command line, told in one line on standard error."""

from __future__ import annotations

import contextlib
import os
import re
import sys

__all__ = ["described", "say"]


def say(message: str) -> None:
    """Write a line to standard error; nobody reading it is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


def described(error: BaseException, file: str | None = None) -> str:
    r"""Return an error as one line.

    Parameters
    ----------
    error : exception
        What a command raised.
    file : str, optional
        The text's file, which the library calls X.

    Returns
    -------
    str

    Examples
    --------
    >>> described(ValueError("X is too short:\nits length is 1"), "book.txt")
    'book.txt is too short: its length is 1'
    >>> described(FileNotFoundError(2, "No such file or directory", "book.txt"))
    'book.txt: No such file or directory'
    """
    name = "standard input" if file == "-" else file
    if isinstance(error, MemoryError):
        text = f"out of memory{f' ({error})' if str(error) else ''}: a smaller model, batch or text needs less"
    elif isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    elif isinstance(error, UnicodeDecodeError):
        text = f"{name} is not UTF-8: {error}; convert it, or let crnn train --bytes make a model of any bytes"
    else:
        text = str(error)
    if name is not None:
        text = re.sub(r"^X\b|^the text\b", lambda _: name, text)
    return " ".join(text.split())
