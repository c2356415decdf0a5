"""`sample_weight`: a factor of the loss of each document."""

import numpy as np
import pytest

from crnn import CharRNN

NAMES = ["anna", "bob", "", "eve", "otto", "li"]


def small(**parameters):
    return CharRNN(**{"hidden_size": 5, "random_state": 0, "max_steps": 7, "dtype": "float64", "seq_length": 3,
                      "clip": None} | parameters)  # fmt: skip


@pytest.mark.parametrize("options", [{"batch_size": 3}, {"batch_size": 32, "n_threads": 2, "cell": "lstm"}])
def test_unit_weights_change_nothing(options):
    names = NAMES * 7
    a, b = (small(**options).fit(names, sample_weight=weights) for weights in (None, np.ones(len(names))))
    for name, array in a.params_.items():
        np.testing.assert_array_equal(array, b.params_[name])


def test_a_documents_loss_is_multiplied():
    # After one step over all documents, Adagrad's sum of squares is the gradient's.
    def gradient(weights):
        model = small(max_steps=1, seq_length=99).fit(NAMES, sample_weight=weights)
        return np.sqrt(model.optimizer_state_["sum"]["by"]), model

    whole, _ = gradient(None)
    doubled, _ = gradient([2.0] * 6)
    np.testing.assert_allclose(doubled, 2 * whole, rtol=1e-12)
    only_bob, model = gradient([0, 1, 0, 0, 0, 0])
    alone = small(max_steps=0).fit(NAMES).set_params(max_steps=1, seq_length=99).partial_fit(["bob"])
    np.testing.assert_allclose(only_bob, np.sqrt(alone.optimizer_state_["sum"]["by"]), rtol=1e-12)
    assert model.n_steps_ == 1


def test_weights_of_documents_held_out_do_not_count():
    weights = [1, 2, 3, 4, 5, 6]
    a, b = (small(validation_fraction=0.5).fit(NAMES, sample_weight=w) for w in (weights, [1, 2, 3, 0, 0, 0]))
    np.testing.assert_array_equal(a.params_["Why"], b.params_["Why"])


def test_the_largest_weight_gives_no_warning():
    """Warnings are errors here."""
    assert small(max_steps=1, batch_size=3).fit(NAMES, sample_weight=[1e30] * 6).n_steps_ == 1
