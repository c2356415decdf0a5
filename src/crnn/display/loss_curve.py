"""The curves of training and validation losses, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

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


def curves_of(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the training curves of these records as SVG; an empty string without records."""
    return loss_curve(*(points_of(history, key) for key in ("train_loss", "validation_loss")))
