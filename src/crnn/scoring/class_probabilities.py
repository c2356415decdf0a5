"""Class probabilities: Bayes' rule over the texts' probabilities given each label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.mixture_weights import best_weights
from ..inference.network import LabelNetworks
from ..parameters.checks import checked_sample_weights
from ..runtime.threads import inference_threads
from ..text.labels import checked_labels
from ..text.vocabulary import Text, Vocabulary
from .string_scores import log_likelihoods as string_log_likelihoods
from .strings import Strings, TextBlock, text_blocks


def accuracy(predicted: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the weighted share of correct labels."""
    labeled = checked_labels(y, len(predicted), name="y")
    right = labeled.labels[labeled.numbers] == predicted
    weights = np.ones(len(right)) if sample_weight is None else checked_sample_weights(sample_weight, len(right))
    if not weights.sum() > 0:
        raise InvalidInputError("X has no text with a weight above 0. Pass at least one.", argument="X")
    return float(np.average(right, weights=weights))


class LabelReader(NamedTuple):
    """How a model with labels reads texts."""

    vocabulary: Vocabulary  # without labels
    backward: bool
    log_likelihoods: Callable[[Strings], NDArray[np.float64]]  # log P of strings given each label, (K, n)


Readers = Sequence[Sequence[LabelReader]]  # of each estimator, one for each direction


def log_posteriors(readers: Readers, weights: Array, prior: Array, texts: Iterable[Text]) -> NDArray[np.float64]:
    """Return the logarithms of the label probabilities of texts, (n, K), given the estimators' weights and a prior."""
    with np.errstate(divide="ignore"):  # a class of weight 0 is never predicted
        log_prior = np.log(prior)
    log_posteriors = [np.empty((0, len(log_prior)))]
    for block in text_blocks(texts, readers[0][0].vocabulary, name="X"):
        weighted = sum(w * log_p for w, log_p in zip(weights.tolist(), log_likelihoods(readers, block), strict=True))
        joint = np.transpose(weighted) + log_prior
        log_posteriors.append(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    return np.concatenate(log_posteriors)


def log_likelihoods(readers: Readers, block: TextBlock) -> NDArray[np.float64]:
    """Return log P of each text given each label, the mean over the directions, for each estimator, (M, K, n)."""
    log_p = []
    backward_block = TextBlock(block.first, [text[::-1] for text in block.texts])
    for directions in readers:
        parts = []
        for reader in directions:
            texts = backward_block if reader.backward else block
            strings = Strings.encode(texts, reader.vocabulary, name="X", ended=True)
            parts.append(reader.log_likelihoods(strings) / len(directions))
        log_p.append(np.sum(parts, axis=0))
    return np.array(log_p)


def estimator_weights(log_p: Array, log_prior: Array, numbers: Array) -> NDArray[np.float64]:
    """Return the estimators' weights, each at least 0, that best predict the labels of held-out texts, (M,).

    `log_p` (M, K, n) comes from `log_likelihoods`, and `numbers` (n,) are the labels' numbers. A penalty draws the
    weights of few texts towards equal ones.
    """
    M, _, n = log_p.shape
    equal = np.full(M, 1 / M)
    at_labels = log_p[:, numbers, np.arange(n)].sum(axis=1)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the sum of -log P(label | text) with the penalty, and its gradient."""
        joint = np.tensordot(weights, log_p, axes=1) + log_prior[:, None]
        total = np.logaddexp.reduce(joint, axis=0)
        apart = weights - equal
        gradient = np.tensordot(log_p, np.exp(joint - total), axes=2) - at_labels + 2 * apart
        return float((total - log_prior[numbers]).sum() - weights @ at_labels + apart @ apart), gradient

    return best_weights(loss, M)


def network_reader(labels: LabelNetworks, n_threads: int | None) -> Callable[[Strings], NDArray[np.float64]]:
    """Return a function that scores strings given each label."""
    threads = inference_threads(n_threads)
    pairs = [*zip(labels.networks, labels.starts, strict=True)]

    def read(strings: Strings) -> NDArray[np.float64]:
        return np.array([string_log_likelihoods(network, strings, start, threads) for network, start in pairs])

    return read
