"""The scale of training's gradients."""

import numpy as np
import pytest
from small_models import learned_state

from crnn import CharRNN
from crnn.model.state import gradient_rms, spread_rms, state_of_label, widened_state
from crnn.text.vocabulary import Vocabulary

TEXT = "".join(np.random.default_rng(0).choice(list("abcdefg"), 20_000))


def rms_of(**parameters):
    """Return the scale, relative to the output bias's, after training too slowly to change the weights."""
    shared = {"learning_rate": 1e-6, "max_steps": 400, "clip": None, "init_scale": 0.3, "beta_2": 0.99}
    model = CharRNN(5, random_state=0, **shared | parameters).fit(TEXT)
    layout = learned_state(model).layout
    rms = spread_rms(layout, gradient_rms(learned_state(model), model.beta_2)).astype(np.float64)
    return rms / np.linalg.norm(layout.tensors(rms).by)


TRAININGS = [
    {"seq_length": 25, "optimizer": "adam"}, {"seq_length": 25, "optimizer": "rmsprop"},
    {"seq_length": 6, "batch_size": 5}, {"seq_length": 25, "clip_norm": 0.01},
]  # fmt: skip


@pytest.mark.parametrize("training", TRAININGS, ids=str)
def test_proportions_hardly_depend_on_training(training):
    expected, found = rms_of(seq_length=25), rms_of(**training)
    assert found.mean() == pytest.approx(expected.mean(), rel=0.25)
    np.testing.assert_allclose(found, expected, rtol=1.0, atol=0.2 * expected.mean())


def test_a_model_that_was_not_trained_has_none():
    assert gradient_rms(learned_state(CharRNN(5, max_steps=0).fit("abc")), 0.999) is None
    assert gradient_rms(learned_state(CharRNN(5, max_steps=1).fit("abc")), 0.999) is not None


def loaded_weights(tmp_path, model):
    model.save(tmp_path / "weights.crnn", training_state=False)
    return learned_state(CharRNN.load(tmp_path / "weights.crnn"))


def test_sizes_follow_a_larger_vocabulary(tmp_path):
    state = loaded_weights(tmp_path, CharRNN(3, max_steps=9, random_state=0).fit("bdbbd"))
    vocabulary = Vocabulary.from_text("abcd")
    layout = learned_state(CharRNN(3, max_steps=0).fit("abcd")).layout
    old = state.layout.named(spread_rms(state.layout, state.gradient_rms))
    new = layout.named(spread_rms(layout, widened_state(state, vocabulary, layout).gradient_rms))
    for name, axis in (("Wxh_l0", 1), ("Why", 0), ("by", 0)):
        np.testing.assert_array_equal(new[name].take([1, 3], axis), old[name])
        assert not new[name].take([0, 2], axis).any()
    np.testing.assert_array_equal(new["Whh_l0"], old["Whh_l0"])


def test_label_model_keeps_its_rows_of_gradient_rms(tmp_path):
    model = CharRNN(3, max_steps=9, random_state=0).fit(["ab", "ba", "b"], y=["x", "y", "x"])
    wide = loaded_weights(tmp_path, model)
    narrow = state_of_label(wide, 1)
    old = wide.layout.named(spread_rms(wide.layout, wide.gradient_rms))
    new = narrow.layout.named(spread_rms(narrow.layout, narrow.gradient_rms))
    np.testing.assert_array_equal(new["Wxh_l0"], old["Wxh_l0"][:, [0, 1, 4]])  # a, b, and for the boundary the label y
    np.testing.assert_array_equal(new["by"], old["by"][:3])
    np.testing.assert_array_equal(new["Whh_l0"], old["Whh_l0"])
