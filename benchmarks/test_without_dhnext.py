"""The trainer of `benchmarks.without_dhnext` is the gist, but for what it leaves out."""

import pytest

from benchmarks import without_dhnext
from crnn.classic import MinCharRNN

TEXT = "to be or not to be, that is the question; " * 5


@pytest.mark.parametrize("rate", without_dhnext.RATES)
def test_with_dhnext_it_is_the_gist(rate):
    model = without_dhnext.train(TEXT, 23, rate, seed=3, carries=True)
    gist = MinCharRNN(learning_rate=rate, random_state=3).train(TEXT, 23)
    assert model.smooth_loss == pytest.approx(gist.smooth_loss, rel=1e-9)
    assert model.loss(TEXT) == pytest.approx(gist.loss(TEXT), rel=1e-6)


def test_without_dhnext_only_the_recurrent_gradient_differs():
    whole, cut = (without_dhnext.train(TEXT, 1, 0.1, seed=3, carries=carries).params for carries in (True, False))
    assert {name for name in whole if not (whole[name] == cut[name]).all()} == {"Wxh", "Whh", "bh"}
