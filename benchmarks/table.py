"""Turn files of `pytest benchmarks --benchmark-json FILE` into tables: `python -m benchmarks.table FILE... [--update]`.

A table has a row for each contender and a column for each case. A cell has the median of the rounds and, in
parentheses, how many times as long as crnn that is, in the same dtype. Several files are merged: what the last of them
has measured again counts. Below a table stand processor, day and commit; a block named `software` has the versions.

`--update` puts each measured table into the pages that have a place for it, between `<!-- speed NAME: begin -->` and
`<!-- speed NAME: end -->`; writes each single figure `36.9<!-- speed: NAME; contender; dtype; column -->`, or, with `;
ratio` at the end, how many times as long as crnn. Then it writes the summary in docs/evidence.md, which
`benchmarks.picture` draws.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import picture
from benchmarks.layouts import LABELS, LAYOUTS
from benchmarks.pages import DOCS, replace_between

PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]
SOFTWARE = "software"  # the name of the block that lists the installed versions
SINGLE = re.compile(r"[\d.,]+(\**)<!-- speed: ([^>]*?) -->")


@dataclass(frozen=True)
class Measured:
    """One figure: a contender's seconds for a unit of work of a case, and where they were measured."""

    table: str
    contender: str
    dtype: str
    column: str
    seconds: float
    where: str
    software: str

    @property
    def label(self) -> str:
        """What the contender is called in a table."""
        return LABELS.get(self.contender, self.contender)


def read(files: Iterable[Path]) -> list[Measured]:
    """Return the figures of files; of those measured more than once, the last."""
    found: dict[tuple[str, ...], Measured] = {}
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        machine = content["crnn"]
        for bench in content["benchmarks"]:
            info = bench["extra_info"]
            if "units" not in info:
                continue
            contender = info["contender"].removesuffix("-float32").removesuffix("-float64")
            key = info["table"], contender, info["dtype"], info["column"]
            found[key] = Measured(*key, bench["stats"]["median"] / info["units"], **machine)
    return list(found.values())


def shown(value: float) -> str:
    """Return a number with three significant digits.

    Examples
    --------
    >>> shown(0.5234), shown(36.94), shown(2585.6)
    ('0.523', '36.9', '2,586')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}"


def table(name: str, figures: Sequence[Measured]) -> list[str]:
    """Return the lines of a table, and where it was measured."""
    layout = LAYOUTS[name]
    columns = list(dict.fromkeys(figure.column for figure in figures))
    rows = list(dict.fromkeys((figure.label, figure.dtype) for figure in figures))
    with_dtype = len({figure.dtype for figure in figures}) > 1
    by_place = {(figure.label, figure.dtype, figure.column): figure.seconds for figure in figures}
    head = [layout.head, *(["dtype"] if with_dtype else []), *columns]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    of_base = LABELS.get(layout.base, layout.base)
    for label, dtype in rows:
        cells = [label, *([dtype] if with_dtype else [])]
        for column in columns:
            own = by_place.get((label, dtype, column))
            base = None if label == of_base else by_place.get((of_base, dtype, column))
            cells.append("–" if own is None else cell(own * layout.scale, base and base * layout.scale))
        lines.append(f"| {' | '.join(cells)} |")
    machines = list(dict.fromkeys(figure.where for figure in figures))
    return [*lines, "", *machines]


def cell(own: float, base: float | None) -> str:
    """Return a time with its ratio to the base; the base itself has no ratio."""
    if base is None:
        return shown(own)
    return f"{shown(own)} ({own / base:.1f}×)"


def tables(figures: Sequence[Measured]) -> dict[str, list[str]]:
    """Return the tables with a measured figure, by their names, and the lines about software."""
    found = {SOFTWARE: list(dict.fromkeys(figure.software for figure in figures))}
    for name in LAYOUTS:
        of_table = [figure for figure in figures if figure.table == name]
        if of_table:
            found[name] = table(name, of_table)
    return found


def single(figures: Sequence[Measured], key: str) -> str | None:
    """Return one figure as text, or None if it was not measured; `key` is what its comment says."""
    name, contender, dtype, column, *rest = key.split("; ")
    found = {
        (figure.contender, figure.dtype): figure.seconds
        for figure in figures
        if (figure.table, figure.column) == (name, column)
    }
    own = found.get((contender, dtype))
    base = found.get((LAYOUTS[name].base, dtype))
    if own is None or (rest and base is None):
        return None
    return f"{own / base:.1f}" if rest and base else shown(own * LAYOUTS[name].scale)


def update(page: Path, figures: Sequence[Measured]) -> None:
    """Put the measured tables and single figures into a page, where it has a place for them."""
    for name, lines in tables(figures).items():
        begin = f"<!-- speed {name}: begin -->"
        if begin in page.read_text(encoding="utf-8"):
            replace_between(page, begin, f"<!-- speed {name}: end -->", lines)

    def figure(match: re.Match[str]) -> str:
        text = single(figures, " ".join(match[2].split()))
        return match[0] if text is None else f"{text}{match[1]}<!-- speed: {match[2]} -->"

    text = page.read_text(encoding="utf-8")
    changed = SINGLE.sub(figure, text)
    if changed != text:
        page.write_text(changed, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of files, and put them into the pages if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="what --benchmark-json has written")
    parser.add_argument("--update", action="store_true", help="write the tables into README.md and docs/")
    options = parser.parse_args(arguments)
    figures = read(options.files)
    for name, lines in tables(figures).items():
        print(f"\n{name}\n", *lines, sep="\n")
    if options.update:
        for page in PAGES:
            update(page, figures)
        picture.update_evidence()


if __name__ == "__main__":
    main()
