"""Write the table of every measured loss: `python -m benchmarks.evidence` puts docs/figures.toml into docs/evidence.md.

Nothing is measured here. Each row has the conditions, the command that prints its figure, and the commit that recorded
it. `benchmarks.quality --save runs.jsonl` saves runs; `python -m benchmarks.evidence runs.jsonl` prints them as entries
of docs/figures.toml, means over the seeds.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.pages import DOCS, EVIDENCE, replace_between

FIGURES = DOCS / "figures.toml"
BEGIN, END = "<!-- benchmarks.evidence: begin -->", "<!-- benchmarks.evidence: end -->"
COLUMNS = [
    "model",
    "seconds",
    "nats",
    "seeds",
    "range",
    "text and split",
    "products in",
    "processor and cores",
    "recorded",
    "command",
]


def rows(measured: dict[str, Any]) -> list[str]:
    """Return the lines of the table, in the order of the file."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for measurement in measured["measurements"]:
        text = f"{measurement['text']}, {measurement['split']}"
        processor = f"{measurement['processor']}, {measurement['cores']}"
        recorded = f"{measurement['date']}, {measurement['commit']}"
        for figure in measurement["figures"]:
            seconds = figure.get("seconds", "–")
            seeds = figure["seeds"] or "–"
            span = " to ".join(f"{loss:.3f}" for loss in figure["range"]) if "range" in figure else "–"
            cells = [figure["model"], seconds, f"{figure['nats']:.3f}", seeds, span]
            cells += [text, measurement["dtype"], processor, recorded, f"`{measurement['command']}`"]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def entries(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line of docs/figures.toml for the runs of each contender and time that differ in their seeds."""
    keys = dict.fromkeys((run["text"], run["contender"], run["seconds"], run["build"]) for run in runs)
    for key in keys:
        alike = [run for run in runs if (run["text"], run["contender"], run["seconds"], run["build"]) == key]
        losses = [run["nats"] for run in alike]
        text, contender, seconds, build = key
        yield (
            f'{{ name = "{contender}-{seconds:g}s", nats = {mean(losses):.3f}, seconds = {seconds:g}, '
            f"seeds = {len(losses)}, range = [{min(losses):.3f}, {max(losses):.3f}] }},  # {text}, {build}"
        )


def main() -> None:
    """Fill the page, or print the entries of saved runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="?", help="a file that `benchmarks.quality --save` has written")
    options = parser.parse_args()
    if options.runs:
        print(*entries([json.loads(line) for line in options.runs.read_text().splitlines()]), sep="\n")
        return
    replace_between(EVIDENCE, BEGIN, END, rows(tomllib.loads(FIGURES.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
