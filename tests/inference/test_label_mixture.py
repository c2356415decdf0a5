"""Samples of any label: further ones continue each label's sequence."""

from types import SimpleNamespace

import numpy as np

from crnn.inference.sampling import MixedSamples

LOG_WEIGHTS = np.log([0.5, 0.2, 0.3])


def recorded_samples(numbers, seeds):
    """Return a function for `MixedSamples` whose samples are label and number, and which notes all requests."""

    def samples_of_label(k, seed):
        seeds.append((k, seed))

        def texts(samples):
            numbers[k].extend(samples)
            return [(k, i) for i in samples]

        return SimpleNamespace(texts=texts)

    return samples_of_label


def test_further_samples_are_drawn_without_the_first_ones():
    numbers, seeds = {k: [] for k in range(3)}, []
    mixed = MixedSamples(LOG_WEIGHTS, recorded_samples(numbers, seeds), seed=7)
    texts = [text for part in (range(5), range(5, 16), range(16, 47)) for text in mixed.texts(part)]
    assert texts == MixedSamples(LOG_WEIGHTS, recorded_samples({k: [] for k in range(3)}, []), seed=7).texts(range(47))
    for k, drawn in numbers.items():
        assert drawn == list(range(len(drawn)))  # each once
        assert [text for text in texts if text[0] == k] == [(k, i) for i in drawn]
    assert sorted(seeds) == [(0, 8), (1, 9), (2, 10)]


def test_labels_are_as_frequent_as_their_weights():
    log_weights = LOG_WEIGHTS - 2000  # as after a long prime
    mixed = MixedSamples(log_weights, recorded_samples({k: [] for k in range(3)}, []), seed=0)
    counts = np.bincount([k for k, _ in mixed.texts(range(10_000))])
    np.testing.assert_allclose(counts / 10_000, np.exp(LOG_WEIGHTS), atol=0.02)
