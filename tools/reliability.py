"""Try the promises of docs/promises.md and print a table: promise, trials, failures.

    python tools/reliability.py                     all of them, as often as is usual: hours
    python tools/reliability.py --share 0.01        a hundredth of that
    python tools/reliability.py kill mutations --count 1000
    python tools/reliability.py --page              write what was tried into docs/development/guarantees.md

It tries the installed package, or the checkout if PYTHONPATH names its src. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
import time
from pathlib import Path

from scipy.stats import chi2

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "development" / "guarantees.md"
SHOWN = 5  # failures of a promise
RULE_OF_THREE = 3.0  # -ln 0.05: with n trials and a rate of 3 / n, no failure has a probability of 5 %
# What follows this on the page is the table.
HEADER = "| trials | number | failures | failure rate, 95 % | date |\n|---|---|---|---|---|\n"


def write_trials(page: Path, tried: dict[str, str], names: list[str]) -> None:
    """Replace the rows of a page's table of trials; the rows of other promises stay, in the order of `names`."""
    text, _, table = page.read_text(encoding="utf-8").partition(HEADER)
    rows = {row.split("`")[1]: row for row in table.splitlines()} | tried
    lines = [rows.get(name, f"| `{name}` | not tried | | | |") for name in names]
    page.write_text(text + HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def highest_rate(failures: int, tries: int) -> str:
    """Return the failure rate that 95 % confidence allows: 3 / n after no failure in n trials, by Poisson otherwise."""
    bound = RULE_OF_THREE if not failures else float(chi2.ppf(0.95, 2 * failures + 2)) / 2
    return f"below {min(1.0, bound / tries):.1g}" if tries else ""


def main() -> int:
    """Try what was asked for; return the exit code."""
    sys.path.insert(0, str(ROOT / "fuzz"))
    promises = importlib.import_module("promises").PROMISES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PROMISE", help=f"which ones: {', '.join(promises)} (default: all)")
    parser.add_argument("--count", type=int, help="how often each is tried")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual counts (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments and changes (default: 0)")
    parser.add_argument("--page", nargs="?", type=Path, const=PAGE, help=f"(default: {PAGE.relative_to(ROOT)})")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - promises.keys():
        parser.error(f"unknown promise {min(unknown)!r}; choose from {', '.join(promises)}")
    failed = False
    print(f"| {'promise':<66} | {'tries':>22} | failures | seconds |", flush=True)
    print(f"|{'-' * 68}|{'-' * 23}:|---------:|--------:|", flush=True)
    for name in arguments.names or promises:
        promise = promises[name]
        count = arguments.count or max(promise.short, round(promise.count * arguments.share))
        start = time.monotonic()
        outcome = promise.run(count, seed=arguments.seed)
        seconds, tries = time.monotonic() - start, f"{outcome.tries:,}"
        failures = len(outcome.failures)
        print(f"| {promise.text:<66} | {tries:>22} | {failures:>8} | {seconds:>7.0f} |", flush=True)
        for failure in outcome.failures[:SHOWN]:
            print(f"  {name}: {failure}", file=sys.stderr, flush=True)
        if arguments.page is not None:
            rate = highest_rate(failures, outcome.tries)
            row = f"| `{name}` | {tries} | {failures} | {rate} | {datetime.date.today().isoformat()} |"
            write_trials(arguments.page, {name: row}, list(promises))
        failed |= bool(outcome.failures) or not outcome.tries
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
