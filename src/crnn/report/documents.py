"""Tables of documents: the likeliest, the strangest, and new ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from .samples import shown
from .shown_text import TextPart

__all__ = ["document_tables"]

ROWS = 15
MAX_LENGTH = 200  # characters of a document that are shown


def document_tables(model: CharRNN, part: TextPart) -> dict[str, Any]:
    """Return the documents of the lowest and the highest mean surprisal, and new ones, with their bits.

    Examples
    --------
    >>> from .shown_text import text_part
    >>> model = CharRNN(16, max_steps=500, random_state=0).fit(["abc", "abc", "abc", "cba"] * 20)
    >>> tables = document_tables(model, text_part(model, ["abc", "cab"]))["tables"]
    >>> tables["likeliest"][0]["text"], tables["strangest"][0]["text"]
    ('abc', 'cab')
    """
    documents = list(dict.fromkeys(part.measured))
    rows = _rows(model, documents)
    order = sorted(rows, key=lambda row: row["mean"])
    try:
        new = model.sample(num_samples=ROWS, unique=True, exclude=documents, temperature=0.8, random_state=0)
    except InvalidInputError:  # it writes hardly anything else
        new = []
    return {
        "note": f"Of {part.described}, each once; by the mean over its characters and its end. New ones are samples at "
        "temperature 0.8 that are not among them.",
        "tables": {"likeliest": order[:ROWS], "strangest": order[::-1][:ROWS], "new": _rows(model, new)},
    }


def _rows(model: CharRNN, documents: list[Any]) -> list[dict[str, Any]]:
    """Return text, bits and bits per symbol of each document, its end a symbol more."""
    bits = -model.score_samples(documents) / math.log(2)
    means = bits / (np.array([len(document) for document in documents]) + 1) if documents else bits
    return [
        {"text": shown(document[:MAX_LENGTH]), "bits": float(b), "mean": float(mean)}
        for document, b, mean in zip(documents, bits, means, strict=True)
    ]
