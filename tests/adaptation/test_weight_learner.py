"""Weights adapted to one text: a step on a block in which only some symbols count."""

import numpy as np
import pytest
from examples import network, states

from crnn.adaptation.adaptation_rule import AdaptationRule
from crnn.adaptation.options import AdaptationOptions
from crnn.adaptation.weight_learner import WeightLearner
from crnn.errors import DivergenceError
from crnn.model.gradient_rms import gathered
from crnn.training.loop.chunk_gradient import ChunkGradient

COUNTED = np.array([True, False, False, True, True, False, True])


@pytest.fixture
def learner():
    layout, trained = network(11, 5, "float64", cell="gru")
    rule = AdaptationRule(layout, trained, gathered(layout, np.abs(trained)), AdaptationOptions(0.01, 0.02, 7))
    return WeightLearner(rule, trained * 1.1, None, n_blocks=3)


def test_losses_and_decay_are_of_the_symbols_that_count(learner):
    symbols, state = np.random.default_rng(7).integers(11, size=8), states(1, 5, cell="gru")
    before, gradient = learner.params.copy(), ChunkGradient(learner.rule.layout, 7, None)
    gradient.compute(learner.params, symbols, COUNTED, state)
    for _ in range(2):  # the second time with what the first one left
        after = learner.learned(symbols, COUNTED, state)
        np.testing.assert_array_equal(after.params, learner.rule.step(before, gradient.flat.copy(), 4))
        np.testing.assert_array_equal(learner.params, before)
        assert after.n_blocks == 4


def test_a_short_block_leaves_nothing_for_a_whole_one(learner):
    symbols, state = np.random.default_rng(7).integers(11, size=8), states(1, 5, cell="gru")
    expected = learner.learned(symbols, COUNTED, state).params.copy()
    short = learner.learned(symbols[:4], COUNTED[:3], state)
    np.testing.assert_array_equal(learner.learned(symbols, COUNTED, state).params, expected)
    np.testing.assert_array_equal(learner.learned(symbols[:4], COUNTED[:3], state).params, short.params)


def test_blocks_are_counted_in_an_error(learner):
    learner.params[0] = 1e308
    learner.params[1] = np.inf
    symbols = np.zeros(8, np.intp)
    with pytest.raises(DivergenceError, match="block 4,"):
        learner.learned(symbols, COUNTED, states(1, 5, cell="gru"))


@pytest.mark.parametrize("loss", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_not_finite_is_an_error(learner, loss, monkeypatch):
    def compute(self, params, symbols, counted, state):
        self.flat[...] = 0  # the weights stay finite
        return loss

    monkeypatch.setattr(ChunkGradient, "compute", compute)
    with pytest.raises(DivergenceError, match="block 4,"):
        learner.learned(np.zeros(8, np.intp), COUNTED, states(1, 5, cell="gru"))
