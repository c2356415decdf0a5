"""Text drawing: the arguments of `LanguageModel.sample` and `stream`, checked, and the texts drawn with them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...parameters.checks import MAX_SIZE, checked_int, has_items
from ...runtime.threads import inference_threads, run_tasks, split_range
from ...text.sources.input_checks import python_values, warn_caller
from ...text.sources.lines import Lines
from ...text.symbols.codes import immutable
from ...text.symbols.vocabulary import Vocabulary
from ..network.context import Context
from ..network.protocol import InferenceNetwork
from ..strings import Strings
from .sampling_controls import SamplingControls, SamplingOptions
from .text_sampler import ROOM, ROWS, TextSampler, text_sampler
from .uniforms import Uniforms, root

Draw = Callable[[range], list[Any]]  # returns the samples with these numbers

LENGTH = 200  # default symbols of a sample
MAX_LENGTH = 1000  # default maximum symbols of a document
NO_IDS = np.zeros(0, np.int32)
TRIES = 100  # samples drawn for each wanted one, if some are refused
MIN_TRIES = 16  # samples drawn at a time in that case
SHARE = 1024  # maximum samples that a thread draws as one task
SHARE_BYTES = 1 << 26  # of the symbols seen by each of them, for a repetition penalty
STREAM_BLOCK = 64  # maximum symbols of a stream drawn in one call: enough to hide the cost of the call

T = TypeVar("T")


class TextRequest(NamedTuple):
    """The requested kind of sample; arguments as for `LanguageModel.sample`, not yet checked."""

    n: Any
    prime: Any
    max_length: Any
    controls: SamplingOptions
    matching: Any = None


def drawer(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    request: TextRequest,
    random_state: Any,
    n_threads: int | None,
) -> Draw:
    """Return a function that draws samples by their numbers; sample i depends only on `random_state` and i."""
    controls = SamplingControls.check(vocabulary, request.controls)
    ids, head = encoded_prime(request.prime, vocabulary), document_head(request.prime, vocabulary)
    length = text_length(vocabulary, request.n, request.max_length, len(head))
    bits, context = root(random_state), Context.after(network, ids)

    def texts(drawn: Strings) -> list[Any]:
        return [head + text for text in drawn.decode(vocabulary)]

    return partial(sample, network, context, length, controls=controls, bits=bits, n_threads=n_threads, then=texts)


def sample(
    network: InferenceNetwork,
    context: Context,
    n: int,
    samples: range,
    *,
    controls: SamplingControls,
    bits: np.random.PCG64,
    n_threads: int | None,
    then: Callable[[Strings], T],
) -> T:
    """Draw the samples with these numbers, of n symbols each or up to a stop; return what `then` makes of them.

    Sample i depends only on `bits` and i.
    """
    threads = max(1, min(inference_threads(n_threads), len(samples) // ROWS))
    share = max(1, min(SHARE, SHARE_BYTES // network.symbols))
    parts = split_range(len(samples), threads * -(-len(samples) // (threads * share)))
    drawn: dict[int, Strings] = {}

    def draw(i: int) -> None:
        part = samples[parts[i].start : parts[i].stop]
        drawn[i] = text_sampler(network, context, n, Uniforms(bits, part), controls).run()

    run_tasks(range(len(parts)), draw, threads)
    ids, lengths = zip(*(drawn[i] for i in range(len(parts))), strict=True)
    return then(Strings(np.concatenate(ids), np.concatenate(lengths)))


def distinct(
    draw: Callable[[range], list[Any]], num_samples: int, *, unique: bool, exclude: Container[Any]
) -> list[Any]:
    """Draw until there are `num_samples` texts outside `exclude` and, if `unique`, all distinct.

    The first samples that qualify are returned; at most `TRIES` are drawn for each.
    """
    texts: list[Any] = []
    taken, drawn, limit = set[Any](), 0, TRIES * num_samples
    while len(texts) < num_samples:
        if drawn >= limit:
            raise InvalidInputError(
                f"only {len(texts)} of {num_samples} samples were found among {drawn:,} drawn; the others were "
                f"excluded{' or duplicates' if unique else ''}. Request fewer, or raise the temperature."
            )
        count = min(max(num_samples - len(texts), MIN_TRIES), limit - drawn)
        for text in draw(range(drawn, drawn + count)):
            if text not in exclude and text not in taken and len(texts) < num_samples:
                texts.append(text)
                if unique:
                    taken.add(text)
        drawn += count
    return texts


def streamed(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    n: int | None,
    prime: Any,
    controls: SamplingOptions,
    random_state: Any,
) -> Iterator[Any]:
    """Return one sample symbol by symbol; arguments are checked at the call."""
    checked, bits = SamplingControls.check(vocabulary, controls), root(random_state)
    context = Context.after(network, encoded_prime(prime, vocabulary))
    sampler = text_sampler(network, context, n, Uniforms(bits, range(1)), checked, room=ROOM)
    return (vocabulary[int(i)] for block in _blocks(sampler) for i in block)


def _blocks(sampler: TextSampler) -> Iterator[NDArray[np.int32]]:
    """Yield the symbols of one sample in blocks that grow from one symbol.

    Symbols that may begin a stop are withheld until later symbols decide.
    """
    steps = 1
    while not sampler.finished:
        sampler.advance(steps)
        yield sampler.take()
        steps = min(2 * steps, STREAM_BLOCK)


def check_prime(prime: Any, vocabulary: Vocabulary) -> None:
    """Raise an error unless this is a text of the model's kind; the default "" serves a model of bytes too.

    Examples
    --------
    >>> check_prime(5, Vocabulary.from_text("ab"))
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: prime must be str or bytes, not int
    """
    if not isinstance(prime, str | bytes) or prime:
        vocabulary.check_kind(prime, "prime")


def encoded_prime(prime: Any, vocabulary: Vocabulary) -> NDArray[Any]:
    """Return the ids that a network reads before it predicts; for a document they start with the boundary.

    Examples
    --------
    >>> encoded_prime("ba", Vocabulary([97, 98, 99], boundary=True)).tolist()
    [3, 1, 0]
    """
    check_prime(prime, vocabulary)
    ids: NDArray[Any] = vocabulary.encode(prime, name="prime") if len(prime) else NO_IDS
    return ids if vocabulary.boundary is None else np.append(np.int32(vocabulary.boundary), ids)


def warn_of_length(request: TextRequest, vocabulary: Vocabulary, num_samples: int) -> None:
    """Warn if `n`, the length of the single document drawn, may have been meant as a number of documents."""
    n = request.n
    if vocabulary.boundary is None or n is None or request.max_length is not None or num_samples > 1:
        return
    if not len(request.prime) and checked_int("n", n, 0, MAX_SIZE) > 1:
        warn_caller(
            f"sample({n}) of a model of documents draws one document of at most {n} characters. For {n} documents, "
            f"pass num_samples={n}; for one document of this length, max_length={n}."
        )


def document_head(prime: str | bytes, vocabulary: Vocabulary) -> Any:
    """Return the beginning of a sample: the prime for a document, otherwise nothing."""
    if vocabulary.boundary is None or not len(prime):
        return "" if vocabulary.kind == "characters" else b""
    return immutable(prime)  # unchanged: its ids may include the unknown symbol


def text_length(vocabulary: Vocabulary, n: Any, max_length: Any, head: int) -> int:
    """Return the maximum number of symbols to draw after `head` symbols of a document."""
    if vocabulary.boundary is None and max_length is not None:
        raise InvalidInputError("max_length needs a model of documents, but this one was fitted on one text. Pass n.")
    limit = checked_int("max_length", max_length, 0, MAX_SIZE) if max_length is not None else MAX_LENGTH
    if n is not None:
        wanted = checked_int("n", n, 0, MAX_SIZE)
        return wanted if max_length is None else min(wanted, max(0, limit - head))
    return LENGTH if vocabulary.boundary is None else max(0, limit - head)


class HashedTexts:
    """The hashes of lines, 8 bytes each.

    A line is always found. A new text is mistaken for one of n lines with probability n / 2⁶⁴: the test compares
    Python's 64-bit hashes, whose key differs in each process.
    """

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
