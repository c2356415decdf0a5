"""CountingProgress: the amount of data, then the progress of counting n-grams, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from .progress import Display, display_on, rate_of


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
