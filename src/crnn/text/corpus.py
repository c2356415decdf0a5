"""From a text, bytes or a file to ids."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from typing import TypeGuard

import numpy as np

from ..errors import InvalidInputError
from .codes import Kind, byte_view, kind_of
from .documents import Documents, joined, pack
from .vocabulary import Ids, Text, Vocabulary

__all__ = ["Documents", "Source", "blocks", "encode", "length", "rereadable", "vocabulary_of"]

_BLOCK_SIZE = 1 << 20

Source = Text | os.PathLike[str] | os.PathLike[bytes] | Iterable[Text]


def blocks(X: Source | Documents, *, name: str = "X", block_size: int = _BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
    """Give a text block by block.

    Parameters
    ----------
    X : str, bytes-like or os.PathLike
        A `str` is the text itself, never a file name. Bytes are a text whose symbols are bytes. A path is
        a file of UTF-8 text, read anew by every call; line ends and a byte order mark stay as they are. Documents
        that have been read are taken one after another.
    name : str, default="X"
        What error messages call the text.
    block_size : int, default=1048576
        The most symbols in a block (for a file also the bytes read at once).

    Returns
    -------
    iterator of str or of bytes
        Blocks that make the text when joined; none is empty. A file is opened with the first block.

    Raises
    ------
    InvalidInputError
        At once, if `X` is none of these or `block_size` is less than 1.
    UnicodeDecodeError
        On the way, if a file is not UTF-8. `start` counts bytes from the start of the file; in `object` the
        bytes of blocks already given are NUL. A note names the file.
    OSError
        On the way, if a file cannot be read: as `open` raises it (`FileNotFoundError`, `IsADirectoryError`).

    Examples
    --------
    >>> from crnn.text.corpus import blocks
    >>> list(blocks("to be or not", block_size=5))
    ['to be', ' or n', 'ot']
    >>> list(blocks(b"to be"))
    [b'to be']
    """
    if block_size < 1:
        raise InvalidInputError(f"block_size must be at least 1, not {block_size}")
    if isinstance(X, Documents):
        X = X.text
    if isinstance(X, str):
        return _text_blocks(X, block_size)
    if isinstance(X, (bytes, bytearray, memoryview)):
        return _byte_blocks(byte_view(X, name), block_size)
    if isinstance(X, os.PathLike):
        return _file_blocks(X, block_size)
    raise InvalidInputError(
        f"{name} must be a str (the text), bytes, a path object (a UTF-8 file) or a list of str or bytes (documents), "
        f"not {type(X).__name__}"
    )


def rereadable(X: Source | Documents, name: str = "X") -> Source | Documents:
    """Return what gives the same text at every reading: `X`, but the text itself for a path that is not a file's.

    A pipe or a device can be read only once, and training reads a text twice: for its symbols and for their ids. A
    collection of documents is read here, and only here: it may be a generator.
    """
    if _is_collection(X):
        return joined(X, name)
    if isinstance(X, os.PathLike) and os.path.exists(X) and not os.path.isfile(X) and not os.path.isdir(X):
        return "".join(_file_blocks(X, _BLOCK_SIZE))
    return X


def length(X: Source | Documents) -> int:
    """Return the length of a text, or of documents, in symbols; of a file in bytes, which is no less.

    Raises
    ------
    InvalidInputError
        If `X` is no text.
    OSError
        If a file is not there.

    Examples
    --------
    >>> length("to be"), length(["to", "be"])  # of documents also the boundaries count
    (5, 7)
    """
    if isinstance(X, os.PathLike):
        return os.stat(X).st_size
    if _is_collection(X):
        X = joined(X)
    if isinstance(X, Documents):
        return len(X.text) + len(X.lengths) + 1
    return sum(map(len, blocks(X)))


def vocabulary_of(X: Source | Documents, min_count: int = 1, *, boundary: bool = False) -> Vocabulary:
    """Collect the symbols of a text, or of documents, which also have a boundary.

    Parameters
    ----------
    X : str, bytes-like, os.PathLike or Documents
        What `rereadable` returns.
    min_count : int, default=1
        See `Vocabulary.from_blocks`.
    boundary : bool, default=False
        Whether a text is one document, which may be empty.

    Examples
    --------
    >>> vocabulary_of(rereadable(["to", "be"]))
    Vocabulary(4 characters: 'beot', crnn.BOUNDARY)
    """
    kind: Kind | None = None  # that of the first block, but of documents there may be none
    if isinstance(X, Documents):
        boundary, kind = True, X.kind
    elif boundary:
        kind = "characters" if isinstance(X, os.PathLike) else kind_of(X, "X")
    return Vocabulary.from_blocks(blocks(X), min_count=min_count, boundary=boundary, kind=kind)


def encode(X: Source | Documents, vocabulary: Vocabulary, name: str = "X") -> Ids:
    """Turn a text, bytes, a file or documents into ids; for a vocabulary with a boundary, with all the boundaries.

    Beside the ids no more than one block of the text and its temporaries is held.

    Parameters
    ----------
    X : str, bytes-like, os.PathLike, Documents or iterable of str or bytes
        A text of N symbols, as for `blocks`. A text is one document for a vocabulary with a boundary.
    vocabulary : Vocabulary
        The symbols in id order.
    name : str, default="X"
        What error messages call the text.

    Returns
    -------
    ndarray of `vocabulary.id_dtype`, shape (N,)
        The ids.

    Raises
    ------
    InvalidInputError
        If `X` is of the wrong type or holds a symbol that is not in the vocabulary, or is a collection and the
        vocabulary has no boundary.
    UnicodeDecodeError, OSError
        As by `blocks`.

    Examples
    --------
    >>> from crnn.text.corpus import encode
    >>> from crnn.text.vocabulary import Vocabulary
    >>> encode("cab", Vocabulary.from_text("abc"))
    array([2, 0, 1], dtype=uint8)
    >>> encode(["cab", "a"], Vocabulary([97, 98, 99], boundary=True))
    array([3, 2, 0, 1, 3, 0, 3], dtype=uint8)
    """
    X = rereadable(X, name)
    if isinstance(X, Documents) and vocabulary.boundary is None:
        raise InvalidInputError(
            f"{name} is a list of documents, but the model was fitted on one text and knows no end of a document: fit "
            f"on a list, or pass one str"
        )
    text = X.text if isinstance(X, Documents) else X
    if isinstance(text, (str, bytes, bytearray, memoryview)):
        ids = vocabulary.encode(text, name=name)
    else:
        ids = vocabulary.encode_blocks(blocks(text, name=name), name=name)
    if vocabulary.boundary is None:
        return ids
    lengths = X.lengths if isinstance(X, Documents) else np.array([len(ids)])
    return pack(ids, lengths, vocabulary.boundary)


def _is_collection(X: object) -> TypeGuard[Iterable[Text]]:
    """Say whether this holds texts, and is none."""
    return isinstance(X, Iterable) and not isinstance(
        X, str | bytes | bytearray | memoryview | os.PathLike | Documents
    )


def _text_blocks(text: str, block_size: int) -> Iterator[str]:
    for start in range(0, len(text), block_size):
        yield text[start : start + block_size]


def _byte_blocks(data: memoryview, block_size: int) -> Iterator[bytes]:
    for start in range(0, len(data), block_size):
        yield bytes(data[start : start + block_size])


def _file_blocks(path: os.PathLike[str] | os.PathLike[bytes], block_size: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0  # of the next byte to read
    with open(path, "rb") as file:
        while True:
            data = file.read(block_size)
            # The decoder keeps up to three bytes of a character that is not yet complete.
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _located(error, position - held, path) from None
            if text:
                yield text
            if not data:
                return
            position += len(data)


def _located(
    error: UnicodeDecodeError, offset: int, path: os.PathLike[str] | os.PathLike[bytes]
) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its place in the file."""
    # A UnicodeDecodeError holds `start` within its object, so that the object must be as long. What went
    # before is filled up, not read again: a pipe cannot be.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(
        f"in the file {os.fspath(path)!r}: convert it to UTF-8, or pass its bytes instead of its path"
    )
    return moved
