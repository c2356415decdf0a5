"""How far do the times of a step lie apart in fresh processes? `python -m benchmarks.step_spread [--processes 12]`.

Addresses, pages and the places of threads differ from process to process, and so may what they have to wait for in the
caches. Each process takes the steps of one size on one thread, or on two; processes of either kind take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from benchmarks.report import PAUSE_SECONDS, Timed, machine

CASE = ("lstm", 384, 64, 32, 18)  # cell, hidden units, T, B, steps of a repeat


def milliseconds(cell: str, H: int, T: int, B: int, K: int, n_threads: int, repeats: int) -> float:
    """Return the median time of a step in a process of its own, in milliseconds."""
    arguments = ("train_stacked", "crnn", cell, "1", *map(str, (H, T, B, K, n_threads)))
    process = Timed(f"{n_threads}", arguments, n_threads)
    process.start()
    for _ in range(repeats):
        time.sleep(PAUSE_SECONDS)
        process.repeat()
    process.stop()
    return 1e3 * process.median / K


def table(found: dict[int, list[float]]) -> list[str]:
    """Return a row for each number of threads: the fastest process, the median one and the slowest."""
    lines = ["| threads | processes | fastest, ms | median, ms | slowest, ms |", "|---|---|---|---|---|"]
    for n, times in found.items():
        cells = (min(times), statistics.median(times), max(times))
        lines.append(f"| {n} | {len(times)} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=12, help="of each number of threads (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3, help="in a process (default: %(default)s)")
    options = parser.parse_args(arguments)
    print("\n".join(machine()), flush=True)
    found: dict[int, list[float]] = {n: [] for n in options.threads}
    for _ in range(options.processes):
        for n, times in found.items():
            times.append(milliseconds(*CASE, n, options.repeats))
    cell, H, T, B, _ = CASE
    print("\n".join(["", f"{cell.upper()}, H = {H}, T = {T}, B = {B}", "", *table(found)]))


if __name__ == "__main__":
    main()
