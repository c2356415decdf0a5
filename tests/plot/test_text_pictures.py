"""Plots with a text in their cells: their numbers, and which cell shows which character."""

import numpy as np
import pytest
from matplotlib import pyplot

from crnn import CharRNN, InvalidInputError, plot
from crnn.plot.text_grid import font_size
from crnn.plot.units import correlations


def numbers(ax):
    return ax.images[0].get_array().filled(np.nan)


def written(ax):
    """Return what is written at which (row, column)."""
    return {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in ax.texts}


def test_surprisal_in_bits(abc):
    ax = plot.surprisal(abc, "ab\nacb", width=2)
    np.testing.assert_allclose(numbers(ax), [[1, 2], [3, np.nan], [1, 3], [2, np.nan]])
    assert written(ax) == {(0, 0): "a", (0, 1): "b", (1, 0): "↵", (2, 0): "a", (2, 1): "c", (3, 0): "b"}
    assert ax.images[0].get_clim() == (0, 8)
    assert (ax.get_xlim()[0], ax.get_ylim()[1]) == (-0.5, -0.5)  # the first cell is in the upper left corner
    assert (*ax.get_xticks(), *ax.get_yticks()) == ()
    assert {spine.get_visible() for spine in ax.spines.values()} == {False}
    assert {text.get_clip_on() for text in ax.texts} == {True}
    assert ax.get_title(loc="left") == "2.00 bits per character"
    assert color_bar(ax) == ("surprisal (bits)", "neither")


def color_bar(ax):
    return ax.images[0].colorbar.ax.get_ylabel(), ax.images[0].colorbar.extend


def test_more_bits_than_the_strongest_color_are_pointed_out(abc):
    for max_bits, extend in ((3, "neither"), (2.5, "max"), (0.001, "max"), (1e9, "neither")):
        ax = plot.surprisal(abc, "abc", max_bits=max_bits)
        assert ax.images[0].get_clim() == (0, max_bits)
        assert color_bar(ax) == ("surprisal (bits)", extend)


@pytest.mark.parametrize(
    "draw", [plot.surprisal, plot.probabilities, lambda model, text: plot.neurons(model, text, [0])]
)
def test_the_cells_of_a_short_text_are_as_large_as_those_of_a_longer_one(abc, draw):
    for text in ("a", "ab\n" * 2):
        ax = draw(abc, text)
        assert ax.get_xlim() == (-0.5, 27.5)
        assert ax.get_ylim() == (max(6.5, len(numbers(ax)) - 0.5), -0.5)
    ax = draw(abc, "ab" * 31 + "\n" * 9)
    assert ax.get_xlim() == (-0.5, 62.5)
    assert ax.get_ylim() == (len(numbers(ax)) - 0.5, -0.5)
    assert len(numbers(ax)) > 7


def test_a_text_may_have_5000_symbols_and_a_row_one_cell(abc, letters_seen):
    assert np.isfinite(numbers(plot.surprisal(letters_seen, " " * 5000))).sum() == 5000
    assert numbers(plot.surprisal(abc, "ab", width=1)).shape == (2, 1)


def test_probabilities_of_the_likeliest(abc):
    ax = plot.probabilities(abc, "ab\nc", n_alternatives=3)
    guesses = [[1 / 2], [1 / 4], [1 / 8]]
    expected = np.full((9, 3), np.nan)
    expected[1:4, :], expected[6:9, :1] = guesses, guesses
    np.testing.assert_allclose(numbers(ax), expected)
    text = {(0, 0): "a", (0, 1): "b", (0, 2): "↵", (5, 0): "c"}
    likeliest = {(row, column): symbol for column in range(3) for row, symbol in ((1, "a"), (2, "b"), (3, "↵"))}
    assert written(ax) == text | likeliest | {(6, 0): "a", (7, 0): "b", (8, 0): "↵"}
    assert ax.images[0].get_clim() == (0, 1)
    ticks = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
    assert ticks == {0: "text", 1: "1", 2: "2", 3: "3", 5: "text", 6: "1", 7: "2", 8: "3"}
    assert ax.get_title(loc="left") == "framed: the character that came next"
    assert color_bar(ax) == ("probability", "neither")


@pytest.mark.parametrize(("style", "color"), [("default", "black"), ("dark_background", "white")])
def test_the_text_above_the_guesses_has_the_color_of_text(fixed, style, color):
    model = fixed({"a": 255 / 256, "b": 1 / 256})
    with pyplot.style.context(style):
        colors = ["black", "white"] if color == "black" else ["white", "black"]  # letters contrast with their cells
        assert [text.get_color() for text in plot.surprisal(model, "ab").texts] == colors
        ax = plot.probabilities(model, "ab", n_alternatives=2)
        assert {text.get_color() for text in ax.texts if text.get_position()[1] == 0} == {color}
        assert [text.get_color() for text in ax.texts[2:4]] == colors[::-1]


def test_a_space_is_blank_in_the_text_and_visible_among_the_guesses(letters_seen):
    assert written(plot.surprisal(letters_seen, "a b")) == {(0, 0): "a", (0, 2): "b"}
    with letters_seen.editing():
        letters_seen.params_["by"][:] = [symbol == " " for symbol in letters_seen.vocabulary_]
    assert written(plot.probabilities(letters_seen, "a b", n_alternatives=1)) == {
        (0, 0): "a", (0, 1): "␣", (0, 2): "b", (1, 0): "␣", (1, 1): "␣", (1, 2): "␣",
    }  # fmt: skip


def test_right_guesses_are_framed(abc):
    ax = plot.probabilities(abc, "aba\nc", n_alternatives=3)
    frames = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in ax.patches]
    assert {(patch.get_linewidth(), patch.get_fill()) for patch in ax.patches} == {(1.2, False)}
    assert ax.yaxis.get_major_ticks()[0].tick1line.get_markersize() == 0
    # b, a and the line end; c is not among the three.
    assert frames == [(-0.5, 1.5, 1, 1), (0.5, 0.5, 1, 1), (1.5, 2.5, 1, 1)]


def test_guesses_are_five_by_default_and_no_more_than_there_are_symbols(abc, blank):
    assert numbers(plot.probabilities(blank("abcdefg"), "a")).shape == (6, 1)
    assert numbers(plot.probabilities(abc, "a", n_alternatives=9)).shape == (5, 1)
    model = blank(["a", "b"])
    with model.editing():
        model.params_["by"][model.vocabulary_.boundary] = 1.0
    assert written(plot.probabilities(model, "ab", n_alternatives=1))[1, 0] == "∎"


def test_the_figure_is_as_wide_as_a_text_longer_than_its_titles(letters_seen):
    ax = plot.neurons(letters_seen, "ab" * 40, units=[0], width=80)
    np.testing.assert_allclose(ax.figure.get_size_inches(), [11.4, 2.07])


def test_letters_fit_their_cells():
    ax = pyplot.figure(figsize=(8, 4), dpi=100).add_axes((0, 0, 1, 1))
    for rows, columns, points in ((1, 1, 10), (10, 100, 7.68), (50, 30, 4.26667), (500, 1, 3)):
        assert font_size(ax, rows, columns) == pytest.approx(points)


def test_activations_of_units(letters_seen):
    ax = plot.neurons(letters_seen, "ab b", units=[0, (0, 1)], width=3)
    on, half, nan = 1.0, np.tanh(0.5), np.nan
    expected = [[nan] * 3, [on, on, -on], [on, nan, nan], [nan] * 3, [nan] * 3, [0, half, 0], [half, nan, nan]]
    np.testing.assert_allclose(numbers(ax), expected, atol=1e-6)
    cells = written(ax)
    assert (cells[0, -0.5], cells[4, -0.5]) == ("layer 0, unit 0", "layer 0, unit 1")
    assert (cells[1, 1], cells[2, 0], cells[5, 1]) == ("b", "b", "b")
    assert color_bar(ax) == ("activation", "neither")
    assert ax.images[0].colorbar.get_ticks().tolist() == [-1, 0, 1]
    assert ax.images[0].get_clim() == (-1, 1)


def test_a_number_alone_means_a_unit_of_the_last_layer():
    model = CharRNN(5, num_layers=2, max_steps=9, random_state=0).fit("to be or not to be")
    ax = plot.neurons(model, "to be", units=[4, (0, 4), (1, 0)])
    titles = [text.get_text() for text in ax.texts if "unit" in text.get_text()]
    assert titles == ["layer 1, unit 4", "layer 0, unit 4", "layer 1, unit 0"]
    states = model.hidden_states("to be")
    np.testing.assert_allclose(numbers(ax)[[1, 4, 7]], states[:, [1, 0, 1], [4, 4, 0]].T)


def test_four_units_are_chosen_by_default():
    text = "To be, or\n  not (to) be\n" * 9
    model = CharRNN(5, max_steps=100, random_state=0).fit(text)
    found = plot.find_units(model, text)
    assert len({unit.unit for unit in found}) == len({unit.property for unit in found}) == 5
    strengths = [abs(unit.chosen_by) for unit in found]
    assert strengths == sorted(strengths, reverse=True)
    for units, n in ((None, 4), (2, 2), (np.int64(3), 3)):
        titles = [t.get_text() for t in plot.neurons(model, text, units).texts if "unit" in t.get_text()]
        wanted = [f"layer {u.layer}, unit {u.unit}: {u.property}" for u in found[:n]]
        assert [title.split(" (r = ")[0] for title in titles] == wanted


def test_units_are_chosen_by_correlation(letters_seen):
    ax = plot.neurons(letters_seen, "ab", units=1, search_text="ab ba a b bab " * 5)
    assert written(ax)[0, -0.5] == "layer 0, unit 0: between words (r = \N{MINUS SIGN}1.00)"


def test_correlations_match_numpy():
    rng = np.random.default_rng(0)
    activations, values = rng.normal(size=(23, 5)), rng.normal(size=23)
    expected = [np.corrcoef(column, values)[0, 1] for column in activations.T]
    np.testing.assert_allclose(correlations(activations, values), expected)


def test_units_are_chosen_by_20_symbols_that_they_follow(abc, letters_seen):
    plot.neurons(letters_seen, "ab " * 6 + "ab")
    for text, units in (("a\nbc" * 9, 2), ("\n" * 30, None)):  # all units are 0, or the text is all the same
        with pytest.raises(InvalidInputError, match="no unit follows a property"):
            plot.neurons(abc, text, units)
