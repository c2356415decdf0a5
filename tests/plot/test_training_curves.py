"""The curves of training: their numbers, labels and colors."""

import math

import numpy as np
import pytest
from small_models import learned_state

from crnn import plot

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
    learned_state(model).history = [record(*values) for values in records]
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
    looks = [(line.get_linewidth(), line.get_markersize(), line.get_alpha()) for line in ax.lines]
    assert looks == [(1.2, 6, 0.55), (1.5, 3, None), (1.5, 11, None)]
    assert {line.get_alpha() for line in ax.get_xgridlines()} == {0.25}
    assert tuple(ax.figure.get_size_inches()) == (7, 4)


def test_history_by_time_continues_from_call_to_call(trained, blank):
    for x, places in (("seconds", [1, 2, 3, 3.5]), ("epoch", [0.5, 1, 1.5, 1.75])):
        ax = plot.history(trained, x=x)
        assert lines(ax)["training"] == [places, [3.0, 2.5, 2.0, 1.5]]
        assert ax.get_xlabel() == x
    model = blank("ab")  # with two records of the same moment
    model.history_[:] = [record(1, 1.0, 3.0), record(2, 1.0, 2.0)]
    np.testing.assert_equal(lines(plot.history(model, x="seconds"))["training"], [[1, NAN, 1], [3, NAN, 2]])


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


def test_history_of_damaged_records(blank):
    model = blank("ab")
    damaged = [{}, {"step": "odd"}, record(5, 0.5, 2.0) | {"train_loss": "odd", "seconds": None, "validation_loss": []}]
    model.history_[:] = [*damaged, record(10, 1.0, 3.0, 2.75)]
    for x in ("step", "seconds", "epoch"):
        drawn = lines(plot.history(model, x=x))
        assert drawn["training"][1][-1] == 3.0
        assert np.isnan(drawn["training"][1][:-1]).all()
        assert drawn["validation (lowest: 2.750)"][1] == [2.75]


def test_history_of_several_models(trained, blank):
    other = blank("ab", hidden_size=2)
    learned_state(other).history = [record(1, 1.0, 4.0)]
    ax = plot.history([trained, other])
    labels = [f"hidden_size={x}" for x in ("3, training", "3, validation (lowest: 2.750)", "2, training")]
    assert in_legend(ax) == [label for label in lines(ax) if label != "_lowest"] == labels
    first, held_out, small = (colors(ax)[label] for label in labels)  # each model has a color of its own
    assert first == held_out == colors(ax)["_lowest"] != small
    assert "large, training" in lines(plot.history({"large": trained, "small": other}))


@pytest.mark.parametrize("draw", [plot.history, lambda models: plot.compare(models, "ab")])
def test_models_with_equal_parameters_are_numbered(trained, blank, draw):
    models = [trained, trained, blank("ab", random_state=3, verbose=0, n_threads=1)]
    learned_state(models[2]).history = [record(1, 1.0, 4.0)]
    names = {label.split(",")[0] for label in in_legend(draw(models))}
    assert names == {"model", "model (2)", "model (3)"}  # a seed or a number of threads does not name a model
    assert {label.split(",")[0] for label in in_legend(draw({5: trained, "b": trained}))} == {"5", "b"}
