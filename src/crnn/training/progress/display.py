"""Progress: the amount of data, then a bar in a terminal, a curve in a notebook or lines in a log, and samples."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from ..loop.budget import Budget
from .notebook_display import NotebookDisplay, in_notebook

LINE_SECONDS = 5.0  # between two lines of a log, at first
SAMPLE_SECONDS = 5.0  # between two samples, at first
GROWTH = 1 / 20  # later, this part of the elapsed time: a long run must not fill the disk with its log


class Progress:
    """Shows the progress of training on standard error: loss, bits per character, characters per second, time left.

    A terminal gets a tqdm bar, a notebook a bar and a curve, anything else a line every few seconds. Errors of standard
    error (a closed pipe, a full disk) never interrupt training. The line `summary` comes first. `chars_per_step` is T *
    B; `elapsed` is seconds that the call had taken when it was interrupted.
    """

    def __init__(
        self,
        budget: Budget,
        chars_per_step: int,
        *,
        verbose: int,
        summary: str,
        sample: Callable[[], Iterable[str | bytes]],
        elapsed: float = 0.0,
    ) -> None:
        self._budget, self._chars_per_step = budget, chars_per_step
        self._verbose, self._summary, self._sample = verbose, summary, sample
        self._display: Display | None = None
        self._validation = ""
        self._last_sample = time.perf_counter()
        self._start = self._last_sample - elapsed

    def __enter__(self) -> Self:
        if self._verbose and sys.stderr is not None:
            self._guarded(self._open, sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._guarded(self._display.close)

    def show(self, steps_done: int, loss: float, validation_loss: float | None = None) -> None:
        """Show the progress after `steps_done` steps of this call; losses are in nats per character.

        The last validation loss stays visible.
        """
        if self._display is None:
            return
        now = time.perf_counter()
        seconds = now - self._start
        if validation_loss is not None:
            self._validation = f", validation {validation_loss:.3f} nats"
        chars = steps_done * self._chars_per_step
        text = f"{rate_of(chars, seconds)}, loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char{self._validation}"
        part = self._budget.part_done(steps_done, seconds)
        self._guarded(self._display.update, part, chars, seconds, text, (loss, validation_loss))
        due = max(SAMPLE_SECONDS, seconds * GROWTH)
        if self._verbose > 1 and self._display is not None and now - self._last_sample > due:
            self._last_sample = now
            shown = "\n".join(map(printable, self._sample()))
            self._guarded(self._display.write, f"----\n{shown}\n----")

    def _open(self, stream: TextIO) -> None:
        print(self._summary, file=stream, flush=True)
        total = None if self._budget.seconds is not None else (self._budget.n_steps or 0) * self._chars_per_step
        self._display = display_on(stream, total)

    def _guarded(self, action: Any, *arguments: Any) -> None:
        """Call a function that writes; stop showing progress once it fails (for a closed stream with ValueError)."""
        try:
            action(*arguments)
        except (OSError, ValueError):
            self._display = None


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


class Display(Protocol):
    """Where progress is shown."""

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        """Show the completed part, the characters and seconds so far, a text, and two losses for a curve."""

    def write(self, text: str) -> None:
        """Show a multi-line text."""

    def close(self) -> None:
        """Show whatever has not been shown yet."""


def display_on(stream: TextIO, total: int | None) -> Display:
    """Return a display that suits a stream; `total` is the number of characters, if known."""
    if in_notebook():
        return NotebookDisplay(stream, total)
    return _Bar(stream, total) if is_terminal(stream) else _Log(stream, total)


class _Bar:
    """A tqdm bar, for a terminal."""

    def __init__(self, stream: TextIO, total: int | None) -> None:
        from tqdm import tqdm

        self._stream = stream
        self._bar = tqdm(
            total=1.0,  # of the budget, in steps or time
            file=stream,
            dynamic_ncols=True,
            miniters=0,  # polls come about every 50 ms; tqdm's own estimate would skip some
            # Without the counts, so that all of it and a bar fit in 80 columns.
            bar_format="{percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]",
        )

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(part - self._bar.n)

    def write(self, text: str) -> None:
        self._bar.write(text, file=self._stream, nolock=True)  # as the demo does

    def close(self) -> None:
        self._bar.close()


class _Log:
    """Occasional lines, for a file or pipe, where a bar would be garbage."""

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream, self._total = stream, total
        self._part, self._chars, self._seconds, self._text = 0.0, 0, 0.0, ""
        self._last = 0.0  # seconds at the last line
        self._shown = False

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        self._part, self._chars, self._seconds, self._text = part, chars, seconds, text
        self._shown = False
        if seconds - self._last > max(LINE_SECONDS, seconds * GROWTH):
            self._last = seconds
            self._line()

    def write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        if not self._shown:
            self._line()

    def _line(self) -> None:
        from tqdm import tqdm

        self._shown = True
        size, interval = tqdm.format_sizeof, tqdm.format_interval
        line = f"{self._part:4.0%}  {size(self._chars)}{'' if self._total is None else f'/{size(self._total)}'}"
        if self._chars and self._part:
            left = interval(self._seconds * (1 / self._part - 1))
            line += f" [{interval(self._seconds)}, {left} left, {self._text}]"
        self.write(line)


def rate_of(chars: int, seconds: float) -> str:
    """Return characters per second in short form.

    Examples
    --------
    >>> rate_of(3_000_000, 2.0)
    '1.50Mchar/s'
    """
    from tqdm import tqdm

    return f"{tqdm.format_sizeof(chars / max(seconds, 1e-9))}char/s"


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed


def printable(text: str | bytes) -> str:
    """Return a sample in a form that is safe to print on a terminal; bytes are shown as Latin-1.

    Control characters and lone surrogates are escaped, and CR LF becomes a line feed.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    text = text.replace("\r\n", "\n").encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROL.sub(lambda match: "\\0" if match[0] == "\0" else f"\\x{ord(match[0]):02x}", text)


class CountingProgress:
    """Shows how much of a text has been counted, after the line `summary`; its `show` is the `progress` of a `Builder`.

    Errors of standard error never interrupt the counting.
    """

    def __init__(self, verbose: int, summary: str) -> None:
        self._verbose, self._summary = verbose, summary
        self._display: Display | None = None
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        if self._verbose:
            self.write(self._summary)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._display is not None:
                self._display.close()
        except (OSError, ValueError):
            pass

    def write(self, line: str) -> None:
        """Show a line."""
        try:
            print(line, file=sys.stderr, flush=True)
        except (OSError, ValueError, AttributeError):
            self._verbose = 0

    def show(self, done: int, total: int) -> None:
        """Show how many symbols have been counted."""
        if not self._verbose or sys.stderr is None:
            return
        seconds = time.perf_counter() - self._start
        try:
            if self._display is None:
                self._display = display_on(sys.stderr, total)
            self._display.update(done / total, done, seconds, rate_of(done, seconds), (None, None))
        except (OSError, ValueError):
            self._verbose = 0
