"""Scores of many strings: read in parallel, one number for each, and remembered for a while."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import InferenceNetwork, State, rows_of_call
from ..inference.scratch import ScratchPool
from ..parameters.checks import has_items
from ..runtime.threads import inference_threads, run_tasks
from ..text.documents import Errors, checked_errors
from ..text.lines import Lines
from ..text.vocabulary import Text, Vocabulary
from .limits import LIMITS, ScoringLimits
from .reductions import MEANS_IN_JOINT, Reduce, Scores, checked_reduce, divide_by_length
from .string_states import final_states
from .strings import Strings, TextBlock, error_handling, text_blocks


class RecentScores:
    """Scores by text, forgetting texts not looked up recently.

    A text is looked up in two generations, and moves to the younger one. When that is full, it replaces the older one.
    """

    def __init__(self, limits: ScoringLimits = LIMITS) -> None:
        self._limits = limits
        self._younger: dict[Any, float] = {}
        self._older: dict[Any, float] = {}
        self._symbols = 0  # of the younger texts

    def look_up(self, texts: list[Any], score: Callable[[list[Any]], Scores]) -> Scores:
        """Return the score of each text, NaN for None; `score` is called for new texts, each once."""
        younger = self._younger
        older = self._older
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
        if len(younger) >= self._limits.recent_texts or self._symbols >= self._limits.recent_symbols:
            self._younger = {}
            self._older = younger
            self._symbols = 0
        return in_order


class TextScorer:
    """How texts are scored, all from one state, by default the network's start; options are checked at once."""

    def __init__(
        self,
        network: InferenceNetwork,
        vocabulary: Vocabulary,
        n_threads: int | None,
        *,
        reduce: Reduce = "sum",
        errors: Errors = "strict",
        start: State = None,
        limits: ScoringLimits = LIMITS,
    ) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._n_threads = n_threads
        self._reduce = checked_reduce(reduce)
        self._errors = checked_errors(errors)
        self._start = network.start() if start is None else start
        self._limits = limits

    def scores(self, texts: Iterable[Text]) -> NDArray[np.float64]:
        """Return the scores of all texts, (n,); see `LanguageModel.score_samples`."""
        if not isinstance(texts, Lines):
            return next(self.batches([texts]))
        self._errors = error_handling(texts, self._errors)
        scores = array("d")  # it grows in place, while joining the scores of batches would hold all of them twice
        for batch in self.batches(texts.batches()):
            scores.frombytes(batch.tobytes())
        return np.asarray(scores)

    def batches(self, batches: Iterable[Iterable[Text]]) -> Iterator[NDArray[np.float64]]:
        """Yield the scores of each batch of texts."""
        recent = RecentScores(self._limits)
        first = 0
        for batch in batches:
            blocks = text_blocks(
                batch, self._vocabulary, name="X", first=first, errors=self._errors, limits=self._limits
            )
            parts = list(self.blocks(blocks, recent))
            scores = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])
            first += len(scores)
            yield scores

    def blocks(self, blocks: Iterable[TextBlock], recent: RecentScores) -> Iterator[NDArray[np.float64]]:
        """Yield the scores of each block of texts, taking scores of `recent` texts from memory."""
        for block in blocks:
            yield recent.look_up(block.texts, partial(self._new_scores, block))

    def _new_scores(self, block: TextBlock, texts: list[Any]) -> NDArray[np.float64]:
        """Return the scores of some texts of a block."""
        lacking = None
        if self._errors == "strict":
            strings = Strings.encode(block, self._vocabulary, name="X", ended=True, texts=texts)
        else:
            strings, lacking = Strings.encode_any(texts, self._vocabulary)
        scores = log_likelihoods(
            self._network, strings, self._start, self._n_threads, reduce=self._reduce, limits=self._limits
        )
        if lacking is not None:
            scores[lacking] = math.nan if self._errors == "skip" else -math.inf
        return scores


def check_batches(batches: Any) -> None:
    """Raise an error unless these may be batches of texts."""
    if isinstance(batches, str | bytes | bytearray | memoryview) or not has_items(batches):
        raise InvalidInputError(f"batches must be an iterable of lists of texts, not {type(batches).__name__}")


def is_single(texts: Any) -> bool:
    """Return whether there is a single string, which a network for one stream scores faster."""
    return type(texts) is list and len(texts) == 1


def log_likelihoods(
    network: InferenceNetwork,
    strings: Strings,
    start: State,
    n_threads: int | None = None,
    *,
    reduce: Reduce = "sum",
    limits: ScoringLimits = LIMITS,
) -> NDArray[np.float64]:
    """Return log P of each string in nats, combined according to `reduce`, independent of the other strings."""
    if reduce == "joint":
        least_of_string = log_likelihoods(network, strings, start, n_threads, reduce="min", limits=limits)
        mean_of_string = log_likelihoods(network, strings, start, n_threads, reduce="mean", limits=limits)
        return np.asarray(least_of_string + MEANS_IN_JOINT * mean_of_string)
    least = reduce == "min"
    lengths = strings.lengths
    if len(lengths) == 1:
        log_p = network.string_log_likelihoods(strings.ids, strings.starts, lengths, start, least=least)
        return divide_by_length(log_p, lengths, reduce)
    n_threads = inference_threads(n_threads) if len(lengths) > limits.min_rows else 1
    out = np.empty(len(lengths))
    starts = strings.starts
    pool = ScratchPool()

    def read(group: NDArray[np.intp]) -> None:
        with pool.scratch() as scratch:
            arguments = strings.ids, starts[group], lengths[group], start, scratch
            out[group] = network.string_log_likelihoods(*arguments, least=least)

    run_tasks(strings.groups(n_threads, network.rows_at_a_time(limits.rows), limits.min_rows), read, n_threads)
    return divide_by_length(out, lengths, reduce)


def next_probabilities(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    prefixes: Iterable[Text],
    n_threads: int | None,
    *,
    limits: ScoringLimits = LIMITS,
) -> NDArray[np.float64]:
    """Return the probabilities of the next symbol after each prefix, (n, V), with the same bits in any company."""
    start = network.start()
    probabilities = []
    n_threads = inference_threads(n_threads)
    for block in text_blocks(prefixes, vocabulary, name="prefixes", limits=limits):
        strings = Strings.encode(block, vocabulary, name="prefixes", ended=False)
        p = np.empty((len(strings.lengths), len(vocabulary)))

        def read(group: NDArray[np.intp], strings: Strings = strings, p: NDArray[np.float64] = p) -> None:
            for rows, state in final_states(network, strings, group, start, limits):
                p[rows] = network.probabilities_after(state)

        run_tasks(strings.groups(n_threads, network.rows_at_a_time(limits.rows), limits.min_rows), read, n_threads)
        probabilities.append(p)
    return _stack_rows(probabilities, len(vocabulary))


def _stack_rows(parts: list[NDArray[np.float64]], V: int) -> NDArray[np.float64]:
    """Return rows (n, V) of several arrays in one, copied so that Ctrl-C gets through."""
    if len(parts) == 1:
        return parts[0]
    out = np.empty((sum(map(len, parts)), V))
    first = 0
    step = rows_of_call(V)
    for part in parts:
        for i in range(0, len(part), step):
            rows = part[i : i + step]
            out[first : first + len(rows)] = rows
            first += len(rows)
    return out
