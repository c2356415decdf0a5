"""Write the report: choose its subject, judge its text, measure the model, and fill the page."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Array
from ..char_rnn import CharRNN
from ..display.loss_curve import number_in
from ..errors import InvalidInputError, short_repr
from ..export.models import ExportedNetwork
from ..export.page import ENGINE, INTERFACE, fill_in, html_page, live_data, printable_title
from ..export.script import assets, script_of
from ..mixture import Mixture
from ..model.layout import describe_parameters
from ..parameters.checks import FilePath, checked_path, has_items
from ..plot.units import MIN_SYMBOLS, find_units
from ..runtime.atomic_file import write_atomically
from ..text.copies import longest_copies
from ..text.documents import python_values
from ..text.labels import checked_labels
from ..text.sources import text_source
from ..text.vocabulary import Vocabulary
from ..text_classifier import TextClassifier

EXPORT = "crnn.export"
STYLES = ("page.css", "live.css")
SCRIPTS = ("curves.js", "neurons.js", "classes.js", "report.js")
COPY_SYMBOLS = 6_000  # symbols of the text in which copies are searched
TABLE_ROWS = 15
MAX_LENGTH = 200  # characters shown of a document or of a classified text
MAX_RECORDS = 400  # plotted training records
MAX_COPY = 200  # characters shown of the longest copy
CURVES = {"training": "train_loss", "validation": "validation_loss", "rate": "learning_rate", "norm": "gradient_norm"}
LOSSES = ("training", "validation")
SHOWN_CLASSES = 20  # classes listed by name


class Subject(NamedTuple):
    """A report's model, training records and text, and for a classifier the additional facts and tables."""

    model: CharRNN
    text: Any  # None: use a sample of the model
    history: Sequence[dict[str, Any]]
    facts: Sequence[tuple[str, str]] = ()  # about a classifier
    classes: dict[str, Any] | None = None  # the classifier's tables


def subject_of(model: CharRNN | Mixture | TextClassifier, X: Any, y: ArrayLike | None) -> Subject:
    """Return the subject of the report."""
    if isinstance(model, TextClassifier):
        return _of_classifier(model, X, y)
    if isinstance(model, Mixture):
        networks = [member for member in model.models_ if isinstance(member, CharRNN)]
        if not networks:
            raise InvalidInputError("a report needs a network, but the mixture has none. Pass one with a CharRNN.")
        model = networks[0]
    if not isinstance(model, CharRNN):
        raise InvalidInputError(
            f"model is {short_repr(model)}, but a report needs a network. Pass a CharRNN, or a Mixture or "
            "TextClassifier with one."
        )
    if y is not None:
        raise InvalidInputError("y needs a classifier, but model is a CharRNN. Omit y.")
    return Subject(model, X, model.history_)


def _of_classifier(classifier: TextClassifier, texts: Any, y: ArrayLike | None) -> Subject:
    """Return the model and texts of the most frequent class or, without labels, of the first class."""
    classes = classifier.classes_
    number = 0
    tables = None
    networks = [models for models in classifier.models_ if isinstance(next(iter(models.values())), CharRNN)]
    if not networks:
        raise InvalidInputError("a report shows a network, but the classifier has none. Pass one with a CharRNN.")
    named = ", ".join([*map(str, classes[:SHOWN_CLASSES].tolist()), *(["…"] if len(classes) > SHOWN_CLASSES else [])])
    facts = [("classifier", f"{len(classes):,} classes: {named}")]
    if y is not None:
        part = labeled_texts(classifier, texts, y)
        tables = class_tables(classifier, part)
        facts.append(("accuracy", f"{tables['accuracy']:.1%} of {part.size}"))
        number = int(np.bincount(part.numbers).argmax())
        texts = [text for text, k in zip(part.texts, part.numbers.tolist(), strict=True) if k == number]
    direction = "forward"
    note = ""
    if classifier.directions == "backward":
        direction = "backward"
        note = ", written and read in reverse"
        texts = None if texts is None else [text[::-1] for text in texts]
    facts.append(("steps", f"{classifier.n_steps_:,} in total"))
    facts.append(("shown here", f"the network for texts of {str(classes[number])!r}{note}"))
    model = networks[0][direction]
    assert isinstance(model, CharRNN)
    return Subject(model.for_label(classes[number].item()), texts, model.history_, facts, tables)


def write_report(
    model: CharRNN | Mixture | TextClassifier,
    path: FilePath,
    X: str | bytes | Sequence[str] | Sequence[bytes] | os.PathLike[str] | None = None,
    y: ArrayLike | None = None,
    *,
    title: str | None = None,
) -> None:
    """Write a report on a model as a self-contained HTML page.

    ``docs/look_inside.md`` says what it shows. Its last tab is the page of `export_html`, which runs the network.
    Errors are as for `export_html`; also a ValueError if the text contains a symbol unknown to the model, or the
    classifier does not have a label.

    Parameters
    ----------
    model : CharRNN, Mixture or TextClassifier
        A fitted model. The report on a mixture is on its first network.
    path : str, bytes or os.PathLike
        The path of the page, usually with the suffix ``.html``.
    X : str, bytes, os.PathLike or sequence of str or bytes, default=None
        A text of the model's symbols, preferably held out from training. For a model of documents, a list of texts.
        Only the beginning of a long text is scored, and less of it is shown; the report says how much. None: a sample
        of the model.
    y : array-like of shape (n,), default=None
        For a classifier, the class of each text, which the confusion matrix needs. The other tabs then show the texts
        and the network of the most frequent class, or without labels of the first class.
    title : str or None, default=None
        The page's title. None: "A character model".

    Examples
    --------
    >>> import tempfile
    >>> from crnn import CharRNN
    >>> from crnn.report import write_report
    >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(model, f"{folder}/abc.html", "abcabc")
    """
    name = checked_path("path", path)
    subject = subject_of(model, X, y)
    exported = ExportedNetwork.of(subject.model, int8=True)  # a quarter of the size of float32
    script = script_of(exported)
    title = printable_title(title)
    body = fill_in(
        assets(__package__, ["report.html"]),
        title=escape(title),
        summary=escape(exported.summary),
        live=assets(EXPORT, ["live.html"]),
    )
    page = html_page(
        title=title,
        body=body,
        style="\n".join([assets(EXPORT, STYLES), assets(__package__, ["report.css"])]),
        engine=assets(EXPORT, [*script.files, *ENGINE]),
        script="\n".join([assets(EXPORT, [*INTERFACE, "axes.js"]), assets(__package__, SCRIPTS)]),
        data=live_data(exported, script, "model.quantize()" if exported.is_rounded else "model") | report_data(subject),
        weights=script.encoded,
    )
    write_atomically(name, page)


def report_data(subject: Subject) -> dict[str, Any]:
    """Return the data that the page shows, except what its network computes.

    A new tab needs a key here, a panel in ``report.html`` and a function in ``report.js``.
    """
    model = subject.model
    part: TextPart = text_part(model, subject.text)
    boundary = model.vocabulary_.boundary
    drawn = samples(model)
    return {
        "facts": [*subject.facts, *facts(model, part), *longest_copy(drawn, part)],
        "history": curves(subject.history),
        "samples": drawn,
        "text": text_view(model, part) if boundary is None else document_view(model, part),
        "neurons": part.neurons(model.vocabulary_),
        "units": units_followed(model, part),
        "documents": None if boundary is None else document_tables(model, part),
        "classes": subject.classes,
    }


def longest_copy(drawn: list[dict[str, Any]], part: TextPart) -> list[tuple[str, str]]:
    """Return a row about the longest passage that the samples share with a given text of characters."""
    of_bytes = isinstance(part.measured, bytes) or (part.measured and isinstance(part.measured[0], bytes))
    if part.is_sample or of_bytes:
        return []
    texts = [text for sample in drawn for text in sample["text"].split("\n")]
    texts = [sample["text"] for sample in drawn] if isinstance(part.measured, str) else texts
    copies = longest_copies(texts, part.measured)
    copy, text = max(zip(copies, texts, strict=True), key=lambda pair: pair[0].length)
    passage = text[copy.start : copy.start + copy.length][:MAX_COPY]
    return [("longest copy", f"{copy.length:,} characters of a sample occur in {part.size}: {passage!r}")]


def units_followed(model: CharRNN, part: TextPart) -> list[dict[str, Any]]:
    """Return the units that follow a property, numbered across layers; empty for a model of documents."""
    if model.vocabulary_.boundary is not None or len(part.measured) < MIN_SYMBOLS:
        return []
    units = find_units(model, part.measured[:COPY_SYMBOLS])
    H = model.hidden_size
    return [{"unit": u.layer * H + u.unit, "property": u.property, "correlation": u.correlation} for u in units]


def document_tables(model: CharRNN, part: TextPart) -> dict[str, Any]:
    """Return the documents with the lowest and highest mean surprisal, and new ones, with their bits."""
    documents = list(dict.fromkeys(part.measured))
    rows = _rows(model, documents)
    order = sorted(rows, key=lambda row: row["mean"])
    try:
        new = model.sample(n_samples=TABLE_ROWS, unique=True, exclude=documents, temperature=0.8, random_state=0)
    except InvalidInputError:  # the model writes hardly any other documents
        new = []
    return {
        "note": f"Distinct documents of {part.size}, sorted by the mean over their characters and end. New "
        "documents are samples at temperature 0.8 that are not in the text.",
        "tables": {"likeliest": order[:TABLE_ROWS], "strangest": order[::-1][:TABLE_ROWS], "new": _rows(model, new)},
    }


def _rows(model: CharRNN, documents: list[Any]) -> list[dict[str, Any]]:
    """Return each document's text, bits, and mean bits per symbol, counting the end as a symbol."""
    bits = -model.score_samples(documents) / math.log(2)
    means = bits / (np.array([len(document) for document in documents]) + 1) if documents else bits
    return [
        {"text": display_text(document[:MAX_LENGTH]), "bits": float(b), "mean": float(mean)}
        for document, b, mean in zip(documents, bits, means, strict=True)
    ]


def facts(model: CharRNN, part: TextPart) -> list[tuple[str, str]]:
    """Return names and values that describe a model."""
    symbols = model.vocabulary_
    loss = model.bits_per_char(part.measured, exact=part.exact)
    seen = "a sample of its own" if part.is_sample else part.size
    steps = f"{model.n_steps_:,} steps of {model.batch_size} x {model.seq_length} {symbols.kind}"
    return [
        ("network", describe_parameters(model.get_params())),
        ("weights", f"{sum(array.size for array in model.params_.values()):,}"),
        ("vocabulary", repr(symbols)),
        *([("trained", steps)] if model.n_steps_ else []),  # omitted for an untrained model, and for one label's model
        ("bits per symbol", f"{loss:.3f}, perplexity {2 ** min(loss, 1000):.2f}, on {seen}"),
        ("parameters", repr(model)),
    ]


def curves(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the training curves, with losses in bits, and None for missing measurements."""
    records = thin_records([record for record in history if number_in(record, "step") is not None])
    out: dict[str, list[float | None]] = {"step": [number_in(record, "step") for record in records]}
    for name, key in CURVES.items():
        unit = math.log(2) if name in LOSSES else 1.0
        values = (number_in(record, key) for record in records)
        out[name] = [None if value is None else value / unit for value in values]
    return out


def thin_records(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return at most `MAX_RECORDS` evenly spaced records, plus those with a validation loss and the last one."""
    every = -(-len(history) // MAX_RECORDS)
    last = len(history) - 1
    measured = (number_in(record, "validation_loss") is not None for record in history)
    return [history[i] for i, is_measured in enumerate(measured) if i % every == 0 or i == last or is_measured]


# ---------------------------------------------------------------- confusion matrix

CLASSIFYING_WORK = 2e11  # multiplications by weights for classifying the texts, which take a few seconds in batches
MIN_TEXTS = 1000
MAX_CLASSES = 40  # of the table; the rarest share the last row and column
MAX_MISTAKES = 15  # listed mistakes
EXAMPLES_PER_CELL = 5  # examples per cell
OTHERS = "(others)"

Text = str | bytes


class LabeledTexts(NamedTuple):
    """The texts to classify, the first ones of those given, and the number of each text's class."""

    texts: list[Text]
    numbers: NDArray[np.intp]
    size: str  # the number of texts, in words


def labeled_texts(classifier: TextClassifier, texts: Any, y: ArrayLike) -> LabeledTexts:
    """Return as many texts and labels as can be classified in a few seconds."""
    if texts is None or isinstance(texts, str | bytes | Path):
        raise InvalidInputError("y needs a list of texts, but X is not a list. Pass one text per label.")
    whole = list(python_values(texts))
    labeled = checked_labels(y, len(whole))
    classes = classifier.classes_
    numbers_of = {label: number for number, label in enumerate(classes.tolist())}
    for label in labeled.labels.tolist():
        if label not in numbers_of:
            raise InvalidInputError(f"y contains {short_repr(label)}, which the classifier was not fitted with")
    numbers = np.array([numbers_of[label] for label in labeled.labels.tolist()], np.intp)[labeled.numbers]
    models = [model for directions in classifier.models_ for model in directions.values()]
    networks = [model for model in models if isinstance(model, CharRNN)]
    n_weights = sum(array.size for network in networks for array in network.params_.values())
    limit = CLASSIFYING_WORK / (n_weights * len(classes))
    n = max(MIN_TEXTS, int(np.searchsorted(np.cumsum([len(text) + 1 for text in whole]), limit)))
    size = f"{'the first' if n < len(whole) else 'all'} {min(n, len(whole)):,} texts"
    return LabeledTexts(whole[:n], numbers[:n], size)


def class_tables(classifier: TextClassifier, part: LabeledTexts) -> dict[str, Any]:
    """Return the confusion matrix with examples, the accuracy, and the most confident mistakes."""
    p = np.asarray(classifier.predict_proba(part.texts))
    predicted = p.argmax(axis=1)
    names, group = _groups(classifier.classes_, part.numbers)
    K = len(names)
    true = group[part.numbers]
    guessed = group[predicted]
    counts = np.bincount(K * true + guessed, minlength=K * K).reshape(K, K)
    right = part.numbers == predicted
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    cells: dict[str, list[Any]] = {}
    for i in order.tolist():
        cell = cells.setdefault(f"{true[i]},{guessed[i]}", [])
        if len(cell) < EXAMPLES_PER_CELL:
            cell.append(_row(part.texts[i], confidence[i]))
    mistakes = [i for i in order.tolist() if not right[i]][:MAX_MISTAKES]
    return {
        "note": f"The classifier is right for {right.mean():.1%} of {part.size}.",
        "accuracy": float(right.mean()),
        "names": names,
        "counts": counts.tolist(),
        "cells": cells,
        "mistakes": [
            {**_row(part.texts[i], confidence[i]), "true": names[true[i]], "predicted": names[guessed[i]]}
            for i in mistakes
        ],
    }


def _groups(classes: NDArray[Any], numbers: NDArray[np.intp]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the names of the table's classes, and each class's number in the table; the rarest share the last."""
    if len(classes) <= MAX_CLASSES:
        return list(map(str, classes.tolist())), np.arange(len(classes))
    frequent = sorted(number for number, _ in Counter(numbers.tolist()).most_common(MAX_CLASSES - 1))
    group = np.full(len(classes), len(frequent), np.intp)
    group[frequent] = np.arange(len(frequent))
    return [*map(str, classes[frequent].tolist()), OTHERS], group


def _row(text: Text, probability: float) -> dict[str, Any]:
    return {"text": display_text(text[:MAX_LENGTH]), "p": round(float(probability), 4)}


# ---------------------------------------------------------------- the shown text

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
