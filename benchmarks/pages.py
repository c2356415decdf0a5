"""Put measured tables into the pages of docs/, and print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PERFORMANCE = DOCS / "performance.md"
EVIDENCE = DOCS / "evidence.md"


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


def print_tables(tables: Iterable[Iterable[str]]) -> None:
    """Print lines as soon as they are known, with a blank line before each table."""
    for table in tables:
        print()
        for line in table:
            print(line, flush=True)
