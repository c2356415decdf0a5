"""Samples of any label."""

from types import SimpleNamespace

import numpy as np

from crnn.sampling.samples import MixedSamples

LOG_WEIGHTS = np.log([0.5, 0.2, 0.3])


def test_labels_are_as_frequent_as_their_weights():
    def samples_of_label(k, seed):
        return SimpleNamespace(texts=lambda numbers: [k for _ in numbers])

    log_weights = LOG_WEIGHTS - 2000  # as after a long prime
    mixed = MixedSamples(log_weights, samples_of_label, seed=0)
    counts = np.bincount(mixed.texts(range(10_000)))
    np.testing.assert_allclose(counts / 10_000, np.exp(LOG_WEIGHTS), atol=0.02)
