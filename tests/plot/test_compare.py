"""The comparison of models by kind of character and by position: the numbers of its bars and curves."""

import numpy as np
import pytest

from crnn import plot


def in_legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def widths(ax):
    return [[bar.get_width() for bar in bars] for bars in ax.containers]


def test_compare_by_kind(fixed):
    first = fixed({"a": 1 / 2, "b": 1 / 8, "c": 1 / 8, " ": 1 / 8, "1": 1 / 16, "!": 1 / 16})
    other = fixed({"a": 1 / 4, "b": 1 / 4, "c": 1 / 4, " ": 1 / 8, "1": 1 / 16, "!": 1 / 16})
    ax = plot.compare({"first": first, "other": other}, "abcc a1!", by="kind")
    # The kinds in order: all, the first letter, the second, later ones, a digit, a space, punctuation.
    np.testing.assert_allclose(widths(ax), [[22 / 8, 1, 3, 3, 4, 3, 4], [21 / 8, 2, 2, 2, 4, 3, 4]])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:3] == ["all (100%)", "first letter of a word (25%)", "second letter (12%)"]
    assert [text.get_text() for text in ax.texts] == [f" {width:.2f}" for row in widths(ax) for width in row]
    assert in_legend(ax) == ["first", "other"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("bits per character (lower is better)", "kind (share of the text)")
    assert ax.margins()[0] == 0.1  # room for the numbers
    np.testing.assert_allclose(ax.figure.get_size_inches(), [7, 4.484])


def test_bars_are_centered_on_their_label(abc):
    ax = plot.compare({"first": abc, "second": abc, "third": abc}, "ab\nc")
    assert ax.yaxis_inverted()  # the first kind, and the first model of each, are on top
    centers = np.array([[bar.get_y() + bar.get_height() / 2 for bar in bars] for bars in ax.containers])
    np.testing.assert_allclose(centers.mean(axis=0), ax.get_yticks(), atol=1e-12)
    np.testing.assert_allclose(np.diff(centers, axis=0), ax.containers[0][0].get_height())  # none covers another
    assert ax.containers[0][0].get_height() * 3 == pytest.approx(0.8)
    assert len({bars[0].get_facecolor() for bars in ax.containers}) == 3
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["all (100%)", "first letter of a word (50%)", "second letter (25%)", "line end (25%)"]


def test_compare_by_position(abc):
    ax = plot.compare([abc], "abaacbaac", by="position")  # positions 1; 2, 3; 4 to 7; 8, 9
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_xdata(), [1, 2.5, 5.5, 8.5])
    np.testing.assert_allclose(line.get_ydata(), [1, 1.5, (1 + 3 + 2 + 1) / 4, 2])
    assert in_legend(ax) == ["model: 1.67"]
    assert ax.get_legend().get_title().get_text() == "mean over the text"
    labels = ("position in the text (characters)", "bits per character (lower is better)")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == (*labels, "log")
    assert (*ax.figure.get_size_inches(), line.get_markersize()) == (7, 4, 3)
    assert {line.get_alpha() for line in ax.get_xgridlines()} == {0.25}
    looks = [(line.get_color(), line.get_linestyle()) for line in plot.compare([abc] * 7, "ab", by="position").lines]
    assert len(set(looks)) == 7  # all colors, and one more
