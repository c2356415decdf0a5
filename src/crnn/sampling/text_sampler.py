"""Sampling: texts drawn in parallel, symbol by symbol, from any network."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import DrawnTexts
from .._kernels.ngram.words import WeightedRows
from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.mixed_network import MixedNetwork, RowFiller
from ..inference.network import Context, InferenceNetwork, LabelNetworks, State, stream_blocks
from ..inference.packed_network import PackedNetwork
from ..parameters.checks import MAX_SIZE, checked_int, generator, has_items
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads, run_tasks, split_range
from ..scoring.strings import Strings
from ..scoring.text_scores import surprisal, text_ids
from ..text.documents import python_values, warn_caller
from ..text.text_files import Lines
from ..text.vocabulary import Vocabulary, immutable
from .controls import SamplingControls, SamplingOptions, Stops, Uniforms, root

# ---------------------------------------------------------------- text sampler

ROWS = 64  # texts drawn in parallel: enough for the register tile, and their states stay in the cache
INITIAL_ROOM = 64  # symbols of initial memory for a text that may stop
CALL_SYMBOLS = 1 << 15  # maximum symbols drawn in one call
CALL_WEIGHTS = 1 << 29  # maximum weights multiplied in one call: a tenth of a second, so that Ctrl-C gets through
# The cost of a draw, in multiplications per symbol: with the temperature alone, and with any other control.
DRAWN_WEIGHTS = 32
FILTERED_WEIGHTS = 256
PYTHON_STEPS = 64  # symbols of each text drawn in Python between two checks by a caller


class TextSampler:
    """Draws one text from each stream of random numbers, all from the same context: see `text_sampler`.

    `lengths` counts the symbols of each text so far, without a stop that it has met. A text that meets no stop has n
    symbols; None: no limit. Memory is allocated for `room` symbols at first: n, or few if a stop may end a text.
    """

    def __init__(self, draws: SymbolDraws, n: int | None, stops: Stops, room: int | None = None) -> None:
        self._draws = draws
        self._stops = stops
        self._n = sys.maxsize if n is None else n
        self.lengths = np.zeros(draws.count, np.intp)
        self._symbols = np.empty((draws.count, min(self._n, room or (INITIAL_ROOM if stops else self._n))), np.int32)

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._n == 0 or self._draws.finished

    def run(self) -> Strings:
        """Draw until every text is complete, and return all texts."""
        while not self.finished:
            self._make_room()
            self._draws.advance(self._symbols, self.lengths, self._n, self._n)
        if not self._stops:  # all have the same length
            return Strings(self._symbols.ravel(), self.lengths)
        return Strings(self._symbols[np.arange(self._symbols.shape[1]) < self.lengths[:, None]], self.lengths)

    def advance(self, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        self._make_room()
        self._draws.advance(self._symbols, self.lengths, self._n, steps)

    def _make_room(self) -> None:
        """Enlarge the array of the drawn symbols if the longest text fills it; first, let Ctrl-C get through."""
        check_canceled()
        width = self._symbols.shape[1]
        if width < self._n and self.lengths.max() == width:
            more = np.empty((len(self.lengths), min(width, self._n - width)), np.int32)
            self._symbols = np.concatenate([self._symbols, more], axis=1)

    def take(self) -> NDArray[np.int32]:
        """Return the new symbols of the only text that cannot belong to a stop, and forget them."""
        length = int(self.lengths[0])
        text = self._symbols[0, :length]
        certain = length if self.finished else length - self._stops.begun_length(text)
        taken = text[:certain].copy()
        self._symbols[0, : length - certain] = text[certain:].copy()
        self.lengths[0] -= certain
        self._n -= certain
        self._draws.forget(taken)
        return taken

    def ended_by(self, symbol: int) -> NDArray[np.bool_]:
        """Return which of the complete texts met `symbol` as their stop."""
        met = self.lengths < self._n
        stop = self._symbols[met, self.lengths[met]]  # the stop is left after the text
        met[met] = stop == symbol
        return met


class _CompiledDraws:
    """Draws of `count` texts whose batch is in a kernel, from rows of logits if there are any."""

    count: int
    _batch: core.Batch
    _rows: core.MixedRows | None

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._batch.begun == self.count and not self._batch.active

    def forget(self, ids: NDArray[np.int32]) -> None:
        """Keep the last of these symbols, which the caller removes from the only text, for the next row."""
        if self._rows is not None and len(ids):
            self._rows.before[:] = np.concatenate([self._rows.before, ids])[len(ids) :]


class NetworkDraws(_CompiledDraws):
    """Compiled draws from a recurrent network, optionally mixed with another model's logits."""

    def __init__(
        self,
        network: PackedNetwork,
        context: Context,
        uniforms: Uniforms,
        controls: SamplingControls,
        mixture: core.MixedRows | None = None,
    ) -> None:
        self.count = len(uniforms.states)
        V = network.layout.vocab_size
        draw_weights = _draw_cost(V, controls)
        rows = max(1, min(self.count, network.rows_at_a_time(ROWS), CALL_WEIGHTS // draw_weights))
        self._rows = mixture
        self._batch = core.Batch(np.empty(rows, np.intp))
        self._max_steps = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // (network.layout.size + draw_weights)) // rows)
        self._session = core.Session(network.kernel_arguments, 1, rows)
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(
            batch=self._batch,
            random_states=uniforms.states,
            increment=uniforms.increment,
            stops=stops,
            stop_ends=stop_ends,
            start=network.padded_state(context.state),
            start_logits=network.logits(context.state[0][-1])[0],
        )
        self._controls = _kernel_controls(controls, V, network.layout.dtype, self.count, context)
        self._shared = network.shared_stream(self.count)

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text symbols[i, :lengths[i]], fewer if one has no room left."""
        steps = self._shared.symbols_of_call(min(steps, self._max_steps))
        with self._shared.threads(min(steps, max_length)) as shared:
            core.sample_texts(
                self._session,
                self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length),
                self._controls,
                steps,
                self._rows,
                shared,
            )


class RowDraws(_CompiledDraws):
    """Compiled draws from a model that gives a row of logits for the last symbols, such as counts."""

    _rows: core.MixedRows

    def __init__(
        self, rows: core.MixedRows, symbols: int, context: Context, uniforms: Uniforms, controls: SamplingControls
    ) -> None:
        self.count = len(uniforms.states)
        self._rows = rows
        V = core.packed_size(1, symbols, 8)
        self._controls = _kernel_controls(controls, V, np.dtype(np.float64), self.count, context)
        self._batch = core.Batch(np.empty(1, np.intp))
        self._max_symbols = max(1, min(CALL_SYMBOLS, CALL_WEIGHTS // (2 * _draw_cost(V, controls))))
        stops, stop_ends = controls.stops.packed()
        self._drawn = DrawnTexts(self._batch, uniforms.states, uniforms.increment, stops, stop_ends)
        self._y = np.empty(V)
        self._sums = np.empty(core.sums_size(V))

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of the next incomplete texts."""
        drawn = self._drawn._replace(symbols=symbols, lengths=lengths, max_length=max_length)
        core.draw_from_rows(self._rows, drawn, self._controls, min(steps, self._max_symbols), self._y, self._sums)


class PythonDraws:
    """Draws from any network, symbol by symbol; networks with equal logits draw the same texts as compiled draws."""

    def __init__(
        self, network: InferenceNetwork, context: Context, uniforms: Uniforms, controls: SamplingControls
    ) -> None:
        self.count = len(uniforms.states)
        self._network = network
        self._uniforms = uniforms
        self._controls = controls
        self._active = np.arange(self.count)  # the incomplete texts, and their states
        self._states = network.repeat(context.state, self.count)
        self._seen = np.repeat(context.seen[None].astype(np.uint8), self.count, axis=0)
        stops, ends = controls.stops.packed()
        self._stops = np.split(stops, ends[:-1]) if len(ends) else []

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return not len(self._active)

    def advance(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        for _ in range(min(steps, PYTHON_STEPS)):
            if self.finished or lengths[self._active[0]] == symbols.shape[1]:
                return
            self._advance_one(symbols, lengths, max_length)

    def _advance_one(self, symbols: NDArray[np.int32], lengths: NDArray[np.intp], max_length: int) -> None:
        """Draw a symbol for each incomplete text, and read it."""
        active = self._active
        t = int(lengths[active[0]])  # all have the same length
        states = self._uniforms.states[active]
        u = np.empty((1, len(active)))
        drawn = np.empty(len(active), np.int32)
        core.uniforms(states, self._uniforms.increment, u)
        self._uniforms.states[active] = states
        for part, state in stream_blocks(self._network, self._states, len(active)):
            y = self._network.logits_after(state)[:, : self._network.symbols]
            sums = np.cumsum(self._probabilities(y, active[part]), axis=1)
            # u is at most 1 - 2**-53, so even rounded the product is below the last sum.
            drawn[part] = (sums <= (u[0, part] * sums[:, -1])[:, None]).sum(axis=1)
        symbols[active, t] = drawn
        self._seen[active, drawn] = 1
        lengths[active] = t + 1
        going = np.ones(len(active), np.bool_)
        for stop in self._stops:  # longer ones first
            first = t + 1 - len(stop)
            if first >= 0:
                met = going & (symbols[active, first : t + 1] == stop).all(axis=1)
                lengths[active[met]] = first
                going &= ~met
        going &= t + 1 < max_length
        self._active = active[going]
        if len(self._active):
            if not going.all():
                self._states = self._network.select(self._states, np.flatnonzero(going))
            self._network.feed(drawn[going][None], self._states)

    def _probabilities(self, logits: NDArray[Any], texts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Apply the controls to the logits (B, V) of texts and return probabilities, not normalized."""
        controls = self._controls
        seen = np.ascontiguousarray(self._seen[texts]) if controls.penalizes_repetition else None
        order = np.empty(logits.shape[1], np.int32)
        y = np.array(logits, np.float64, order="C")
        filters = core.Controls(controls.numbers, bias=controls.bias, seen=seen, order=order)
        core.filter_logits(y, filters)
        return y

    def forget(self, ids: NDArray[np.int32]) -> None:
        """The network's states are all that matters."""


SymbolDraws = NetworkDraws | RowDraws | PythonDraws


def text_sampler(
    network: InferenceNetwork,
    context: Context,
    n: int | None,
    uniforms: Uniforms,
    controls: SamplingControls,
    room: int | None = None,
) -> TextSampler:
    """Return a network's sampler, whose texts start from `context` and take a uniform number for each symbol."""
    return TextSampler(symbol_draws(network, context, uniforms, controls), n, controls.stops, room)


def symbol_draws(
    network: InferenceNetwork, context: Context, uniforms: Uniforms, controls: SamplingControls
) -> SymbolDraws:
    """Return the draws of a network, compiled for a recurrent network, counts or one of each; otherwise in Python."""
    if isinstance(network, PackedNetwork):
        return NetworkDraws(network, context, uniforms, controls)
    members: Sequence[InferenceNetwork] = [network]
    weights = np.ones((1, 1))
    letters = np.zeros(network.symbols + 1, np.uint8)
    states: Any = [context.state, np.empty((1, 0))]
    if isinstance(network, MixedNetwork):
        members = network.members
        weights = network.weights
        letters = network.letters
        states = context.state
    packed = [k for k, member in enumerate(members) if isinstance(member, PackedNetwork)]
    fillers = [k for k, member in enumerate(members) if isinstance(member, RowFiller)]
    if len(packed) + len(fillers) != len(members) or len(packed) > 1 or not fillers:
        return PythonDraws(network, context, uniforms, controls)
    sources = []
    contexts = []
    for k in fillers:
        filler = members[k]
        assert isinstance(filler, RowFiller)
        source, before = filler.row_source(states[k])
        sources.append(source)
        contexts.append(before)
    before = max(*contexts, states[-1][0].copy(), key=len)
    source = sources[0]
    of_both = weights[:, [*packed, *fillers]] if packed else weights * [0, 1]
    if len(fillers) > 1:
        lengths = np.array([len(of_source) for of_source in contexts], np.intp)
        of_fillers = np.ascontiguousarray(weights[:, fillers])
        source = WeightedRows(sources, lengths, of_fillers, letters[:-1]).row_source()
        of_network = weights[:, packed] if packed else np.zeros((len(weights), 1))
        of_both = np.hstack([of_network, np.ones((len(weights), 1))])
    rows = core.MixedRows(np.ascontiguousarray(of_both), letters[:-1], source, before)
    if not packed:
        return RowDraws(rows, network.symbols, context, uniforms, controls)
    (k,) = packed
    lead = members[k]
    assert isinstance(lead, PackedNetwork)
    return NetworkDraws(lead, Context(states[k], context.seen), uniforms, controls, rows)


def _draw_cost(V: int, controls: SamplingControls) -> int:
    """Return the cost of one draw, in multiplications, to decide how many symbols one call draws."""
    return V * (DRAWN_WEIGHTS if controls.only_temperature else FILTERED_WEIGHTS)


def _kernel_controls(
    controls: SamplingControls, V: int, dtype: np.dtype[Any], count: int, context: Context
) -> core.Controls:
    """Return the controls in the form for the kernel, with its scratch memory, for texts of V symbols with padding."""
    if controls.only_temperature:  # the kernel is faster without scratch memory
        return core.Controls(controls.numbers)
    bias = seen = None
    if controls.bias is not None:  # 0 for padding
        bias = np.zeros(V, dtype)
        bias[: len(controls.bias)] = controls.bias
    if controls.penalizes_repetition:
        seen = np.zeros((count, V), np.uint8)
        seen[:, : len(context.seen)] = context.seen
    return core.Controls(controls.numbers, bias=bias, seen=seen, order=np.empty(V, np.int32))


# ---------------------------------------------------------------- samples

DEFAULT_LENGTH = 200  # default symbols of a sample
DEFAULT_MAX_LENGTH = 1000  # default maximum symbols of a document
NO_IDS = np.zeros(0, np.int32)
TRIES_PER_SAMPLE = 100  # samples drawn for each wanted one, if some are refused
MIN_TRIES = 16  # samples drawn at a time in that case
MAX_SAMPLES_PER_TASK = 1024  # samples that a thread draws at a time
MAX_SEEN_BYTES = 1 << 26  # of the flags for the symbols that each of a task's samples has, for a repetition penalty
STREAM_BLOCK = 64  # maximum symbols of a stream drawn in one call: enough to hide the cost of the call


class TextRequest(NamedTuple):
    """The requested kind of sample; arguments as for `LanguageModel.sample`, not yet checked."""

    length: Any
    prime: Any
    max_length: Any
    controls: SamplingOptions
    matching: Any = None


class Samples(Protocol):
    """An endless sequence of samples; sample i depends only on the seed and i."""

    def texts(self, numbers: range) -> list[Any]:
        """Draw the samples with these numbers; the same numbers give the same texts in any call."""


class SampleRun(NamedTuple):
    """A sequence of samples of `length` symbols each, or up to a stop; sample i depends on `bits` and i."""

    network: InferenceNetwork
    context: Context
    length: int
    controls: SamplingControls
    bits: np.random.PCG64
    n_threads: int | None

    def strings(self, numbers: range) -> Strings:
        """Draw the samples with these numbers on several threads, and return their ids."""
        threads = max(1, min(inference_threads(self.n_threads), len(numbers) // ROWS))
        share = max(1, min(MAX_SAMPLES_PER_TASK, MAX_SEEN_BYTES // self.network.symbols))

        def draw(part: range) -> Strings:
            return text_sampler(self.network, self.context, self.length, Uniforms(self.bits, part), self.controls).run()

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

    run: SampleRun
    vocabulary: Vocabulary
    head: Any

    @classmethod
    def of(
        cls,
        network: InferenceNetwork,
        vocabulary: Vocabulary,
        request: TextRequest,
        random_state: Any,
        n_threads: int | None,
        start: State = None,
    ) -> TextSamples:
        """Return the requested samples, whose documents begin with a state: the network's, if None."""
        controls = SamplingControls.check(vocabulary, request.controls)
        ids = encoded_prime(request.prime, vocabulary)
        head = document_head(request.prime, vocabulary)
        length = text_length(vocabulary, request.length, request.max_length, len(head))
        bits = root(random_state)
        context = Context.after(network, ids, start)
        return cls(SampleRun(network, context, length, controls, bits, n_threads), vocabulary, head)

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
    networks: LabelNetworks, vocabulary: Vocabulary, request: TextRequest, random_state: Any, n_threads: int | None
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
    controls: SamplingOptions,
    random_state: Any,
) -> Iterator[Any]:
    """Return one sample symbol by symbol; arguments are checked at the call."""
    checked = SamplingControls.check(vocabulary, controls)
    bits = root(random_state)
    context = Context.after(network, encoded_prime(prime, vocabulary))
    sampler = text_sampler(network, context, length, Uniforms(bits, range(1)), checked, room=INITIAL_ROOM)
    return (vocabulary[int(i)] for block in _blocks(sampler) for i in block)


def _blocks(sampler: TextSampler) -> Iterator[NDArray[np.int32]]:
    """Yield the symbols of one sample in blocks that grow from one symbol, without those that may begin a stop."""
    steps = 1
    while not sampler.finished:
        sampler.advance(steps)
        yield sampler.take()
        steps = min(2 * steps, STREAM_BLOCK)


def check_prime(prime: Any, vocabulary: Vocabulary, *, name: str = "prime") -> None:
    """Raise an error unless this is a text of the model's kind; the default "" serves a model of bytes too."""
    if not isinstance(prime, str | bytes) or prime:
        vocabulary.check_kind(prime, name)


def encoded_prime(prime: Any, vocabulary: Vocabulary, *, name: str = "prime") -> NDArray[Any]:
    """Return the ids that a network reads before it predicts; for a document they start with the boundary."""
    check_prime(prime, vocabulary, name=name)
    ids: NDArray[Any] = vocabulary.encode(prime, name=name) if len(prime) else NO_IDS
    return ids if vocabulary.boundary is None else np.append(np.int32(vocabulary.boundary), ids)


def warn_of_length(request: TextRequest, vocabulary: Vocabulary, n_samples: int) -> None:
    """Warn if `length`, of the single document drawn, may have been meant as a number of documents."""
    length = request.length
    if vocabulary.boundary is None or length is None or request.max_length is not None or n_samples > 1:
        return
    if not len(request.prime) and checked_int("length", length, 0, MAX_SIZE) > 1:
        warn_caller(
            f"sample({length}) of a model of documents draws one document of at most {length} characters. For {length} "
            f"documents, pass n_samples={length}; for one document of this length, max_length={length}."
        )


def document_head(prime: str | bytes, vocabulary: Vocabulary) -> Any:
    """Return the beginning of a sample: the prime for a document, otherwise nothing."""
    if vocabulary.boundary is None or not len(prime):
        return "" if vocabulary.kind == "characters" else b""
    return immutable(prime)  # unchanged: its ids may include the unknown symbol


def text_length(vocabulary: Vocabulary, length: Any, max_length: Any, head: int) -> int:
    """Return the maximum number of symbols to draw after `head` symbols of a document."""
    if vocabulary.boundary is None and max_length is not None:
        raise InvalidInputError(
            "max_length needs a model of documents, but this one was fitted on one text. Pass length."
        )
    limit = checked_int("max_length", max_length, 0, MAX_SIZE) if max_length is not None else DEFAULT_MAX_LENGTH
    if length is not None:
        wanted = checked_int("length", length, 0, MAX_SIZE)
        return wanted if max_length is None else min(wanted, max(0, limit - head))
    return DEFAULT_LENGTH if vocabulary.boundary is None else max(0, limit - head)


def match_length(vocabulary: Vocabulary, max_length: Any, prime: Any) -> int | None:
    """Return the maximum number of symbols of a match after the prime, or None for documents of any length."""
    if max_length is None:
        return DEFAULT_LENGTH if vocabulary.boundary is None else None
    limit = checked_int("max_length", max_length, 0, MAX_SIZE)
    return max(0, limit - len(document_head(prime, vocabulary)))


class HashedTexts:
    """Python's hashes of lines, 8 bytes each: a new text is mistaken for one of n lines with probability n / 2⁶⁴."""

    def __init__(self, lines: Lines) -> None:
        hashes = array("q")
        for batch in lines.batches():
            hashes.extend(map(hash, batch))
        self._hashes = np.frombuffer(hashes, np.int64)
        self._hashes.sort()

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, text: object) -> bool:
        i = int(np.searchsorted(self._hashes, hash(text)))
        return i < len(self._hashes) and bool(self._hashes[i] == hash(text))


def excluded_texts(texts: Any, vocabulary: Vocabulary) -> frozenset[Any] | HashedTexts:
    """Return texts never to draw, after checking that they are of the model's kind."""
    if isinstance(texts, Lines):
        vocabulary.check_kind("" if texts.kind == "characters" else b"", "exclude")
        return HashedTexts(texts)
    if isinstance(texts, str | bytes) or not has_items(texts):
        raise InvalidInputError(f"exclude is of type {type(texts).__name__}. Pass a list or set of texts.")
    excluded = set()
    for i, text in enumerate(python_values(texts)):
        vocabulary.check_kind(text, f"exclude[{i}]")
        excluded.add(immutable(text))
    return frozenset(excluded)
