"""Scores of many strings: encoded in blocks, read in parallel, one number or one vector for each."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError, short_repr
from ..inference.network import InferenceNetwork, ScratchPool, State, read_pieces, rows_of_call
from ..inference.packed_network import PackedNetwork, PackedState
from ..model.layout import Layout
from ..parameters.checks import checked_bool, checked_choice, has_items
from ..runtime.threads import inference_threads, run_tasks
from ..text.documents import Errors, checked_errors, is_missing, python_values, refuse_other_collections
from ..text.labels import label_number, label_numbers
from ..text.sources import TextLike, documents_of
from ..text.text_files import Lines
from ..text.vocabulary import Text, Vocabulary, byte_view, encoded_pieces, pieces

# ---------------------------------------------------------------- strings

BLOCK_STRINGS = 1 << 15  # maximum strings held at a time
BLOCK_SYMBOLS = 1 << 22  # maximum total symbols of these, unless one string has more
ROWS = 128  # strings read in parallel: they fill the register tile many times, and their states stay in the cache
MIN_ROWS = 16  # minimum strings per thread


class Strings(NamedTuple):
    """Concatenated strings in one array of ids."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.intp]

    @property
    def starts(self) -> NDArray[np.intp]:
        """The start of each string."""
        return np.cumsum(self.lengths) - self.lengths if len(self.lengths) > 1 else np.zeros(len(self.lengths), np.intp)

    @classmethod
    def join(cls, arrays: Iterable[NDArray[Any]]) -> Strings:
        """Join strings given as arrays of ids."""
        parts = [np.zeros(0, np.int32), *arrays]
        return cls(np.concatenate(parts, dtype=np.int32, casting="unsafe"), np.array([*map(len, parts[1:])], np.intp))

    @classmethod
    def encode(
        cls, block: TextBlock, vocabulary: Vocabulary, *, name: str, ended: bool, texts: list[Any] | None = None
    ) -> Strings:
        """Encode a block of texts, or some `texts` of it, each followed by the boundary, if any, if they are `ended`.

        Errors refer to a text by `name` and its index.
        """
        texts = block.texts if texts is None else texts
        lengths = np.fromiter(map(len, texts), np.intp, len(texts))
        try:
            ids = encoded_pieces(vocabulary, [_join_texts(texts, vocabulary)], name)
            return cls.join_followed(ids, lengths, vocabulary.boundary if ended else None)
        except InvalidInputError:
            for i, text in enumerate(block.texts, block.first):  # find the one that raises
                with name_item(name, i):
                    vocabulary.encode(text, name=f"{name}[{i}]")
            raise

    @classmethod
    def encode_any(cls, texts: list[Any], vocabulary: Vocabulary) -> tuple[Strings, NDArray[np.bool_]]:
        """Encode texts with their ends, unknown symbols as 0, and return which texts have unknown symbols."""
        lengths = np.array([*map(len, texts)], np.intp)
        lacking = np.zeros(len(texts), np.bool_)
        ends = np.cumsum(lengths)

        def ids_in_pieces() -> Iterator[NDArray[np.int32]]:
            """Yield the ids piece by piece, with 0 for unknown symbols, and note which texts lack them."""
            done = 0
            for codes in pieces(_join_texts(texts, vocabulary)):
                ids = vocabulary.ids_of_codes(codes)
                places = np.flatnonzero(ids < 0)
                lacking[np.searchsorted(ends, done + places, side="right")] = True
                ids[places] = 0
                yield ids
                done += len(ids)

        return cls.join_followed(ids_in_pieces(), lengths, vocabulary.boundary), lacking

    @classmethod
    def join_followed(cls, ids: Iterable[NDArray[Any]], lengths: NDArray[np.intp], symbol: int | None) -> Strings:
        """Join pieces of ids to strings of these lengths, each followed by a symbol, such as the end; None: nothing."""
        end = [symbol] if symbol is not None and len(lengths) == 1 else []
        joined = np.empty(int(lengths.sum()) + len(end), np.int32)
        done = 0
        for piece in ids:  # to copy 100 million ids at once would take longer than Ctrl-C may
            joined[done : done + len(piece)] = piece
            done += len(piece)
        if not end:  # `followed_by` takes longer than reading a character
            return cls(joined, lengths).followed_by(symbol)
        joined[done:] = end
        return cls(joined, lengths + 1)

    def followed_by(self, symbol: int | None) -> Strings:
        """Return the strings with a symbol appended to each; None: unchanged."""
        if symbol is None:
            return self
        return Strings(np.insert(self.ids, np.cumsum(self.lengths), symbol), self.lengths + 1)

    @classmethod
    def concatenate(cls, parts: Iterable[Strings]) -> Strings:
        """Return all strings of several parts."""
        ids, lengths = zip(*parts, strict=True)
        return cls(np.concatenate(ids), np.concatenate(lengths))

    def decode(self, vocabulary: Vocabulary) -> list[Any]:
        """Return the strings as texts."""
        together = vocabulary.decode(self.ids)  # a single call, since each takes a while
        places = zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        return [together[start : start + length] for start, length in places]

    def groups(self, n_threads: int, max_rows: int) -> list[NDArray[np.intp]]:
        """Return the indices of the strings by decreasing length, in groups that are read in parallel."""
        order = np.argsort(-self.lengths, kind="stable")
        rows = min(max_rows, max(MIN_ROWS, -(-len(order) // n_threads)))
        return [order[i : i + rows] for i in range(0, len(order), rows)]


class TextBlock(NamedTuple):
    """Some consecutive texts out of many."""

    first: int  # the index of the first text among all
    texts: list[Any]  # None for each text left out


def _join_texts(texts: list[Any], vocabulary: Vocabulary) -> Any:
    empty: Any = "" if vocabulary.kind == "characters" else b""
    return empty.join(texts)


@contextmanager
def name_item(name: str, i: int) -> Iterator[None]:
    """Give an error the name of the texts and the index of the invalid one."""
    try:
        yield
    except InvalidInputError as error:
        error.argument = name
        error.index = i
        raise


def checked_texts(texts: Iterable[Text], vocabulary: Vocabulary, errors: Errors) -> list[Any]:
    """Return all texts, None for those left out, after checking that the others can be scored."""
    checked = list[Any]()
    for block in text_blocks(texts, vocabulary, name="X", errors=errors):
        if errors == "strict":
            Strings.encode(block, vocabulary, name="X", ended=False)
        checked += block.texts
    return checked


def error_handling(texts: Any, errors: Any) -> Errors:
    """Return how to handle missing or damaged texts: as `Lines` say if `errors` is strict."""
    errors = checked_errors(errors)
    return texts.errors if isinstance(texts, Lines) and errors == "strict" else errors


def text_blocks(
    texts: Iterable[Text], vocabulary: Vocabulary, *, name: str, first: int = 0, errors: Errors | None = None
) -> Iterator[TextBlock]:
    """Yield texts in blocks of at most `BLOCK_STRINGS` texts and about `BLOCK_SYMBOLS` symbols, counted from `first`.

    `errors` is as in `LanguageModel.score_samples`: a text left out is None. None: "strict", without mentioning the
    option. A single text is refused at the call, any other item that is no text when it is reached.
    """
    wanted = str if vocabulary.kind == "characters" else bytes
    if isinstance(texts, (str, bytes, bytearray, memoryview)) or not has_items(texts):
        refuse_other_collections(texts, name)  # such as a table that cannot be iterated over
        raise InvalidInputError(
            f"{name} is of type {type(texts).__name__}. Pass a list or another iterable of {wanted.__name__}, such as "
            f"a list with one text."
        )
    if type(texts) is not list:  # anything wrong with a list is inside it
        refuse_other_collections(texts, name)
        texts = python_values(texts)
    return _text_blocks(texts, wanted, vocabulary, name, first, errors)


def _text_blocks(
    texts: Iterable[Any], wanted: type, vocabulary: Vocabulary, name: str, first: int, errors: Errors | None
) -> Iterator[TextBlock]:
    """Cut texts into blocks, after checking and converting each."""
    block = list[Any]()
    size = 0
    for text in texts:
        if not isinstance(text, wanted):
            i = first + len(block)
            with name_item(name, i):
                text = _converted_text(text, vocabulary, f"{name}[{i}]", errors)
        block.append(text)
        size += 0 if text is None else len(text)
        if len(block) == BLOCK_STRINGS or size >= BLOCK_SYMBOLS:
            yield TextBlock(first, block)
            first += len(block)
            block = []
            size = 0
    if block:
        yield TextBlock(first, block)


def _converted_text(text: Any, vocabulary: Vocabulary, name: str, errors: Errors | None) -> str | bytes | None:
    """Return the text as `errors` requires, or raise an error that says what is wrong."""
    lossy = errors not in (None, "strict")
    is_bytes = isinstance(text, (bytes, bytearray, memoryview))
    if lossy and is_missing(text):
        return None
    if lossy and is_bytes and vocabulary.kind == "characters":
        try:
            return bytes(text).decode(errors="replace" if errors == "replace" else "strict")
        except UnicodeDecodeError:
            return None
    if is_bytes or isinstance(text, str):
        vocabulary.check_kind(text, name)
        return bytes(byte_view(text, name))
    kind = "str" if vocabulary.kind == "characters" else "bytes"
    remedy = ', or pass errors="skip" for a score of NaN' if errors and is_missing(text) else ""
    raise InvalidInputError(f"{name} must be {kind}, not {type(text).__name__}. Convert it, or leave it out{remedy}.")


# ---------------------------------------------------------------- string states


def checked_part(layout: Layout, *, cells: bool) -> int:
    """Return the index of the requested part of a state: 0 for h, 1 for an LSTM's cells."""
    if checked_bool("cells", cells) and "c" not in layout.kind.states:
        raise InvalidInputError(f"cells=True needs LSTM layers, but the model has cell={layout.cell!r}. Omit cells.")
    return int(cells)


def states_of_text(
    network: PackedNetwork, vocabulary: Vocabulary, text: Any, n_threads: int | None, *, part: int
) -> Array:
    """Return the states (n, L, H) after each symbol of one text, read by one thread."""
    strings = Strings.join([vocabulary.encode(text, name="X")])
    return all_states(network, strings, network.start(), 1, part=part)[0]


def states_of_texts(
    network: PackedNetwork, vocabulary: Vocabulary, texts: Any, n_threads: int | None, *, part: int
) -> list[Array]:
    """Return the states (length, L, H) after each symbol of each text."""
    start = network.start()
    threads = inference_threads(n_threads)
    states = list[Array]()
    for block in text_blocks(texts, vocabulary, name="X"):
        strings = Strings.encode(block, vocabulary, name="X", ended=False)
        states += all_states(network, strings, start, threads, part=part)
    return states


def features(
    network: PackedNetwork, vocabulary: Vocabulary, texts: Iterable[Text], n_threads: int | None, *, pooling: str
) -> Array:
    """Return the features (n, L H) of texts; see `CharRNN.transform`."""
    pooling = checked_choice("pooling", pooling, POOLING)
    start = network.start()
    threads = inference_threads(n_threads)
    pooled = [np.empty((0, network.layout.num_layers * network.hidden_size), network.layout.dtype)]
    for block in text_blocks(texts, vocabulary, name="X"):
        strings = Strings.encode(block, vocabulary, name="X", ended=False)
        states = POOLING[pooling](network, strings, start, threads)
        pooled.append(states.reshape(len(states), -1))
    return np.concatenate(pooled)


def all_states(
    network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int, *, part: int
) -> list[Array]:
    """Return the states (length, L, H) after each symbol of each string; `part` is 0 for h and 1 for c."""
    shape = (network.layout.num_layers, network.hidden_size)
    out = [np.empty((n, *shape), network.layout.dtype) for n in strings.lengths.tolist()]

    def read(group: NDArray[np.intp]) -> None:
        t = 0
        for rows, states in _advance(network, strings, group, start):
            for k, i in enumerate(rows):
                out[i][t : t + len(states[part])] = states[part][:, k]
            t += len(states[part])

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


def last_states(network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int) -> Array:
    """Return the activations (n, L, H) after each string; the bits of a row do not depend on other rows."""
    out = _features(network, strings)

    def read(group: NDArray[np.intp]) -> None:
        for rows, (h, *_) in final_states(network, strings, group, start):
            out[rows] = h.swapaxes(0, 1)

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


def mean_states(network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int) -> Array:
    """Return the mean over each string of the activations (n, L, H); for an empty string, its initial activations."""
    out = _features(network, strings)
    out[:] = start[0][:, 0]

    def read(group: NDArray[np.intp]) -> None:
        sums = np.zeros((len(group), *out.shape[1:]))
        for rows, (h, *_) in _advance(network, strings, group, start):
            for step in h:  # in order, so that the sum has the same bits whatever the other strings are
                sums[: len(rows)] += step
        filled = strings.lengths[group] > 0
        lengths = strings.lengths[group][filled][:, None, None]
        out[group[filled]] = sums[filled] / lengths

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


POOLING = {"last": last_states, "mean": mean_states}


def _features(network: PackedNetwork, strings: Strings) -> Array:
    shape = (len(strings.lengths), network.layout.num_layers, network.hidden_size)
    return np.empty(shape, network.layout.dtype)


def _groups(network: PackedNetwork, strings: Strings, n_threads: int) -> list[NDArray[np.intp]]:
    return strings.groups(n_threads, network.rows_at_a_time(ROWS))


def _advance(
    network: PackedNetwork, strings: Strings, group: NDArray[np.intp], start: PackedState
) -> Iterator[tuple[NDArray[np.intp], PackedState]]:
    """Read a group of strings; yield indices (B,) of those that go on, and the next states (steps, B, L, H)."""
    starts = strings.starts[group]
    lengths = strings.lengths[group]
    for x, state in read_pieces(network, strings.ids, starts, lengths, network.repeat(start, len(group))):
        yield group[: x.shape[1]], network.states(x, state)


def final_states(
    network: InferenceNetwork, strings: Strings, group: NDArray[np.intp], start: State
) -> Iterator[tuple[NDArray[np.intp], State]]:
    """Yield indices of k strings of a group with the state of k streams after them, the shortest strings first."""
    starts = strings.starts[group]
    lengths = strings.lengths[group]
    done = list[tuple[slice, State]]()
    state = network.repeat(start, len(group))
    for x, part in read_pieces(network, strings.ids, starts, lengths, state, BLOCK_SYMBOLS // 64, done):
        network.feed(x, part)
    yield from ((group[ended], after) for ended, after in done)


# ---------------------------------------------------------------- string scores

Reduce = Literal["sum", "mean", "min", "scaled", "joint"]  # how to combine the log-probabilities of a string's symbols
REDUCTIONS = get_args(Reduce)
POWERS = {"mean": 1.0, "scaled": 0.75}  # a sum is divided by this power of the length
# "joint" is the minimum plus so many times the mean. On BGL, OpenSSH, Hadoop, generated logs, names and tables, 3 found
# more than either alone; 1 misses lines that are odd as a whole, and 8 misses single odd places.
MEANS_IN_JOINT = 3.0

RECENT_TEXTS = 1 << 16  # maximum remembered texts of a generation; one block may exceed it
RECENT_SYMBOLS = 1 << 22  # maximum symbols of these texts; one block may exceed it

Scores = NDArray[np.float64]


class RecentScores:
    """Scores by text, forgetting texts not looked up recently.

    A text is looked up in two generations, and moves to the younger one. When that is full, it replaces the older one.
    """

    def __init__(self) -> None:
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
        if len(younger) >= RECENT_TEXTS or self._symbols >= RECENT_SYMBOLS:
            self._younger = {}
            self._older = younger
            self._symbols = 0
        return in_order


def checked_reduce(reduce: Any) -> Reduce:
    """Return `reduce` if it is a known way to score a string."""
    if not isinstance(reduce, str) or reduce not in REDUCTIONS:
        raise InvalidInputError(f"reduce must be 'sum', 'mean', 'min', 'scaled' or 'joint', not {short_repr(reduce)}")
    return reduce  # type: ignore[return-value]


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
    ) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._n_threads = n_threads
        self._reduce = checked_reduce(reduce)
        self._errors = checked_errors(errors)
        self._start = network.start() if start is None else start

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
        recent = RecentScores()
        first = 0
        for batch in batches:
            blocks = text_blocks(batch, self._vocabulary, name="X", first=first, errors=self._errors)
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
        scores = log_likelihoods(self._network, strings, self._start, self._n_threads, reduce=self._reduce)
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
    network: InferenceNetwork, strings: Strings, start: State, n_threads: int | None = None, *, reduce: Reduce = "sum"
) -> NDArray[np.float64]:
    """Return log P of each string in nats, combined according to `reduce`, independent of the other strings."""
    if reduce == "joint":
        least_of_string = log_likelihoods(network, strings, start, n_threads, reduce="min")
        mean_of_string = log_likelihoods(network, strings, start, n_threads, reduce="mean")
        return np.asarray(least_of_string + MEANS_IN_JOINT * mean_of_string)
    least = reduce == "min"
    lengths = strings.lengths
    if len(lengths) == 1:
        log_p = network.string_log_likelihoods(strings.ids, strings.starts, lengths, start, least=least)
        return divide_by_length(log_p, lengths, reduce)
    n_threads = inference_threads(n_threads) if len(lengths) > MIN_ROWS else 1
    out = np.empty(len(lengths))
    starts = strings.starts
    pool = ScratchPool()

    def read(group: NDArray[np.intp]) -> None:
        with pool.scratch() as scratch:
            arguments = strings.ids, starts[group], lengths[group], start, scratch
            out[group] = network.string_log_likelihoods(*arguments, least=least)

    run_tasks(strings.groups(n_threads, network.rows_at_a_time(ROWS)), read, n_threads)
    return divide_by_length(out, lengths, reduce)


def divide_by_length(sums: Scores, lengths: NDArray[np.intp], reduce: Reduce) -> Scores:
    """Return the scores of strings from their sums: some reductions divide by a power of the length."""
    return np.asarray(sums / np.maximum(lengths, 1) ** POWERS[reduce]) if reduce in POWERS else sums


def next_probabilities(
    network: InferenceNetwork, vocabulary: Vocabulary, prefixes: Iterable[Text], n_threads: int | None
) -> NDArray[np.float64]:
    """Return the probabilities of the next symbol after each prefix, (n, V), with the same bits in any company."""
    start = network.start()
    probabilities = []
    n_threads = inference_threads(n_threads)
    for block in text_blocks(prefixes, vocabulary, name="prefixes"):
        strings = Strings.encode(block, vocabulary, name="prefixes", ended=False)
        p = np.empty((len(strings.lengths), len(vocabulary)))

        def read(group: NDArray[np.intp], strings: Strings = strings, p: NDArray[np.float64] = p) -> None:
            for rows, state in final_states(network, strings, group, start):
                p[rows] = network.probabilities_after(state)

        run_tasks(strings.groups(n_threads, network.rows_at_a_time(ROWS)), read, n_threads)
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


def labeled_scores(
    texts: list[Any],
    y: Any,
    sorted_labels: tuple[Any, ...],
    score: Callable[[int, list[Any], Reduce], Array],
    log_prior: Array,
    *,
    reduce: Reduce,
) -> NDArray[np.float64]:
    """Return the score of each text, (n,), from the scores given the label with a number, or summed over all labels."""
    if checked_reduce(reduce) in ("min", "joint") and y is None:
        raise InvalidInputError(
            f'reduce="{reduce}" needs the label of each text, because the model was fitted with labels. Pass y, or use '
            "the model of one label."
        )
    if y is None:
        of_labels = np.array([score(k, texts, "sum") for k in range(len(sorted_labels))])
        with np.errstate(invalid="ignore"):  # for texts that cannot be scored
            log_p: Scores = np.logaddexp.reduce(log_prior[:, None] + of_labels, axis=0)
        lengths = np.array([1 if text is None else len(text) + 1 for text in texts], np.intp)
        return divide_by_length(log_p, lengths, reduce)
    if isinstance(y, str | int | float | np.generic):  # one for all
        return score(label_number(y, np.array(sorted_labels), name="y"), texts, reduce)
    numbers = label_numbers(y, np.array(sorted_labels), len(texts))
    scores = np.empty(len(texts))
    for k in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers == k)
        scores[places] = score(k, [texts[i] for i in places], reduce)
    return scores


def mean_score(X: TextLike, score: Callable[[list[Any]], Array], *, exact: bool) -> float:
    """Return the mean log-likelihood per symbol of documents and their ends, given the `score` of each."""
    if not exact:
        raise InvalidInputError(
            "exact is False, which cuts one text into parts, but documents with labels are scored one by one. "
            "Omit exact."
        )
    texts = documents_of(X)
    return float(score(texts).sum()) / (len(texts) + sum(map(len, texts)))


def refuse_labels(y: Any) -> None:
    """Raise InvalidInputError if labels are given to a model without labels."""
    if y is not None:
        raise InvalidInputError("y is given, but the model was fitted without labels. Omit y.")
