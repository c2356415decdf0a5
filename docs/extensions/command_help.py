"""Sphinx extension: ```` ```{command-help} ```` shows the output of ``crnn COMMAND --help`` for every command."""

from __future__ import annotations

import contextlib
import io
import os
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

COLUMNS = "88"  # of the help


class CommandHelp(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections = []
        for title, text in helps():
            section = nodes.section(ids=[nodes.make_id(title)])
            section += nodes.title("", title)
            section += nodes.literal_block(text, text, language="text")
            sections.append(section)
        return sections


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension."""
    app.add_directive("command-help", CommandHelp)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def helps() -> list[tuple[str, str]]:
    """Return name and help of the command and of each subcommand."""
    from crnn.cli.main import COMMANDS

    return [("crnn", help_of()), *((f"crnn {name}", help_of(name)) for name in COMMANDS)]


def help_of(*command: str) -> str:
    """Return the help of a command."""
    from crnn.cli.main import main

    changed = {"COLUMNS": COLUMNS, "NO_COLOR": "1"}
    with (
        mock.patch.dict(os.environ, changed),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.suppress(SystemExit),
    ):
        main([*command, "--help"])
    return out.getvalue().rstrip()
