"""Errors and interruptions of the command line: a line on standard error, and the exit code."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import DivergenceError
from ..runtime.signals import SIGNALS
from ..text.decoding import encoding_advice

# ---------------------------------------------------------------- errors

LABELS = ("y", "validation[1]")  # the library's names of labels

# Exit codes.
ERROR = 1
INTERRUPTED = 130


def say(message: str) -> None:
    """Write a line to standard error, ignoring failures."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def say_warnings() -> Iterator[None]:
    """Write each warning to standard error in one line, without the place in the source that Python adds."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: say(f"crnn: warning: {message}")
        yield


def _name_of_files(files: str | list[str]) -> str:
    """Return what a message calls one file or several."""
    if files == "-":
        return "standard input"
    return files if isinstance(files, str) else ", ".join(files)


def error_message(error: BaseException, files: Mapping[str, str | list[str] | None] | None = None) -> str:
    """Return an error as one line, with the names of files and lines instead of the library's names.

    `files` are the files that the library calls X, y, validation and validation[1].
    """
    names = {name: _name_of_files(file) for name, file in (files or {}).items() if file}
    if isinstance(error, MemoryError):
        text = f"out of memory{f' ({error})' if str(error) else ''}. Use a smaller model, batch or text."
    elif isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    elif isinstance(error, UnicodeDecodeError):
        notes = " ".join(getattr(error, "__notes__", ()))
        validation = names.get("validation")
        name = validation if validation and repr(validation) in notes else names.get("X")
        text = f"{name} is not UTF-8: {error}. {encoding_advice(error)} Or train a model of bytes: crnn train --bytes."
    else:
        text = str(error)
    text = re.sub(r"Use the model of one label, such as model\.for_label\((.*)\)\.\w+\.$", r"Add --label \1.", text)
    argument = getattr(error, "argument", None)
    index = getattr(error, "index", None)
    if index is not None:
        line = f"line {index + 1}"
        if argument in LABELS and argument in names:
            line = f"{line} of {names[argument]}"
        text = line + text.removeprefix(f"{argument}[{index}]")
    elif argument is not None:
        text = names.get("X" if argument == "the text" else argument, argument) + text.removeprefix(argument)
    return " ".join(text.split())


# ---------------------------------------------------------------- interruptions


class Interruption(KeyboardInterrupt):
    """One of the signals."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.code = 128 + number
        self.reason = "stopped by Ctrl-C" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"


@dataclass
class Ending:
    """How training ended: normally, or with an exit code and the reason."""

    code: int = 0
    reason: str = ""
    _start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Return the seconds since training began."""
        return time.perf_counter() - self._start


@contextlib.contextmanager
def catch_ending() -> Iterator[Ending]:
    """Yield the ending of the training within; an interruption or a divergence is recorded there, not raised."""
    ending = Ending()
    try:
        yield ending
    except KeyboardInterrupt as error:
        caught = error if isinstance(error, Interruption) else Interruption()  # Ctrl-C
        ending.code = caught.code
        ending.reason = caught.reason
    except DivergenceError as error:
        ending.code = ERROR
        ending.reason = f"error: {error}"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise an `Interruption`; ignore further signals while the model is saved.

    A signal that is already ignored, for instance by ``nohup``, stays ignored.
    """

    def raise_once(number: int, frame: Any) -> None:
        for each in handlers:
            signal.signal(each, signal.SIG_IGN)
        raise Interruption(number)

    with _keep_handlers() as handlers:
        for number, before in handlers.items():
            if before is not signal.SIG_IGN:
                signal.signal(number, raise_once)
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the signals while the trained model is saved."""
    with _keep_handlers() as handlers:
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)
        yield


@contextlib.contextmanager
def _keep_handlers() -> Iterator[dict[Any, Any]]:
    """Yield the handlers of the signals, and put them back at the end; yield none if signals cannot arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in handlers.items() if handler is not None}  # None: C code's own
    try:
        yield handlers
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
