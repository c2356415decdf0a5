"""The norms of gradients against the distance in time."""

import numpy as np
import pytest

from crnn import CharRNN, InvalidInputError, plot


@pytest.fixture
def linear(blank):
    """A model whose state stays 0, where tanh has the derivative 1: each step back multiplies a gradient by 1/2."""
    model = blank("ab", hidden_size=1, seq_length=7)
    with model.editing():
        model.params_["Whh_l0"][:] = 0.5
        model.params_["Why"][:] = [[3.0], [-1.0]]
    return model


def test_norms_halve_with_each_step(linear):
    norms = plot.gradient_norms(linear, "ab" * 30, max_distance=12, n_positions=40)
    # dL/dh = (p - onehot) Why with p = (1/2, 1/2): ±(3 + 1) / 2
    np.testing.assert_allclose(norms.h, np.broadcast_to(2 * 0.5 ** np.arange(13), (40, 1, 13)))
    assert norms.c is None
    assert (norms.positions[0], norms.positions[-1]) == (13, 59)


def test_curve_and_where_it_vanishes(linear):
    ax = plot.gradient_flow(linear, "ab" * 30, max_distance=12)
    curves = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(curves["layer 0: h"].get_ydata(), 2 * 0.5 ** np.arange(13))
    (cross,) = (line for line in ax.lines if line.get_marker() == "X" and len(line.get_xdata()))
    assert list(cross.get_xdata()) == [10]  # 2^-10 is the first below 1/1000
    assert curves["seq_length = 7"].get_xdata() == [7, 7]
    assert ax.get_yscale() == "log"
    labels = ("distance k in time (characters)", "norm of the gradient (nats per unit of state)")
    assert (ax.get_xlabel(), ax.get_ylabel()) == labels
    assert list(curves["layer 0: h"].get_xdata()) == list(range(13))
    assert list(cross.get_ydata()) == [curves["layer 0: h"].get_ydata()[10]]
    assert [(text.get_text(), text.xyann) for text in ax.texts] == [("k = 10", (6, 6))]
    assert (cross.get_markersize(), cross.get_zorder(), *ax.figure.get_size_inches()) == (8, 3, 7, 4)
    assert {line.get_alpha() for line in ax.get_xgridlines()} == {0.25}
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["layer 0: h", "vanished: below 0.001 of its largest", "seq_length = 7"]
    (cross,) = (
        x for x in plot.gradient_flow(linear, "ab" * 30, max_distance=7, vanished=0.1).lines if len(x.get_xdata()) == 1
    )
    assert list(cross.get_xdata()) == [4]


def test_curve_that_does_not_vanish_has_no_cross(linear):
    for distance, has_line in ((5, False), (7, True)):
        ax = plot.gradient_flow(linear, "ab" * 30, max_distance=distance)
        assert not any(line.get_marker() == "X" for line in ax.lines)
        assert any("seq_length" in line.get_label() for line in ax.lines) == has_line


@pytest.mark.parametrize("n_bigrams", [None, 3])
def test_curves_of_layers_and_cells(n_bigrams):
    text = "abcbacab" * 8
    model = CharRNN(5, num_layers=2, cell="lstm", max_steps=20, n_bigrams=n_bigrams, random_state=0).fit(text)
    norms = plot.gradient_norms(model, text, max_distance=9)
    assert norms.h.shape == norms.c.shape == (32, 2, 10)
    dh, dc = model.gradient(text[: norms.positions[0] + 1], at=int(norms.positions[0])).states
    np.testing.assert_allclose(norms.c[0, 1, 3], np.linalg.norm(dc[1, norms.positions[0] - 4]), rtol=1e-5)
    np.testing.assert_allclose(norms.h[0, 0, 0], np.linalg.norm(dh[0, norms.positions[0] - 1]), rtol=1e-5)
    ax = plot.gradient_flow(model, text, max_distance=9)
    curves = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(curves["layer 1: c"], norms.c[:, 1].mean(axis=0))
    assert list(curves)[:4] == ["layer 0: h", "layer 1: h", "layer 0: c", "layer 1: c"]
    first_h, second_h, first_c, _ = ax.lines[:4]  # a color for each layer, dashes for c
    assert first_h.get_color() == first_c.get_color() != second_h.get_color()
    assert first_h.get_linestyle() == second_h.get_linestyle() != first_c.get_linestyle()


def test_text_must_be_long_enough(linear):
    with pytest.raises(InvalidInputError, match="text has 44 symbols, but max_distance=12 and n_positions=32 need 45"):
        plot.gradient_flow(linear, "ab" * 22, max_distance=12)
    positions = plot.gradient_norms(linear, "ab" * 22 + "a", max_distance=12).positions
    assert positions.tolist() == list(range(13, 45))
    assert plot.gradient_norms(linear, "aba", max_distance=1, n_positions=1).h.shape == (1, 1, 2)


def test_a_gradient_of_zero_is_left_out_of_a_log_scale(blank):
    model = blank("ab", hidden_size=1)
    with model.editing():
        model.params_["Why"][:] = [[3.0], [-1.0]]
    drawn = plot.gradient_flow(model, "ab" * 30, max_distance=2).lines[0].get_ydata()
    np.testing.assert_allclose(drawn, [2, np.nan, np.nan])
