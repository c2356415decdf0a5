"""Guess numbers by sampling: Dell'Amico and Filippone 2015, "Monte Carlo Strength Evaluation"."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..settings import whole
from ..threads import deal_out, shares
from .packed_network import PackedNetwork, State, repeated
from .string_scores import Strings, TextBlock, log_likelihoods
from .uniforms import Uniforms

BATCH = 256  # strings drawn side by side
STEP = 32  # symbols drawn of each before those that have ended are put aside
LONGEST = 1 << 20  # symbols of a string: one that is longer, from a model that has not learned to end, is an error
CONFIDENCE = 1.959963984540054  # standard errors on either side of 95 % of a normal distribution
UNSEEN = 3.0  # over n: a share of which n draws show none is below it, at 95 %

Array = NDArray[np.float64]


class GuessNumbers(NamedTuple):
    """How many guesses strings withstand, most probable first; bounds at 95 % confidence."""

    estimate: Array
    lower: Array
    upper: Array


def guess_numbers(log_p: Array, sampled: Array) -> GuessNumbers:
    """Estimate guess numbers from the log-probabilities of samples.

    A string that the model draws with probability q stands for 1 / q strings, of which the sample shows one; so the
    strings that are more probable than p are about as many as the mean, over all n samples, of 1 / q where q > p, and
    of 0 elsewhere. A guess number is one more. Its bounds come from the variance of that mean. They also take in that

    - there can be no more than 1 / p strings more probable than p;
    - of what is likelier than the likeliest sample, or unlikelier than the unlikeliest, nothing was seen: its share
      is below 3 / n, and so it holds fewer than 3 / (n p) strings.

    Parameters
    ----------
    log_p : (k,) array
        Of the strings, in nats.
    sampled : (n,) array
        Of strings that the same model has drawn.

    Returns
    -------
    GuessNumbers
        Infinite where a number is beyond float64.

    Examples
    --------
    >>> die = np.full(1000, np.log(1 / 6))
    >>> guess_numbers(np.log([0.5, 0.1]), die).estimate.round(9).tolist()  # its six faces come before 0.1
    [1.0, 7.0]
    """
    n = len(sampled)
    inverse = -np.sort(sampled)[::-1]  # log 1 / q, ascending: the likeliest first
    before = np.searchsorted(inverse, -log_p, side="left")  # samples with q > p
    # Sums of 1 / q and of its square as logarithms: 1 / q of a long string is beyond float64.
    log_sum, log_squares = (
        np.concatenate([[-np.inf], np.logaddexp.accumulate(power * inverse)]).take(before) for power in (1, 2)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.exp(log_sum - math.log(n))
        spread = np.expm1(np.maximum(log_squares - 2 * log_sum + math.log(n), 0.0)) / max(n - 1, 1)
        error = np.where(before > 0, CONFIDENCE * np.sqrt(spread), 0.0)  # as a share of the mean
        unseen = np.where((before == 0) | (before == n), np.exp(math.log(min(UNSEEN / n, 1.0)) - log_p), 0.0)
        lower = np.where(error < 1, mean * (1 - error), 0.0)
        upper = np.minimum(mean * (1 + error) + unseen, np.maximum(np.exp(-log_p), mean))
        return GuessNumbers(1 + mean, 1 + lower, 1 + upper)


def drawn_log_likelihoods(
    network: PackedNetwork,
    start: State,
    n: int,
    *,
    end: int | None,
    length: int,
    bits: np.random.PCG64,
    n_threads: int,
) -> Array:
    """Draw n strings and return log P of each, in nats.

    They end with the symbol `end` and have at most `length` symbols before it; without an `end`, all have `length`.
    """
    out = np.empty(n)
    batches = shares(n, -(-n // BATCH))

    def draw(i: int) -> None:
        rows, uniforms = batches[i], Uniforms(bits, range(i, i + 1))
        if end is None:
            u = uniforms.draw(length * len(rows)).reshape(length, len(rows))
            strings = Strings.join(network.sample(u, 1.0, repeated(start, len(rows))).T)
        else:
            strings = _drawn_to_the_end(network, repeated(start, len(rows)), end, length, uniforms)
        out[rows.start : rows.stop] = log_likelihoods(network, strings, start, 1)

    deal_out(range(len(batches)), draw, n_threads)
    return out


def _drawn_to_the_end(network: PackedNetwork, state: State, end: int, most: int, uniforms: Uniforms) -> Strings:
    """Draw strings side by side; the batch shrinks as they end."""
    B = state[0].shape[1]
    going, parts = np.arange(B), [[np.zeros(0, np.int32)] for _ in range(B)]
    drawn = 0
    while len(going):
        if drawn > most:
            raise InvalidInputError(
                f"a string that the model drew has no end within {most:,} symbols: train the model longer"
            )
        u = uniforms.draw(STEP * len(going)).reshape(STEP, len(going))
        x = network.sample(u, 1.0, state)
        is_end = x == end
        ends = np.where(is_end.any(axis=0), is_end.argmax(axis=0) + 1, STEP + 1)
        for row, symbols, last in zip(going, x.T, ends, strict=True):
            parts[row].append(symbols[:last])
        on = ends > STEP
        going, state, drawn = going[on], tuple(part[:, on] for part in state), drawn + STEP
    return Strings.join(np.concatenate(pieces) for pieces in parts)


def checked_length(length: int | None, end: int | None) -> int:
    """Return the length of the strings that guess numbers are about: of all, or of a document at most."""
    if end is None and length is None:
        raise InvalidInputError(
            "guess_number of a model of running text wants length=…: its texts have no end, so that only texts of the "
            "same length can be compared; a model fitted on documents needs none"
        )
    if end is not None and length is not None:
        raise InvalidInputError("length is only for a model of running text: the documents of this model have ends")
    return LONGEST if length is None else whole("length", length, 0)


def check_lengths(block: TextBlock, length: int | None) -> None:
    """Raise if a text is not as long as all are to be."""
    for i, text in enumerate(block.texts, block.first):
        if length is not None and len(text) != length:
            raise InvalidInputError(f"strings[{i}] has {len(text)} symbols, not length={length}: leave it out")
