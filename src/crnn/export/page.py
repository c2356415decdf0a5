"""HTML pages that contain a model, and never run code from the texts they display."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from ..errors import InvalidInputError, short_repr
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from .guess_table import Table
from .js_file import checked_float16, encoded_table
from .models import Exported, ExportedClassifier, ExportedDetector
from .script import (
    Script,
    assets,
    embedded_json,
    has_network,
    model_data,
    script_of,
    script_of_classifier,
    script_of_detector,
)
from .text_filter import TextFilter
from .weights import NOTICE, vocabulary_data

# The page fetches nothing and runs only its own scripts and styles, identified by hashes. The worker's source
# is one of these scripts. The empty icon keeps browsers from requesting one from a server.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; worker-src blob:; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
PAGE = """\
<!doctype html>
<!-- {notice} -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{data}</script>
<script type="text/plain" id="weights">{weights}</script>
<script id="engine">{engine}</script>
<script>{script}</script>
</body>
</html>
"""


def html_page(
    *, title: str, body: str, style: str, engine: str, script: str, data: Mapping[str, Any], weights: str
) -> bytes:
    """Return a page, encoded as UTF-8.

    `title` is escaped here; untrusted text in `body` must already be escaped. The engine also runs in a worker;
    `weights` are in base64.
    """
    for source in (engine, script):  # sequences that would end the element or start a comment in it
        assert "</script" not in source.lower()
        assert "<!--" not in source
    assert "</style" not in style.lower()
    policy = POLICY.format(scripts=f"{_hash(engine)} {_hash(script)}", styles=_hash(style))
    page = PAGE.format(
        notice=NOTICE,
        policy=policy,
        title=escape(title),
        style=style,
        body=body,
        data=embedded_json(data),
        weights=weights,
        engine=engine,
        script=script,
    )
    return page.encode("utf-8", "replace")


def fill_in(html: str, **parts: str) -> str:
    """Return HTML with each placeholder ``{name}`` replaced by other HTML."""
    marks = re.compile("|".join(re.escape(f"{{{name}}}") for name in parts))
    return marks.sub(lambda mark: parts[mark[0][1:-1]], html)


def printable_title(title: str | None, default: str = "A character model") -> str:
    """Return a title, with invisible characters and changes of the writing direction replaced."""
    if title is None:
        return default
    if not isinstance(title, str):
        raise InvalidInputError(f"title must be a str or None, not {short_repr(title)}")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in title)


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode('utf-8')).digest()).decode('ascii')}'"


# The order matters: later files use definitions of earlier files.
ENGINE = ("random.js", "sampling.js", "text_filter.js", "engine.js")  # after the files of the model
INTERFACE = ("elements.js", "symbols.js", "worker.js", "text_view.js", "units_view.js", "live.js")
STYLES = ("page.css", "live.css")


def export_html(
    model: Exported,
    path: FilePath,
    *,
    float16: bool = False,
    title: str | None = None,
    python: str = "model",
    excluded: TextFilter | None = None,
    width: int = 0,
) -> None:
    """Write a language model as one HTML page that runs it; see `crnn.CharRNN.export_html`.

    `python` is the Python expression for the model as exported. The page of a model of documents lists new documents,
    usually at most `width` characters wide, without the `excluded` ones.
    """
    name = checked_path("path", path)
    script = script_of(model, float16=checked_float16(float16, has_network(model)))
    title = printable_title(title)
    live = assets(__package__, ["live.html"])
    data = live_data(model, script, python)
    if model.vocabulary.boundary is None:
        body = fill_in(
            assets(__package__, ["live_page.html"]), title=escape(title), summary=escape(model.summary), live=live
        )
        more_styles: list[str] = []
        page_scripts = ["live_page.js"]
    else:
        names = fill_in(assets(__package__, ["names.html"]), summary=escape(model.summary), live=live)
        body = fill_in(assets(__package__, ["names_page.html"]), title=escape(title), names=names)
        data |= {"width": width, "filter": None if excluded is None else excluded.data()}
        more_styles = ["names.css"]
        page_scripts = ["names.js", "names_page.js"]
    page = html_page(
        title=title,
        body=body,
        style=assets(__package__, [*STYLES, *more_styles]),
        engine=assets(__package__, [*script.files, *ENGINE]),
        script=assets(__package__, [*INTERFACE, *page_scripts]),
        data=data,
        weights=script.encoded,
    )
    write_atomically(name, page)


MAX_SHOWN_WIDTH = 60  # characters of a document on a page
N_WIDTHS = 20  # documents drawn to find how wide the page's columns must be
N_IN_WIDTH = 17  # of which so many fit


def export_model_html(
    model: Exported,
    path: FilePath,
    *,
    sample: Callable[..., Any],
    exclude: Iterable[Any],
    guesses: Table | None,
    float16: bool,
    title: str | None,
    python: str,
) -> None:
    """Write a language model as the page that suits it: a password meter, new documents, or running text.

    `sample` is the model's method, `guesses` the table of a password meter. The page of new documents leaves out those
    of `exclude`.
    """
    excluded = TextFilter.of(exclude, model.vocabulary)
    has_documents = model.vocabulary.boundary is not None
    if guesses is not None:
        if excluded is not None:
            raise InvalidInputError("exclude is for a page without n_guess_samples. Omit one of the two.")
        export_meter_html(model, guesses, path, float16=float16, title=title)
        return
    if excluded is not None and not has_documents:
        raise InvalidInputError("exclude is for models of documents. Omit it for a model of running text.")
    width = _usual_width(sample) if has_documents else 0
    export_html(model, path, float16=float16, title=title, python=python, excluded=excluded, width=width)


def _usual_width(sample: Callable[..., Any]) -> int:
    """Return a number of characters that most documents of a model do not exceed."""
    drawn = sample(n_samples=N_WIDTHS, max_length=MAX_SHOWN_WIDTH, temperature=0.8, top_p=0.9, random_state=0)
    return sorted(map(len, drawn))[N_IN_WIDTH - 1]


# Pages that judge texts: the engine, after the files of the model, and the interface.
JUDGING = ("scoring.js", "sampling.js", "symbols.js", "judging.js")
JUDGE_INTERFACE = ("elements.js", "worker.js", "text_view.js", "judge_text.js")
JUDGE_STYLES = ("page.css", "judge.css")


def export_classifier_html(
    model: ExportedClassifier, path: FilePath, *, float16: bool = False, title: str | None = None
) -> None:
    """Write a classifier as one HTML page; see `crnn.TextClassifier.export_html`."""
    name = checked_path("path", path)
    script = script_of_classifier(model, float16=checked_float16(float16, has_network(model)))
    judge = ("classifier.js", "classifier_judge.js")
    page = judging_page("classifier", printable_title(title, "A classifier"), model.summary, script, judge, {})
    write_atomically(name, page)


def export_detector_html(
    model: ExportedDetector, rate: float, path: FilePath, *, float16: bool = False, title: str | None = None
) -> None:
    """Write a detector that flags a rate of normal texts as one HTML page; see `crnn.AnomalyDetector.export_html`."""
    name = checked_path("path", path)
    script = script_of_detector(model, float16=checked_float16(float16, has_network(model.model)))
    judge = ("mask.js", "detector.js", "detector_judge.js")
    page = judging_page("detector", printable_title(title, "A detector"), model.summary, script, judge, {"rate": rate})
    write_atomically(name, page)


def export_meter_html(
    model: Exported, guesses: Table, path: FilePath, *, float16: bool = False, title: str | None = None
) -> None:
    """Write a model of passwords as one HTML page that estimates guess numbers; see `crnn.CharRNN.export_html`."""
    name = checked_path("path", path)
    script = script_of(model, float16=checked_float16(float16, has_network(model)))
    meter = {"model": script.data, "vocabulary": vocabulary_data(model.vocabulary), "guesses": encoded_table(guesses)}
    judge = ("guess_table.js", "meter_judge.js")
    title = printable_title(title, "A password meter")
    write_atomically(name, judging_page("meter", title, model.summary, script._replace(data=meter), judge, {}))


def judging_page(
    kind: str, title: str, summary: str, script: Script, judge: tuple[str, ...], data: Mapping[str, Any]
) -> bytes:
    """Return a page that judges typed texts, from the files ``<kind>.html`` and ``<kind>_page.js``.

    `judge` are the files that define the engine's `createJudge`.
    """
    body = fill_in(assets(__package__, [f"{kind}.html"]), title=escape(title), summary=escape(summary))
    return html_page(
        title=title,
        body=body,
        style=assets(__package__, JUDGE_STYLES),
        engine=assets(__package__, [*script.files, *JUDGING, *judge]),
        script=assets(__package__, [*JUDGE_INTERFACE, f"{kind}_page.js"]),
        data={"model": script.data, **data},
        weights=script.encoded,
    )


def live_data(model: Exported, script: Script, python: str) -> dict[str, Any]:
    """Return a model's data for the engine and the live page, except the weights; see `export_html`."""
    return model_data(model, script) | {"python": python}
