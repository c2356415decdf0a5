"""Self-contained HTML pages that never run code from the texts they display."""

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
from .weights import NOTICE

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


def filled(html: str, **parts: str) -> str:
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
