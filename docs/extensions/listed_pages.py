"""Sphinx extension: append pages missing from the front page to its guides."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

MARK = "(others)"
LISTED = re.compile(r"^(?:[\w ,()-]+ <)?([\w/*]+)>?$", re.MULTILINE)  # a page, or Title <page>


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.connect("source-read", list_others)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def list_others(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the mark in the front page."""
    if docname == app.config.root_doc:
        source[0] = with_others(source[0], app.env.found_docs - {docname})


def with_others(text: str, pages: set[str]) -> str:
    r"""Return the front page with the names of all missing pages in place of the mark.

    Examples
    --------
    >>> with_others("sampling\nrecipes/*\n(others)", {"sampling", "recipes/names", "tuning"})
    'sampling\nrecipes/*\ntuning'
    """
    patterns = LISTED.findall(text)
    others = [page for page in sorted(pages) if not any(PurePosixPath(page).match(pattern) for pattern in patterns)]
    return text.replace(MARK, "\n".join(others))
