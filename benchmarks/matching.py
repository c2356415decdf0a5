"""What does `sample(matching=...)` cost? `python -m benchmarks.matching NAMES [--seconds 20]`.

NAMES has a name a line; upper case becomes lower case. For counts of order 6, a network trained for some seconds, and a
mixture of both, on one thread: the processor time of the first sample, which includes everything that is computed for
the pattern, and of each further sample; and the number of trials for a sample. `sample` without a pattern is timed for
comparison.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import machine
from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.language_model import LanguageModel

PATTERNS = (
    "[bm].{3,6}(ia|etta)", ".{2,8}", "[A-Za-z]*nn[a-z]*", "k.*", "z.{2,4}nna?h?", "qu.*zz.*", ".{10,}(elle|ette)",
)  # fmt: skip
MAX_LENGTH = 60
HEAD = ["| pattern | P (bounds) | first sample, s | trials a sample | µs a sample |", "|---|---|---|---|---|"]


def models(names: Sequence[str], seconds: float) -> dict[str, LanguageModel]:
    """Return the models, with one thread."""
    counts = CharNGram(order=6, n_threads=1).fit(names)
    network = CharRNN.recommended(names, seconds, verbose=0).set_params(random_state=0, n_threads=1).fit(names)
    return {"counts": counts, "network": network, "mixture": Mixture([network, counts], n_threads=1)}


def processor_time(model: LanguageModel, num_samples: int, matching: str | None, seed: int) -> float:
    """Return the seconds of one call of `sample`."""
    start = time.process_time()
    drawn = model.sample(num_samples=num_samples, matching=matching, max_length=MAX_LENGTH, random_state=seed)
    seconds = time.process_time() - start
    texts = [drawn] if num_samples == 1 else drawn
    assert matching is None or all(re.fullmatch(matching, text) for text in texts)
    return seconds


def row(model: LanguageModel, matching: str, num_samples: int) -> str:
    """Return a pattern's line of the table."""
    shown = "`" + matching.replace("|", r"\|") + "`"
    try:
        first = processor_time(model, 1, matching, 0)
        each = min(processor_time(model, num_samples, matching, seed) for seed in (1, 2, 3)) / num_samples
    except InvalidInputError:  # too rare a match
        return f"| {shown} | – | fails | – | – |"
    p, lower, upper = model.match_probability(matching)
    bounds = "" if lower == upper else f" ({lower:.2g} to {upper:.2g})"
    return f"| {shown} | {p:.3g}{bounds} | {first:.3f} | {upper / p:.3g} | {each * 1e6:.2f} |"


def table(model: LanguageModel, patterns: Sequence[str], num_samples: int) -> list[str]:
    """Return the lines of a model's table."""
    plain = min(processor_time(model, num_samples, None, seed) for seed in (1, 2, 3)) / num_samples
    rows = [row(model, pattern, num_samples) for pattern in patterns]
    return [*HEAD, f"| none | 1 | – | 1 | {plain * 1e6:.2f} |", *rows]


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", type=Path)
    parser.add_argument("--seconds", type=float, default=20, help="for training the network")
    parser.add_argument("--num-samples", type=int, default=5000)
    arguments = parser.parse_args()
    names = arguments.names.read_text(encoding="utf-8").lower().split()
    print("\n".join(machine()))
    found = models(names, arguments.seconds)
    for name, model in found.items():
        print(f"\n{name}\n")
        print("\n".join(table(model, PATTERNS, arguments.num_samples)), flush=True)


if __name__ == "__main__":
    main()
