"""Class probabilities: Bayes' rule over the texts' probabilities given each label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...model.labeled import state_of_label
from ...model.state import ModelState
from ...parameters.checks import checked_sample_weights
from ...runtime.threads import inference_threads
from ...text.sources.labels import checked_labels
from ...text.symbols.codes import Text
from ..network.packed_network import PackedNetwork, State
from .string_scores import Strings, TextBlock, log_likelihoods, text_blocks

Array = NDArray[Any]


def accuracy(predicted: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the weighted share of correct labels."""
    given = checked_labels(y, len(predicted), name="y")
    right = given.labels[given.numbers] == predicted
    weights = None if sample_weight is None else checked_sample_weights(sample_weight, len(predicted))
    return float(np.average(right, weights=weights))


def log_posteriors(
    networks: dict[str, ModelState],
    prior: Array,
    texts: Iterable[Text],
    n_threads: int | None,
    *,
    bfloat16: bool = False,
) -> NDArray[np.float64]:
    """Return the logarithms of the label probabilities of texts, (n, K), given the prior (K,).

    Each network gives the probability of a text given each label; their logarithms are averaged. The networks have the
    same symbols and labels: "forward" reads texts from start to end, "backward" from end to start.
    """
    with np.errstate(divide="ignore"):  # a class of weight 0 is never predicted
        log_prior = np.log(prior)
    vocabulary = next(iter(networks.values())).vocabulary
    plain, n_threads = vocabulary.with_labels(()), inference_threads(n_threads)
    packed = {direction: _packed(state, bfloat16) for direction, state in networks.items()}
    found = [np.empty((0, len(log_prior)))]
    for block in text_blocks(texts, plain, name="X"):
        log_p = np.zeros((len(log_prior), len(block.texts)))
        for direction, (network, starts) in packed.items():
            strings = Strings.encode(_turned(block, direction), plain, name="X", ended=True)
            for k, start in enumerate(starts):
                log_p[k] += log_likelihoods(network, strings, start, n_threads) / len(networks)
        joint = log_p.T + log_prior
        found.append(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    return np.concatenate(found)


def _packed(state: ModelState, bfloat16: bool) -> tuple[PackedNetwork, list[State]]:
    """Return a network whose softmax covers the symbols of texts, and the state after each label's symbol."""
    labels, boundary = len(state.vocabulary.labels), state.vocabulary.boundary or 0
    whole = PackedNetwork.pack(
        state.layout, state.params, one_row=False, boundary=boundary, bfloat16=bfloat16, scales=state.scales
    )
    together = whole.zero_state(labels)
    whole.feed(boundary + 1 + np.arange(labels, dtype=np.int32)[None, :], together)
    starts = [tuple(np.ascontiguousarray(part[:, k : k + 1]) for part in together) for k in range(labels)]
    first_state = state_of_label(state, 0)
    network = PackedNetwork.pack(
        first_state.layout, first_state.params, one_row=False, scoring=True, boundary=boundary, bfloat16=bfloat16,
        scales=first_state.scales,
    )  # fmt: skip
    return network, starts


def _turned(block: TextBlock, direction: str) -> TextBlock:
    """Return a block of texts as a direction reads them."""
    return block if direction == "forward" else TextBlock(block.first, [text[::-1] for text in block.texts])
