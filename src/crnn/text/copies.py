"""Copies: the longest passage of each sample in a text; they show how much a model has memorized."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.copies import SEPARATOR, CopyFinder
from ..errors import InvalidInputError
from ..parameters.checks import has_items
from .documents import python_values
from .sources import TextLike, text_source
from .text_files import TextFile
from .vocabulary import kind_of, pieces


class Copy(NamedTuple):
    """The longest passage of a sample that occurs in a text.

    Attributes
    ----------
    length : int
        The passage's number of characters; 0 if the text has none of the sample's.
    start : int
        Where the passage begins in the sample.
    document : int
        The index of the text's document that contains the passage; 0 for a single text.
    text_start : int
        Where the passage begins in that document.
    """

    length: int
    start: int
    document: int
    text_start: int


def longest_copies(samples: Iterable[str] | Iterable[bytes], X: TextLike) -> list[Copy]:
    """Return the longest passage of each sample that occurs in a text, such as the training text.

    It takes time proportional to the total length, and memory for the samples alone: about 70 bytes per character. A
    ValueError is raised if the samples are not an iterable of texts, or of another kind than the text.

    Parameters
    ----------
    samples : iterable of str or of bytes
        The samples, of the text's kind.
    X : str, bytes, os.PathLike, `Lines` or iterable of str or bytes
        The text, or documents, as for `CharRNN.fit`. A passage never reaches from one document into the next. A
        document that is None is left out, and the others keep their numbers.

    Returns
    -------
    list of Copy
        For each sample the tuple ``(length, start, document, text_start)``. Of passages of the same length, it is the
        first in the sample.

    Examples
    --------
    >>> from crnn import longest_copies
    >>> longest_copies(["or not to see", "xyz"], "to be or not to be")
    [Copy(length=10, start=0, document=0, text_start=6), Copy(length=0, start=0, document=0, text_start=0)]
    """
    if isinstance(samples, str | bytes | bytearray | memoryview) or not has_items(samples):
        raise InvalidInputError(f"samples is of type {type(samples).__name__}. Pass a list of texts.")
    texts = list(python_values(samples))
    kinds = {kind_of(sample, f"samples[{i}]") for i, sample in enumerate(texts)}
    codes = [_codes(sample) for sample in texts]
    separator = np.array([SEPARATOR], np.uint32)
    finder = CopyFinder(np.concatenate([separator, *[part for one in codes for part in (one, separator)]]))
    last_document = 0
    for document, piece in _read(X):
        kinds.add(kind_of(piece, f"X[{document}]"))
        if len(kinds) > 1:
            raise InvalidInputError("samples and X must be all str or all bytes. Convert the samples, or X.")
        if document != last_document:
            finder.start_document(document)
            last_document = document
        finder.read(_codes(piece))
    lengths = np.array([*map(len, codes)], np.intp)
    starts = np.cumsum(lengths + 1) - lengths
    rows = finder.passages(starts, lengths).tolist()
    return [Copy(length, start, document, max(0, end - length)) for length, start, document, end in rows]


def _read(X: Any) -> Iterable[tuple[int, Any]]:
    """Yield a text in pieces, each with the number of its document."""
    one = isinstance(X, str | bytes | bytearray | memoryview | os.PathLike | TextFile)
    if one or (isinstance(X, list | tuple) and X and all(isinstance(path, os.PathLike) for path in X)):
        return ((0, block) for block in text_source(X, "X").blocks())
    if not has_items(X) or isinstance(X, dict):
        raise InvalidInputError(f"X is of type {type(X).__name__}. Pass a text, a path or a list of documents.")
    return ((i, document) for i, document in enumerate(python_values(X)) if document is not None)


def _codes(text: Any) -> NDArray[np.uint32]:
    """Return a text's code points or byte values."""
    return np.concatenate([np.zeros(0, np.uint32), *pieces(text)]).astype(np.uint32)
