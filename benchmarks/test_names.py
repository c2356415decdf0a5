"""Does `benchmarks.names` measure what it says? Its figures are that command's to print."""

import numpy as np
import pytest

from benchmarks import names
from benchmarks.conftest import needs
from crnn import CharRNN


@pytest.fixture(scope="module")
def made_up():
    """Two thousand names of a few syllables."""
    rng = np.random.default_rng(0)
    syllables = ["an", "bel", "co", "di", "el", "fa", "gre", "ha", "lo", "mi", "na", "ra", "so", "ta", "vi"]
    return ["".join(rng.choice(syllables, rng.integers(2, 5))) for _ in range(2000)]


def test_a_second_of_learning(made_up):
    nats, learned, repeated, _ = names.quality(made_up, 1.0, num_samples=100)
    assert nats < np.log(20)  # better than knowing the letters alone
    assert 0 <= learned < 1
    assert 0 <= repeated < 1


def test_peers_find_the_same_probabilities_and_names(made_up):
    needs("torch")
    from benchmarks.peers.torch_documents import TorchDocuments

    for cell in ("rnn", "gru", "lstm"):
        model = CharRNN(13, cell=cell, num_layers=2, max_steps=100, batch_size=4, random_state=0).fit(made_up)
        peer = TorchDocuments(model, 1)
        np.testing.assert_allclose(peer.score(made_up[:300]), model.score_samples(made_up[:300]), rtol=1e-4)
        lengths = [len(ids) for ids in peer.sample(2000, 50)]
        mine = [len(text) for text in model.sample(num_samples=2000, max_length=50, random_state=0)]
        assert abs(np.mean(lengths) - np.mean(mine)) < 6 * np.std(mine) / np.sqrt(1000)


def test_speed_is_a_table(made_up):
    rows = names.speed(made_up[:200], num_samples=50, repeats=1, hidden_size=17)
    assert len(rows) == 2
    assert all(row.count("|") == 5 for row in rows)
