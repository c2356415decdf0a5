"""Sample from a model at three temperatures."""

from __future__ import annotations

from typing import Any

from ..char_rnn import CharRNN

TEMPERATURES = (0.5, 0.8, 1.1)
LENGTH = 400
DOCUMENTS = 10


def samples(model: CharRNN) -> list[dict[str, Any]]:
    """Return a sample at each temperature with seed 0; for a model of documents, several documents, one per line."""
    out = []
    for temperature in TEMPERATURES:
        if model.vocabulary_.boundary is None:
            text = shown(model.sample(LENGTH, temperature=temperature, random_state=0))
        else:
            drawn = model.sample(num_samples=DOCUMENTS, max_length=LENGTH, temperature=temperature, random_state=0)
            text = "\n".join(map(shown, drawn))
        out.append({"temperature": temperature, "text": text})
    return out


def shown(text: str | bytes) -> str:
    """Return a text for display; bytes are decoded as UTF-8."""
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
