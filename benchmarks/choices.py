"""Does `CharRNN.recommended` choose the same again? `python -m benchmarks.choices [--calls 20] [--seconds 60]`.

`recommended` measures the machine at each call. This command calls it `--calls` times for each text, then again while
a busy loop runs on every core. It prints the chosen sizes, the number of steps between the smallest and the largest,
and the number of different choices of all parameters together. The texts are synthetic: only their lengths matter.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.busy import busy_loops
from crnn import CharRNN
from crnn.training.recommend.recommended import SIZES

CALLS, SECONDS = 20, 60.0
TEXTS = {"0.1 MB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
NAMES = 30_000


def data() -> Iterator[tuple[str, str | list[str]]]:
    """Yield texts and a list of names."""
    rng = np.random.default_rng(0)
    for name, length in TEXTS.items():
        yield name, bytes(rng.integers(97, 123, length).astype(np.uint8)).decode()
    letters = bytes(rng.integers(97, 123, 6 * NAMES).astype(np.uint8)).decode()
    yield f"{NAMES:,} names", [letters[i : i + 6] for i in range(0, len(letters), 6)]


def choices(X: str | list[str], seconds: float, calls: int) -> list[dict[str, object]]:
    """Return the parameters that each of the calls recommends."""
    return [CharRNN.recommended(X, seconds, verbose=0).get_params() for _ in range(calls)]


def summary(found: Sequence[dict[str, object]]) -> str:
    """Return as cells of a table: sizes and their numbers, the steps between them, and how many choices differ.

    Examples
    --------
    >>> summary([{"hidden_size": size, "dropout": 0.1} for size in (192, 192, 256)])
    '192 (2), 256 (1) | 2 | 2'
    """
    sizes = Counter(int(str(parameters["hidden_size"])) for parameters in found)
    places = [SIZES.index(size) for size in sizes]
    listed = ", ".join(f"{size} ({sizes[size]})" for size in sorted(sizes))
    return f"{listed} | {max(places) - min(places)} | {len({repr(parameters) for parameters in found})}"


def rows(seconds: float, calls: int, loops: int, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield the rows of the table, by default of all texts."""
    for name, X in data():
        if names and name not in names:
            continue
        yield f"| {name} | alone | {summary(choices(X, seconds, calls))} |"
        with busy_loops(loops):
            yield f"| {name} | next to {loops} busy loops | {summary(choices(X, seconds, calls))} |"


def main() -> None:
    """Print the machine and the table."""
    from benchmarks.report import machine

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that training may take")
    parser.add_argument("--loops", type=int, default=os.cpu_count() or 1, help="by default one for each core")
    parser.add_argument("--texts", nargs="+", metavar="NAME", default=(), help="by default all")
    options = parser.parse_args()
    print(*machine(), sep="\n")
    print(f"\n| {options.calls} calls, for {options.seconds:g} s | | sizes | steps between | choices |")
    print("|---|---|---|---|---|")
    for row in rows(options.seconds, options.calls, options.loops, options.texts):
        print(row, flush=True)


if __name__ == "__main__":
    main()
