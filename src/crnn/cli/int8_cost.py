"""The cost of 8-bit weights, measured without a text."""

from __future__ import annotations

import numpy as np

from ..char_rnn import CharRNN

SAMPLE, DOCUMENTS = 1000, 50  # symbols, or documents, on which the cost is measured


def int8_cost(model: CharRNN) -> float:
    """Return how many nats per symbol a model loses with 8-bit weights, on text that it generates.

    The cost is the mean Kullback-Leibler divergence of the quantized model's predictions from the model's own. It needs
    no text and varies less than the difference of two scores.
    """
    from scipy.special import rel_entr  # here, since importing it doubles the time that any command takes to start

    quantized = model.quantize()
    if model.vocabulary_.boundary is None:
        texts = [model.sample(SAMPLE, random_state=0)]
    else:
        texts = model.sample(num_samples=DOCUMENTS, random_state=0)
    divergences = []
    for text in texts:
        state, other = model.start(), quantized.start()
        for i in range(len(text) + 1):
            p, q = state.predict_proba(), other.predict_proba()
            divergences.append(float(rel_entr(p, q).sum()))
            state.feed(text[i : i + 1])
            other.feed(text[i : i + 1])
    return max(0.0, float(np.mean(divergences)))
