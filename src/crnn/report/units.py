"""Find the units that follow a property of the text, for the selector of the neuron view."""

from __future__ import annotations

from typing import Any

from ..char_rnn import CharRNN
from ..plot.unit_search import MIN_SYMBOLS, find_units
from .shown_text import TextPart

SEARCHED = 6_000  # symbols of the text


def units_followed(model: CharRNN, part: TextPart) -> list[dict[str, Any]]:
    """Return the units that follow a property, numbered across layers; empty for a model of documents."""
    if model.vocabulary_.boundary is not None or len(part.measured) < MIN_SYMBOLS:
        return []
    found = find_units(model, part.measured[:SEARCHED])
    return [
        {
            "unit": unit.layer * model.hidden_size + unit.unit,
            "property": unit.property,
            "correlation": unit.correlation,
        }
        for unit in found
    ]
