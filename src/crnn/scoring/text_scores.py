"""Scoring of one text: its log-probability, and the surprisal and rank of each symbol."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import SCORE_ROWS, InferenceNetwork, State
from ..inference.scratch import Scratch
from ..runtime.threads import inference_threads, run_tasks, split_range
from ..text.documents import n_unpredicted
from ..text.sources import TextLike, TextSource, text_source
from ..text.vocabulary import Text, Vocabulary
from .limits import LIMITS, ScoringLimits

Ids = NDArray[Any]


def mean_log_likelihood(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    X: TextLike,
    *,
    exact: bool,
    n_threads: int | None,
    limits: ScoringLimits = LIMITS,
) -> float:
    """Return the mean of log P over the symbols of a text, or of documents and their ends, in nats."""
    ids, given = scored_ids(X, vocabulary)
    if exact:
        return log_likelihood(network, ids, given, limits) / (len(ids) - given)
    return parallel_log_likelihood(network, ids, n_threads, given=given, limits=limits) / (len(ids) - given)


def scored_ids(X: TextLike, vocabulary: Vocabulary) -> tuple[Ids, int]:
    """Return the ids of a text, and how many of the first ones are read but not counted."""
    return source_ids(text_source(X), vocabulary)


def source_ids(source: TextSource, vocabulary: Vocabulary) -> tuple[Ids, int]:
    """Return the same as `scored_ids`; errors have the name of the source."""
    ids = source.ids(vocabulary)
    if not len(ids):
        raise InvalidInputError(f"{source.name} is empty. Pass at least 1 character.", argument=source.name)
    return ids, n_unpredicted(vocabulary.boundary)


def log_likelihood(network: InferenceNetwork, ids: Ids, given: int = 0, limits: ScoringLimits = LIMITS) -> float:
    """Return log P(ids) in nats, carrying one state through the whole text from zeros.

    The first `given` symbols, fewer than `call_symbols`, are read but not counted.
    """
    state = network.zero_state(1)
    sums = []
    for i in range(0, len(ids), limits.call_symbols):
        x = ids[i : i + limits.call_symbols].astype(np.int32).reshape(-1, 1)
        sums.append(float(network.log_probabilities(x, state)[given if i == 0 else 0 :].sum()))
    return math.fsum(sums)


def parallel_log_likelihood(
    network: InferenceNetwork,
    ids: Ids,
    n_threads: int | None,
    *,
    given: int = 0,
    limits: ScoringLimits = LIMITS,
) -> float:
    """Return nearly log P(ids) in nats, the same for every `n_threads`: see `log_likelihood`.

    The text is cut into up to `max_parts` parts, read in parallel, each after the `warm_up` symbols before it.
    """
    ranges = cuts(len(ids), limits)
    if len(ranges) == 1:
        return log_likelihood(network, ids, given, limits)
    # Parts differ in length by at most one. All are read over the same number of symbols, but only a part's
    # symbols count.
    length = max(map(len, ranges)) + limits.warm_up
    steps_of_call = limits.call_symbols // limits.parts_at_a_time
    n_threads = inference_threads(n_threads)

    def read(group: range) -> list[float]:
        first = np.array([max(ranges[i].start, given) for i in group])
        last = np.array([ranges[i].stop for i in group])
        begin = np.maximum(last - length, 0)
        state = network.zero_state(len(group))
        scratch = Scratch()
        blocks = []
        for i in range(0, length, steps_of_call):
            steps = min(steps_of_call, length - i)
            at = begin + i + np.arange(steps)[:, None]
            log_p = network.log_probabilities(ids[at].astype(np.int32), state, scratch)
            blocks.append(np.where((first <= at) & (at < last), log_p, 0.0).sum(axis=0))
        return [math.fsum(sums) for sums in zip(*blocks, strict=True)]

    streams = network.rows_at_a_time(limits.parts_at_a_time)
    n_groups = max(-(-len(ranges) // streams), min(n_threads, len(ranges) // limits.min_streams))
    groups = split_range(len(ranges), n_groups)
    sums: list[float] = []
    run_tasks(groups, lambda group: sums.extend(read(group)), n_threads)
    return math.fsum(sums)  # exact, and so independent of the order


def text_ids(text: Text, vocabulary: Vocabulary, *, end: bool) -> Ids:
    """Return the ids of a text, or of a document including its `end`."""
    if not end:
        return vocabulary.encode(text, name="text")
    if vocabulary.boundary is None:
        raise InvalidInputError("end=True needs document ends, but the model was fitted on one text. Omit end.")
    return np.append(vocabulary.encode(text, name="text"), np.int32(vocabulary.boundary))


def surprisal(network: InferenceNetwork, ids: Ids, state: State) -> NDArray[np.float64]:
    """Return -log P of each symbol (n,), in nats, advancing the state in place."""
    return -log_probabilities(network, ids, state)


def log_probabilities(
    network: InferenceNetwork, ids: Ids, state: State, limits: ScoringLimits = LIMITS
) -> NDArray[np.float64]:
    """Return log P of each symbol (n,), in nats, advancing the state in place."""
    step = limits.call_symbols
    if len(ids) <= step:  # nothing to join
        return network.log_probabilities(ids.astype(np.int32)[:, None], state)[:, 0]
    return np.concatenate(
        [log_probabilities(network, ids[i : i + step], state, limits) for i in range(0, len(ids), step)]
    )


def ranks(network: InferenceNetwork, ids: Ids, state: State, symbols_at_a_time: int = SCORE_ROWS) -> NDArray[np.intp]:
    """Return the rank of each symbol, 1 plus the number of more probable symbols, advancing the state in place."""
    out = np.empty(len(ids), np.intp)
    rows = network.rows_at_a_time(symbols_at_a_time)
    for i in range(0, len(ids), rows):
        x = ids[i : i + rows].astype(np.int32)
        y = network.logits_before(x[:, None], state)[:, 0]
        out[i : i + rows] = 1 + (y > np.take_along_axis(y, x[:, None], axis=1)).sum(axis=1)
    return out


def cuts(n: int, limits: ScoringLimits) -> list[range]:
    """Cut n symbols into up to `max_parts` ranges of at least `min_part_symbols` symbols, or into one range."""
    return split_range(n, max(1, min(limits.max_parts, n // limits.min_part_symbols)))


# --------------------------------------------------------------------- words


class WordSurprisal(NamedTuple):
    """The words of a text and their surprisal; see `LanguageModel.word_surprisal`.

    Attributes
    ----------
    words : list of str, or of bytes
        The words, without white space.
    surprisal : ndarray of float64 and shape (n,)
        The surprisal of each word and the white space after it, in the chosen unit.
    """

    words: list[Any]
    surprisal: NDArray[np.float64]


def surprisal_of_words(text: Any, nats: NDArray[np.float64], unit: str) -> WordSurprisal:
    """Return each word's sum of its characters' `nats` and of those of the white space after it."""
    found = [*re.finditer(r"\S+", text)] if isinstance(text, str) else [*re.finditer(rb"\S+", bytes(text))]
    starts = [match.start() for match in found]
    if starts:
        starts[0] = 0
    sums = np.add.reduceat(nats, starts) if starts else np.zeros(0)
    return WordSurprisal([match[0] for match in found], sums / math.log(2) if unit == "bits" else sums)
