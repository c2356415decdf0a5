"""Figures of a Markdown page: tables read back from it, and lines put between two of its markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """One Markdown table: its header and its rows, each a tuple of stripped cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def row(self, *start: str) -> dict[str, str]:
        """Return the row that begins with these cells, by column."""
        for row in self.rows:
            if row[: len(start)] == start:
                return dict(zip(self.header, row, strict=True))
        raise ValueError(f"the table {self.header[0]!r} has no row that begins with {' | '.join(start)!r}")


def read_tables(path: Path) -> list[Table]:
    """Return the tables of a page in their order."""
    tables = []
    for block in re.findall(r"(?:^\|.*\|\n)+", path.read_text(encoding="utf-8"), re.MULTILINE):
        header, _, *rows = (tuple(cell.strip() for cell in line[1:-1].split("|")) for line in block.splitlines())
        tables.append(Table(header, tuple(rows)))
    return tables


def table(tables: Sequence[Table], *start: str) -> Table:
    """Return the first table whose header begins with these cells: the first on the page is the newest."""
    for candidate in tables:
        if candidate.header[: len(start)] == start:
            return candidate
    raise ValueError(f"no table begins with {' | '.join(start)!r}: is this the page of measurements?")


def number(cell: str) -> float | None:
    """Return the first number of a cell, or None for a dash or an empty cell.

    Examples
    --------
    >>> number("43.1×"), number("1.507 (3.7)"), number("–")
    (43.1, 1.507, None)
    """
    found = re.match(r"\d+(?:\.\d+)?", cell)
    return float(found[0]) if found else None


def check_markers(path: Path, begin: str, end: str) -> str:
    """Return the text of a page; leave the program unless the text holds both markers."""
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise SystemExit(f"{path} has no place for the figures: it needs a line {begin!r} and a line {end!r}")
    return text


def replace_between(path: Path, begin: str, end: str, lines: Sequence[str]) -> None:
    """Put lines between two markers of a page."""
    before, _, rest = check_markers(path, begin, end).partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}", encoding="utf-8")
