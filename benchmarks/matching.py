"""What does `sample(matching=...)` cost, and how wrong are masks? `python -m benchmarks.matching NAMES [--seconds 20]`.

NAMES has a name a line; upper case becomes lower case. For counts of order 6, a network trained for some seconds, and a
mixture of both, on one thread: the processor time of the first sample, which includes everything that is computed for
the pattern, and of each further sample; the number of trials for a sample; and the total variation between texts drawn
with a mask, which forbids each symbol after which nothing can match, and the model's texts given a match. It is
estimated from 2,000 exact samples. `sample` without a pattern is timed for comparison.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import machine
from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.inference.matching import Goal
from crnn.inference.network import log_softmax
from crnn.language_model import LanguageModel

PATTERNS = (
    "[bm].{3,6}(ia|etta)", ".{2,8}", "[A-Za-z]*nn[a-z]*", "k.*", "z.{2,4}nna?h?", "qu.*zz.*", ".{10,}(elle|ette)",
)  # fmt: skip
MAX_LENGTH = 60
HEAD = [
    "| pattern | P (bounds) | first sample, s | trials a sample | µs a sample | masks off by |",
    "|---|---|---|---|---|---|",
]


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


def mask_variation(model: LanguageModel, matching: str, p_match: float, texts: Sequence[str]) -> float:
    """Return the total variation of a mask's texts from texts given a match, estimated from such texts."""
    network, vocabulary = model._network("mask_variation", one_row=False)
    goal = Goal.of(matching, vocabulary, "")
    lost = []  # ln of P(text | match) / P(text drawn with a mask)
    for text in texts:
        state, q, log_ratio = network.start(), goal.start, -np.log(p_match)
        for symbol in [*vocabulary.encode(text).tolist(), vocabulary.boundary]:
            log_p = log_softmax(network.logits_after(state)[:, : network.symbols])[0]
            log_ratio += np.log(np.exp(log_p[goal.rows[q] <= len(goal.rows)]).sum())
            q = goal.rows[q, symbol]
            network.feed(np.full((1, 1), symbol, np.int32), state)
        lost.append(log_ratio)
    return float(np.maximum(0, 1 - np.exp(-np.array(lost))).mean())


def row(model: LanguageModel, matching: str, num_samples: int, n_masked: int) -> str:
    """Return a pattern's line of the table."""
    shown = "`" + matching.replace("|", r"\|") + "`"
    try:
        first = processor_time(model, 1, matching, 0)
        each = min(processor_time(model, num_samples, matching, seed) for seed in (1, 2, 3)) / num_samples
    except InvalidInputError:  # too rare a match
        return f"| {shown} | – | fails | – | – | – |"
    p, lower, upper = model.match_probability(matching)
    texts = model.sample(num_samples=n_masked, matching=matching, max_length=MAX_LENGTH, random_state=4)
    off = mask_variation(model, matching, p, texts)
    bounds = "" if lower == upper else f" ({lower:.2g} to {upper:.2g})"
    return f"| {shown} | {p:.3g}{bounds} | {first:.3f} | {upper / p:.3g} | {each * 1e6:.2f} | {off:.3f} |"


def table(model: LanguageModel, patterns: Sequence[str], num_samples: int, n_masked: int) -> list[str]:
    """Return the lines of a model's table."""
    plain = min(processor_time(model, num_samples, None, seed) for seed in (1, 2, 3)) / num_samples
    rows = [row(model, pattern, num_samples, n_masked) for pattern in patterns]
    return [*HEAD, f"| none | 1 | – | 1 | {plain * 1e6:.2f} | – |", *rows]


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", type=Path)
    parser.add_argument("--seconds", type=float, default=20, help="for training the network")
    parser.add_argument("--num-samples", type=int, default=5000)
    parser.add_argument("--masked", type=int, default=2000, help="samples for the last column")
    arguments = parser.parse_args()
    names = arguments.names.read_text(encoding="utf-8").lower().split()
    print("\n".join(machine()))
    found = models(names, arguments.seconds)
    for name, model in found.items():
        print(f"\n{name}\n")
        print("\n".join(table(model, PATTERNS, arguments.num_samples, arguments.masked)), flush=True)


if __name__ == "__main__":
    main()
