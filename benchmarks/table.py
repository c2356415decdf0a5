"""Turn a file of `pytest benchmarks --benchmark-json FILE` into tables: `python -m benchmarks.table FILE`.

A table has a row for each contender of a group, in microseconds per step (medians). Below the tables stand the
processor, the day and the commit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def rows_of(group: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a group's table, the slowest contender first."""
    medians = [1e6 * bench["stats"]["median"] / bench["extra_info"]["steps"] for bench in group]
    lines = ["| | dtype | µs per step | times the fastest |", "|---|---|---|---|"]
    for median, bench in sorted(zip(medians, group, strict=True), key=lambda pair: -pair[0]):
        dtype = bench["extra_info"]["dtype"]
        lines.append(f"| {bench['param']} | {dtype} | {median:.0f} | {median / min(medians):.1f} |")
    return lines


def tables(measured: dict[str, Any]) -> str:
    """Return the tables of all groups whose benchmarks say how many steps they took."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for bench in measured["benchmarks"]:
        if "steps" in bench["extra_info"]:
            groups.setdefault(bench["group"], []).append(bench)
    cpu = measured["machine_info"]["cpu"].get("brand_raw", measured["machine_info"]["machine"])
    commit = measured["commit_info"].get("id") or "unknown"
    lines = []
    for name, group in groups.items():
        lines += [f"{name[0].upper()}{name[1:]}", "", *rows_of(group), ""]
    return "\n".join([*lines, f"{cpu}, {measured['datetime'][:10]}, commit {commit[:8]}, one thread."])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="what --benchmark-json has written")
    options = parser.parse_args(arguments)
    print(tables(json.loads(options.file.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
