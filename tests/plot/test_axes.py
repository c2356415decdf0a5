import sys

import pytest
from matplotlib import pyplot

from crnn import plot
from crnn.plot.drawing import axes_for

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


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_strange_text_is_shown_as_it_is(blank, style):
    """It is not read as mathematics, and a control character is drawn as a symbol."""
    with pyplot.style.context(style):
        model = blank(STRANGE + "\ud800")
        for draw, *units in ((plot.surprisal,), (plot.probabilities,), (plot.neurons, [0]), (plot.states,)):
            draw(model, STRANGE + "\ud800", *units).figure.canvas.draw()


def test_bytes_are_drawn_too(blank):
    ax = plot.surprisal(blank(b"\x00\xe9\n"), b"\xe9\x00\n\xe9")
    assert [text.get_text() for text in ax.texts] == ["é", "�", "↵", "é"]
    assert ax.images[0].get_array().shape == (2, 3)
