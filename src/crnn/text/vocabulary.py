"""Vocabulary: symbols and their ids; texts read as code points or bytes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidInputError
from ..parameters.checks import checked_choice, require_unmasked

Kind = Literal["characters", "bytes"]
Bytes = bytes | bytearray | memoryview
Text = str | Bytes

MAX_CODE: dict[Kind, int] = {"characters": 0x10FFFF, "bytes": 0xFF}
UTF32 = "utf-32-le"
# Symbols encoded at once: the temporaries (13 bytes per symbol and NumPy's index) stay in the second-level cache.
_PIECE = 1 << 16


def collect(blocks: Iterable[Text], kind: Kind | None, min_count: int) -> tuple[NDArray[np.intp], Kind | None, bool]:
    """Return a text's sorted codes that occur at least `min_count` times, its kind (by default the first block's, None
    without blocks), and whether it is empty.
    """
    counts: NDArray[Any] = np.zeros(0, np.bool_)  # a byte per code point (of 1,114,112) if min_count is 1, otherwise 8
    for block in blocks:
        kind_of_block = kind_of(block, "the text")
        if kind is None:
            kind = kind_of_block
        elif kind_of_block != kind:
            raise InvalidInputError("the blocks of a text must be all str or all bytes, not a mixture")
        if not len(counts):
            counts = np.zeros(MAX_CODE[kind] + 1, np.bool_ if min_count == 1 else np.int64)
        for codes in pieces(block):
            if min_count == 1:
                counts[codes] = True
            else:
                count_codes(codes, counts)
    return np.flatnonzero(counts >= min_count), kind, not counts.any()


def count_codes(codes: NDArray[Any], counts: NDArray[np.int64]) -> None:
    """Add the number of each code to the counts, which have an entry for every possible code."""
    occurrences = np.bincount(codes)
    counts[: len(occurrences)] += occurrences


def immutable(text: Text) -> str | bytes:
    """Return a text that cannot change: any bytes-like object as bytes."""
    return text if isinstance(text, str) else bytes(text)


def byte_view(data: Bytes, name: str = "X") -> memoryview:
    """Return a flat view of unsigned bytes; non-contiguous data are copied."""
    view = memoryview(data)
    if view.itemsize != 1:
        raise InvalidInputError(
            f'{name} is a memoryview of {view.itemsize}-byte items (format "{view.format}"), not of bytes. '
            'Use its cast("B") to read its bytes.'
        )
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def kind_of(text: object, name: str) -> Kind:
    """Return the kind of a text, or raise an error with its `name` if it is not a text."""
    if isinstance(text, str):
        return "characters"
    if isinstance(text, (bytes, bytearray, memoryview)):
        return "bytes"
    missing = text is None or isinstance(text, float) or type(text).__name__ == "NAType"  # as in tables
    remedy = ". Leave out missing texts." if missing else ""
    raise InvalidInputError(f"{name} must be str or bytes, not {type(text).__name__}{remedy}")


def pieces(text: Text) -> Iterator[NDArray[Any]]:
    """Yield the code points or byte values of a text in non-empty pieces of at most `_PIECE`."""
    if isinstance(text, str):
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            yield np.frombuffer(piece.encode(UTF32, "surrogatepass"), "<u4")
    else:
        values = np.frombuffer(byte_view(text), np.uint8)
        for start in range(0, len(values), _PIECE):
            yield values[start : start + _PIECE]


def integers(values: ArrayLike, name: str) -> NDArray[np.integer[Any]]:
    """Return values as one-dimensional integers, even an empty list, which NumPy would read as floats."""
    require_unmasked(name, values, "Leave it out.")
    numbers = np.asarray(values)
    if numbers.ndim != 1:
        raise InvalidInputError(f"{name} must be one-dimensional, not of shape {numbers.shape}")
    if numbers.size == 0:
        return numbers.astype(np.intp)
    if numbers.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must be integers, not {numbers.dtype}")
    return numbers


def checked_codes(codes: ArrayLike, max_code: int) -> NDArray[np.uint32]:
    """Return codes as a new read-only array, or raise an error unless they increase strictly within 0 … `max_code`."""
    numbers = integers(codes, "codes")
    if numbers.size and (numbers.min() < 0 or numbers.max() > max_code):
        raise InvalidInputError(
            f"codes must be between 0 and {max_code}, but run from {numbers.min()} to {numbers.max()}"
        )
    copy = np.array(numbers, np.uint32)  # the caller's array may change later
    falls = np.flatnonzero(copy[1:] <= copy[:-1])
    if falls.size:
        i = int(falls[0])
        raise InvalidInputError(
            f"codes must be strictly increasing, but codes[{i + 1}] is {copy[i + 1]}, after {copy[i]}"
        )
    copy.flags.writeable = False
    return copy


class Special(Enum):
    """A non-character symbol of a vocabulary; equal to no text."""

    UNKNOWN = "unknown"
    BOUNDARY = "boundary"

    def __repr__(self) -> str:
        return f"crnn.{self.name}"


UNKNOWN = Special.UNKNOWN
"""Any character outside a model's vocabulary."""

BOUNDARY = Special.BOUNDARY
"""The start and the end of a document."""


@dataclass(frozen=True)
class Label:
    """A label as a symbol of a vocabulary: documents with this label start with it."""

    value: str | int | float | bool

    def __repr__(self) -> str:
        return f"Label({self.value!r})"


Symbol = str | bytes | Special | Label


Ids = NDArray[np.unsignedinteger[Any]]

_SHOWN = 32  # symbols in a `repr`
# The text of an unknown symbol: Unicode's replacement character, and its counterpart in `str.encode`.
_TYPES: dict[Kind, type] = {"characters": str, "bytes": bytes}
_REPLACEMENT = {"characters": 0xFFFD, "bytes": ord("?")}


class Vocabulary(Sequence[Symbol]):
    """The symbols of a model in id order; encodes text as ids and decodes ids.

    Symbols are characters (Unicode code points, including lone surrogates) or bytes. Ids follow the sorted
    code points or byte values. A vocabulary is an immutable sequence of its symbols, each a `str` of one
    character or, for bytes, a `bytes` of length one; for bytes, `in` also takes an `int`.

    Special symbols may follow: `crnn.UNKNOWN`, which stands for every character outside the vocabulary;
    `crnn.BOUNDARY`, the start and the end of a document; and, last of all, a `Label` for each label of documents. A
    label never occurs in a text.

    Parameters
    ----------
    codes : array-like of int
        The code points or byte values of the characters, strictly increasing; at least one, unless there is a boundary.
    kind : {"characters", "bytes"}, default="characters"
        What the codes are.
    unknown : bool, default=False
        Whether there is a symbol for characters outside the vocabulary.
    boundary : bool, default=False
        Whether there is a symbol that starts and ends documents.
    labels : sequence of str, int, float or bool, default=()
        The labels of documents, sorted. They require a boundary.

    Attributes
    ----------
    kind : str
        The kind of symbols, "characters" or "bytes".
    codes : ndarray of uint32
        Code points or byte values of the characters in id order, read-only.
    unknown : int or None
        The id of the symbol for characters outside the vocabulary; None without such a symbol.
    boundary : int or None
        The id of the symbol that starts and ends a document; None without such a symbol.
    labels : tuple of str, int, float or bool
        The labels of documents; label k has the id ``boundary + 1 + k``.
    id_dtype : numpy.dtype
        The smallest unsigned type that holds every id: uint8, uint16 or uint32.
    """

    __slots__ = ("_boundary", "_codes", "_id_dtype", "_kind", "_labels", "_single", "_table", "_unknown")

    def __init__(
        self,
        codes: ArrayLike,
        kind: Kind = "characters",
        *,
        unknown: bool = False,
        boundary: bool = False,
        labels: Sequence[Any] = (),
    ) -> None:
        checked_choice("kind", kind, MAX_CODE)
        self._kind = kind
        self._codes = checked_codes(codes, MAX_CODE[kind])
        characters = len(self._codes)
        if not characters and not boundary:
            raise InvalidInputError("codes is empty. Pass at least one symbol.")
        self._unknown = characters if unknown else None
        self._boundary = characters + unknown if boundary else None
        self._labels = tuple(map(Label, labels))
        if self._labels and not boundary:
            raise InvalidInputError("labels need documents. Pass boundary=True as well.")
        self._id_dtype = np.min_scalar_type(len(self) - 1)
        # One more entry than the largest code: larger codes are clipped to this entry, which is unknown.
        self._table = np.full(int(self._codes[-1]) + 2 if characters else 1, -1, np.int32)
        self._table[self._codes] = np.arange(characters, dtype=np.int32)
        self._single: dict[Any, Ids] = {}  # the ids of texts of one symbol, encoded before

    @classmethod
    def from_blocks(
        cls, blocks: Iterable[Text], *, min_count: int = 1, boundary: bool = False, kind: Kind | None = None
    ) -> Vocabulary:
        """Collect the symbols of a text given in blocks that occur `min_count` times; if it is above 1, an unknown
        symbol represents the others. With a boundary, the text may be empty.
        """
        codes, kind, empty = collect(blocks, kind, min_count)
        return cls.of_codes(codes, kind, empty, min_count=min_count, boundary=boundary)

    @classmethod
    def of_codes(
        cls, codes: NDArray[Any], kind: Kind | None, empty: bool, *, min_count: int, boundary: bool
    ) -> Vocabulary:
        """Return a vocabulary of the codes that occur `min_count` times; `empty` means that the text has no symbols."""
        if kind is None or (empty and not boundary):
            raise InvalidInputError(
                "the text is empty, too short to train on: its length is 0, but at least 2 symbols are needed",
                argument="the text",
            )
        if not len(codes) and not empty:
            raise InvalidInputError(f"min_count is {min_count}, but no symbol occurs that often. Lower min_count.")
        return cls(codes, kind, unknown=min_count > 1, boundary=boundary)

    @classmethod
    def from_text(cls, text: Text) -> Vocabulary:
        """Collect the distinct symbols of one text, `str` or bytes-like, which must not be empty."""
        return cls.from_blocks([text])

    @property
    def kind(self) -> Kind:
        """The kind of symbols, "characters" or "bytes"."""
        return self._kind

    @property
    def codes(self) -> NDArray[np.uint32]:
        """Code points or byte values of the characters in id order, read-only."""
        return self._codes

    @property
    def unknown(self) -> int | None:
        """The id of the symbol for characters outside the vocabulary; None without such a symbol."""
        return self._unknown

    @property
    def boundary(self) -> int | None:
        """The id of the symbol that starts and ends a document; None without such a symbol."""
        return self._boundary

    @property
    def id_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned type that holds every id: uint8, uint16 or uint32."""
        return self._id_dtype

    @property
    def labels(self) -> tuple[Any, ...]:
        """The labels of documents; label k has the id ``boundary + 1 + k``."""
        return tuple([label.value for label in self._labels]) if self._labels else ()

    def with_labels(self, labels: Sequence[Any]) -> Vocabulary:
        """Return the same vocabulary with these labels instead of its own."""
        codes, kind, unknown, boundary, _ = self.__reduce__()[1]
        return _rebuilt(codes, kind, unknown, boundary, tuple(labels))

    def encode(self, text: Text, *, name: str = "X") -> Ids:
        """Encode a text of N symbols as ids (N,), with temporary memory for 65,536 symbols, however long the text."""
        if type(text) is not _TYPES[self._kind] or len(text) != 1:
            if not isinstance(name, str):
                raise InvalidInputError(f"name must be str, not {type(name).__name__}")
            return self._encode(text, name)
        ids = self._single.get(text)  # a network reads a symbol faster than `_encode` looks it up
        if ids is None:
            ids = self._encode(text, name)
            if ids[0] != self._unknown:  # unknown characters could fill the memory
                self._single[text] = ids
        return ids.copy()

    def _encode(self, text: Text, name: str) -> Ids:
        """Convert a text to ids piece by piece, so that its code points are never in memory all at once."""
        self.check_kind(text, name)
        ids = np.empty(len(text) if isinstance(text, str) else memoryview(text).nbytes, self._id_dtype)
        start = 0
        for codes in pieces(text):
            if len(codes) == len(ids):  # the only piece
                return self._look_up(codes, 0, name)
            ids[start : start + len(codes)] = self._look_up(codes, start, name)
            start += len(codes)
        return ids

    def encode_blocks(self, blocks: Iterable[Text], *, name: str = "X") -> Ids:
        """Encode a text given in blocks, of unknown total length, as ids (N,)."""
        # A bytearray is enlarged by realloc and leaves its reserve untouched, so that pages beyond the last id take no
        # memory; ndarray.resize would write zeros there.
        buffer = bytearray()
        for ids in encoded_pieces(self, blocks, name):
            buffer += ids.data
        return np.frombuffer(buffer, self._id_dtype)

    def decode(self, ids: ArrayLike) -> str | bytes:
        """Decode ids, without the boundary, to text. The unknown symbol becomes U+FFFD, or a question mark in bytes."""
        numbers = integers(ids, "ids")
        refuse_other_ids(numbers, len(self), self._boundary)
        codes = self._codes
        if self._unknown is not None:
            codes = np.append(codes, np.uint32(_REPLACEMENT[self._kind]))
        codes = codes.take(numbers.astype(np.intp, copy=False)) if len(codes) else codes
        if self._kind == "bytes":
            return codes.astype(np.uint8).tobytes()
        return codes.astype("<u4", copy=False).tobytes().decode(UTF32, "surrogatepass")

    def decode_documents(self, ids: ArrayLike) -> list[str | bytes]:
        """Decode ids to the texts between boundaries: one more than there are boundaries; the first precedes the first
        boundary.
        """
        numbers = integers(ids, "ids")
        refuse_other_ids(numbers, len(self), self._boundary, documents=True)
        parts = np.split(numbers, [] if self._boundary is None else np.flatnonzero(numbers == self._boundary))
        return [self.decode(part[1:] if i else part) for i, part in enumerate(parts)]

    def check_kind(self, text: object, name: str) -> None:
        """Raise an InvalidInputError with a text's name unless it is `str`, or for a vocabulary of bytes bytes-like."""
        if kind_of(text, name) != self._kind:
            problem = (
                "is text, but the symbols of this model are bytes. Pass bytes (from encode() of a str, or read_bytes() "
                "of a path)."
                if self._kind == "bytes"
                else "is bytes, but the symbols of this model are characters. Pass a str (from decode())."
            )
            raise InvalidInputError(f"{name} {problem}", argument=name)

    def _look_up(self, codes: NDArray[Any], start: int, name: str) -> Ids:
        """Return the ids of codes; `start` is the position of the first code in the text."""
        ids = self.ids_of_codes(codes)
        if self._unknown is None and np.minimum.reduce(ids) < 0:
            i = int(np.argmax(ids < 0))
            raise _unknown_symbol(self._symbol(int(codes[i])), start + i, name, len(self._codes))
        return ids.astype(self._id_dtype)

    def ids_of_codes(self, codes: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ids of codes, with -1 for unknown codes unless there is an unknown symbol."""
        ids = self._table.take(codes, mode="clip")
        if self._unknown is not None:
            ids[ids < 0] = self._unknown
        return ids

    def __len__(self) -> int:
        return len(self._codes) + (self._unknown is not None) + (self._boundary is not None) + len(self._labels)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Symbol: ...
    @overload
    def __getitem__(self, index: slice) -> list[Symbol]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Symbol | list[Symbol]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is out of range for a vocabulary of {len(self)} symbols")
        i %= len(self)
        return self._symbol(int(self._codes[i])) if i < len(self._codes) else self._specials[i - len(self)]

    def __iter__(self) -> Iterator[Symbol]:
        yield from map(self._symbol, self._codes.tolist())
        yield from self._specials

    def __contains__(self, symbol: object) -> bool:
        if isinstance(symbol, Special | Label):
            return symbol in self._specials
        code = -1
        if self._kind == "characters":
            if isinstance(symbol, str) and len(symbol) == 1:
                code = ord(symbol)
        elif isinstance(symbol, bytes) and len(symbol) == 1:
            code = symbol[0]
        elif isinstance(symbol, (int, np.integer)):
            code = int(symbol)
        return 0 <= code < len(self._table) and bool(self._table[code] >= 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        same = self._kind == other._kind and self._specials == other._specials
        return same and np.array_equal(self._codes, other._codes)

    def __hash__(self) -> int:
        return hash((self._kind, self._specials, self._codes.tobytes()))

    def __repr__(self) -> str:
        characters = len(self._codes)
        shown = self.decode(np.arange(min(characters, _SHOWN)))
        more = ", ..." if characters > _SHOWN else ""
        more += "".join(f", {special!r}" for special in self._specials[:_SHOWN])
        more += ", ..." if len(self._specials) > _SHOWN else ""
        return f"Vocabulary({characters} {self._kind}: {shown!r}{more})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # Rebuilt from these, so that a pickle need not store the table.
        return _rebuilt, (self._codes, self._kind, self._unknown is not None, self._boundary is not None, self.labels)

    @property
    def _specials(self) -> tuple[Special | Label, ...]:
        there = ((UNKNOWN, self._unknown), (BOUNDARY, self._boundary))
        return (*(special for special, i in there if i is not None), *self._labels)

    def _symbol(self, code: int) -> str | bytes:
        return chr(code) if self._kind == "characters" else bytes([code])


def encoded_pieces(vocabulary: Vocabulary, blocks: Iterable[Text], name: str) -> Iterator[Ids]:
    """Yield the ids of a text given in blocks, piece by piece."""
    start = 0
    for block in blocks:
        vocabulary.check_kind(block, name)
        for codes in pieces(block):
            yield vocabulary._look_up(codes, start, name)
            start += len(codes)


def _rebuilt(codes: ArrayLike, kind: Kind, unknown: bool, boundary: bool, labels: tuple[Any, ...]) -> Vocabulary:
    return Vocabulary(codes, kind, unknown=unknown, boundary=boundary, labels=labels)


def refuse_other_ids(ids: NDArray[Any], n_symbols: int, boundary: int | None, *, documents: bool = False) -> None:
    """Raise an error unless all ids are ids of characters or, between documents, the boundary."""
    if ids.size and (ids.min() < 0 or ids.max() >= n_symbols):
        i = int(np.flatnonzero((ids < 0) | (ids >= n_symbols))[0])
        raise InvalidInputError(f"ids[{i}] is {ids[i]}, but the ids of this vocabulary run from 0 to {n_symbols - 1}")
    if boundary is not None and not documents and (ids == boundary).any():
        i = int(np.argmax(ids == boundary))
        raise InvalidInputError(f"ids[{i}] is the boundary, not a character. Use decode_documents.")
    if boundary is not None and (ids > boundary).any():
        i = int(np.argmax(ids > boundary))
        raise InvalidInputError(f"ids[{i}] is a label, not a character. Remove labels before decoding.")


def _unknown_symbol(symbol: str | bytes, position: int, name: str, n_symbols: int) -> InvalidInputError:
    """Return the error for a symbol outside a model's `n_symbols` symbols."""
    code = ord(symbol)
    point = f"U+{code:04X}" if isinstance(symbol, str) else f"byte 0x{code:02X}"
    return InvalidInputError(
        f"{name} contains {symbol!r} ({point}) at position {position}, which is not one of the model's {n_symbols} "
        f"symbols. Remove or replace it, or fit on text that contains it, or with min_count=2 or more.",
        argument=name,
    )
