"""Sphinx extension: turn a page named in a docstring, such as ``docs/pictures.md``, into a link."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

PAGE = re.compile(r"``docs/([\w/]+)\.md``")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.connect("autodoc-process-docstring", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def link(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace the names of pages in a docstring by links."""
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in lines]
