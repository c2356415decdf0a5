"""NotebookDisplay: progress in a notebook, as a bar and a growing loss curve."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from html import escape
from typing import Any, TextIO

from .loss_curve import loss_curve

INTERVAL = 0.4  # seconds between two updates, at first
GROWTH = 1 / 100  # later, this part of the elapsed time
MAX_POINTS = 400  # per curve; beyond, every second point is dropped


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, without importing IPython."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None  # IPython in a terminal has no kernel


class NotebookDisplay:
    """A bar, figures and the loss curve in the output of a notebook's cell, redrawn at intervals.

    The output is replaced and does not grow, and the last version stays in the notebook. Programs that cannot show HTML
    get the figures as a line of text. Samples go to `stream`. `total` is characters of the whole call, if known.
    """

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream, self._total = stream, total
        self._output: Any = None  # IPython's display handle
        self._training, self._validation = list[tuple[float, float]](), list[tuple[float, float]]()
        self._spacing = 0  # characters between two points of the curve
        self._last = -math.inf  # seconds at the last update
        self._status, self._part, self._shown = "", 0.0, True

    def update(self, part: float, chars: int, seconds: float, text: str, losses: Sequence[float | None]) -> None:
        """Add the smoothed loss, and a validation loss if any; redraw if due."""
        from tqdm import tqdm

        loss, validation_loss = losses
        if loss is not None and (not self._training or chars - self._training[-1][0] >= self._spacing):
            self._training.append((chars, loss))
        if validation_loss is not None:
            self._validation.append((chars, validation_loss))
        if len(self._training) > MAX_POINTS:
            del self._training[1::2]
            self._spacing = 2 * max(self._spacing, chars // MAX_POINTS)
        interval = tqdm.format_interval
        left = interval(seconds * (1 / part - 1)) if part else "?"
        self._status, self._part, self._shown = f"{part:.0%} [{interval(seconds)}<{left}, {text}]", part, False
        if seconds - self._last > max(INTERVAL, seconds * GROWTH):
            self._last = seconds
            self._draw()

    def write(self, text: str) -> None:
        """Write a sample below the curve."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Draw whatever the last update lacks."""
        if not self._shown:
            self._draw()

    def _draw(self) -> None:
        end = self._total if self._part < 1 else None
        bundle = {
            "text/plain": self._status,
            "text/html": f"<div><progress value='{self._part:.4f}' max='1' aria-label='training' "
            f"style='width:12em;vertical-align:middle'></progress> <code>{escape(self._status)}</code></div>"
            f"{loss_curve(self._training, self._validation, unit='characters', end=end)}",
        }
        self._shown = True
        if self._output is None:
            display = importlib.import_module("IPython.display").display
            self._output = display(bundle, raw=True, display_id=True)
        else:
            self._output.update(bundle, raw=True)
