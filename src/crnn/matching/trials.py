"""Samplers of texts that match a pattern: how each model finds them."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.model_cache import cached_per_model
from ..inference.network import Context, InferenceNetwork, State
from ..sampling.controls import OFF, CheckedControls, GivenControls, Uniforms
from ..sampling.samples import SampleRequest
from ..text.primes import document_head, encoded_prime
from ..text.vocabulary import Vocabulary, immutable
from .goal import Goal, Guide
from .prefix_tree import PrefixTree, Trials
from .samples import refuse_longer

REFUSED_CONTROLS = ("repetition_penalty", "top_k", "top_p", "min_p", "stop")


@runtime_checkable
class HasLookahead(Protocol):
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

        With `maximum`, it knows bounds of the most probable match instead.
        """


class Empty:
    """The sampler of a goal that the empty text meets."""

    upper = lower = 1.0

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Let every trial succeed with the empty text."""
        B = len(uniforms.states)
        return np.zeros((B, n), np.int32), np.zeros(B, np.intp)

    def probability(self, length: int | None) -> float:
        """Return 1: the empty text is within any length."""
        return 1.0


class LabelTrials(Trials):
    """The sampler of a model whose texts have one of several labels, drawn anew in each trial."""

    def __init__(self, log_weights: NDArray[np.float64], members: Sequence[Trials]) -> None:
        weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        self._members = members
        self._cumulated = np.cumsum([p * member.upper for p, member in zip(weights, members, strict=True)])
        self.upper = float(self._cumulated[-1])
        self.lower = float(sum(p * member.lower for p, member in zip(weights, members, strict=True)))

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Draw a label for each trial, and let the label's sampler make the trial."""
        labels = np.searchsorted(self._cumulated, uniforms.draw(1)[0] * self.upper, side="right")
        B = len(labels)
        texts = np.zeros((B, n), np.int32)
        lengths = np.full(B, -1, np.intp)
        for k in np.unique(labels).tolist():
            places = np.flatnonzero(labels == k)
            part = copy.copy(uniforms)
            part.states = uniforms.states[places]
            texts[places], lengths[places] = self._members[k].run(part, n)
        return texts, lengths


def checked_controls(vocabulary: Vocabulary, options: GivenControls) -> CheckedControls:
    """Return the controls of samples that must match; controls that would make the samples inexact are refused."""
    controls = CheckedControls.check(vocabulary, options)
    for name in REFUSED_CONTROLS:
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
    owner: Any,
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    request: SampleRequest,
    controls: CheckedControls,
    *,
    any_length: bool = True,
) -> Trials:
    """Return the sampler of texts that match the request's pattern; it is kept with its owner, the model.

    Unless texts may have `any_length`, a pattern whose matches are all longer than requested is refused.
    """
    bias = controls.bias
    prime = immutable(request.prime)
    pattern = checked_pattern(request.matching, vocabulary)
    key = pattern, prime, controls.numbers["temperature"], None if bias is None else bias.tobytes()

    def make() -> tuple[Trials, int]:
        """Make the sampler: exact for counts of moderate size, otherwise a tree of prefixes."""
        goal = Goal.of(pattern, vocabulary, document_head(prime, vocabulary), bias)
        if not any_length:  # before the prefixes are read
            refuse_longer(request, vocabulary, goal.shortest)
        if goal.start == len(goal.table):
            return Empty(), 0
        state = Context.after(network, encoded_prime(prime, vocabulary)).state
        lookahead = None
        if isinstance(network, HasLookahead):
            lookahead = network.lookahead(goal, state, temperature=controls.numbers["temperature"], bias=bias)
        return PrefixTree(network, goal, state, controls) if lookahead is None else lookahead, goal.shortest

    trials, shortest = cached_per_model(owner, network, key, make)
    if not any_length:
        refuse_longer(request, vocabulary, shortest)
    return trials


def guide_of(owner: Any, network: InferenceNetwork, vocabulary: Vocabulary, pattern: Any, prime: Any) -> Guide:
    """Return the guide of a search for the most probable matches; it is kept with its owner, the model."""
    pattern = checked_pattern(pattern, vocabulary)
    prime = immutable(prime)

    def make() -> Guide:
        goal = Goal.of(pattern, vocabulary, document_head(prime, vocabulary))
        lookahead = None
        if isinstance(network, HasLookahead) and goal.start < len(goal.table):
            state = Context.after(network, encoded_prime(prime, vocabulary)).state
            lookahead = network.lookahead(goal, state, temperature=1.0, bias=None, maximum=True)
        return Guide(goal, lookahead)

    return cached_per_model(owner, network, (pattern, prime, "guide"), make)
