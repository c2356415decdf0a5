"""The pictures with curves and bars: the numbers of their lines."""

import math
import sys

import numpy as np
import pytest

from crnn import CharRNN, InvalidInputError, plot
from crnn.plot.states import project

NAN = math.nan


def record(step, seconds, train_loss, validation_loss=None):
    losses = {"train_loss": train_loss, "validation_loss": validation_loss}
    others = {"epoch": seconds / 2, "learning_rate": 0.1 / step, "gradient_norm": 5.0 * step, "chars_per_second": step}
    return {"step": step, "seconds": seconds, **losses, **others}


@pytest.fixture
def trained(blank):
    """A model whose best weights came back after its first call: the second begins at step 20 again."""
    model = blank("ab")
    records = [(10, 1.0, 3.0), (20, 2.0, 2.5, 2.75), (30, 3.0, 2.0, 2.8), (21, 0.5, 1.5)]
    model._learned.history = [record(*values) for values in records]
    return model


def lines(ax):
    return {line.get_label(): [list(part) for part in line.get_data()] for line in ax.lines}


def in_legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def colors(ax):
    return {line.get_label(): line.get_color() for line in ax.lines}


def test_history_of_losses(trained):
    ax = plot.history(trained)
    drawn = lines(ax)
    np.testing.assert_equal(drawn["training"], [[10, 20, 30, NAN, 21], [3.0, 2.5, 2.0, NAN, 1.5]])
    assert drawn["validation (lowest: 2.750)"] == [[20, 30], [2.75, 2.8]]
    assert drawn["_lowest"] == [[20], [2.75]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats per character)")
    assert in_legend(ax) == ["training", "validation (lowest: 2.750)"]


@pytest.mark.parametrize(("x", "places"), [("seconds", [1, 2, 3, 3.5]), ("epoch", [0.5, 1, 1.5, 1.75])])
def test_history_by_time_continues_from_call_to_call(trained, x, places):
    ax = plot.history(trained, x=x)
    assert lines(ax)["training"] == [places, [3.0, 2.5, 2.0, 1.5]]
    assert ax.get_xlabel() == x


@pytest.mark.parametrize(
    ("y", "values", "label", "scale"),
    [
        ("learning_rate", [0.01, 0.005, 0.1 / 30, NAN, 0.1 / 21], "learning rate", "linear"),
        ("gradient_norm", [50.0, 100.0, 150.0, NAN, 105.0], "gradient norm before clipping", "log"),
        ("chars_per_second", [10.0, 20.0, 30.0, NAN, 21.0], "characters per second", "linear"),
    ],
)
def test_history_of_other_quantities(trained, y, values, label, scale):
    ax = plot.history(trained, y)
    (drawn,) = lines(ax).values()
    np.testing.assert_allclose(drawn[1], values)
    assert (ax.get_ylabel(), ax.get_yscale(), ax.get_legend()) == (label, scale, None)  # one curve needs no legend
    several = plot.history({"first": trained, "other": trained}, y)
    assert in_legend(several) == ["first", "other"]
    first, other = several.lines
    assert (first.get_color(), first.get_linestyle()) != (other.get_color(), other.get_linestyle())
    assert first.get_color() != other.get_color()


@pytest.mark.parametrize("x", ["step", "seconds", "epoch"])
def test_history_of_damaged_records(blank, x):
    model = blank("ab")
    damaged = [{}, {"step": "odd"}, record(5, 0.5, 2.0) | {"train_loss": "odd", "seconds": None, "validation_loss": []}]
    model.history_[:] = [*damaged, record(10, 1.0, 3.0, 2.75)]
    drawn = lines(plot.history(model, x=x))
    assert drawn["training"][1][-1] == 3.0
    assert np.isnan(drawn["training"][1][:-1]).all()
    assert drawn["validation (lowest: 2.750)"][1] == [2.75]


def test_history_of_several_models(trained, blank):
    other = blank("ab", hidden_size=2)
    other._learned.history = [record(1, 1.0, 4.0)]
    ax = plot.history([trained, other])
    labels = [f"hidden_size={x}" for x in ("3, training", "3, validation (lowest: 2.750)", "2, training")]
    assert in_legend(ax) == [label for label in lines(ax) if label != "_lowest"] == labels
    first, held_out, small = (colors(ax)[label] for label in labels)  # each model has a color of its own
    assert first == held_out == colors(ax)["_lowest"] != small
    assert "large, training" in lines(plot.history({"large": trained, "small": other}))


@pytest.mark.parametrize("draw", [plot.history, lambda models: plot.compare(models, "ab")])
def test_models_with_equal_parameters_are_numbered(trained, blank, draw):
    models = [trained, trained, blank("ab", random_state=3, verbose=0, n_threads=1)]
    models[2]._learned.history = [record(1, 1.0, 4.0)]
    names = {label.split(",")[0] for label in in_legend(draw(models))}
    assert names == {"model", "model (2)", "model (3)"}  # a seed or a number of threads does not name a model
    assert {label.split(",")[0] for label in in_legend(draw({5: trained, "b": trained}))} == {"5", "b"}


@pytest.mark.parametrize(("models", "message"), [([], "models is empty"), (["m.crnn"], "models contains 'm.crnn'")])
def test_models_must_be_models(models, message):
    with pytest.raises(InvalidInputError, match=message):
        plot.history(models)


def test_history_of_no_training(blank):
    with pytest.raises(InvalidInputError, match="no training records"):
        plot.history(blank("ab"))


# ------------------------------------------------------------------------ compare


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


def test_the_bars_of_a_kind_lie_around_its_label(abc):
    ax = plot.compare({"first": abc, "second": abc, "third": abc}, "ab\nc")
    assert ax.yaxis_inverted()  # the first kind, and the first model of each, are on top
    centers = np.array([[bar.get_y() + bar.get_height() / 2 for bar in bars] for bars in ax.containers])
    np.testing.assert_allclose(centers.mean(axis=0), ax.get_yticks(), atol=1e-12)
    np.testing.assert_allclose(np.diff(centers, axis=0), ax.containers[0][0].get_height())  # none covers another
    assert ax.containers[0][0].get_height() * 3 < 1
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
    looks = [(line.get_color(), line.get_linestyle()) for line in plot.compare([abc] * 7, "ab", by="position").lines]
    assert len(set(looks)) == 7  # all colors, and one more


def test_compare_refuses_an_empty_text(abc):
    with pytest.raises(InvalidInputError, match="text is empty"):
        plot.compare([abc], "")


# ------------------------------------------------------------------------- states


def test_states_are_projected_on_their_principal_components():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(29, 5)) * [3, 1, 2, 0.1, 0.1]
    points, explained = project(x)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(explained, values[[-1, -2]] / values.sum())
    np.testing.assert_allclose(np.abs(points), np.abs((x - x.mean(axis=0)) @ vectors[:, [-1, -2]]))


def test_path_of_the_states(letters_seen):
    ax = plot.states(letters_seen, "ab ab ")
    points = np.array(ax.lines[0].get_data()).T
    np.testing.assert_allclose(points, ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:3], points[3:], atol=1e-9)  # the model has no memory: the same states again
    h = letters_seen.hidden_states("ab ab ")[:, 0]
    distance = np.linalg.norm(h[:, None] - h, axis=-1)  # all states lie in one plane, so that it shows the distances
    np.testing.assert_allclose(np.linalg.norm(points[:, None] - points, axis=-1), distance, atol=1e-9)
    assert [text.get_text() for text in ax.texts] == list("ab␣ab␣")
    assert ax.collections[0].get_array().tolist() == [1, 2, 3, 4, 5, 6]
    assert ax.figure.axes[1].get_ylabel() == "position in the text (symbols)"
    first, second = np.var(points, axis=0) / np.var(points, axis=0).sum()
    assert ax.get_xlabel() == f"first principal component ({first:.0%} of the variance)"
    assert ax.get_ylabel() == f"second principal component ({second:.0%})"
    shown = [text.get_position() for text in ax.texts]
    np.testing.assert_allclose(shown, points)  # each character is where its state is
    assert [text.get_color() for text in ax.texts] == ["white"] * 3 + ["black"] * 3  # on viridis, from dark to light


def test_states_of_a_layer():
    model = CharRNN(5, num_layers=3, max_steps=9, random_state=0).fit("to be or not to be")

    def path(**layer):
        return np.array(plot.states(model, "to be", **layer).lines[0].get_data()).T

    for layer, same in ((0, -3), (1, -2), (2, -1)):
        expected = project(model.hidden_states("to be")[:, layer].astype(float)).points
        np.testing.assert_allclose(path(layer=layer), expected)
        np.testing.assert_allclose(path(layer=same), expected)
    np.testing.assert_allclose(path(), path(layer=2))


def test_characters_are_shown_where_there_are_few(letters_seen, monkeypatch):
    monkeypatch.setattr(sys.modules["crnn.plot.states"], "MAX_LABELS", 5)
    assert len(plot.states(letters_seen, "ab ab").texts) == 5
    assert not plot.states(letters_seen, "ab aba").texts


def test_states_of_one_unit_and_of_many_characters():
    model = CharRNN(1, max_steps=20, random_state=0).fit("ab" * 200)
    ax = plot.states(model, "ab" * 200)
    assert not ax.texts
    assert not ax.lines[0].get_ydata().any()


def test_states_refuses_a_single_symbol(letters_seen):
    with pytest.raises(InvalidInputError, match="text has 1 symbols"):
        plot.states(letters_seen, "a")
