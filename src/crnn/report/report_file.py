"""Write the report: measure the model, and fill the page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import Any

from numpy.typing import ArrayLike

from ..char_rnn import CharRNN
from ..classifier import CharRNNClassifier
from ..export.html_file import ENGINE, INTERFACE, encoded_weights, live_data, page_weights, summary
from ..export.page import assets, filled, html_page, printable_title
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from .description import curves, facts
from .documents import document_tables
from .samples import samples
from .shown_text import TextPart, document_view, text_part, text_view
from .subject import Subject, subject_of
from .units import units_followed

EXPORT = "crnn.export"
STYLES = ("page.css", "live.css")
SCRIPTS = ("curves.js", "neurons.js", "classes.js", "report.js")


def write_report(
    model: CharRNN | CharRNNClassifier,
    path: FilePath,
    text: str | bytes | Sequence[str] | Sequence[bytes] | os.PathLike[str] | None = None,
    *,
    labels: ArrayLike | None = None,
    title: str | None = None,
) -> None:
    """Write a report on a model as a self-contained HTML page.

    The tabs show a summary of the model, its training curves and samples; the text colored by surprisal, with the five
    most likely characters at each position; the activity of single units; the most and least likely documents and new
    ones (for a model of documents); the confusion matrix (for a classifier); and the page of `export_html`, which runs
    the network.

    Parameters
    ----------
    model : CharRNN or CharRNNClassifier
        A fitted model.
    path : str, bytes or os.PathLike
        The path of the page, usually with the suffix ``.html``.
    text : str, bytes, os.PathLike or sequence of str or bytes, default=None
        A text of the model's symbols, preferably held out from training. For a model of documents, a list of texts.
        Only the beginning of a long text is scored, and less of it is shown; the report says how much. None: a sample
        of the model.
    labels : array-like of shape (n,), default=None
        For a classifier, the class of each text, which the confusion matrix needs. The other tabs then show the texts
        and the network of the most frequent class, or without labels of the first class.
    title : str or None, default=None
        The page's title. None: "A character model".

    Raises
    ------
    NotFittedError
        Before `fit`.
    ValueError
        If the text contains a symbol unknown to the model, the classifier does not have a label, or a weight is not
        finite.
    OSError
        If a file cannot be read or written. An existing report is then left unchanged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from crnn import CharRNN
    >>> from crnn.report import write_report
    >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "abc.html"
    ...     write_report(model, path, "abcabc")
    ...     path.stat().st_size < 1_500_000
    True
    """
    name = checked_path("path", path)
    subject = subject_of(model, text, labels)
    weights = page_weights(subject.model, int8=True)  # a quarter of the size of float32
    title = printable_title(title)
    body = filled(
        assets(__package__, ["report.html"]),
        title=escape(title),
        summary=escape(summary(subject.model, weights)),
        live=assets(EXPORT, ["live.html"]),
    )
    page = html_page(
        title=title,
        body=body,
        style="\n".join([assets(EXPORT, STYLES), assets(__package__, ["report.css"])]),
        engine=assets(EXPORT, ENGINE),
        script="\n".join([assets(EXPORT, INTERFACE), assets(__package__, SCRIPTS)]),
        data=live_data(subject.model, weights) | report_data(subject),
        weights=encoded_weights(weights),
    )
    write_atomically(name, page)


def report_data(subject: Subject) -> dict[str, Any]:
    """Return the data that the page shows, except what its network computes.

    A new tab needs a key here, a panel in ``report.html`` and a function in ``report.js``.

    Examples
    --------
    >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
    >>> sorted(report_data(subject_of(model, "abc", None)))
    ['classes', 'documents', 'facts', 'history', 'neurons', 'samples', 'text', 'units']
    """
    model = subject.model
    part: TextPart = text_part(model, subject.text)
    boundary = model.vocabulary_.boundary
    return {
        "facts": [*subject.facts, *facts(model, part)],
        "history": curves(subject.history),
        "samples": samples(model),
        "text": text_view(model, part) if boundary is None else document_view(model, part),
        "neurons": part.neurons(model.vocabulary_),
        "units": units_followed(model, part),
        "documents": None if boundary is None else document_tables(model, part),
        "classes": subject.classes,
    }
