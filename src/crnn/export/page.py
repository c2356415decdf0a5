"""Self-contained HTML pages in which no text of a stranger can run."""

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

from ..errors import InvalidInputError, short_repr

__all__ = ["assets", "embedded_json", "filled", "html_page", "printable_title"]

# Nothing is fetched, from anywhere; only the scripts and styles of the page itself are used, known by their hashes. The
# worker's source is one of those scripts. The empty icon keeps a browser from asking a server for one.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; worker-src blob:; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
PAGE = """\
<!doctype html>
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
    """Return a page as UTF-8.

    Parameters
    ----------
    title : str
        Any text.
    body : str
        HTML in which texts from outside have been escaped.
    style : str
        CSS.
    engine, script : str
        JavaScript; the engine also runs in a worker.
    data : dict
        Any values for the script, as `embedded_json` takes them.
    weights : str
        Base64.

    Examples
    --------
    >>> page = html_page(title="a < b", body="", style="", engine="", script="", data={"text": "</script>"}, weights="")
    >>> b"a &lt; b" in page, page.count(b"</script>")
    (True, 4)
    """
    for source in (engine, script):  # what would end the element, or begin a comment in it
        assert "</script" not in source.lower()
        assert "<!--" not in source
    assert "</style" not in style.lower()
    policy = POLICY.format(scripts=f"{_hash(engine)} {_hash(script)}", styles=_hash(style))
    page = PAGE.format(
        policy=policy, title=escape(title), style=style, body=body, data=embedded_json(data), weights=weights,
        engine=engine, script=script,
    )  # fmt: skip
    return page.encode("utf-8", "replace")


def embedded_json(value: Any) -> str:
    r"""Return a value as JSON that can stand in a script element.

    All characters but ASCII are escaped, lone surrogates and line separators among them, and so are those that mean
    something to HTML. Numbers that are not finite become null, since JSON has none.

    Examples
    --------
    >>> print(embedded_json(["</script>", "\u2028\ud800", float("nan")]))
    ["\u003c/script\u003e","\u2028\ud800",null]
    """
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def assets(package: str, names: Iterable[str]) -> str:
    """Return the text of files in the folder ``web`` of a package, one after another."""
    folder = resources.files(package).joinpath("web")
    return "\n".join(folder.joinpath(name).read_text("utf-8").rstrip("\n") for name in names)


def filled(html: str, **parts: str) -> str:
    """Return HTML with its marks ``{name}`` replaced by other HTML.

    Examples
    --------
    >>> filled("<h1>{title}</h1>", title=escape("a < b"))
    '<h1>a &lt; b</h1>'
    """
    marks = re.compile("|".join(re.escape(f"{{{name}}}") for name in parts))
    return marks.sub(lambda mark: parts[mark[0][1:-1]], html)


def printable_title(title: str | None) -> str:
    r"""Return a title in which what is invisible, or changes the direction of writing, is replaced.

    Examples
    --------
    >>> printable_title("a\u202eb\ud800"), printable_title(None)
    ('a�b�', 'A character model')
    """
    if title is None:
        return "A character model"
    if not isinstance(title, str):
        raise InvalidInputError(f"title must be a str or None, not {short_repr(title)}")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in title)


def _finite(value: Any) -> Any:
    """Return a value in which numbers that are not finite are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode('utf-8')).digest()).decode('ascii')}'"
