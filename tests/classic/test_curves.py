"""Whole learning curves of the gist in NumPy, the gist compiled, and `CharRNN`.

Adagrad's first steps are chaotic: from the same initial weights, a difference in the last digit decides where a run
ends. After 3,000 steps they are not, so curves are compared from there.
"""

import numpy as np
import pytest
from min_char_rnn import MinCharRNN as Script

from crnn import datasets
from crnn.classic import MinCharRNN

SETTLED = 3000  # steps


@pytest.fixture(scope="module", params=[0, 1])
def settled(request):
    """Return Python's manual and a model that has read a part of it."""
    text = datasets.python_manual()
    return text, MinCharRNN(random_state=request.param).train(text, SETTLED)


@pytest.mark.slow
def test_the_compiled_gist_and_char_rnn_have_the_same_curve(settled):
    text, model = settled
    other = model.to_char_rnn()
    copy = MinCharRNN.from_char_rnn(other)
    epoch = (len(text) - 1) // copy.seq_length
    other.set_params(max_steps=100, n_threads=1).partial_fit(text)
    copy.train(text, 100)
    assert copy.smooth_loss == pytest.approx(other.smooth_loss_, rel=1e-9)
    other = model.to_char_rnn().set_params(n_threads=1, max_steps=epoch)
    copy = MinCharRNN.from_char_rnn(other)
    for _ in range(4):
        copy.train(text, epoch)
        other.partial_fit(text)
        assert copy.smooth_loss == pytest.approx(other.smooth_loss_, rel=0.005)
    assert copy.n == other.n_steps_ > 50_000


@pytest.mark.slow
def test_the_script_has_the_same_curve(settled):
    text, model = settled
    copy = MinCharRNN.from_char_rnn(model.to_char_rnn())
    ids = np.searchsorted(copy.chars, list(text))
    script = Script(ids, len(copy.chars), copy.hidden_size, copy.seq_length, seed=0)
    for name, array in copy.params.items():
        script.params[name][...] = array
        script.memory[name][...] = copy.memory[name]
    for _ in range(10):
        smooth_loss = copy.smooth_loss
        for _ in range(100):
            smooth_loss = 0.999 * smooth_loss + 0.001 * script.step()
        copy.train(text, 100)
        assert copy.smooth_loss == pytest.approx(smooth_loss, rel=1e-6)
