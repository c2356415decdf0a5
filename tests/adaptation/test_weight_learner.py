"""Weights adapted to one text: a step on a block where only some symbols count."""

import numpy as np
import pytest
from examples import network, states

from crnn.adaptation.reading import AdaptationOptions, AdaptationRule, WeightLearner
from crnn.errors import DivergenceError
from crnn.model.state import gather_rms
from crnn.training.gradients import ChunkGradient

COUNTED = np.array([True, False, False, True, True, False, True])


@pytest.fixture
def learner():
    layout, trained = network(11, 5, "float64", cell="gru")
    rule = AdaptationRule(layout, trained, gather_rms(layout, np.abs(trained)), AdaptationOptions(0.01, 0.02, 7))
    return WeightLearner(rule, trained * 1.1, None, n_blocks=3, scoring=False, bfloat16=False)


def test_losses_and_decay_are_of_the_symbols_that_count(learner):
    symbols, state = np.random.default_rng(7).integers(11, size=8), states(1, 5, cell="gru")
    before, gradient = learner.params.copy(), ChunkGradient(learner.rule.layout, 7, None)
    gradient.compute(learner.params, symbols, COUNTED, state)
    for _ in range(2):  # the second time with what the first one left
        after = learner.learn(symbols, COUNTED, state)
        np.testing.assert_array_equal(after.params, learner.rule.step(before, gradient.flat.copy(), 4))
        np.testing.assert_array_equal(learner.params, before)
        assert after.n_blocks == 4


def test_blocks_are_counted_in_an_error(learner):
    learner.params[0] = 1e308
    learner.params[1] = np.inf
    symbols = np.zeros(8, np.intp)
    with pytest.raises(DivergenceError, match="block 4,"):
        learner.learn(symbols, COUNTED, states(1, 5, cell="gru"))


@pytest.mark.parametrize("loss", [np.inf, np.nan])
def test_non_finite_loss_is_an_error(learner, loss, monkeypatch):
    def compute(self, params, symbols, counted, state):
        self.flat[...] = 0  # the weights stay finite
        return loss

    monkeypatch.setattr(ChunkGradient, "compute", compute)
    with pytest.raises(DivergenceError, match="block 4,"):
        learner.learn(np.zeros(8, np.intp), COUNTED, states(1, 5, cell="gru"))


def made(dtype, **options):
    """Return a rule, weights and a gradient, all random."""
    layout, trained = network(11, 5, dtype, cell="gru", num_layers=2)
    rng = np.random.default_rng(4)
    flats = []
    for _ in range(3):
        flat = layout.zeros()
        for part in layout.tensors(flat):
            part[...] = rng.standard_normal(part.shape)
        flats.append(flat)
    params, gradient, rms = flats
    rule = AdaptationRule(layout, trained, gather_rms(layout, np.abs(rms)), AdaptationOptions(**options))
    return rule, params, gradient


def test_decay_goes_no_further_than_the_trained_weights():
    rule, params, gradient = made("float64", learning_rate=0.0, decay=1e3)
    moved = np.abs(rule._pull) > 0
    np.testing.assert_allclose(rule.step(params, gradient, 1000)[moved], rule.trained[moved], rtol=1e-12)


def test_a_step_has_a_limit(dtype):
    """An exploded gradient moves a weight no further than 5 root mean squares of training would, in 16 symbols."""
    rule, params, gradient = made(dtype, learning_rate=1e-3, decay=0.0)
    expected = np.where(gradient == 0, params, params - 5 * 4 * 1e-3 * np.sign(gradient))
    np.testing.assert_allclose(rule.step(params, gradient * np.dtype(dtype).type(1e20), 16), expected, rtol=1e-5)
