"""Samples of any label: further ones continue each label's sequence."""

import numpy as np

from crnn.inference.sampling import mixed_drawer

LOG_WEIGHTS = np.log([0.5, 0.2, 0.3])


def recording_drawer(numbers, seeds):
    """Return a drawer whose samples are their label and number, and which notes what it is asked for."""

    def drawer(k, seed):
        seeds.append((k, seed))

        def draw(samples):
            numbers[k].extend(samples)
            return [(k, i) for i in samples]

        return draw

    return drawer


def test_further_samples_are_drawn_without_the_first_ones():
    numbers, seeds = {k: [] for k in range(3)}, []
    draw = mixed_drawer(LOG_WEIGHTS, recording_drawer(numbers, seeds), seed=7)
    texts = [text for part in (range(5), range(5, 16), range(16, 47)) for text in draw(part)]
    assert texts == mixed_drawer(LOG_WEIGHTS, recording_drawer({k: [] for k in range(3)}, []), seed=7)(range(47))
    for k, drawn in numbers.items():
        assert drawn == list(range(len(drawn)))  # each once
        assert [text for text in texts if text[0] == k] == [(k, i) for i in drawn]
    assert sorted(seeds) == [(0, 8), (1, 9), (2, 10)]


def test_labels_are_as_frequent_as_their_weights():
    log_weights = LOG_WEIGHTS - 2000  # as after a long prime
    draw = mixed_drawer(log_weights, recording_drawer({k: [] for k in range(3)}, []), seed=0)
    counts = np.bincount([k for k, _ in draw(range(10_000))])
    np.testing.assert_allclose(counts / 10_000, np.exp(LOG_WEIGHTS), atol=0.02)
