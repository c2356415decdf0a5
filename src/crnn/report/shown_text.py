"""The text that a report shows, with the model's surprise and guesses at each symbol."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import has_items
from ..text.sources import text_source
from ..text.vocabulary import Vocabulary

Text = str | bytes

MAX_LENGTH = 200  # characters shown of a document or of a classified text
SCORING_WORK = 2e10  # multiplications by weights for scoring, which take a few seconds
MIN_MEASURED = 10_000  # symbols
MAX_MEASURED = 1_000_000  # symbols
MAX_EXACT = 20_000  # symbols scored with a single state; longer texts are scored in parallel parts
SHOWN_SYMBOLS = 4000  # symbols shown with their surprisal
UNIT_SYMBOLS = 2000  # symbols shown with their units
GENERATED_LENGTH = 2000  # symbols of the sample, if no text is given
GENERATED_DOCUMENTS = 100
SHOWN_GUESSES = 5
BLOCK_POSITIONS = 512  # positions whose probabilities are in memory at a time
BOUNDARY_CODE = -1
TEMPERATURES = (0.5, 0.8, 1.1)  # of the samples
SAMPLE_LENGTH = 400  # symbols of a sample, or at most of a document
SAMPLE_DOCUMENTS = 10  # of a sample


class TextPart(NamedTuple):
    """The scored part: the beginning of a text, or the first documents."""

    measured: Any  # str or bytes; a list of them for a model of documents
    size: str  # the size of the part, in words
    exact: bool  # whether the part is short enough to be scored with a single state
    is_sample: bool  # whether the part is a sample of the model

    def documents(self, limit: int) -> list[Text]:
        """Return the first documents with at most `limit` symbols and ends in total, but at least one document."""
        ends = np.cumsum([len(document) + 1 for document in self.measured])
        return list(self.measured[: max(1, int(np.searchsorted(ends, limit, side="right")))])

    def neurons(self, vocabulary: Vocabulary) -> dict[str, list[int]]:
        """Return ids and codes of the part shown with units; the code -1 is the end of a document."""
        if vocabulary.boundary is None:
            text = self.measured[:UNIT_SYMBOLS]
            return {"ids": vocabulary.encode(text).tolist(), "codes": codes_of(text)}
        ids = list[int]()
        codes = list[int]()
        for document in self.documents(UNIT_SYMBOLS):
            ids += [*vocabulary.encode(document).tolist(), vocabulary.boundary]
            codes += [*codes_of(document), BOUNDARY_CODE]
        return {"ids": ids, "codes": codes}


def text_part(model: CharRNN, text: Any) -> TextPart:
    """Return the part of a text that can be scored in a few seconds."""
    of_documents = model.vocabulary_.boundary is not None
    is_sample = text is None
    if is_sample:
        if of_documents:
            text = model.sample(n_samples=GENERATED_DOCUMENTS, random_state=0)
        else:
            text = model.sample(GENERATED_LENGTH, random_state=0)
    n_weights = sum(array.size for array in model.params_.values())
    limit = int(min(max(SCORING_WORK / n_weights, MIN_MEASURED), MAX_MEASURED))
    unit = "bytes" if model.vocabulary_.kind == "bytes" else "characters"
    if of_documents:
        return _document_part(model.vocabulary_, text, limit, unit, is_sample)
    if not isinstance(text, str | bytes | os.PathLike):
        raise InvalidInputError(
            "X is a list of documents, but the model was fitted on one text. Join the documents to one text."
        )
    blocks = text_source(text).blocks()
    beginning, more = _take(blocks, limit)
    if not len(beginning):
        raise InvalidInputError("X is empty. Pass at least one symbol.")
    size = f"{'the first' if more else 'all'} {len(beginning):,} {unit}"
    return TextPart(beginning, size, len(beginning) <= MAX_EXACT, is_sample)


def text_view(model: CharRNN, part: TextPart) -> dict[str, Any]:
    """Return codes, bits and predictions for the beginning of a text."""
    shown = part.measured[:SHOWN_SYMBOLS]
    return _view(part, [codes_of(shown)], [judge_symbols(model, shown)], "symbols")


def document_view(model: CharRNN, part: TextPart) -> dict[str, Any]:
    """Return codes, bits and predictions for the first documents and their ends."""
    documents = part.documents(SHOWN_SYMBOLS)
    codes = [[*codes_of(document), BOUNDARY_CODE] for document in documents]
    return _view(part, codes, [judge_symbols(model, document) for document in documents], "symbols, ends among them")


def judge_symbols(model: CharRNN, text: Text) -> tuple[Array, Array, Array]:
    """Return the bits of each symbol, and the most likely symbols and their probabilities at each position.

    A document's end is one of the symbols.
    """
    vocabulary = model.vocabulary_
    Why = model.params_["Why"].T
    by = model.params_["by"]
    ids = vocabulary.encode(text).astype(np.intp)
    top = model.hidden_states(text)[:, -1]
    if vocabulary.boundary is not None:
        ids = np.append(ids, vocabulary.boundary)
    first = np.log(model.start().next_proba())[None]
    n = len(ids)
    count = min(SHOWN_GUESSES, len(vocabulary))
    bits = np.empty(n)
    best = np.empty((n, count), np.intp)
    p = np.empty((n, count))
    for start in range(0, n, BLOCK_POSITIONS):
        stop = min(start + BLOCK_POSITIONS, n)
        y = top[max(start - 1, 0) : stop - 1].astype(np.float64) @ Why + by
        y = np.concatenate([first, y]) if start == 0 else y
        log_p = y - y.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        likeliest = np.argsort(-log_p, axis=1, kind="stable")[:, :count]
        bits[start:stop] = -log_p[np.arange(stop - start), ids[start:stop]] / np.log(2)
        best[start:stop] = likeliest
        p[start:stop] = np.exp(np.take_along_axis(log_p, likeliest, axis=1))
    return bits, best, p


def codes_of(text: Text) -> list[int]:
    """Return a text's code points or bytes."""
    return [ord(character) for character in text] if isinstance(text, str) else list(text)


def _view(part: TextPart, codes: Sequence[list[int]], judgements: Sequence[Any], unit: str) -> dict[str, Any]:
    """Combine the scores of texts into the page's format."""
    bits, ids, p = (np.concatenate(arrays) for arrays in zip(*judgements, strict=True))
    guesses = np.stack([ids, np.rint(1000 * p).astype(np.intp)], axis=-1).ravel().tolist()  # thousandths: few digits
    origin = "No text was given, so this is a sample of the model. " if part.is_sample else ""
    return {
        "codes": [code for text in codes for code in text],
        "bits": bits.round(2).tolist(),
        "guesses": guesses,
        "note": f"{origin}The first {len(bits):,} {unit} are shown ({bits.mean():.2f} bits each). The overview's "
        f"figure is for {part.size}.",
    }


def _document_part(vocabulary: Vocabulary, text: Any, limit: int, unit: str, is_sample: bool) -> TextPart:
    """Check the documents of a report, and take the first ones, as many as can be scored in a few seconds."""
    if isinstance(text, str | bytes | os.PathLike):
        raise InvalidInputError("X is one text, but the model was fitted on documents. Pass a list of documents.")
    if not has_items(text):
        raise InvalidInputError(f"X is {short_repr(text)}, but must be a list of documents")
    whole = list(text)
    for i, document in enumerate(whole):
        vocabulary.check_kind(document, f"text[{i}]")
    if not whole:
        raise InvalidInputError("X is empty. Pass at least one document.")
    documents = TextPart(whole, size="", exact=True, is_sample=is_sample).documents(limit)
    size = f"{'the first' if len(documents) < len(whole) else 'all'} {len(documents):,} documents"
    symbols = sum(map(len, documents))
    return TextPart(documents, f"{size}, {symbols:,} {unit}", symbols <= MAX_EXACT, is_sample)


def _take(blocks: Iterable[Any], limit: int) -> tuple[Text, bool]:
    """Return the first symbols of a text read in blocks, and whether more follow."""
    taken = list[Any]()
    count = 0
    for block in blocks:
        taken.append(block)
        count += len(block)
        if count > limit:
            break
    text: Text = (b"" if taken and isinstance(taken[0], bytes | memoryview) else "").join(taken)
    return text[:limit], count > limit


def samples(model: CharRNN) -> list[dict[str, Any]]:
    """Return a sample at each temperature with seed 0; for a model of documents, several documents, one per line."""
    out = []
    for temperature in TEMPERATURES:
        if model.vocabulary_.boundary is None:
            text = display_text(model.sample(SAMPLE_LENGTH, temperature=temperature, random_state=0))
        else:
            drawn = model.sample(
                n_samples=SAMPLE_DOCUMENTS, max_length=SAMPLE_LENGTH, temperature=temperature, random_state=0
            )
            text = "\n".join(map(display_text, drawn))
        out.append({"temperature": temperature, "text": text})
    return out


def display_text(text: str | bytes) -> str:
    """Return a text for display; bytes are decoded as UTF-8."""
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
