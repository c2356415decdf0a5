"""Does `benchmarks.gist_runs` measure what it says?"""

import pytest

from benchmarks import gist_runs
from crnn.classic import MinCharRNN

TEXT = "to be or not to be, that is the question; whether it is nobler in the mind to suffer. " * 12


def test_losses_of_epochs_fall():
    losses = [loss for loss, _ in gist_runs.losses_by_epoch(TEXT, 8)]
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_both_programs_take_the_same_steps():
    """At first, the programs differ by rounding alone."""
    (apart,) = gist_runs.drift(TEXT, 0, 0, 1)
    assert apart == pytest.approx(0, abs=0.05)
    first, later = gist_runs.drift(TEXT, 0, 41, 2)  # the smoothed loss alone starts anew, and is forgotten
    assert later / first == pytest.approx(0.999 ** ((len(TEXT) - 1) // gist_runs.T), abs=0.02)
    steps = (len(TEXT) - 1) // gist_runs.T
    other = MinCharRNN(learning_rate=0.05, random_state=0).train(TEXT, steps)
    assert abs(other.smooth_loss - MinCharRNN(random_state=0).train(TEXT, steps).smooth_loss) > 0.2


def test_networks_of_no_steps_are_not_far():
    assert gist_runs.far_from_zeros(TEXT, 2, 0.0, steps=1) == 0
