"""The log-probabilities of many strings, independent of each other, and of their next symbols."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import has_items
from ...runtime.threads import inference_threads, run_tasks
from ...text.sources.input_checks import Errors, checked_errors
from ...text.sources.lines import Lines
from ...text.symbols.codes import Text
from ...text.symbols.vocabulary import Vocabulary
from ..network.protocol import InferenceNetwork, State, rows_of_call
from ..network.scratch import ScratchPool
from ..strings import MIN_ROWS, ROWS, Strings, TextBlock, errors_of, text_blocks
from .string_states import final_states

Reduce = Literal["sum", "mean", "min", "scaled"]  # how to combine the log-probabilities of a string's symbols
REDUCTIONS = get_args(Reduce)
POWERS = {"mean": 1.0, "scaled": 0.75}  # a sum is divided by this power of the length

RECENT_TEXTS = 1 << 16  # maximum remembered texts of a generation, and
RECENT_SYMBOLS = 1 << 22  # their symbols; one block may exceed both

Scores = NDArray[np.float64]


class RecentScores:
    """Scores by text, forgetting texts not looked up recently.

    There are two generations. A text is looked up in both, and moves to the younger one. When that is full it becomes
    the older one, and the older one is dropped. So frequent texts stay, and memory is bounded.
    """

    def __init__(self) -> None:
        self._younger: dict[Any, float] = {}
        self._older: dict[Any, float] = {}
        self._symbols = 0  # of the younger texts

    def look_up(self, texts: list[Any], score: Callable[[list[Any]], Scores]) -> Scores:
        """Return the score of each text, NaN for None; `score` is called for new texts, each once."""
        younger, older = self._younger, self._older
        in_order: Scores | None = None
        absent = [text for text in dict.fromkeys(texts) if text not in younger]
        if absent:
            new = [text for text in absent if text not in older and text is not None]
            scores = score(new) if new else np.empty(0)
            if len(new) < len(absent):
                younger.update((text, older.get(text, math.nan)) for text in absent)
            younger.update(zip(new, scores.tolist(), strict=True))
            if len(new) == len(texts):  # all are new and different, so that their order is the same
                in_order = scores
        if in_order is None:
            in_order = np.fromiter(map(younger.__getitem__, texts), np.float64, len(texts))
        self._symbols += sum(len(text) for text in absent if text is not None)
        if len(younger) >= RECENT_TEXTS or self._symbols >= RECENT_SYMBOLS:
            self._younger, self._older, self._symbols = {}, younger, 0
        return in_order


def checked_reduce(reduce: Any) -> Reduce:
    """Return `reduce` if it is a known way to score a string.

    Examples
    --------
    >>> checked_reduce("char")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: reduce must be 'sum', 'mean', 'min' or 'scaled', not 'char'
    """
    if not isinstance(reduce, str) or reduce not in REDUCTIONS:
        raise InvalidInputError(f"reduce must be 'sum', 'mean', 'min' or 'scaled', not {short_repr(reduce)}")
    return reduce  # type: ignore[return-value]


def log_likelihoods(
    network: InferenceNetwork, strings: Strings, start: State, n_threads: int | None, *, reduce: Reduce = "sum"
) -> NDArray[np.float64]:
    """Return log P of each string in nats, combined according to `reduce`, independent of the other strings."""
    log_p = _log_likelihoods(network, strings, start, n_threads, least=reduce == "min")
    return divided(log_p, strings.lengths, reduce)


def divided(sums: Scores, lengths: NDArray[np.intp], reduce: Reduce) -> Scores:
    """Return the scores of strings from their sums: some reductions divide by a power of the length."""
    return np.asarray(sums / np.maximum(lengths, 1) ** POWERS[reduce]) if reduce in POWERS else sums


def _log_likelihoods(
    network: InferenceNetwork, strings: Strings, start: State, n_threads: int | None, *, least: bool
) -> NDArray[np.float64]:
    if len(strings.lengths) == 1:
        return network.string_log_likelihoods(strings.ids, strings.starts, strings.lengths, start, least=least)
    n_threads = inference_threads(n_threads) if len(strings.lengths) > MIN_ROWS else 1
    out, starts, lengths, pool = np.empty(len(strings.lengths)), strings.starts, strings.lengths, ScratchPool()

    def read(group: NDArray[np.intp]) -> None:
        with pool.scratch() as scratch:
            of_group = (starts[group], lengths[group])
            out[group] = network.string_log_likelihoods(strings.ids, *of_group, start, scratch, least=least)

    run_tasks(strings.groups(n_threads, network.rows_at_a_time(ROWS)), read, n_threads)
    return out


def score_texts(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    texts: Iterable[Text],
    n_threads: int | None,
    *,
    reduce: Reduce,
    errors: Errors,
) -> NDArray[np.float64]:
    """Return the scores of all texts, (n,); see `LanguageModel.score_samples`."""
    if not isinstance(texts, Lines):
        batches = score_batches(network, vocabulary, [texts], n_threads, reduce=reduce, errors=errors)
        return _joined_scores(batches)
    errors = errors_of(texts, errors)
    scores = array("d")  # it grows in place, while joining the scores of batches would hold all of them twice
    for batch in score_batches(network, vocabulary, texts.batches(), n_threads, reduce=reduce, errors=errors):
        scores.frombytes(batch.tobytes())
    return np.asarray(scores)


def score_batches(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    batches: Iterable[Iterable[Text]],
    n_threads: int | None,
    *,
    reduce: Reduce,
    errors: Errors,
) -> Iterator[NDArray[np.float64]]:
    """Return an iterator over the scores of each batch of texts; options are checked at the call."""
    options: Any = {"reduce": checked_reduce(reduce), "errors": checked_errors(errors)}
    if isinstance(batches, str | bytes | bytearray | memoryview) or not has_items(batches):
        raise InvalidInputError(f"batches must be an iterable of lists of texts, not {type(batches).__name__}")
    return _score_batches(network, vocabulary, batches, n_threads, **options)


def _score_batches(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    batches: Iterable[Iterable[Text]],
    n_threads: int | None,
    *,
    reduce: Reduce,
    errors: Errors,
) -> Iterator[NDArray[np.float64]]:
    start, recent, first = network.start(), RecentScores(), 0
    for batch in batches:
        blocks = text_blocks(batch, vocabulary, name="texts", first=first, errors=errors)
        scored = score_blocks(network, start, vocabulary, blocks, n_threads, recent, reduce=reduce, errors=errors)
        scores = _joined_scores(scored)
        first += len(scores)
        yield scores


def is_single(texts: Any) -> bool:
    """Return whether there is a single string, which a network for one stream scores faster."""
    return type(texts) is list and len(texts) == 1


def _joined_scores(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    scores = list(parts)
    return scores[0] if len(scores) == 1 else np.concatenate([np.empty(0), *scores])


def score_blocks(
    network: InferenceNetwork,
    start: State,
    vocabulary: Vocabulary,
    blocks: Iterable[TextBlock],
    n_threads: int | None,
    recent: RecentScores,
    *,
    reduce: Reduce = "sum",
    errors: Errors = "strict",
) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of each block of texts, taking scores of `recent` texts from memory."""
    for block in blocks:

        def score(texts: list[Any], block: TextBlock = block) -> NDArray[np.float64]:
            if errors == "strict":
                strings = Strings.encode(block, vocabulary, name="texts", ended=True, texts=texts)
                return log_likelihoods(network, strings, start, n_threads, reduce=reduce)
            strings, lacking = Strings.encode_any(texts, vocabulary)
            scores = log_likelihoods(network, strings, start, n_threads, reduce=reduce)
            scores[lacking] = math.nan if errors == "skip" else -math.inf
            return scores

        yield recent.look_up(block.texts, score)


def next_probabilities(
    network: InferenceNetwork, vocabulary: Vocabulary, prefixes: Iterable[Text], n_threads: int | None
) -> NDArray[np.float64]:
    """Return the probabilities of the next symbol after each prefix, (n, V), with the same bits in any company."""
    start, probabilities, n_threads = network.start(), [], inference_threads(n_threads)
    for block in text_blocks(prefixes, vocabulary, name="prefixes"):
        strings = Strings.encode(block, vocabulary, name="prefixes", ended=False)
        p = np.empty((len(strings.lengths), len(vocabulary)))

        def read(group: NDArray[np.intp], strings: Strings = strings, p: NDArray[np.float64] = p) -> None:
            for rows, state in final_states(network, strings, group, start):
                p[rows] = network.probabilities_after(state)

        run_tasks(strings.groups(n_threads, network.rows_at_a_time(ROWS)), read, n_threads)
        probabilities.append(p)
    return _stacked(probabilities, len(vocabulary))


def _stacked(parts: list[NDArray[np.float64]], V: int) -> NDArray[np.float64]:
    """Return rows (n, V) of several arrays in one, copied so that Ctrl-C gets through."""
    if len(parts) == 1:
        return parts[0]
    out, first, step = np.empty((sum(map(len, parts)), V)), 0, rows_of_call(V)
    for part in parts:
        for i in range(0, len(part), step):
            rows = part[i : i + step]
            out[first : first + len(rows)] = rows
            first += len(rows)
    return out
