"""What suits a terminal: whether a stream is one, and text that is safe to print there."""

from __future__ import annotations

import os
import re
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream can show a bar: it is a terminal, and its size is known."""
    try:
        if stream is None or not stream.isatty():
            return False
        return os.get_terminal_size(stream.fileno()).lines > 0  # some terminals in containers and CI have no size
    except (OSError, AttributeError):  # it claims to be a terminal, but has no size; Pyodide has no get_terminal_size
        return True
    except ValueError:  # the stream is closed
        return False


def rate_of(chars: int, seconds: float) -> str:
    """Return characters per second in short form."""
    from tqdm import tqdm

    return f"{tqdm.format_sizeof(chars / max(seconds, 1e-9))}char/s"


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed


def printable(text: str | bytes) -> str:
    """Return a sample that is safe on a terminal, with control characters and surrogates escaped, bytes as Latin-1."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    text = text.replace("\r\n", "\n").encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROL.sub(lambda match: "\\0" if match[0] == "\0" else f"\\x{ord(match[0]):02x}", text)
