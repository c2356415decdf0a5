"""The reference implementation of dynamic evaluation, by hand."""

import numpy as np
from examples import network

from crnn.reference.network import adaptation_step, adaptive_surprisal, loss_and_gradients


def test_blocks_are_scored_before_they_are_learned_from():
    layout, flat = network(5, 3, cell="lstm", num_layers=2)
    p, trained, by_hand = (layout.tensors(flat.copy()) for _ in range(3))
    rng = np.random.default_rng(5)
    ids, rms = rng.integers(5, size=8), layout.tensors(rng.uniform(0.5, 2, flat.shape))
    nats = adaptive_surprisal(p, "lstm", ids, trained, rms, 0.05, 0.02, block_length=3)
    state = tuple(np.zeros((2, 1, 3)) for _ in "hc")
    for first in (0, 3, 6):
        x = ids[first : first + 4, None]
        loss, d, state = loss_and_gradients(by_hand, "lstm", x[:-1], x[1:], state)
        np.testing.assert_allclose(nats[first + 1 : first + 4].sum(), loss, rtol=1e-12)
        adaptation_step(by_hand, d, trained, rms, 0.05, 0.02, len(x) - 1)
    for found, expected in zip(p, by_hand, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(nats) == len(ids)
