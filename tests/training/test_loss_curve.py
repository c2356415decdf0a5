"""The picture of losses that a notebook shows: what it draws, and where."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.training.progress import (  # fmt: skip
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TICKS,
    TOP,
    WIDTH,
    loss_curve,
    points_of,
    ticks,
)


def drawn(picture):
    """Return the points of each path, and the centres of the dots."""
    root = ElementTree.fromstring(picture)
    paths = [re.findall(r"[ML](\S+) ([\d.]+)", path.get("d")) for path in root.iter("path")]
    paths = [[(float(x), float(y)) for x, y in path] for path in paths]
    return paths, [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter("circle")]


def test_points_lie_where_their_numbers_say():
    """The axis goes from 0 to the end; a loss of 3 lies halfway between 4 and 2."""
    (path, line), dots = drawn(loss_curve([(0, 4.0), (50, 3.0), (100, 2.0)], [(50, 3.0), (100, 4.0)], end=200))
    width = WIDTH - LEFT - RIGHT
    assert [x for x, _ in path] == pytest.approx([LEFT, LEFT + width / 4, LEFT + width / 2], abs=0.06)
    assert path[1][1] == pytest.approx((path[0][1] + path[2][1]) / 2, abs=0.06)
    assert path[0][1] < path[2][1]
    assert dots == line
    assert dots[0] == path[1]


def test_labels_are_numbers_of_the_axes():
    picture = loss_curve([(0, 4.0), (12_300, 1.4)], unit="characters")
    texts = [element.text for element in ElementTree.fromstring(picture).iter("text")]
    assert texts == ["2", "3", "4", "0", "5,000", "10,000", "characters", "training", "nats per character"]


def test_the_legend_stands_in_a_row_below_the_axis():
    texts = list(ElementTree.fromstring(loss_curve([(0, 4.0), (1, 2.0)], [(1, 2.5)])).iter("text"))
    legend = [text for text in texts if text.text in ("training", "validation", "nats per character")]
    axis = max(float(text.get("y")) for text in texts if text.get("text-anchor") == "middle")
    assert [text.text for text in legend] == ["training", "validation", "nats per character"]
    assert all(axis < float(text.get("y")) < HEIGHT for text in legend)
    xs = [float(text.get("x")) for text in legend]
    assert LEFT <= xs[0] < xs[1] - 40 < xs[2] - 80 < WIDTH - 100


def test_one_validation_is_a_dot():
    paths, dots = drawn(loss_curve([(0, 4.0), (1, 2.0)], [(1, 2.5)]))
    assert (len(paths), len(dots)) == (1, 1)


@pytest.mark.parametrize("training", [[], [(1, 2.0)], [(1, math.nan), (2, math.inf), (3, 1.0)]])
def test_curve_needs_two_points(training):
    assert loss_curve(training) == ""


FINITE = st.floats(0, 1e30)


@given(st.lists(st.tuples(st.integers(0, 10**15), FINITE), min_size=2, max_size=7), st.none() | st.integers(0, 10**15))
def test_everything_lies_in_the_frame(points, end):
    picture = loss_curve(points, points[:1], end=end)
    for x, y in [point for path in drawn(picture)[0] for point in path] + drawn(picture)[1]:
        assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1


@given(st.floats(0, 1e6), st.floats(1e-3, 1e12))
def test_ticks_are_round_and_few(low, size):
    found = ticks(low, low + size)
    assert len(found) <= TICKS + 1
    assert all(low - size / 1e6 <= value <= low + size * (1 + 1e-6) for value in found)


ODD_NUMBERS = [None, "1.5", [1.5], {"a": 1}, math.nan, math.inf, -math.inf, -1, 1e300, 10**400, 1j, np.ones(2)]


@pytest.mark.parametrize("odd", ODD_NUMBERS, ids=lambda odd: repr(odd)[:20])
def test_records_that_a_callback_damaged_are_not_drawn(odd):
    whole = {"step": 3, "train_loss": 1.5}
    damaged = [whole | {"step": odd}, whole | {"train_loss": odd}, {"train_loss": 1.5}, {"step": 3}, {}, odd]
    assert points_of([*damaged, whole], "train_loss") == [(3.0, 1.5)]


@pytest.mark.parametrize("number", [0, 3, 2.5, np.float32(0.5), np.int64(7), np.longdouble(2), 2**80])
def test_other_numbers_are_drawn(number):
    assert points_of([{"step": number, "train_loss": number}], "train_loss") == [(float(number), float(number))]
