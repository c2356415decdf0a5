"""The log-probabilities of many strings, each by itself, in blocks that bound the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..text.vocabulary import Text, Vocabulary
from ..threads import deal_out, readers
from .packed_network import PackedNetwork, State, repeated

BLOCK_STRINGS = 1 << 15  # strings held at a time, as ids and as numbers
BLOCK_SYMBOLS = 1 << 22  # and no more symbols than these, unless one string has more
ROWS = 128  # strings read side by side: they fill the register tile many times, their states stay in the cache
LEAST_ROWS = 16  # that are worth a thread


class Strings(NamedTuple):
    """Strings one after another in one array of ids; a model of documents has a boundary at the end of each."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.intp]

    @property
    def starts(self) -> NDArray[np.intp]:
        """Where each begins."""
        return np.cumsum(self.lengths) - self.lengths

    @classmethod
    def join(cls, arrays: Iterable[NDArray[Any]]) -> Strings:
        """Join strings that are ids already.

        Examples
        --------
        >>> strings = Strings.join([np.array([2, 0]), np.array([1])])
        >>> strings.ids, strings.starts
        (array([2, 0, 1], dtype=int32), array([0, 2]))
        """
        parts = [np.zeros(0, np.int32), *arrays]
        return cls(np.concatenate(parts, dtype=np.int32, casting="unsafe"), np.array([*map(len, parts[1:])], np.intp))

    @classmethod
    def encode(cls, block: TextBlock, vocabulary: Vocabulary, *, name: str, ended: bool) -> Strings:
        """Turn a block of texts into ids, with a boundary after each if the model has one and they are `ended`.

        Errors call each of them by `name`, in which {} is its index.
        """
        empty: Any = "" if vocabulary.kind == "characters" else b""
        lengths = np.array([*map(len, block.texts)], np.intp)
        try:
            ids = vocabulary.encode(empty.join(block.texts)).astype(np.int32)
        except InvalidInputError:
            for i, text in enumerate(block.texts, block.first):  # which of them it is
                vocabulary.encode(text, name=name.format(i))
            raise
        boundary = vocabulary.boundary
        if boundary is None or not ended:
            return cls(ids, lengths)
        return cls(np.insert(ids, np.cumsum(lengths), boundary), lengths + 1)

    def groups(self, n_threads: int) -> list[NDArray[np.intp]]:
        """Return the indices of the strings, the longest first, in groups that are read side by side."""
        order = np.argsort(-self.lengths, kind="stable")
        rows = min(ROWS, max(LEAST_ROWS, -(-len(order) // n_threads)))
        return [order[i : i + rows] for i in range(0, len(order), rows)]


class TextBlock(NamedTuple):
    """Some texts of a long row of them."""

    first: int  # the index of the first one
    texts: list[Any]


def text_blocks(texts: Iterable[Text], vocabulary: Vocabulary, *, name: str) -> Iterator[TextBlock]:
    """Give texts in blocks of at most `BLOCK_STRINGS` of them and about `BLOCK_SYMBOLS` symbols.

    Raises
    ------
    InvalidInputError
        If it is one text and no row of them, or on the way if one of them is no text of the model's kind.
    """
    wanted = (str,) if vocabulary.kind == "characters" else (bytes, bytearray)
    if isinstance(texts, (str, bytes, bytearray, memoryview)) or not isinstance(texts, Iterable):
        raise InvalidInputError(
            f"{name} must be a list or another iterable of {wanted[0].__name__}, not {type(texts).__name__}: "
            f"put a single text in a list"
        )
    return _text_blocks(texts, wanted, vocabulary, name)


def _text_blocks(
    texts: Iterable[Any], wanted: tuple[type, ...], vocabulary: Vocabulary, name: str
) -> Iterator[TextBlock]:
    block, size, first = list[Any](), 0, 0
    for text in texts:
        if not isinstance(text, wanted):
            text = _of_another_type(text, vocabulary, f"{name}[{first + len(block)}]")
        block.append(text)
        size += len(text)
        if len(block) == BLOCK_STRINGS or size >= BLOCK_SYMBOLS:
            yield TextBlock(first, block)
            block, size, first = [], 0, first + len(block)
    if block:
        yield TextBlock(first, block)


def _of_another_type(text: Any, vocabulary: Vocabulary, name: str) -> bytes:
    """Return a memoryview as bytes; for everything else, say what is wrong with it."""
    if isinstance(text, (str, bytes, bytearray, memoryview)):
        vocabulary.encode(text, name=name)
        return bytes(text)  # type: ignore[arg-type]  # a str has raised
    kind = "str" if vocabulary.kind == "characters" else "bytes"
    raise InvalidInputError(f"{name} must be {kind}, not {type(text).__name__}: convert it, or leave it out")


def log_likelihoods(network: PackedNetwork, strings: Strings, start: State, n_threads: int) -> NDArray[np.float64]:
    """Return log P of each of the strings, in nats; the same to the bit whatever they stand beside."""
    out, starts = np.empty(len(strings.lengths)), strings.starts

    def read(group: NDArray[np.intp]) -> None:
        out[group] = network.string_log_likelihoods(strings.ids, starts[group], strings.lengths[group], start)

    deal_out(strings.groups(n_threads), read, n_threads)
    return out


def score_blocks(
    network: PackedNetwork,
    vocabulary: Vocabulary,
    blocks: Iterable[TextBlock],
    n_threads: int | None,
    *,
    per_symbol: bool = False,
    name: str = "texts[{}]",
) -> Iterator[NDArray[np.float64]]:
    """Give the log-probabilities of texts block by block; `per_symbol`: their means, and 0 for what has no symbols."""
    start = network.start()
    for block in blocks:
        strings = Strings.encode(block, vocabulary, name=name, ended=True)
        log_p = log_likelihoods(network, strings, start, readers(n_threads))
        yield log_p / np.maximum(strings.lengths, 1) if per_symbol else log_p


def next_probabilities(
    network: PackedNetwork, vocabulary: Vocabulary, prefixes: Iterable[Text], n_threads: int | None
) -> NDArray[np.float64]:
    """Return the probabilities of what follows each prefix, (n, V); the same to the bit whatever they stand beside."""
    start, found, n_threads = network.start(), [], readers(n_threads)
    for block in text_blocks(prefixes, vocabulary, name="prefixes"):
        strings = Strings.encode(block, vocabulary, name="prefixes[{}]", ended=False)
        p = np.empty((len(strings.lengths), len(vocabulary)))

        def read(group: NDArray[np.intp], strings: Strings = strings, p: NDArray[np.float64] = p) -> None:
            for rows, top in _after(network, strings, group, start):
                p[rows] = network.probabilities(top)

        deal_out(strings.groups(n_threads), read, n_threads)
        found.append(p)
    return np.concatenate(found) if found else np.empty((0, len(vocabulary)))


def _after(
    network: PackedNetwork, strings: Strings, group: NDArray[np.intp], start: State
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Give the last layer's activations after the strings of a group, the shortest ones first."""
    starts, lengths = strings.starts[group], strings.lengths[group]
    B, t = len(group), 0
    state = repeated(start, B)
    while B:
        while t < lengths[B - 1]:
            steps = min(int(lengths[B - 1]) - t, max(1, BLOCK_SYMBOLS // (64 * B)))
            network.feed(strings.ids[starts[:B] + np.arange(t, t + steps)[:, None]], state)
            t += steps
        going = int(np.count_nonzero(lengths[:B] > t))
        yield group[going:], state[0][-1, going:]
        B, group, state = going, group[:going], tuple(part[:, :going] for part in state)
