"""Strings: texts encoded in blocks, as one array of ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..parameters.checks import has_items
from ..text.documents import Errors, checked_errors, is_missing, python_values, refuse_other_collections
from ..text.lines import Lines
from ..text.vocabulary import Text, Vocabulary, byte_view, encoded_pieces, pieces
from .limits import LIMITS, ScoringLimits


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

    def groups(self, n_threads: int, max_rows: int, min_rows: int = ScoringLimits.min_rows) -> list[NDArray[np.intp]]:
        """Return the indices of the strings by decreasing length, in groups that are read in parallel."""
        order = np.argsort(-self.lengths, kind="stable")
        rows = min(max_rows, max(min_rows, -(-len(order) // n_threads)))
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
    texts: Iterable[Text],
    vocabulary: Vocabulary,
    *,
    name: str,
    first: int = 0,
    errors: Errors | None = None,
    limits: ScoringLimits = LIMITS,
) -> Iterator[TextBlock]:
    """Yield texts in blocks, counted from `first`, of at most `block_strings` texts and about `block_symbols` symbols.

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
    return _text_blocks(texts, wanted, vocabulary, name, first, errors, limits)


def _text_blocks(
    texts: Iterable[Any],
    wanted: type,
    vocabulary: Vocabulary,
    name: str,
    first: int,
    errors: Errors | None,
    limits: ScoringLimits,
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
        if len(block) == limits.block_strings or size >= limits.block_symbols:
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
