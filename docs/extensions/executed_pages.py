"""Sphinx extension: run a page's blocks of Python when the site is built, and show their results below them.

Results are a block's output, its matplotlib plots and the HTML pages that it writes. If
the page states a block's output, and not merely a similar output, any difference is a warning. A page that needs a
missing package is shown unchanged. If the environment variable CRNN_DOCS_RUN has names of pages, only these are run:
the tests run the blocks of all pages, so CI need not run them once more.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from html import escape
from pathlib import Path

from python_blocks import BLOCK, python_blocks
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

FOLDER = "_static/made"  # of the site, for pictures and pages
logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.connect("source-read", execute)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def execute(app: Sphinx, docname: str, source: list[str]) -> None:
    """Run the page and insert the results into its source."""
    if app.builder.format != "html" or app.builder.name == "linkcheck" or not BLOCK.search(source[0]):
        return
    if missing := missing_packages(source[0]):
        print(f"{docname} is shown without results: {', '.join(missing)} is not installed", file=sys.stderr)
        return
    chosen = os.environ.get("CRNN_DOCS_RUN", "").split()
    if chosen and docname not in chosen:
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    results = run(Path(app.env.doc2path(docname)), folder)
    if isinstance(results, str):
        logger.warning("a block fails:\n%s", results, location=docname)
        return
    source[0] = filled(source[0], results, docname)


def missing_packages(text: str) -> list[str]:
    """Return the missing packages among those imported by the blocks of a page."""
    trees = [ast.walk(ast.parse(block.source)) for block in python_blocks(text)]
    found = set[str]()
    for node in (node for tree in trees for node in tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return sorted(name for name in {name.partition(".")[0] for name in found} if not importlib.util.find_spec(name))


def run(page: Path, folder: Path) -> list[dict] | str:
    """Return the results of a page's blocks, or an error's traceback."""
    command = [sys.executable, str(Path(__file__).with_name("run_page.py")), str(page), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "agg"})
    return done.stderr if done.returncode else json.loads(done.stdout.splitlines()[0])  # processes may say more


def filled(text: str, results: list[dict], docname: str) -> str:
    """Return a page with the results of its blocks."""
    up = "../" * docname.count("/") + FOLDER
    parts, end = [], 0
    for block, left in zip(BLOCK.finditer(text), results, strict=True):
        printed, output = left["printed"], block["output"]
        if output is not None and not block["similar"] and printed != output:
            logger.warning("a block prints %r, and the page says %r", printed, output, location=docname)
        if output is None:
            parts.append(text[end : block.end()])
            parts.append(f"\n\n```text\n{printed.rstrip()}\n```" if printed.strip() else "")
        else:
            parts.append(text[end : block.start("output")].removesuffix(" similar\n") + "\n" * bool(block["similar"]))
            parts.append(f"{printed.rstrip()}\n```")
        parts += [picture_html(picture, up) for picture in left["pictures"]]
        parts += [page_html(name, up) for name in left["pages"]]
        end = block.end()
    return "".join([*parts, text[end:]])


def picture_html(picture: dict, up: str) -> str:
    """Return an image as HTML within Markdown."""
    said = escape(f"Plot drawn by the code above. {picture['labels']}")
    return f'\n\n<img class="made" src="{up}/{picture["name"]}" width="{picture["width"]}" alt="{said}">\n'


def page_html(name: str, up: str) -> str:
    """Return an HTML page in a frame, with a link to it."""
    link = f'<a href="{up}/{name}">Open it in a new tab</a>'
    return (
        f'\n\n<div class="made-page"><iframe src="{up}/{name}" title="{escape(name)}, written by the code above" '
        f'loading="lazy"></iframe><p>The page written by the code above. {link}.</p></div>\n'
    )
