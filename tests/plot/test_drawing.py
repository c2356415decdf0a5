"""Axes that are given, texts as they are, and colors that fit the background."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from crnn import CharNGram, InvalidInputError, Mixture, plot
from crnn.plot.drawing import (
    STYLES,
    axes_for,
    check_model_and_text,
    contrasting_color,
    diverging_colors,
    line_color,
    luminance,
    named_models,
    sequential_colors,
)

STRANGE = "$\\frac{1}{$ \x00\x1b[2J\x7f \u202eabc\u2028 a\u0301 <img> %s"


def test_without_matplotlib_the_error_names_the_extra(abc, monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'crnn\[plot\]'"):
        plot.surprisal(abc, "abc")


def test_axes_that_are_given_are_drawn_on(abc, letters_seen, monkeypatch):
    _, axes = pyplot.subplots(5)
    monkeypatch.setattr(pyplot, "subplots", None)  # no other figure
    assert plot.surprisal(abc, "ab", ax=axes[0]) is axes[0]
    assert plot.probabilities(abc, "ab", ax=axes[1]) is axes[1]
    assert plot.neurons(abc, "ab", [0], ax=axes[2]) is axes[2]
    assert plot.states(letters_seen, "ab", ax=axes[3]) is axes[3]
    assert plot.compare([abc, abc], "ab", ax=axes[4]) is axes[4]
    assert axes_for(axes[0], 1, 1) is axes[0]


def test_a_strange_text_is_shown_as_it_is(blank):
    """It is not read as mathematics, and a control character is drawn as a symbol."""
    model = blank(STRANGE + "\ud800")
    for draw, *units in ((plot.surprisal,), (plot.probabilities,), (plot.neurons, [0]), (plot.states,)):
        draw(model, STRANGE + "\ud800", *units).figure.canvas.draw()


def test_bytes_are_drawn_too(blank):
    ax = plot.surprisal(blank(b"\x00\xe9\n"), b"\xe9\x00\n\xe9")
    assert [text.get_text() for text in ax.texts] == ["é", "�", "↵", "é"]
    assert ax.images[0].get_array().shape == (2, 3)


def test_without_a_background_colors_are_those_on_white():
    figure, axes = pyplot.subplots(2)
    axes[1].set_facecolor("none")
    figure.set_facecolor("none")
    for colors in (sequential_colors, diverging_colors):
        np.testing.assert_array_equal(colors(axes[1])(range(256)), colors(axes[0])(range(256)))


@pytest.mark.parametrize("background", ["black", "#ffffdd"])
def test_colors_stand_out_on_their_background(background):
    ax = pyplot.subplots()[1]
    ax.set_facecolor(background)
    base = luminance(background)

    def contrast(color):
        light, dark = sorted((luminance(color), base), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    lines = [line_color(ax, i) for i in range(6)]
    assert len(set(lines)) == 6
    assert min(map(contrast, lines)) > 2
    assert min(map(contrast, lines[:2])) > 3
    assert line_color(ax, 6) == lines[0]
    np.testing.assert_allclose(sequential_colors(ax)(0.0)[:3], to_rgb(background), atol=0.01)
    np.testing.assert_allclose(diverging_colors(ax)(0.5)[:3], to_rgb(background), atol=0.02)
    shades = [contrast(sequential_colors(ax)(value)) for value in np.linspace(0, 1, 9)]
    assert shades == sorted(shades)  # more is more visible
    for end in (0.0, 1.0):
        assert contrast(diverging_colors(ax)(end)) > 5
    (red, _, blue, _), (other_red, _, other_blue, _) = diverging_colors(ax)(0.1), diverging_colors(ax)(0.9)
    assert red < blue
    assert other_red > other_blue


def test_the_color_with_more_contrast_is_chosen():
    for color in ("red", "lime", "blue", "#777777", "#757575", "white", "black"):
        on_black, on_white = (luminance(color) + 0.05) / 0.05, 1.05 / (luminance(color) + 0.05)
        assert contrasting_color(color) == ("black" if on_black > on_white else "white")


def test_transparent_axes_use_the_figures_background():
    figure, ax = pyplot.subplots()
    figure.set_facecolor("black")
    ax.set_facecolor("none")
    assert sequential_colors(ax)(0.0)[:3] == (0, 0, 0)
    assert len(set(STYLES)) == 4


def test_luminance_matches_wcag():
    for rgb, expected in {(1, 0, 0): 0.2126, (0, 1, 0): 0.7152, (0, 0, 1): 0.0722, (0.5, 0.5, 0.5): 0.21404}.items():
        assert luminance(rgb) == pytest.approx(expected, abs=1e-5)
    assert luminance((0.02, 0.02, 0.02)) == pytest.approx(0.02 / 12.92)


@pytest.mark.parametrize("check", [lambda model: check_model_and_text(model, "ab"), named_models])
def test_a_model_that_is_no_network_is_refused_in_a_short_sentence(check):
    counts = CharNGram(2).fit("abba")
    mixture = Mixture.from_fitted([counts])
    with pytest.raises(InvalidInputError, match=r"^\w+ must be .*CharRNN.*, not a CharNGram, which is not a network"):
        check(counts)
    with pytest.raises(InvalidInputError, match=r"not a Mixture\. Pass its network, such as mixture\.models_\[0\]\.$"):
        check(mixture)
