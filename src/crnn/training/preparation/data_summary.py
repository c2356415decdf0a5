"""Data summary: the amount of data in one line, like min-char-rnn's first line."""

from __future__ import annotations

from ...text.sources.documents import n_documents
from ...text.symbols.vocabulary import Ids, Vocabulary


def data_summary(ids: Ids, validation_ids: Ids | None, vocabulary: Vocabulary) -> str:
    """Return a line with the numbers of training symbols, distinct symbols and validation symbols.

    Examples
    --------
    >>> import numpy as np
    >>> data_summary(np.zeros(1500, np.uint8), np.zeros(300, np.uint8), Vocabulary.from_text("abcd"))
    'data: 1,500 characters, 4 different ones; validation: 300 characters'
    """
    known = _count(len(vocabulary.codes), "different one")
    if vocabulary.unknown is not None:
        known += " and one symbol for all others"
    line = f"data: {_amount(ids, vocabulary)}, {known}"
    return line if validation_ids is None else f"{line}; validation: {_amount(validation_ids, vocabulary)}"


def _amount(ids: Ids, vocabulary: Vocabulary) -> str:
    symbol = vocabulary.kind.removesuffix("s")
    if vocabulary.boundary is None:
        return _count(len(ids), symbol)
    n = n_documents(ids, vocabulary.boundary)
    return f"{_count(n, 'document')} of {_count(len(ids) - n - 1, symbol)} in all"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
