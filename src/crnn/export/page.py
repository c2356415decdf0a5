"""HTML pages that contain a model, and never run code from the texts they display."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import InvalidInputError, short_repr
from ..model.layout import LOOKUP_TABLES, by_output, integers_of
from ..parameters.checks import FilePath, checked_bool, checked_path
from ..parameters.kinds import CELLS
from ..runtime.atomic_file import write_atomically
from ..text.vocabulary import Vocabulary
from .weights import NOTICE, FittedModel, Weights, vocabulary_data

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
        notice=NOTICE, policy=policy, title=escape(title), style=style, body=body, data=embedded_json(data),
        weights=weights, engine=engine, script=script,
    )  # fmt: skip
    return page.encode("utf-8", "replace")


def embedded_json(value: Any) -> str:
    """Return a value as JSON that is safe inside a script element.

    Non-ASCII characters, including lone surrogates and line separators, and characters with a meaning in HTML are
    escaped. Non-finite numbers become null, since JSON cannot represent them.
    """
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def assets(package: str, names: Iterable[str]) -> str:
    """Return the concatenated text of files in a package's ``web`` folder."""
    folder = resources.files(package).joinpath("web")
    return "\n".join(folder.joinpath(name).read_text("utf-8").rstrip("\n") for name in names)


def fill_in(html: str, **parts: str) -> str:
    """Return HTML with each placeholder ``{name}`` replaced by other HTML."""
    marks = re.compile("|".join(re.escape(f"{{{name}}}") for name in parts))
    return marks.sub(lambda mark: parts[mark[0][1:-1]], html)


def printable_title(title: str | None) -> str:
    """Return a title, with invisible characters and changes of the writing direction replaced."""
    if title is None:
        return "A character model"
    if not isinstance(title, str):
        raise InvalidInputError(f"title must be a str or None, not {short_repr(title)}")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in title)


def _finite(value: Any) -> Any:
    """Return a copy of a value with None in place of non-finite numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode('utf-8')).digest()).decode('ascii')}'"


# The order matters: later files use definitions of earlier files.
ENGINE = ("network.js", "network_module.js", "random.js", "sampling.js", "engine.js")
INTERFACE = ("elements.js", "symbols.js", "text_view.js", "units_view.js", "live.js")
STYLES = ("page.css", "live.css")
MODULE = ("network.js", "network_module.js", "random.js", "sampling.js", "symbols.js", "module.js")


def export_html(
    model: FittedModel, path: FilePath, *, float16: bool = False, int8: bool = False, title: str | None = None
) -> None:
    """Write a model as one HTML page that runs the network; see `crnn.CharRNN.export_html`."""
    name = checked_path("path", path)
    weights = page_weights(model, float16=float16, int8=int8)
    title = printable_title(title)
    body = fill_in(
        assets(__package__, ["live_page.html"]),
        title=escape(title),
        summary=escape(summary(model, weights)),
        live=assets(__package__, ["live.html"]),
    )
    page = html_page(
        title=title,
        body=body,
        style=assets(__package__, STYLES),
        engine=assets(__package__, ENGINE),
        script=assets(__package__, [*INTERFACE, "live_page.js"]),
        data=live_data(model, weights, float16=float16),
        weights=encoded_weights(weights, float16=float16),
    )
    write_atomically(name, page)


def export_js(model: FittedModel, path: FilePath, *, float16: bool = False, int8: bool = False) -> None:
    """Write a model as a JavaScript module; see `crnn.CharRNN.export_js`."""
    name = checked_path("path", path)
    weights = page_weights(model, float16=float16, int8=int8)
    parts = [
        f"// {summary(model, weights)}, written by crnn {__version__}.\n// {NOTICE}",
        f"const DATA = {embedded_json(live_data(model, weights, float16=float16))};",
        f'const WEIGHTS = "{encoded_weights(weights, float16=float16)}";',
        assets(__package__, MODULE),
    ]
    write_atomically(name, "\n".join(parts).encode("utf-8") + b"\n")


def page_weights(model: FittedModel, *, float16: bool = False, int8: bool = False) -> Weights:
    """Return a model's weights for the pages' engine."""
    float16, int8 = checked_bool("float16", float16), checked_bool("int8", int8)
    if float16 and (int8 or model.scales_ is not None):
        weights = "int8=True stores 8-bit weights" if int8 else "the model's weights are already 8-bit"
        raise InvalidInputError(f"float16=True stores 16-bit weights, but {weights}. Omit float16.")
    return Weights.of(model, np.float32, int8=int8).for_engine()


def live_data(model: FittedModel, weights: Weights, *, float16: bool = False) -> dict[str, Any]:
    """Return a model's data for the engine and the live page, except the weights."""
    vocabulary = model.vocabulary_
    return {
        "model": {
            "cell": weights.cell,
            "gates": CELLS[weights.cell].gates,
            "separateBias": CELLS[weights.cell].separate_bias,
            "layers": len(weights.layers),
            "hidden": weights.hidden_size,
            "symbols": len(vocabulary),
            "embedding": None if weights.embedding is None else weights.embedding.shape[1],
            "pairs": [] if weights.pair_table is None else weights.pair_keys().tolist(),
            "boundary": vocabulary.boundary,
            "unknown": vocabulary.unknown,
            "weights": "float16" if float16 else "float32" if weights.scales is None else "int8",
        },
        "opening": opening(vocabulary),
        "python": _expression(model, weights),
        "vocabulary": vocabulary_data(vocabulary),
    }


def _expression(model: FittedModel, weights: Weights) -> str:
    """Return the Python expression for the model that the page runs."""
    rounded = weights.scales is not None and model.scales_ is None and model.params_["Why"].dtype == np.float32
    return "model.quantize()" if rounded else "model"


def opening(vocabulary: Vocabulary) -> str:
    """Return the text that precedes the user's first character: a newline, otherwise a space, otherwise nothing.

    The opening is also empty for a model of documents, which starts a new document.
    """
    if vocabulary.boundary is not None:
        return ""
    return next((start for start in "\n " if ord(start) in vocabulary.codes), "")


def encoded_weights(weights: Weights, *, float16: bool = False) -> str:
    """Return all weights as base64, in the order expected by ``network.js``.

    For 8-bit weights, each matrix's integers are followed by its scales. Scales and biases are float32.
    """
    scales = weights.scales or {}
    arrays: list[tuple[str, Any]] = [("bigrams", weights.pair_table), ("embedding", weights.embedding)]
    for k, layer in enumerate(weights.layers):
        arrays += [(f"Wxh_l{k}", layer.Wx), (f"Whh_l{k}", layer.Wh), ("", layer.bh), ("", layer.bhn)]
    arrays += [("Why", weights.Why), ("", weights.by)]
    encoded = b""
    for name, array in arrays:
        if array is None:
            continue
        scale = scales.get(name)
        is_table, rows = name in LOOKUP_TABLES, array
        if scale is not None:
            rows = by_output(integers_of(by_output(array, is_table), scale), is_table)
        if name == "Wxh_l0" and weights.embedding is None:
            rows = rows.T  # a table with one row per symbol
        encoded += _as_floats(rows, float16) if scale is None else rows.tobytes() + _as_floats(scale, False)
    return base64.b64encode(encoded).decode("ascii")


def _as_floats(array: Any, float16: bool) -> bytes:
    largest = float(np.abs(array).max(initial=0))
    if float16 and largest > float(np.finfo(np.float16).max):
        raise InvalidInputError(f"a weight has size {largest:.4g}, too large for float16. Omit float16.")
    encoded: bytes = array.astype("<f2" if float16 else "<f4").tobytes()
    return encoded


def summary(model: FittedModel, weights: Weights) -> str:
    """Return a one-line summary of a model."""
    count, layers = sum(array.size for array in model.params_.values()), len(weights.layers)
    units = f"{weights.hidden_size} hidden units" if layers == 1 else f"{layers} layers of {weights.hidden_size} units"
    return f"{weights.cell.upper()}, {units}, {len(model.vocabulary_)} symbols, {count:,} weights"
