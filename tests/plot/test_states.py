"""The path of the hidden state: its points, axes and characters."""

import numpy as np

from crnn import CharRNN, plot
from crnn.plot.units import project


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
    path, dots, letter = ax.lines[0], ax.collections[0], ax.texts[0]
    assert (path.get_linewidth(), path.get_alpha(), *dots.get_sizes()) == (0.5, 0.35, 80)
    assert (path.get_zorder(), dots.get_zorder(), letter.get_zorder(), letter.get_clip_on()) == (1, 2, 3, True)
    assert tuple(ax.figure.get_size_inches()) == (7, 5.5)


def test_states_of_a_layer():
    model = CharRNN(5, num_layers=3, max_steps=9, random_state=0).fit("to be or not to be")

    def path(**layer):
        return np.array(plot.states(model, "to be", **layer).lines[0].get_data()).T

    for layer, same in ((0, -3), (1, -2), (2, -1)):
        expected = project(model.hidden_states("to be")[:, layer].astype(float)).points
        np.testing.assert_allclose(path(layer=layer), expected)
        np.testing.assert_allclose(path(layer=same), expected)
    np.testing.assert_allclose(path(), path(layer=2))


def test_characters_are_written_up_to_a_limit(letters_seen, blank):
    assert len(plot.states(letters_seen, "ab " * 100).texts) == 300
    many = plot.states(letters_seen, "ab " * 100 + "a")
    assert (len(many.texts), *many.collections[0].get_sizes()) == (0, 18)
    ax = plot.states(blank("ab", hidden_size=1), "ab" * 200)
    assert not ax.texts
    assert not ax.lines[0].get_ydata().any()
