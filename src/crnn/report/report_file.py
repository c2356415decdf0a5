"""The report's file: what is measured, and the page that shows it."""

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

__all__ = ["write_report"]

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
    """Write a report on a model as one HTML page that needs neither a network nor a server.

    Its tabs show what the model is, its curves of training and samples; the text coloured by surprisal, with the five
    likeliest characters at each position; what single units do; of a model of documents the likeliest, the strangest
    and new ones; of a classifier which class is taken for which; and the page of `export_html`, in which the network
    runs.

    Parameters
    ----------
    model : CharRNN or CharRNNClassifier
        A fitted model.
    path : str, bytes or os.PathLike
        The file, as a rule with the suffix ``.html``.
    text : str, bytes, os.PathLike or sequence of str or bytes, default=None
        A text of the model's symbols, for a model of documents a list of them; best what it was not trained on. Of a
        long text the beginning is measured, and less of it shown; the report says how much. None: a sample of the
        model.
    labels : array-like of shape (n,), default=None
        For a classifier: the class of each text, which its table of classes needs. The other tabs then show the texts
        of the most frequent class, and the network that a classifier has for them; without labels, of the first class.
    title : str or None, default=None
        The page's title. None: "A character model".

    Raises
    ------
    NotFittedError
        Before `fit`.
    ValueError
        If the text holds a symbol that the model does not know, a label is not of the classifier, or a weight is not
        finite.
    OSError
        If a file cannot be read or written; an older report is then as it was.

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
    weights = page_weights(subject.model, int8=True)  # a quarter of the size
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
    """Return all that the page shows beside what the network computes in it.

    A new tab takes a key here, a panel in ``report.html`` and a function in ``report.js``.

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
