"""Guess numbers by sampling: Dell'Amico and Filippone 2015, "Monte Carlo Strength Evaluation"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import Context, InferenceNetwork
from ..parameters.checks import MAX_SIZE, checked_int
from ..runtime.threads import inference_threads
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings, text_blocks
from ..text.vocabulary import Text, Vocabulary
from .controls import CheckedControls, Stops, root
from .samples import IdSamples

STRINGS_AT_A_TIME = 1 << 14  # drawn and held
MAX_LENGTH = 1 << 20  # symbols of a document; a longer one is an error, since the model has not learned to end
CONFIDENCE_ERRORS = 1.959963984540054  # standard errors on either side of 95 % of a normal distribution
RULE_OF_THREE = 3.0  # n draws without an event bound its probability by 3 / n, at 95 % confidence

Array = NDArray[np.float64]


class GuessNumbers(NamedTuple):
    """The number of guesses to find each of k strings, if the most probable strings are guessed first.

    Attributes
    ----------
    estimate : ndarray of float64 and shape (k,)
        The estimated numbers of guesses, at least 1.
    lower : ndarray of float64 and shape (k,)
        The lower bounds of the numbers, at 95 % confidence.
    upper : ndarray of float64 and shape (k,)
        The upper bounds of the numbers, at 95 % confidence.
    beyond_samples : ndarray of bool and shape (k,)
        Whether a string is less probable than every drawn string. Its estimate then only means "very many".
    """

    estimate: Array
    lower: Array
    upper: Array
    beyond_samples: NDArray[np.bool_]


class GuessTable(NamedTuple):
    """What n drawn strings tell about guess numbers: row k is for a string less probable than k of them.

    The number of strings more probable than p is estimated by the mean, over all n samples, of 1 / q where q > p and 0
    elsewhere. Its bounds come from the variance of this mean; a lower bound also holds for less probable strings.
    """

    inverse: Array  # log 1 / q of each sample, (n,), ascending: the most likely first
    mean: Array  # the estimated number of more probable strings, (n + 1,), and its bounds
    lower: Array
    upper: Array

    @classmethod
    def of(cls, sampled: Array) -> GuessTable:
        """Return the table of samples of these log-probabilities, in any order."""
        n = len(sampled)
        inverse = -np.sort(sampled)[::-1]
        # Sums of 1 / q and its square as logarithms, since 1 / q of a long string exceeds float64.
        log_sum, log_squares = (np.logaddexp.accumulate(power * inverse) for power in (1, 2))
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.exp(log_sum - math.log(n))
            spread = np.expm1(np.maximum(log_squares - 2 * log_sum + math.log(n), 0.0)) / (n - 1)
            error = CONFIDENCE_ERRORS * np.sqrt(spread)  # relative to the mean
            lower = np.maximum.accumulate(np.where(error < 1, mean * (1 - error), 0.0))
            return cls(inverse, *(np.concatenate([[0.0], part]) for part in (mean, lower, mean * (1 + error))))

    def guess_numbers(self, log_p: Array) -> GuessNumbers:
        """Estimate guess numbers from log-probabilities under the model of the samples.

        At most 1 / p strings can be more probable than p. The strings more probable than all samples, or less probable
        than all, together have a probability below 3 / n, at 95 % confidence; so there are fewer than 3 / (n p).
        """
        n = len(self.inverse)
        before = np.searchsorted(self.inverse, -log_p, side="left")  # samples with q > p
        mean, lower, upper = (part[before] for part in self[1:])
        with np.errstate(over="ignore"):
            unseen = np.where((before == 0) | (before == n), np.exp(math.log(RULE_OF_THREE / n) - log_p), 0.0)
            upper = np.minimum(upper + unseen, np.maximum(np.exp(-log_p), mean))
        return GuessNumbers(1 + mean, 1 + lower, 1 + upper, before == n)


_last_tables: WeakKeyDictionary[Any, tuple[InferenceNetwork, Any, GuessTable]] = WeakKeyDictionary()  # by model


def estimated_guess_numbers(
    owner: Any,
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    X: Iterable[Text],
    n_samples: int,
    *,
    length: int | None,
    random_state: Any,
    n_threads: int | None,
) -> GuessNumbers:
    """Return the guess numbers of strings, from `n_samples` drawn strings; see `LanguageModel.guess_number`.

    The last table is kept for its owner, the model, while its predictions stay the same.
    """
    end = vocabulary.boundary
    n_samples = checked_int("n_samples", n_samples, 2, MAX_SIZE)
    drawn_length = checked_length(length, end)
    threads = inference_threads(n_threads)
    blocks = text_blocks(X, vocabulary, name="X")
    log_p = [np.empty(0)]
    start = network.start()
    for block in blocks:
        for i, text in enumerate(block.texts, block.first):
            if length is not None and len(text) != length:
                raise InvalidInputError(f"X[{i}] has {len(text)} symbols, but length is {length}. Leave it out.")
        encoded = Strings.encode(block, vocabulary, name="X", ended=True)
        log_p.append(log_likelihoods(network, encoded, start, threads))
    bits = root(random_state)
    key = n_samples, drawn_length, None if random_state is None else bits.state["state"]
    of_network, last_key, table = _last_tables.get(owner, (None, None, None))
    if table is None or key != last_key or not network.same_as(of_network):
        options: Any = {"end": end, "length": drawn_length, "bits": bits, "n_threads": threads}
        table = GuessTable.of(sampled_log_likelihoods(network, n_samples, **options))
        _last_tables[owner] = network, key, table
    return table.guess_numbers(np.concatenate(log_p))


def sampled_log_likelihoods(
    network: InferenceNetwork,
    n: int,
    *,
    end: int | None,
    length: int,
    bits: np.random.PCG64,
    n_threads: int,
    n_at_a_time: int = STRINGS_AT_A_TIME,
) -> Array:
    """Draw n strings of `length` symbols, or of at most so many before an `end`; return log P of each, in nats."""
    context = Context(network.start(), np.zeros(network.symbols, np.bool_))
    longest = length if end is None else length + 1
    run = IdSamples(network, context, longest, CheckedControls(stops=Stops([], end)), bits, n_threads)
    scores = []
    for first in range(0, n, n_at_a_time):
        strings = run.strings(range(first, min(n, first + n_at_a_time)))
        if end is not None and (strings.lengths == longest).any():
            raise InvalidInputError(
                f"a string drawn from the model has no end within {length:,} symbols. Train the model longer."
            )
        scores.append(log_likelihoods(network, strings.followed_by(end), context.state, n_threads))
    return np.concatenate(scores)


def checked_length(length: int | None, end: int | None) -> int:
    """Return the length of all drawn strings, or the maximum length of a document."""
    if end is None and length is None:
        raise InvalidInputError(
            "guess_number needs length=... for a model of running text: its texts have no end, so only texts of the "
            "same length can be compared. Pass length, or fit the model on documents."
        )
    if end is not None and length is not None:
        raise InvalidInputError("length is given, but the model's documents have ends. Omit length.")
    return MAX_LENGTH if length is None else checked_int("length", length, 0)
