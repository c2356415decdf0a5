"""Symbols and ids: the characters of a text, or the values of its bytes, numbered in sorted order."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InvalidInputError

__all__ = ["Bytes", "Ids", "Kind", "Text", "Vocabulary", "byte_view"]

Kind = Literal["characters", "bytes"]
Bytes = bytes | bytearray | memoryview
Text = str | Bytes
Ids = NDArray[np.unsignedinteger[Any]]

_MAX_CODE: dict[Kind, int] = {"characters": 0x10FFFF, "bytes": 0xFF}
_UTF32 = "utf-32-le"
# Symbols looked up at once: the temporaries (13 bytes a symbol and the index NumPy makes of them) stay in L2.
_PIECE = 1 << 16
# Symbols that `repr` shows.
_SHOWN = 32


class Vocabulary(Sequence[str | bytes]):
    r"""The symbols of a model in id order, and the way from text to ids and back.

    Symbols are characters (Unicode code points, lone surrogates included) or bytes. Ids follow the sorted
    code points or byte values. A vocabulary is an immutable sequence of its symbols, each a `str` of one
    character or, for bytes, a `bytes` of length one; `in` for bytes takes an `int` as well.

    Parameters
    ----------
    codes : array-like of int, shape (V,)
        Code points (0 to 0x10FFFF) or byte values (0 to 255), strictly increasing, at least one.
    kind : {"characters", "bytes"}, default="characters"
        What the codes are.

    Attributes
    ----------
    kind : {"characters", "bytes"}
    codes : ndarray of uint32, shape (V,)
        Read-only.
    id_dtype : numpy.dtype
        The smallest unsigned type that holds every id: 1, 2 or 4 bytes.

    Raises
    ------
    InvalidInputError
        If `codes` is empty, not one-dimensional, not integers, out of range or not strictly increasing, or
        `kind` is neither of the two.

    Examples
    --------
    >>> from crnn.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.from_text("hello")
    >>> list(vocabulary)
    ['e', 'h', 'l', 'o']
    >>> ids = vocabulary.encode("hole")
    >>> ids
    array([1, 3, 2, 0], dtype=uint8)
    >>> vocabulary.decode(ids)
    'hole'
    >>> Vocabulary([10, 255], kind="bytes")[1]
    b'\xff'
    """

    __slots__ = ("_codes", "_id_dtype", "_kind", "_table")

    _codes: NDArray[np.uint32]
    _id_dtype: np.dtype[np.unsignedinteger[Any]]
    _kind: Kind
    _table: NDArray[np.int32]

    def __init__(self, codes: ArrayLike, kind: Kind = "characters") -> None:
        if kind not in _MAX_CODE:
            raise InvalidInputError(f'kind must be "characters" or "bytes", not {kind!r}')
        self._kind = kind
        self._codes = _checked_codes(codes, _MAX_CODE[kind])
        size = len(self._codes)
        self._id_dtype = np.min_scalar_type(size - 1)
        # One entry more than the largest code: whatever lies beyond is clipped to it, and is unknown.
        self._table = np.full(int(self._codes[-1]) + 2, -1, np.int32)
        self._table[self._codes] = np.arange(size, dtype=np.int32)

    @classmethod
    def from_blocks(cls, blocks: Iterable[Text]) -> Vocabulary:
        """Collect the distinct symbols of a text that comes in blocks.

        Parameters
        ----------
        blocks : iterable of str, or of bytes-like
            The text, in any partition. One block at a time is held.

        Returns
        -------
        Vocabulary
            Of characters for `str` blocks, of bytes for bytes-like ones.

        Raises
        ------
        InvalidInputError
            If the text is empty, or a block is of a type other than the first one's.

        Examples
        --------
        >>> from crnn.vocabulary import Vocabulary
        >>> Vocabulary.from_blocks(["to be", " or not"])
        Vocabulary(7 characters: ' benort')
        """
        kind: Kind | None = None
        seen = np.zeros(0, np.bool_)
        for block in blocks:
            if kind is None:
                kind = _kind_of(block, "the text")
                seen = np.zeros(_MAX_CODE[kind] + 1, np.bool_)
            elif _kind_of(block, "the text") != kind:
                raise InvalidInputError("the blocks of one text must be all str or all bytes, not a mixture")
            for codes in _pieces(block):
                seen[codes] = True
        if kind is None or not seen.any():
            raise InvalidInputError(
                "the text is empty, too short to train on: its length is 0, and it needs at least 2 symbols"
            )
        return cls(np.flatnonzero(seen), kind)

    @classmethod
    def from_text(cls, text: Text) -> Vocabulary:
        """Collect the distinct symbols of one text.

        Parameters
        ----------
        text : str or bytes-like
            The text.

        Returns
        -------
        Vocabulary
            Of characters for a `str`, of bytes otherwise.

        Raises
        ------
        InvalidInputError
            If `text` is empty or of another type.

        Examples
        --------
        >>> from crnn.vocabulary import Vocabulary
        >>> Vocabulary.from_text(b"abba")
        Vocabulary(2 bytes: b'ab')
        """
        return cls.from_blocks([text])

    @property
    def kind(self) -> Kind:
        """What the symbols are: "characters" or "bytes"."""
        return self._kind

    @property
    def codes(self) -> NDArray[np.uint32]:
        """Code points or byte values in id order, shape (V,), read-only."""
        return self._codes

    @property
    def id_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned type that holds every id: uint8, uint16 or uint32."""
        return self._id_dtype

    def encode(self, text: Text, *, name: str = "X") -> Ids:
        """Turn a text into ids.

        Beside the result it holds no more than the temporaries of some 65,000 symbols.

        Parameters
        ----------
        text : str or bytes-like
            A text of N symbols: `str` for a vocabulary of characters, bytes-like for one of bytes.
        name : str, default="X"
            What error messages call the text.

        Returns
        -------
        ndarray of `id_dtype`, shape (N,)
            The ids.

        Raises
        ------
        InvalidInputError
            If `text` is of the wrong type or holds a symbol that is not in the vocabulary.

        Examples
        --------
        >>> from crnn.vocabulary import Vocabulary
        >>> Vocabulary.from_text("abc").encode("cab")
        array([2, 0, 1], dtype=uint8)
        """
        self._check_kind(text, name)
        ids = np.empty(len(text) if isinstance(text, str) else memoryview(text).nbytes, self._id_dtype)
        start = 0
        for codes in _pieces(text):
            ids[start : start + len(codes)] = self._look_up(codes, start, name)
            start += len(codes)
        return ids

    def encode_blocks(self, blocks: Iterable[Text], *, name: str = "X") -> Ids:
        """Turn a text that comes in blocks, of a total length not known beforehand, into ids.

        One block at a time is held, beside the ids in a buffer that grows by an eighth of its size when it
        is full. Where the system cannot enlarge memory in place, growing holds the old ids for the moment
        of the copy.

        Parameters
        ----------
        blocks : iterable of str, or of bytes-like
            The text, in any partition.
        name : str, default="X"
            What error messages call the text.

        Returns
        -------
        ndarray of `id_dtype`, shape (N,)
            The ids of all blocks, one after another.

        Raises
        ------
        InvalidInputError
            As by `encode`; positions count from the start of the first block.

        Examples
        --------
        >>> from crnn.vocabulary import Vocabulary
        >>> Vocabulary.from_text("abc").encode_blocks(["ca", "b"])
        array([2, 0, 1], dtype=uint8)
        """
        # A bytearray is enlarged by realloc and never fills what it has in reserve, so that pages beyond
        # the last id stay untouched; ndarray.resize would write zeros there.
        buffer = bytearray()
        start = 0
        for block in blocks:
            self._check_kind(block, name)
            for codes in _pieces(block):
                buffer += self._look_up(codes, start, name).data
                start += len(codes)
        return np.frombuffer(buffer, self._id_dtype)

    def decode(self, ids: ArrayLike) -> str | bytes:
        """Turn ids into text.

        Parameters
        ----------
        ids : array-like of int, shape (N,)
            Ids from 0 to V - 1.

        Returns
        -------
        str or bytes
            The text of N symbols; bytes for a vocabulary of bytes.

        Raises
        ------
        InvalidInputError
            If `ids` is not one-dimensional, not integers, or holds a number that is no id.

        Examples
        --------
        >>> from crnn.vocabulary import Vocabulary
        >>> Vocabulary.from_text("abc").decode([2, 0, 1])
        'cab'
        """
        numbers = _integers(ids, "ids")
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(self)):
            i = int(np.flatnonzero((numbers < 0) | (numbers >= len(self)))[0])
            raise InvalidInputError(
                f"ids[{i}] is {numbers[i]}, but the ids of this vocabulary run from 0 to {len(self) - 1}"
            )
        codes = self._codes.take(numbers.astype(np.intp, copy=False))
        if self._kind == "bytes":
            return codes.astype(np.uint8).tobytes()
        return codes.astype("<u4", copy=False).tobytes().decode(_UTF32, "surrogatepass")

    def _check_kind(self, text: object, name: str) -> None:
        if _kind_of(text, name) == self._kind:
            return
        if self._kind == "bytes":
            raise InvalidInputError(
                f"{name} is text, but the symbols of this model are bytes: "
                "pass bytes (encode() makes them of a str, read_bytes() of a path)"
            )
        raise InvalidInputError(
            f"{name} is bytes, but the symbols of this model are characters: pass a str (decode() makes it)"
        )

    def _look_up(self, codes: NDArray[Any], start: int, name: str) -> Ids:
        """Ids of the symbols from position `start` on."""
        ids = self._table.take(codes, mode="clip")
        if ids.min() < 0:
            i = int(np.argmax(ids < 0))
            code = int(codes[i])
            point = f"U+{code:04X}" if self._kind == "characters" else f"byte 0x{code:02X}"
            raise InvalidInputError(
                f"{name} holds {self._symbol(code)!r} ({point}) at position {start + i}, which is not one "
                f"of the {len(self)} symbols of the model: remove or replace it, or fit on text that has it"
            )
        return ids.astype(self._id_dtype)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str | bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[str | bytes]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | bytes | list[str | bytes]:
        if isinstance(index, slice):
            return [self._symbol(code) for code in self._codes[index].tolist()]
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is out of range for a vocabulary of {len(self)} symbols")
        return self._symbol(int(self._codes[i]))

    def __iter__(self) -> Iterator[str | bytes]:
        return map(self._symbol, self._codes.tolist())

    def __contains__(self, symbol: object) -> bool:
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
        return self._kind == other._kind and np.array_equal(self._codes, other._codes)

    def __hash__(self) -> int:
        return hash((self._kind, self._codes.tobytes()))

    def __repr__(self) -> str:
        shown = self.decode(np.arange(min(len(self), _SHOWN)))
        more = ", ..." if len(self) > _SHOWN else ""
        return f"Vocabulary({len(self)} {self._kind}: {shown!r}{more})"

    def __reduce__(self) -> tuple[type[Vocabulary], tuple[NDArray[np.uint32], Kind]]:
        # Two values rebuild all of it; the table need not travel.
        return type(self), (self._codes, self._kind)

    def _symbol(self, code: int) -> str | bytes:
        return chr(code) if self._kind == "characters" else bytes([code])


def byte_view(data: Bytes, name: str = "X") -> memoryview:
    """See bytes-like data as one flat row of unsigned bytes; only what is not contiguous is copied."""
    view = memoryview(data)
    if view.itemsize != 1:
        raise InvalidInputError(
            f'{name} is a memoryview of {view.itemsize}-byte items (format "{view.format}"), not of bytes: '
            'use its cast("B") if its bytes are meant'
        )
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def _kind_of(text: object, name: str) -> Kind:
    if isinstance(text, str):
        return "characters"
    if isinstance(text, (bytes, bytearray, memoryview)):
        return "bytes"
    raise InvalidInputError(f"{name} must be str or bytes, not {type(text).__name__}")


def _pieces(text: Text) -> Iterator[NDArray[Any]]:
    """Code points or byte values of a text, at most `_PIECE` at once and never none."""
    if isinstance(text, str):
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            yield np.frombuffer(piece.encode(_UTF32, "surrogatepass"), "<u4")
    else:
        values = np.frombuffer(byte_view(text), np.uint8)
        for start in range(0, len(values), _PIECE):
            yield values[start : start + _PIECE]


def _integers(values: ArrayLike, name: str) -> NDArray[np.integer[Any]]:
    """One-dimensional integers; an empty list, which NumPy takes for floats, is none."""
    numbers = np.asarray(values)
    if numbers.ndim != 1:
        raise InvalidInputError(f"{name} must be one-dimensional, not of shape {numbers.shape}")
    if numbers.size == 0:
        return numbers.astype(np.intp)
    if numbers.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must be integers, not {numbers.dtype}")
    return numbers


def _checked_codes(codes: ArrayLike, max_code: int) -> NDArray[np.uint32]:
    """Give codes as a read-only array of the vocabulary's own, or say what is wrong with them."""
    numbers = _integers(codes, "codes")
    if numbers.size == 0:
        raise InvalidInputError("codes is empty: a vocabulary needs at least one symbol")
    if numbers.min() < 0 or numbers.max() > max_code:
        raise InvalidInputError(
            f"codes must lie between 0 and {max_code}, but run from {numbers.min()} to {numbers.max()}"
        )
    # A copy in any case: the caller's array may change later.
    own = np.array(numbers, np.uint32)
    falls = np.flatnonzero(own[1:] <= own[:-1])
    if falls.size:
        i = int(falls[0])
        raise InvalidInputError(
            f"codes must be strictly increasing, but codes[{i + 1}] is {own[i + 1]}, after {own[i]}"
        )
    own.flags.writeable = False
    return own
