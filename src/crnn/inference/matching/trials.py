"""Samples that match a pattern: trials are numbered, and the i-th that succeeds is sample i."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...runtime.free_memory import check_free_memory
from ...runtime.threads import inference_threads, run_tasks, split_range
from ...text.symbols.codes import immutable
from ...text.symbols.vocabulary import Vocabulary
from ..network.context import Context
from ..network.protocol import InferenceNetwork, State
from ..sampling.sampling_controls import OFF, SamplingControls, SamplingOptions
from ..sampling.text_drawing import MAX_LENGTH, Draw, TextRequest, document_head, encoded_prime, text_length
from ..sampling.uniforms import Uniforms, root
from ..strings import Strings
from .goal import Goal, Guide
from .prefix_tree import PrefixTree

MAX_TRIALS, TRIALS_PER_SAMPLE = 1 << 18, 1000  # before giving up: in all, and more for each sample found
MIN_BLOCK, MAX_BLOCK, BLOCK_SYMBOLS = 64, 1 << 10, 1 << 20  # trials at a time; symbols of their texts
PART = 256  # minimum trials of a thread
ESTIMATE_TRIALS = 1 << 14
KEPT = 8  # patterns of a model
REFUSED = ("repetition_penalty", "top_k", "top_p", "min_p", "stop")
T = TypeVar("T")


class Trials(Protocol):
    """A sampler of texts that match: a trial returns a text that matches with probability p(text) / upper."""

    @property
    def upper(self) -> float:
        """An upper bound of the probability of a match."""

    @property
    def lower(self) -> float:
        """A lower bound of it."""

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Make a trial with each stream of random numbers; return texts (B, n) and lengths (B,), -1 for a failure."""


@runtime_checkable
class Foreseeing(Protocol):
    """A network that can compute the probability of a match."""

    def lookahead(
        self,
        goal: Goal,
        state: State,
        temperature: float,
        bias: NDArray[np.float64] | None,
        *,
        maximum: bool = False,
    ) -> Trials | None:
        """Return a sampler for the goal after the state of one stream; None if it would take too much memory.

        With `maximum`, it knows bounds of the most probable match instead of probabilities.
        """


@runtime_checkable
class Exact(Trials, Protocol):
    """A sampler that knows the probability of a match."""

    def probability(self, length: int | None) -> float | None:
        """Return the probability of a match within a number of symbols, if given; None if it takes too long."""


class MatchProbability(NamedTuple):
    """The probability that a text matches a pattern.

    Attributes
    ----------
    estimate : float
    lower, upper : float
        Certain bounds, equal to the estimate for a `CharNGram`.
    """

    estimate: float
    lower: float
    upper: float


class Empty:
    """The sampler of a goal that the empty text meets."""

    upper = lower = 1.0

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return empty texts."""
        B = len(uniforms.states)
        return np.zeros((B, n), np.int32), np.zeros(B, np.intp)


class OfLabels:
    """The sampler of a model whose texts have one of several labels, drawn anew in each trial."""

    def __init__(self, log_weights: NDArray[np.float64], members: Sequence[Trials]) -> None:
        weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        self._members = members
        self._cumulated = np.cumsum([p * member.upper for p, member in zip(weights, members, strict=True)])
        self.upper = float(self._cumulated[-1])
        self.lower = float(sum(p * member.lower for p, member in zip(weights, members, strict=True)))

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Draw a label for each trial, and make the trial with it."""
        labels = np.searchsorted(self._cumulated, uniforms.draw(1)[0] * self.upper, side="right")
        B = len(labels)
        texts, lengths = np.zeros((B, n), np.int32), np.full(B, -1, np.intp)
        for k in np.unique(labels).tolist():
            own, part = np.flatnonzero(labels == k), copy.copy(uniforms)
            part.states = uniforms.states[own]
            texts[own], lengths[own] = self._members[k].run(part, n)
        return texts, lengths


_kept: WeakKeyDictionary[Any, tuple[InferenceNetwork, dict[Any, Any]]] = WeakKeyDictionary()


def kept(owner: Any, network: InferenceNetwork, key: Any, make: Callable[[], T]) -> T:
    """Return what was made for a key, unless the model's predictions have changed since; the last ones are kept."""
    before, made = _kept.get(owner, (network, {}))
    if not network.same_as(before):
        made = {}
    _kept[owner] = network, made
    if key not in made:
        new = make()
        while len(made) >= KEPT:
            made.pop(next(iter(made)), None)
        made[key] = new
    result: T = made[key]
    return result


def checked_controls(vocabulary: Vocabulary, options: SamplingOptions) -> SamplingControls:
    """Return the controls of samples that must match; controls that would make the samples inexact are refused."""
    controls = SamplingControls.check(vocabulary, options)
    for name in REFUSED:
        if options.get(name) is not None if name == "stop" else controls.numbers[name] != OFF[name]:
            raise InvalidInputError(
                f"{name} does not work together with matching, which then could not be exact. Omit one of them; "
                "temperature and logit_bias may be combined with matching."
            )
    if controls.numbers["temperature"] == 0:
        raise InvalidInputError(
            "temperature is 0, which leaves one text, and matching needs several. Raise the temperature, or use "
            "enumerate_documents(1, matching=...) or beam_search(matching=...)."
        )
    return controls


def checked_pattern(pattern: Any, vocabulary: Vocabulary) -> Any:
    """Return a pattern after checking that it is of the vocabulary's kind."""
    vocabulary.check_kind(pattern.pattern if isinstance(pattern, re.Pattern) else pattern, "matching")
    return pattern if isinstance(pattern, re.Pattern) else immutable(pattern)


def trials_of(
    owner: Any, network: InferenceNetwork, vocabulary: Vocabulary, pattern: Any, prime: Any, controls: SamplingControls
) -> Trials:
    """Return the sampler of texts that match a pattern; it is kept with its owner, the model."""
    bias, pattern, prime = controls.bias, checked_pattern(pattern, vocabulary), immutable(prime)
    key = pattern, prime, controls.numbers["temperature"], None if bias is None else bias.tobytes()

    def made() -> Trials:
        goal = Goal.of(pattern, vocabulary, document_head(prime, vocabulary), bias)
        if goal.start == len(goal.rows):
            return Empty()
        state, lookahead = Context.after(network, encoded_prime(prime, vocabulary)).state, None
        if isinstance(network, Foreseeing):
            lookahead = network.lookahead(goal, state, controls.numbers["temperature"], bias)
        return PrefixTree(network, goal, state, controls) if lookahead is None else lookahead

    return kept(owner, network, key, made)


def guide_of(owner: Any, network: InferenceNetwork, vocabulary: Vocabulary, pattern: Any, prime: Any) -> Guide:
    """Return the guide of a search for the most probable matches; it is kept with its owner, the model."""
    pattern, prime = checked_pattern(pattern, vocabulary), immutable(prime)

    def made() -> Guide:
        goal, lookahead = Goal.of(pattern, vocabulary, document_head(prime, vocabulary)), None
        if isinstance(network, Foreseeing) and goal.start < len(goal.rows):
            state = Context.after(network, encoded_prime(prime, vocabulary)).state
            lookahead = network.lookahead(goal, state, 1.0, None, maximum=True)
        return Guide(goal, lookahead)

    return kept(owner, network, (pattern, prime, "guide"), made)


def matching_drawer(
    trials: Trials, vocabulary: Vocabulary, request: TextRequest, random_state: Any, n_threads: int | None
) -> Draw:
    """Return a function that draws matching samples by their numbers; sample i depends only on `random_state` and i."""
    head = document_head(request.prime, vocabulary)
    length = text_length(vocabulary, request.n, request.max_length, len(head))
    bits, texts, done = root(random_state), list[Any](), 0

    def draw(samples: range) -> list[Any]:
        nonlocal done
        while len(texts) < samples.stop:
            if done >= MAX_TRIALS + TRIALS_PER_SAMPLE * len(texts):
                raise _too_rare(request.matching, samples.stop, len(texts), done, trials)
            wanted = (samples.stop - len(texts)) * 1.1 * (done + 1) / (len(texts) + 1)
            most = max(MIN_BLOCK, min(MAX_BLOCK, BLOCK_SYMBOLS // max(1, length)))
            block = range(done, done + min(max(MIN_BLOCK, math.ceil(wanted)), most))
            texts.extend(head + text for text in _succeeded(trials, bits, block, length, n_threads).decode(vocabulary))
            done = block.stop
        return texts[samples.start : samples.stop]

    return draw


def exact_probability(trials: Trials, length: int | None) -> float | None:
    """Return the probability of a match within a number of symbols, if given; None if it can only be estimated."""
    return trials.probability(length) if isinstance(trials, Exact) else None


def match_probability(trials: Trials, length: int | None, n_threads: int | None) -> MatchProbability:
    """Return the probability of a match, for a text of at most `length` symbols if given."""
    if (exact := exact_probability(trials, length)) is not None:
        return MatchProbability(exact, exact, exact)
    successes, bits, step, n = 0, root(0), 1 << 10, MAX_LENGTH if length is None else length
    for first in range(0, ESTIMATE_TRIALS, step):
        successes += len(_succeeded(trials, bits, range(first, first + step), n, n_threads).lengths)
    lower = trials.lower if length is None else 0.0
    estimate = trials.upper * successes / ESTIMATE_TRIALS
    return MatchProbability(min(max(estimate, lower), trials.upper), lower, trials.upper)


def _succeeded(trials: Trials, bits: np.random.PCG64, block: range, length: int, n_threads: int | None) -> Strings:
    """Return the texts of the trials with these numbers that succeed, in order."""
    trials_of_n = f"n is {length:,}, and {len(block):,} trials of so many symbols"
    check_free_memory(4 * len(block) * length, trials_of_n, "Pass a smaller n.", argument="n")
    threads = max(1, min(inference_threads(n_threads), len(block) // PART))
    parts, drawn = split_range(len(block), threads), dict[int, Strings]()

    def run(i: int) -> None:
        texts, lengths = trials.run(Uniforms(bits, block[parts[i].start : parts[i].stop]), length)
        texts = texts[:, : max(0, lengths.max())]
        drawn[i] = Strings(texts[np.arange(texts.shape[1]) < lengths[:, None]], lengths[lengths >= 0])

    run_tasks(range(threads), run, threads)
    ids, lengths = zip(*(drawn[i] for i in range(threads)), strict=True)
    return Strings(np.concatenate(ids), np.concatenate(lengths))


def _too_rare(pattern: Any, wanted: int, found: int, done: int, trials: Trials) -> InvalidInputError:
    """Return the error for a pattern that matches too rarely."""
    estimate = trials.upper * max(found, 1) / done
    probability = f"about {estimate:.1g}" if found else f"probably below {3 * estimate:.1g}"
    return InvalidInputError(
        f"matching is {short_repr(pattern)}, and only {found:,} of {wanted:,} samples were found in {done:,} trials: "
        f"the probability of a match is {probability}. Request fewer samples, write a pattern that restricts the text "
        "earlier, or list the most probable texts with enumerate_documents(n, matching=...)."
    )
