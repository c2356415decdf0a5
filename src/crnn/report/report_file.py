"""Write the report: choose its subject, judge its text, measure the model, and fill the page."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..char_rnn import CharRNN
from ..display.loss_curve import number_in
from ..errors import InvalidInputError, short_repr
from ..export.models import ExportedNetwork
from ..export.page import ENGINE, INTERFACE, fill_in, html_page, live_data, printable_title
from ..export.script import assets, script_of
from ..mixture import Mixture
from ..model.layout import describe_parameters
from ..parameters.checks import FilePath, checked_path
from ..plot.units import MIN_SYMBOLS, find_units
from ..runtime.atomic_file import write_atomically
from ..text.copies import longest_copies
from ..text_classifier import TextClassifier
from .classes import class_tables, labeled_texts
from .shown_text import MAX_LENGTH, TextPart, display_text, document_view, samples, text_part, text_view

EXPORT = "crnn.export"
STYLES = ("page.css", "live.css")
SCRIPTS = ("curves.js", "neurons.js", "classes.js", "report.js")
COPY_SYMBOLS = 6_000  # symbols of the text in which copies are searched
TABLE_ROWS = 15
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

    ``docs/look_inside.md`` describes it. Its last tab is the page of `export_html`, which runs the network.
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
