"""Build the tables of documents: the most likely, the least likely, and new ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from .samples import shown
from .shown_text import TextPart

ROWS = 15
MAX_LENGTH = 200  # characters shown of a document


def document_tables(model: CharRNN, part: TextPart) -> dict[str, Any]:
    """Return the documents with the lowest and highest mean surprisal, and new ones, with their bits."""
    documents = list(dict.fromkeys(part.measured))
    rows = _rows(model, documents)
    order = sorted(rows, key=lambda row: row["mean"])
    try:
        new = model.sample(num_samples=ROWS, unique=True, exclude=documents, temperature=0.8, random_state=0)
    except InvalidInputError:  # the model writes hardly any other documents
        new = []
    return {
        "note": f"Distinct documents of {part.described}, sorted by the mean over their characters and end. New "
        "documents are samples at temperature 0.8 that are not in the text.",
        "tables": {"likeliest": order[:ROWS], "strangest": order[::-1][:ROWS], "new": _rows(model, new)},
    }


def _rows(model: CharRNN, documents: list[Any]) -> list[dict[str, Any]]:
    """Return each document's text, bits, and mean bits per symbol, counting the end as a symbol."""
    bits = -model.score_samples(documents) / math.log(2)
    means = bits / (np.array([len(document) for document in documents]) + 1) if documents else bits
    return [
        {"text": shown(document[:MAX_LENGTH]), "bits": float(b), "mean": float(mean)}
        for document, b, mean in zip(documents, bits, means, strict=True)
    ]
