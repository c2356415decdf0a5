"""Displays of progress: a bar in a terminal, lines in a log, a bar and the loss curve in a notebook."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from html import escape
from typing import Any, TextIO

from .loss_curve import Point, loss_curve
from .pace import PACE, Pace
from .terminal import is_terminal


class Display:
    """Occasional lines, for a file or pipe, where a bar would be garbage; `total` is the whole call's characters, if
    known.
    """

    def __init__(self, stream: TextIO, total: int | None, pace: Pace = PACE) -> None:
        self._stream = stream
        self._pace = pace
        self._total = total
        self._part = 0.0
        self._chars = 0
        self._seconds = 0.0
        self._text = ""
        self._last = 0.0  # seconds when progress was last shown
        self._shown = False

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        """Take the completed part, the characters and seconds so far, a text, and two losses for a curve; show them if
        due.
        """
        self._part = part
        self._chars = chars
        self._seconds = seconds
        self._text = text
        self._shown = seconds - self._last > self._pause()
        if self._shown:
            self._last = seconds
            self._draw()

    def write(self, text: str) -> None:
        """Show a multi-line text."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Show whatever has not been shown yet."""
        if not self._shown:
            self._shown = True
            self._draw()

    def _pause(self) -> float:
        """Return the seconds after which progress is shown again."""
        return self._pace.line_pause(self._seconds)

    def _draw(self) -> None:
        """Write a line with the part done, the characters, the times and the losses."""
        from tqdm import tqdm

        size = tqdm.format_sizeof
        interval = tqdm.format_interval
        line = f"{self._part:4.0%}  {size(self._chars)}{'' if self._total is None else f'/{size(self._total)}'}"
        if self._chars and self._part:
            left = interval(self._seconds * (1 / self._part - 1))
            line += f" [{interval(self._seconds)}, {left} left, {self._text}]"
        self.write(line)


class _Bar(Display):
    """A tqdm bar, for a terminal."""

    def __init__(self, stream: TextIO, total: int | None, pace: Pace = PACE) -> None:
        from tqdm import tqdm

        super().__init__(stream, total, pace)
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


MAX_POINTS = 400  # per curve; beyond, every second point is dropped


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, without importing IPython."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None  # IPython in a terminal has no kernel


class NotebookDisplay(Display):
    """A bar, figures and the loss curve in the output of a notebook's cell, which is replaced and does not grow;
    programs that cannot show HTML get the figures as a line of text.
    """

    def __init__(self, stream: TextIO, total: int | None, pace: Pace = PACE) -> None:
        super().__init__(stream, total, pace)
        self._output: Any = None  # IPython's display handle
        self._training = list[Point]()
        self._validation = list[Point]()
        self._spacing = 0  # characters between two points of the curve
        self._last = -math.inf
        self._shown = True

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        """Add the smoothed loss, and a validation loss if any; redraw if due."""
        loss, validation_loss = losses
        if loss is not None and (not self._training or chars - self._training[-1][0] >= self._spacing):
            self._training.append((chars, loss))
        if validation_loss is not None:
            self._validation.append((chars, validation_loss))
        if len(self._training) > MAX_POINTS:
            del self._training[1::2]
            self._spacing = 2 * max(self._spacing, chars // MAX_POINTS)
        super().update(part, chars, seconds, text, losses)

    def _pause(self) -> float:
        return self._pace.curve_pause(self._seconds)

    def _draw(self) -> None:
        """Show the bar and the loss curve: a new output the first time, then the same one."""
        from tqdm import tqdm

        interval = tqdm.format_interval
        part = self._part
        left = interval(self._seconds * (1 / part - 1)) if part else "?"
        status = f"{part:.0%} [{interval(self._seconds)}<{left}, {self._text}]"
        end = self._total if part < 1 else None
        bundle = {
            "text/plain": status,
            "text/html": f"<div><progress value='{part:.4f}' max='1' aria-label='training' "
            f"style='width:12em;vertical-align:middle'></progress> <code>{escape(status)}</code></div>"
            f"{loss_curve(self._training, self._validation, unit='characters', end=end)}",
        }
        if self._output is None:
            display = importlib.import_module("IPython.display").display
            self._output = display(bundle, raw=True, display_id=True)
        else:
            self._output.update(bundle, raw=True)


def display_on(stream: TextIO, total: int | None, pace: Pace = PACE) -> Display:
    """Return a display that suits a stream; `total` is the number of characters, if known."""
    if in_notebook():
        return NotebookDisplay(stream, total, pace)
    if is_terminal(stream):
        return _Bar(stream, total, pace)
    return Display(stream, total, pace)
