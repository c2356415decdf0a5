"""When is the network best, when are counts, when both? `python -m benchmarks.mixtures TEXT [NAMES] [--seconds 15 60]`.

For each time and seed, `Mixture.recommended` learns the first nine tenths of TEXT, and the loss of the last tenth is
printed for the network, the counts and the mixture, in nats a character; then the same while they learn from what they
read (`adapt`). "counts only" is the mixture with ``adapt="counts"``. Of NAMES, one a line, 1,000 are held out.
``--python`` takes the source code of Python's standard library in place of TEXT: its top-level modules, sorted, up to
3.5 MB. Characters that the first nine tenths do not hold are left out of the last tenth.

``--costs`` prints what the models of the last time cost: memory, file size, time to score a character and to draw one.
``--copying`` prints how much of 100,000 characters drawn from each stands in the text: the longest passage, and the
share of windows of 50 characters.
"""

from __future__ import annotations

import argparse
import sysconfig
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.counts import split as split_names
from benchmarks.report import machine
from crnn import Mixture

MAX_SOURCE = 3_500_000  # characters of the standard library
DRAWN = 100_000
WINDOW = 50
HEAD = ["| seconds | seeds | network | counts | mixture | gain |", "|---|---|---|---|---|---|"]
ADAPTED = ["| reading on | network | counts | mixture | counts only |", "|---|---|---|---|---|"]
COSTS = ["| model | MB in a file | µs to score | µs to draw |", "|---|---|---|---|"]
COPIES = ["| model | longest passage of the text | windows of 50 in the text |", "|---|---|---|"]

Text = str | list[str]


class Losses(NamedTuple):
    """Nats a symbol on held-out text."""

    network: float
    counts: float
    mixture: float


def standard_library() -> str:
    """Return the source code of Python's top-level modules, sorted by name."""
    text, folder = "", Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(folder.glob("*.py")):
        text += path.read_text(encoding="utf-8", errors="replace")
        if len(text) >= MAX_SOURCE:
            break
    return text[:MAX_SOURCE]


def split(text: str) -> tuple[str, str]:
    """Return the first nine tenths, and the last one without characters that the first ones do not hold."""
    cut = len(text) * 9 // 10
    known = set(text[:cut])
    return text[:cut], "".join(symbol for symbol in text[cut:] if symbol in known)


def trained(text: Text, seconds: float, seed: int) -> Mixture:
    """Return a mixture of a network and counts after this time."""
    return Mixture.recommended(text, seconds, verbose=0, random_state=seed)


def losses(mixture: Mixture, held_out: Text, adapt: Any = False) -> Losses:
    """Return the losses of both models and of the mixture."""
    network, counts = mixture.models
    scores = [model.score(held_out, adapt=adapt) for model in (network, counts, mixture)]
    return Losses(*(-score for score in scores))


def rows(text: Text, held_out: Text, seconds: Sequence[float], seeds: int) -> Iterable[str]:
    """Yield a row for each time, and rows for the last mixture while it reads on."""
    yield from HEAD
    mixture = None
    for limit in seconds:
        found = []
        for seed in range(seeds):
            mixture = trained(text, limit, seed)
            found.append(losses(mixture, held_out))
        means = Losses(*map(mean, zip(*found, strict=True)))
        shown = " | ".join(f"{loss:.4f}" for loss in means)
        yield f"| {limit:g} | {seeds} | {shown} | {min(means.network, means.counts) - means.mixture:.4f} |"
    assert mixture is not None
    yield ""
    yield from ADAPTED
    adapted = losses(mixture, held_out, adapt=True)
    by_counts = -mixture.score(held_out, adapt="counts")
    shown = " | ".join(f"{loss:.4f}" for loss in (*adapted, by_counts))
    yield f"| {seconds[-1]:g} s | {shown} |"


def costs(mixture: Mixture, held_out: str) -> Iterable[str]:
    """Yield the size and the speed of each model, on one thread."""
    yield from COSTS
    part = held_out[:20_000]
    for name, model in named(mixture):
        model.n_threads = 1
        times = []
        for action in (lambda model=model: model.score(part), lambda model=model: model.sample(5000, random_state=0)):
            action()
            start = time.perf_counter()
            action()
            times.append(time.perf_counter() - start)
        size = sum(len(member.to_bytes()) for member in (mixture.models if model is mixture else [model])) / 1e6
        yield f"| {name} | {size:.2f} | {1e6 * times[0] / len(part):.2f} | {1e6 * times[1] / 5000:.2f} |"


def named(mixture: Mixture) -> list[tuple[str, Any]]:
    """Return the models with their names."""
    return [("network", mixture.models[0]), ("counts", mixture.models[1]), ("mixture", mixture)]


def copying(mixture: Mixture, text: str) -> Iterable[str]:
    """Yield how much of what each model draws stands in the text."""
    yield from COPIES
    for name, model in named(mixture):
        drawn = model.sample(DRAWN, random_state=0)
        windows = range(0, len(drawn) - WINDOW, WINDOW // 2)
        share = mean(drawn[i : i + WINDOW] in text for i in windows)
        yield f"| {name} | {longest_copy(drawn, text)} | {100 * share:.1f} % |"


def longest_copy(drawn: str, text: str) -> int:
    """Return the length of the longest passage that is in both.

    Examples
    --------
    >>> longest_copy("xxabcdxx", "0abcd1")
    4
    """
    longest = start = 0
    while start + longest < len(drawn):
        if drawn[start : start + longest + 1] in text:
            longest += 1
        else:
            start += 1
    return longest


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="a UTF-8 file")
    parser.add_argument("names", type=Path, nargs="?", help="a UTF-8 file, one name a line")
    parser.add_argument("--python", action="store_true", help="the source code of the standard library, without TEXT")
    parser.add_argument("--seconds", type=float, nargs="+", default=[15.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--copying", action="store_true")
    options = parser.parse_args()
    print("\n".join(machine()), "\n", flush=True)
    if options.text or options.python:
        text = standard_library() if options.python else options.text.read_text(encoding="utf-8")
        known, held_out = split(text)
        for line in rows(known, held_out, options.seconds, options.seeds):
            print(line, flush=True)
        if options.costs or options.copying:
            mixture = trained(known, options.seconds[-1], 0)
            tables = [costs(mixture, held_out)] if options.costs else []
            tables += [copying(mixture, known)] if options.copying else []
            for table in tables:
                print("", *table, sep="\n", flush=True)
    if options.names:
        names = options.names.read_text(encoding="utf-8").split()
        print("", *rows(*split_names(names), options.seconds, options.seeds), sep="\n", flush=True)


if __name__ == "__main__":
    main()
