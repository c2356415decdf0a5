"""Run the blocks of Python of one page: ``python run_page.py PAGE PICTURES``.

Writes the results of each block to standard output as JSON: its output, its plots and the HTML pages that it wrote,
both copied into the folder PICTURES.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from python_blocks import run_blocks

DPI = 160  # of pictures, which are shown at half their size


class Pictures:
    """Saves each figure once, after the block that draws it."""

    def __init__(self, folder: Path, page: str) -> None:
        self._folder, self._page, self._n, self._seen = folder, page, 0, set[int]()

    def new(self) -> list[dict[str, object]]:
        """Save the newly opened figures; return name, width and a description of each."""
        if "matplotlib.pyplot" not in sys.modules:
            return []
        from matplotlib import pyplot

        saved = []
        for number in pyplot.get_fignums():
            if number in self._seen:
                continue
            self._seen.add(number)
            self._n += 1
            figure = pyplot.figure(number)
            name = f"{self._page}-{self._n}.png"
            figure.savefig(self._folder / name, dpi=DPI)
            width = round(figure.get_size_inches()[0] * DPI / 2)
            labels = [text for ax in figure.axes for text in (ax.get_title(), ax.get_ylabel(), ax.get_xlabel()) if text]
            saved.append({"name": name, "width": width, "labels": "; ".join(dict.fromkeys(labels))})
        return saved


def age(path: Path) -> int:
    """Return when a file was last written."""
    return path.stat().st_mtime_ns


def run_page(page: Path, folder: Path) -> list[dict[str, object]]:
    """Return the results of each block of a page; blocks write into the working directory."""
    name = page.stem
    pictures, known, left = Pictures(folder, name), set[str](), []
    for _, printed, _ in run_blocks(page.read_text(encoding="utf-8"), str(page)):
        pages = [path.name for path in sorted(Path.cwd().glob("*.html"), key=age) if path.name not in known]
        known.update(pages)
        for written in pages:
            shutil.copy(written, folder / f"{name}-{written}")
        left.append(
            {"printed": printed, "pictures": pictures.new(), "pages": [f"{name}-{written}" for written in pages]}
        )
    return left


if __name__ == "__main__":
    source, target = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as workplace:
        os.chdir(workplace)
        result = run_page(source, target)
        os.chdir(target)
    json.dump(result, sys.stdout)
