"""Samples that match a pattern, and the probability of a match."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidInputError, short_repr
from ..runtime.machine import check_free_memory
from ..runtime.threads import inference_threads
from ..sampling.controls import Uniforms, root
from ..sampling.lengths import DEFAULT_MAX_LENGTH, text_length
from ..sampling.samples import SampleRequest, draw_parts
from ..scoring.strings import Strings
from ..text.primes import document_head
from ..text.vocabulary import Vocabulary
from .limits import LIMITS, MatchingLimits
from .prefix_tree import Trials


class MatchProbability(NamedTuple):
    """The probability that a text matches a pattern.

    Attributes
    ----------
    estimate : float
        The estimated probability.
    lower : float
        A certain lower bound of the probability, equal to the estimate for a `CharNGram`.
    upper : float
        A certain upper bound of the probability, equal to the estimate for a `CharNGram`.
    """

    estimate: float
    lower: float
    upper: float


class MatchingSamples:
    """Samples that match, found by trials; sample i depends only on `random_state` and i."""

    def __init__(
        self,
        trials: Trials,
        vocabulary: Vocabulary,
        request: SampleRequest,
        random_state: Any,
        n_threads: int | None,
        limits: MatchingLimits = LIMITS,
    ) -> None:
        self._limits = limits
        self._trials = trials
        self._vocabulary = vocabulary
        self._pattern = request.matching
        self._n_threads = n_threads
        self._head = document_head(request.prime, vocabulary)
        self._length = text_length(vocabulary, request.length, request.max_length, len(self._head))
        self._limit_name = _limit_name(request, vocabulary, self._length)
        self._bits = root(random_state)
        self._found = list[Any]()
        self._done = 0

    def texts(self, numbers: range) -> list[Any]:
        """Return the samples with these numbers, making trials until enough of them have succeeded."""
        found = self._found
        limits = self._limits
        largest = min(limits.max_block, limits.block_symbols // max(1, self._length))
        most = max(limits.min_block, largest)
        while len(found) < numbers.stop:
            if self._done >= limits.max_trials + limits.trials_per_sample * len(found):
                raise _too_rare(self._pattern, numbers.stop, len(found), self._done, self._trials)
            wanted = (numbers.stop - len(found)) * 1.1 * (self._done + 1) / (len(found) + 1)
            n_trials = min(max(limits.min_block, math.ceil(wanted)), most)
            block = range(self._done, self._done + n_trials)
            threads = min(inference_threads(self._n_threads), n_trials // limits.min_trials_per_thread)
            strings = _successes(
                self._trials, self._bits, block, self._length, max(1, threads), limit_name=self._limit_name
            )
            found.extend(self._head + text for text in strings.decode(self._vocabulary))
            self._done = block.stop
        return found[numbers.start : numbers.stop]


def match_probability(
    trials: Trials, length: int | None, n_threads: int | None, limits: MatchingLimits = LIMITS
) -> MatchProbability:
    """Measure how probable it is that a text, of at most `length` symbols if given, matches.

    The result is exact if the sampler knows it; otherwise it is the share of successful trials, within the bounds.
    """
    if (exact := trials.probability(length)) is not None:
        return MatchProbability(exact, exact, exact)
    successes = 0
    bits = root(0)
    step = 1 << 10
    n = DEFAULT_MAX_LENGTH if length is None else length
    threads = max(1, min(inference_threads(n_threads), step // limits.min_trials_per_thread))
    for first in range(0, limits.estimate_trials, step):
        block = range(first, first + step)
        successes += len(_successes(trials, bits, block, n, threads, limit_name="max_length").lengths)
    lower = trials.lower if length is None else 0.0
    estimate = trials.upper * successes / limits.estimate_trials
    return MatchProbability(min(max(estimate, lower), trials.upper), lower, trials.upper)


def _successes(
    trials: Trials, bits: np.random.PCG64, block: range, length: int, threads: int, *, limit_name: str
) -> Strings:
    """Return the texts of the trials with these numbers that succeed, in order.

    `limit_name` is the name of the argument that set the length, for the error of one too long for the memory.
    """
    needed = f"{limit_name} is {length:,}, and {len(block):,} trials of so many symbols"
    check_free_memory(4 * len(block) * length, needed, f"Pass a smaller {limit_name}.", argument=limit_name)

    def run(part: range) -> Strings:
        texts, lengths = trials.run(Uniforms(bits, part), length)
        texts = texts[:, : max(0, lengths.max())]
        return Strings(texts[np.arange(texts.shape[1]) < lengths[:, None]], lengths[lengths >= 0])

    return draw_parts(block, threads, run, threads)


def _limit_name(request: SampleRequest, vocabulary: Vocabulary, length: int) -> str:
    """Return the name of the argument that limits the samples to this length."""
    return "length" if vocabulary.boundary is None or request.length == length else "max_length"


def refuse_longer(request: SampleRequest, vocabulary: Vocabulary, shortest: int) -> None:
    """Raise an error if the shortest match has more symbols after the prime than requested."""
    head = len(document_head(request.prime, vocabulary))
    length = text_length(vocabulary, request.length, request.max_length, head)
    if shortest <= length:
        return
    name = _limit_name(request, vocabulary, length)
    by_length = name == "length"
    if by_length:
        limit = length
        needed = shortest
    else:
        limit = DEFAULT_MAX_LENGTH if request.max_length is None else request.max_length
        needed = head + shortest
    instead = ""
    if by_length and vocabulary.boundary is not None and limit > 1:
        instead = f" For {limit:,} documents, pass n_samples={limit}."
    raise InvalidInputError(
        f"{name} is {limit:,}, but the shortest text that matches {short_repr(request.matching)} has length {needed:,}"
        f"{' after the prime' if by_length and head else ''}. Raise {name} to {needed:,} or more, or write a "
        f"pattern with shorter matches.{instead}"
    )


def _too_rare(pattern: Any, wanted: int, found: int, done: int, trials: Trials) -> InvalidInputError:
    """Return the error for a pattern that matches too rarely."""
    estimate = trials.upper * max(found, 1) / done
    probability = f"about {estimate:.1g}" if found else f"probably below {3 * estimate:.1g}"
    return InvalidInputError(
        f"matching is {short_repr(pattern)}, and only {found:,} of {wanted:,} samples were found in {done:,} trials: "
        f"the probability of a match is {probability}. Request fewer samples, write a pattern that restricts the text "
        "earlier, or list the most probable texts with enumerate_documents(n_documents, matching=...)."
    )
