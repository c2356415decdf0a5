"""Progress: what `fit` shows in a terminal, a log file or a notebook."""

from __future__ import annotations

import importlib
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from numbers import Real
from typing import Any, Self, TextIO

from ..model.state import ModelState
from .plan import Budget

# ---------------------------------------------------------------- loss curve

Point = tuple[float, float]

MAX_DRAWN = 1e100  # leaves room for the arithmetic of a plot
WIDTH = 480
HEIGHT = 170
# The margins, which hold the labels.
LEFT = 38
RIGHT = 10
TOP = 10
BOTTOM = 34
TICKS = 5  # maximum intervals between the labels of an axis
TICK_STEPS = (1.0, 2.0, 5.0, 10.0)  # between two labels, times a power of ten
# Both contrast with white and with black, and with each other for any color vision.
COLORS = {"training": "#3b82c4", "validation": "#c9711f"}


def number_in(record: Any, name: str) -> float | None:
    """Return a number from a record, or None unless it can be drawn: callbacks and files may have anything there."""
    value = record.get(name) if isinstance(record, Mapping) else None
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:  # an integer beyond all floats
        return None
    return number if 0 <= number <= MAX_DRAWN else None  # valid values are at least 0


def points_of(records: Iterable[Any], name: str) -> list[Point]:
    """Return step and loss of each record that has both."""
    pairs = ((number_in(record, "step"), number_in(record, name)) for record in records)
    return [(step, loss) for step, loss in pairs if step is not None and loss is not None]


def loss_curve(
    training: Sequence[Point], validation: Sequence[Point] = (), *, unit: str = "steps", end: float | None = None
) -> str:
    """Return the curves of two losses as SVG, in the text's color, or an empty string with fewer than two finite
    points: (training progress in `unit`, nats per character).
    """
    curves = {
        "training": [point for point in training if math.isfinite(point[1])],
        "validation": [point for point in validation if math.isfinite(point[1])],
    }
    points = [point for curve in curves.values() for point in curve]
    if len(points) < 2:
        return ""
    last = max(end or 0.0, *(x for x, _ in points))
    low = min(y for _, y in points)
    high = max(y for _, y in points)
    margin = max((high - low) / 20, 1e-3, high * 1e-6)
    x_axis = (0.0, last or 1.0)
    y_axis = (max(low - margin, 0.0), high + margin)
    parts = [_y_labels(y_axis), _x_labels(x_axis, unit)]
    for name, curve in curves.items():
        placed = [(_x(x, x_axis), _y(y, y_axis)) for x, y in curve]
        parts.append(_curve(placed, COLORS[name], dots=name == "validation"))
    parts.append(_legend([name for name, curve in curves.items() if curve]))
    label = ", ".join(f"{name} loss {curve[-1][1]:.3f}" for name, curve in curves.items() if curve)
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{label} nats per character' fill='currentColor' "
        f"style='width:100%;max-width:{WIDTH}px;font:11px sans-serif'>{''.join(parts)}</svg>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Return at most `TICKS` + 1 round numbers between two numbers."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in TICK_STEPS if power * factor >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _x(value: float, axis: Point) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - axis[0]) / (axis[1] - axis[0])


def _y(value: float, axis: Point) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - axis[0]) / (axis[1] - axis[0])


def _curve(points: Sequence[Point], color: str, *, dots: bool) -> str:
    """Draw a curve, with dots if there are few points."""
    path = "".join(f"{'ML'[i > 0]}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
    line = f"<path d='{path}' fill='none' stroke='{color}' stroke-width='1.5'/>" if len(points) > 1 else ""
    circles = [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{color}'/>" for x, y in points if dots]
    return line + "".join(circles)


def _y_labels(axis: Point) -> str:
    return "".join(
        f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='currentColor' opacity='0.2'/>"
        f"<text x='{LEFT - 5}' y='{y + 4:.1f}' text-anchor='end'>{value:.4g}</text>"
        for value, y in ((value, _y(value, axis)) for value in ticks(*axis))
    )


def _x_labels(axis: Point, unit: str) -> str:
    y = HEIGHT - BOTTOM + 13
    labels = [
        f"<text x='{_x(value, axis):.1f}' y='{y}' text-anchor='middle'>{value:,.6g}</text>" for value in ticks(*axis)
    ]
    return "".join(labels) + f"<text x='{WIDTH - RIGHT}' y='{HEIGHT - 6}' text-anchor='end'>{unit}</text>"


def _legend(names: Sequence[str]) -> str:
    """Return SVG that names the curves by their colors, and the unit of the losses."""
    parts = []
    y = HEIGHT - 6
    for i, name in enumerate(names):
        x = LEFT + 85 * i
        parts.append(
            f"<line x1='{x}' x2='{x + 14}' y1='{y - 4}' y2='{y - 4}' stroke='{COLORS[name]}' stroke-width='3'/>"
            f"<text x='{x + 18}' y='{y}'>{name}</text>"
        )
    return "".join(parts) + f"<text x='{LEFT + 85 * len(names)}' y='{y}'>nats per character</text>"


# ---------------------------------------------------------------- notebook summary


def summary_html(
    name: str, parameters: Mapping[str, Any], defaults: Mapping[str, Any], *, words: str, picture: str
) -> str:
    """Return an estimator as HTML: what it has learned, as a line of text and as an SVG, and its parameters, changed
    ones in bold.
    """
    rows = []
    for parameter, default in defaults.items():
        value = repr(parameters[parameter])
        mark = "th" if value != repr(default) else "td"
        cell = f"<{mark} style='text-align:left'>{parameter}</{mark}>"
        rows.append(f"<tr>{cell}<td><code>{escape(value)}</code></td></tr>")
    return (
        f"<div><b>{name}</b>: {escape(words)}<div>{picture}</div><details>"
        f"<summary>Parameters</summary><table>{''.join(rows)}</table></details></div>"
    )


def describe_state(state: ModelState) -> str:
    """Return a one-line description of a trained network."""
    layout = state.layout
    weights = sum(array.size for array in layout.named(state.params).values())
    layers = "" if layout.num_layers == 1 else f"{layout.num_layers} layers of "
    network = f"{layout.cell.upper()} of {layers}{layout.hidden_size} units"
    line = f"{network}, {len(state.vocabulary)} symbols, {weights:,} weights, {state.n_steps:,} steps"
    for name, key in (("training", "train_loss"), ("validation", "validation_loss")):
        points = points_of(state.history, key)
        line += f", {name} loss {points[-1][1]:.3f} nats" if points else ""
    return line


def curves_of(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the training curves of these records as SVG; an empty string without records."""
    return loss_curve(*(points_of(history, key) for key in ("train_loss", "validation_loss")))


# ---------------------------------------------------------------- display

LINE_SECONDS = 5.0  # between two lines of a log, at first
SAMPLE_SECONDS = 5.0  # between two samples, at first
PAUSE_SHARE = 1 / 20  # later, this part of the elapsed time: a long run must not fill the disk with its log


class _Shown:
    """Progress on standard error, whose errors (a closed pipe, a full disk) never interrupt the work."""

    def __init__(self, verbose: int, summary: str) -> None:
        self._verbose = verbose
        self._summary = summary
        self._display: Display | None = None
        self._start = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        if self._display is not None:
            self._try(self._display.close)

    def _try(self, action: Callable[..., object], *arguments: Any) -> None:
        """Call a function that writes; stop showing progress once it fails (for a closed stream with ValueError)."""
        try:
            action(*arguments)
        except (OSError, ValueError):
            self._display = None
            self._verbose = 0


class Progress(_Shown):
    """Shows loss, bits per character, characters per second and time left of training, after the line `summary`.

    `chars_per_step` is T * B; `elapsed` is seconds that the call had taken when it was interrupted.
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
        super().__init__(verbose, summary)
        self._budget = budget
        self._chars_per_step = chars_per_step
        self._sample = sample
        self._validation = ""
        self._last_sample = self._start
        self._start -= elapsed

    def __enter__(self) -> Self:
        if self._verbose and sys.stderr is not None:
            self._try(self._open, sys.stderr)
        return self

    def show(self, steps_done: int, loss: float, validation_loss: float | None = None, *, ended: bool = False) -> None:
        """Show the progress of this call; losses are in nats per character. The last validation loss stays visible.

        `ended`: whether training is over, so that the bar is full even if the budget is not used up.
        """
        if self._display is None:
            return
        now = time.perf_counter()
        seconds = now - self._start
        if validation_loss is not None:
            self._validation = f", validation {validation_loss:.3f} nats"
        chars = steps_done * self._chars_per_step
        text = f"{rate_of(chars, seconds)}, loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char{self._validation}"
        part = 1.0 if ended else self._budget.part_done(steps_done, seconds)
        self._try(self._display.update, part, chars, seconds, text, (loss, validation_loss))
        due = max(SAMPLE_SECONDS, seconds * PAUSE_SHARE)
        if self._verbose > 1 and self._display is not None and now - self._last_sample > due:
            self._last_sample = now
            shown = "\n".join(map(printable, self._sample()))
            self._try(self._display.write, f"----\n{shown}\n----")

    def _open(self, stream: TextIO) -> None:
        print(self._summary, file=stream, flush=True)
        total = None if self._budget.seconds is not None else (self._budget.n_steps or 0) * self._chars_per_step
        self._display = display_on(stream, total)


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


class Display:
    """Occasional lines, for a file or pipe, where a bar would be garbage; `total` is the whole call's characters, if
    known.
    """

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream = stream
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
        return max(LINE_SECONDS, self._seconds * PAUSE_SHARE)

    def _draw(self) -> None:
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

    def __init__(self, stream: TextIO, total: int | None) -> None:
        from tqdm import tqdm

        super().__init__(stream, total)
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


NOTEBOOK_INTERVAL = 0.4  # seconds between two updates of a notebook, at first
CURVE_GROWTH = 1 / 100  # later, this part of the elapsed time
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

    def __init__(self, stream: TextIO, total: int | None) -> None:
        super().__init__(stream, total)
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
        return max(NOTEBOOK_INTERVAL, self._seconds * CURVE_GROWTH)

    def _draw(self) -> None:
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


def display_on(stream: TextIO, total: int | None) -> Display:
    """Return a display that suits a stream; `total` is the number of characters, if known."""
    if in_notebook():
        return NotebookDisplay(stream, total)
    return (_Bar if is_terminal(stream) else Display)(stream, total)


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


class CountingProgress(_Shown):
    """Shows how much of a text has been counted, after the line `summary`; its `show` is the `progress` of a
    `Builder`.
    """

    def __enter__(self) -> Self:
        if self._verbose:
            self.write(self._summary)
        return self

    def write(self, line: str) -> None:
        """Show a line."""
        self._try(lambda: print(line, file=sys.stderr, flush=True))

    def show(self, done: int, total: int) -> None:
        """Show how many symbols have been counted."""
        if self._verbose and sys.stderr is not None:
            self._try(self._update, done, total, sys.stderr)

    def _update(self, done: int, total: int, stream: TextIO) -> None:
        seconds = time.perf_counter() - self._start
        if self._display is None:
            self._display = display_on(stream, total)
        self._display.update(done / total, done, seconds, rate_of(done, seconds), (None, None))
