"""Samples: many texts drawn by a model, on several threads, different ones if wanted."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.network import Context, InferenceNetwork, LabelNetworks, State
from ..parameters.checks import MAX_SIZE, checked_int, generator
from ..runtime.threads import inference_threads, run_tasks, split_range
from ..scoring.strings import Strings
from ..scoring.text_scores import surprisal, text_ids
from ..text.documents import warn_caller
from ..text.primes import document_head, encoded_prime
from ..text.vocabulary import Vocabulary
from .controls import CheckedControls, GivenControls, Uniforms, root
from .lengths import text_length
from .limits import LIMITS, SamplingLimits
from .text_sampler import TextSampler, text_sampler

TRIES_PER_SAMPLE = 100  # samples drawn for each wanted one, if some are refused
MIN_TRIES = 16  # samples drawn at a time in that case
STREAM_BLOCK = 64  # maximum symbols of a stream drawn in one call: enough to hide the cost of the call


class SampleRequest(NamedTuple):
    """The requested kind of sample; arguments as for `LanguageModel.sample`, not yet checked."""

    length: Any
    prime: Any
    max_length: Any
    controls: GivenControls
    matching: Any = None


class Samples(Protocol):
    """An endless sequence of samples; sample i depends only on the seed and i."""

    def texts(self, numbers: range) -> list[Any]:
        """Draw the samples with these numbers; the same numbers give the same texts in any call."""


class IdSamples(NamedTuple):
    """A sequence of samples of `length` symbols each, or up to a stop; sample i depends on `bits` and i."""

    network: InferenceNetwork
    context: Context
    length: int
    controls: CheckedControls
    bits: np.random.PCG64
    n_threads: int | None
    limits: SamplingLimits = LIMITS

    def strings(self, numbers: range) -> Strings:
        """Draw the samples with these numbers on several threads, and return their ids."""
        threads = max(1, min(inference_threads(self.n_threads), len(numbers) // self.limits.rows))
        share = max(1, min(self.limits.samples_per_task, self.limits.seen_bytes // self.network.symbols))

        def draw(part: range) -> Strings:
            uniforms = Uniforms(self.bits, part)
            return text_sampler(
                self.network, self.context, self.length, uniforms, self.controls, limits=self.limits
            ).run()

        return draw_parts(numbers, threads * -(-len(numbers) // (threads * share)), draw, threads)


def draw_parts(numbers: range, n_parts: int, draw: Callable[[range], Strings], n_threads: int) -> Strings:
    """Split a range of sample numbers into parts, draw the parts on several threads, and join them in order."""
    parts = split_range(len(numbers), n_parts)
    drawn = dict[int, Strings]()
    if len(parts) == 1:
        return draw(numbers)

    def draw_part(i: int) -> None:
        drawn[i] = draw(numbers[parts[i].start : parts[i].stop])

    run_tasks(range(len(parts)), draw_part, n_threads)
    return Strings.concatenate(drawn[i] for i in range(len(parts)))


class TextSamples(NamedTuple):
    """The samples of a network as texts, each with the beginning of its document."""

    run: IdSamples
    vocabulary: Vocabulary
    head: Any

    @classmethod
    def of(
        cls,
        network: InferenceNetwork,
        vocabulary: Vocabulary,
        request: SampleRequest,
        random_state: Any,
        n_threads: int | None,
        start: State = None,
        limits: SamplingLimits = LIMITS,
    ) -> TextSamples:
        """Return the requested samples, whose documents begin with a state: the network's, if None."""
        controls = CheckedControls.check(vocabulary, request.controls)
        ids = encoded_prime(request.prime, vocabulary)
        head = document_head(request.prime, vocabulary)
        length = text_length(vocabulary, request.length, request.max_length, len(head))
        bits = root(random_state)
        context = Context.after(network, ids, start)
        return cls(IdSamples(network, context, length, controls, bits, n_threads, limits), vocabulary, head)

    def texts(self, numbers: range) -> list[Any]:
        """Draw the samples with these numbers."""
        return [self.head + text for text in self.run.strings(numbers).decode(self.vocabulary)]


class MixedSamples:
    """Samples with labels drawn by weight; each is the next one in its label's own sequence.

    `samples_of_label` takes a label's number and a seed, and returns the label's sequence: for label 0 at once, so that
    what it refuses is refused before labels are drawn.
    """

    def __init__(self, log_weights: Array, samples_of_label: Callable[[int, int], Samples], seed: int) -> None:
        weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        self._bounds = np.cumsum(weights) / weights.sum()
        self._seed = seed
        self._samples_of_label = samples_of_label
        self._sequences = {0: samples_of_label(0, seed + 1)}

    def texts(self, numbers: range) -> list[Any]:
        """Draw a label for each of the samples with these numbers, and the sample with it."""
        u = np.random.default_rng(self._seed).random(numbers.stop)
        labels = np.minimum(np.searchsorted(self._bounds, u, side="right"), len(self._bounds) - 1)
        texts: list[Any] = [None] * len(numbers)
        for k in np.unique(labels[numbers.start :]).tolist():
            places = np.flatnonzero(labels == k)
            before = int(np.searchsorted(places, numbers.start))
            if k not in self._sequences:
                self._sequences[k] = self._samples_of_label(k, self._seed + k + 1)
            new = self._sequences[k].texts(range(before, len(places)))
            for place, text in zip(places[before:], new, strict=True):
                texts[int(place) - numbers.start] = text
        return texts


def labeled_samples(
    networks: LabelNetworks, vocabulary: Vocabulary, request: SampleRequest, random_state: Any, n_threads: int | None
) -> MixedSamples:
    """Return samples with labels drawn by their probability after the prime."""
    symbols = vocabulary.with_labels(())

    def samples_of_label(k: int, seed: int) -> TextSamples:
        return TextSamples.of(networks.networks[k], symbols, request, seed, n_threads, networks.starts[k])

    log_weights = log_label_weights(networks, symbols, request.prime)
    return MixedSamples(log_weights, samples_of_label, int(generator(random_state).integers(2**62)))


def log_label_weights(networks: LabelNetworks, vocabulary: Vocabulary, prime: Any) -> Array:
    """Return log P of the labels after a prime, up to a constant."""
    if not len(prime):
        return networks.log_prior
    ids = text_ids(prime, vocabulary, end=False)
    starts = zip(networks.networks, networks.starts, strict=True)
    log_p = [float(surprisal(network, ids, network.copy(start)).sum()) for network, start in starts]
    return networks.log_prior - log_p


def distinct_texts(samples: Samples, n_samples: int, *, unique: bool, exclude: Container[Any]) -> list[Any]:
    """Draw `n_samples` texts outside `exclude` and, if `unique`, distinct: the first of up to 100 times as many."""
    texts: list[Any] = []
    taken = set[Any]()
    drawn = 0
    limit = TRIES_PER_SAMPLE * n_samples
    while len(texts) < n_samples:
        if drawn >= limit:
            raise InvalidInputError(
                f"only {len(texts)} of {n_samples} samples were found among {drawn:,} drawn; the others were "
                f"excluded{' or duplicates' if unique else ''}. Request fewer, or raise the temperature."
            )
        count = min(max(n_samples - len(texts), MIN_TRIES), limit - drawn)
        for text in samples.texts(range(drawn, drawn + count)):
            if text not in exclude and text not in taken and len(texts) < n_samples:
                texts.append(text)
                if unique:
                    taken.add(text)
        drawn += count
    return texts


def symbol_stream(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    length: int | None,
    prime: Any,
    controls: GivenControls,
    random_state: Any,
    limits: SamplingLimits = LIMITS,
) -> Iterator[Any]:
    """Return one sample symbol by symbol; arguments are checked at the call."""
    checked = CheckedControls.check(vocabulary, controls)
    bits = root(random_state)
    context = Context.after(network, encoded_prime(prime, vocabulary))
    sampler = text_sampler(
        network, context, length, Uniforms(bits, range(1)), checked, room=limits.initial_room, limits=limits
    )
    return (vocabulary[int(i)] for block in _blocks(sampler) for i in block)


def _blocks(sampler: TextSampler) -> Iterator[NDArray[np.int32]]:
    """Yield the symbols of one sample in blocks that grow from one symbol, without those that may begin a stop."""
    steps = 1
    while not sampler.finished:
        sampler.advance(steps)
        yield sampler.take()
        steps = min(2 * steps, STREAM_BLOCK)


def warn_of_length(request: SampleRequest, vocabulary: Vocabulary, n_samples: int) -> None:
    """Warn if `length`, of the single document drawn, may have been meant as a number of documents."""
    length = request.length
    if vocabulary.boundary is None or length is None or request.max_length is not None or n_samples > 1:
        return
    if not len(request.prime) and checked_int("length", length, 0, MAX_SIZE) > 1:
        warn_caller(
            f"sample({length}) of a model of documents draws one document of at most {length} characters. For {length} "
            f"documents, pass n_samples={length}; for one document of this length, max_length={length}."
        )
