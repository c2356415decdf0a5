"""Colours: those that fit the background."""

import numpy as np
from matplotlib import pyplot

from crnn.plot.colours import diverging, sequential


def test_without_a_background_colours_are_those_on_white():
    figure, axes = pyplot.subplots(2)
    axes[1].set_facecolor("none")
    figure.set_facecolor("none")
    for colours in (sequential, diverging):
        np.testing.assert_array_equal(colours(axes[1])(range(256)), colours(axes[0])(range(256)))
