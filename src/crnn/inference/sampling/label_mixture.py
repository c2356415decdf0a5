"""A labeled model for texts whose label is unknown: the label is drawn, or summed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.protocol import InferenceNetwork
from .text_drawing import Draw

Array = NDArray[Any]


def log_prior(network: InferenceNetwork, n_labels: int) -> NDArray[np.float64]:
    """Return log P of each label, (K,), in nats: the probability that it starts a document.

    The labels are the last K symbols.
    """
    p = network.probabilities_after(network.start())[0, -n_labels:]
    logarithms: NDArray[np.float64] = np.log(np.maximum(p / p.sum(), 1e-300))
    return logarithms


def mixed_drawer(log_weights: Array, drawer: Callable[[int, int], Draw], seed: int) -> Draw:
    """Return a function that draws samples by their numbers, each with a label drawn by weight.

    Sample i depends only on the seed and i: it is the next one in its label's own sequence. `drawer` takes a label's
    number and its own seed, and returns the function that draws from that sequence. It is called once per label: for
    label 0 at once, so that what it refuses is refused before labels are drawn, and for another when its first sample
    is drawn.
    """
    weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    bounds = np.cumsum(weights) / weights.sum()
    draw_of = {0: drawer(0, seed + 1)}

    def draw(samples: range) -> list[Any]:
        labels = np.searchsorted(bounds, np.random.default_rng(seed).random(samples.stop), side="right")
        labels = np.minimum(labels, len(weights) - 1)
        texts: list[Any] = [None] * len(samples)
        for k in np.unique(labels[samples.start :]).tolist():
            places = np.flatnonzero(labels == k)
            before = int(np.searchsorted(places, samples.start))
            if k not in draw_of:
                draw_of[k] = drawer(k, seed + k + 1)
            for place, text in zip(places[before:], draw_of[k](range(before, len(places))), strict=True):
                texts[int(place) - samples.start] = text
        return texts

    return draw
