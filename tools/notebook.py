"""Turn a page of the documentation into a notebook: ``python tools/notebook.py docs/tutorial.md tutorial.ipynb``.

Its blocks of Python become cells of code; the prose between them becomes cells of text, without the outputs that the
page shows, since the notebook makes its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "docs" / "extensions"))
from python_blocks import BLOCK

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(text: str) -> dict[str, Any]:
    r"""Return a page as a notebook of format 4.5.

    Examples
    --------
    >>> made = notebook("# A page\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\nThe end.\n")
    >>> [(cell["cell_type"], cell["source"]) for cell in made["cells"]]
    [('markdown', '# A page'), ('code', 'print(1)'), ('markdown', 'The end.')]
    """
    cells, end = [], 0
    for block in BLOCK.finditer(text):
        cells += [("markdown", text[end : block.start()]), ("code", block["source"])]
        end = block.end()
    cells.append(("markdown", text[end:]))
    kept = [(kind, source.strip()) for kind, source in cells if source.strip()]
    return {
        "cells": [_cell(number, kind, source) for number, (kind, source) in enumerate(kept)],
        "metadata": {"kernelspec": KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source, **code}


def main() -> None:
    """Write the notebook."""
    parser = argparse.ArgumentParser(description="Turn a page of the documentation into a notebook.")
    parser.add_argument("page", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    made = notebook(options.page.read_text(encoding="utf-8"))
    options.output.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
