"""Sphinx extension: pages of the reference whose methods are grouped by purpose.

A block ```` ```{grouped-class} crnn.CharRNN ```` becomes the class, a table of its methods, and a section for each
group of methods. A block ```` ```{landing-page} ```` becomes a table of the public names, with the page of each. A
paragraph for readers on GitHub, where nothing of this is built, is left out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

MEMBERS = {
    "Train": ("recommended", "fit", "partial_fit", "fit_weights", "resume", "stop", "calibrate"),
    "Generate": ("sample", "stream", "beam_search", "enumerate_documents", "match_probability", "restore"),
    "Score": (
        "score", "score_samples", "score_batches", "bits_per_char", "perplexity", "surprisal", "rank", "guess_number",
        "decision_function", "explain",
    ),
    "Predict": ("predict", "fit_predict", "predict_proba", "predict_log_proba"),
    "Read step by step": ("start", "adapt", "for_label"),
    "Features and gradients": ("hidden_states", "transform", "get_feature_names_out", "gradient", "editing"),
    "Save and load": ("save", "load"),
    "Export": (
        "quantize", "to_torch", "from_torch", "export_onnx", "export_c", "export_html", "export_js", "export_arpa",
    ),
    "Get and set parameters": ("get_params", "set_params"),
}  # fmt: skip
ATTRIBUTES = "Attributes"
NAMES = {
    "Models": ("CharRNN", "CharNGram", "Mixture"),
    "Estimators that use a model": ("TextClassifier", "AnomalyDetector"),
    "Data": ("Lines", "TextFile", "BOUNDARY", "UNKNOWN"),
    "Errors": ("InvalidInputError", "NotFittedError", "DivergenceError", "ModelFileError"),
    "Functions": ("load_model", "longest_copies", "show_config"),
}
PURPOSES = {"BOUNDARY": "The symbol between documents.", "UNKNOWN": "The symbol for all unknown characters."}
PAGES = {
    "plot": "plots of training, surprisal, predictions, units and states, and the report",
    "text_state": "a state that reads, predicts and draws step by step",
    "command_line": "the options of every command of `crnn`",
}
CLASS = re.compile(r"^```\{grouped-class\} ([\w.]+)\n```$", re.MULTILINE)
FOR_GITHUB = re.compile(r"^On GitHub, .*?(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
LANDING = re.compile(r"^```\{landing-page\}\n```$", re.MULTILINE)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.connect("source-read", expand)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the blocks of a page."""
    if docname.startswith("reference/"):
        source[0] = FOR_GITHUB.sub("", source[0])
    source[0] = CLASS.sub(lambda found: class_text(found[1]), source[0])
    source[0] = LANDING.sub(lambda _: landing_text(Path(app.srcdir) / "reference"), source[0])


def grouped_members(cls: type) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups of a class with the names of their members, as far as the class has any.

    Examples
    --------
    >>> from crnn import Mixture
    >>> dict(grouped_members(Mixture))["Train"]
    ['recommended', 'fit_weights']
    """
    public = [name for name in dir(cls) if not name.startswith("_")]
    attributes = [name for name in public if isinstance(inspect.getattr_static(cls, name), property)]
    for title, names in MEMBERS.items():
        if found := [name for name in names if name in public]:
            yield title, found
    if attributes:
        yield ATTRIBUTES, attributes


def class_text(path: str) -> str:
    """Return the page of a class, in MyST's Markdown."""
    module, _, name = path.rpartition(".")
    cls = getattr(import_module(module), name)
    groups = list(grouped_members(cls))
    links = {title: " · ".join(f"{{py:obj}}`~{path}.{member}`" for member in members) for title, members in groups}
    rows = [f"| {title} | {names} |" for title, names in links.items()]
    parts = [*(["| to | members |", "|---|---|", *rows, ""] if groups else []), autodoc(f"autoclass:: {path}")]
    for title, members in groups:
        kind = "autoattribute" if title == ATTRIBUTES else "automethod"
        parts += ["", f"## {title}", "", *(autodoc(f"{kind}:: {path}.{member}") for member in members)]
    return "\n".join(parts)


def autodoc(directive: str) -> str:
    """Return a block of reStructuredText."""
    return f"```{{eval-rst}}\n.. {directive}\n```\n"


def landing_text(folder: Path) -> str:
    """Return the tables of all public names, in MyST's Markdown."""
    import crnn

    parts = []
    for title, names in NAMES.items():
        rows = [f"| {{py:obj}}`~crnn.{name}` | {purpose(crnn, name)} |" for name in names if name in crnn.__all__]
        parts += [f"## {title}", "", "| name | purpose |", "|---|---|", *rows, ""]
    parts += ["## More", "", "| page | contents |", "|---|---|"]
    for page, contents in PAGES.items():
        heading = (folder / f"{page}.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        parts.append(f"| [{heading}]({page}.md) | {contents} |")
    return "\n".join(parts) + "\n"


def purpose(module: object, name: str) -> str:
    """Return the first line of a docstring.

    Examples
    --------
    >>> import crnn
    >>> purpose(crnn, "BOUNDARY")
    'The symbol between documents.'
    """
    text = PURPOSES.get(name) or (inspect.getdoc(getattr(module, name)) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")
