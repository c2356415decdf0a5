"""What does `sample(matching=...)` cost, and how wrong are masks? `python -m benchmarks.matching NAMES`.

NAMES has a name a line; capitals become small letters. On one thread, for counts of order 6, a network trained for
`--seconds`, and a mixture of both, the table has for each pattern the probability of a match, by the counts; the
processor time of the first sample, which includes all that is computed for the pattern; and the processor time of each
further sample. "fails" means that a match is too rare to be found by trials.

The last column is about a simpler method that crnn does not use: a mask forbids each character after which the pattern
can no longer match, and rescales the rest. The column has the total variation between the names that the counts draw by
a mask, and the names of the counts that match, estimated from exact samples. 1 means that they have nothing in common.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.language_model import LanguageModel
from crnn.matching.goal import Goal

PATTERNS = ["k.*", "[A-Za-z]*nn[a-z]*", "[bm].{3,6}(ia|etta)", "qu.*zz.*", ".{10,}(elle|ette)"]
MAX_LENGTH = 60
HEAD = [
    "| pattern | P (counts) | counts: first, each | network: first, each | mixture: first, each | a mask is off by |",
    "|---|---|---|---|---|---|",
]


def models(names: Sequence[str], seconds: float) -> list[LanguageModel]:
    """Return counts, a network, and a mixture of both, each with one thread."""
    counts = CharNGram(order=6, n_threads=1).fit(names)
    network = CharRNN.recommended(names, seconds, verbose=0).set_params(random_state=0, n_threads=1).fit(names)
    return [counts, network, Mixture.from_fitted([network, counts], weights=[0.5, 0.5]).set_params(n_threads=1)]


def processor_time(model: LanguageModel, n_samples: int, matching: str | None, seed: int) -> float:
    """Return the seconds of one call of `sample`, whose texts must match."""
    start = time.process_time()
    drawn = model.sample(n_samples=n_samples, matching=matching, max_length=MAX_LENGTH, random_state=seed)
    seconds = time.process_time() - start
    texts = [drawn] if n_samples == 1 else drawn
    assert matching is None or all(re.fullmatch(matching, text) for text in texts)
    return seconds


def shown_times(model: LanguageModel, matching: str | None, n_samples: int) -> str:
    """Return a model's cell: the time of the first sample and of each further one."""
    try:
        first = processor_time(model, 1, matching, 0)
        each = min(processor_time(model, n_samples, matching, seed) for seed in (1, 2, 3)) / n_samples
    except InvalidInputError:  # too rare a match
        return "fails"
    further = f"{each * 1e3:.1f} ms" if each >= 1e-3 else f"{each * 1e6:.1f} µs"
    return further if matching is None else f"{first:.2g} s, {further}"


def mask_variation(model: LanguageModel, matching: str, texts: Sequence[str]) -> float:
    """Return the total variation between texts drawn by a mask and texts that match, estimated from the latter."""
    vocabulary = model.vocabulary_
    goal = Goal.of(matching, vocabulary, "")
    p_match = model.match_probability(matching, MAX_LENGTH)[0]
    n_states = len(goal.table)
    ratios = []  # P(text drawn by a mask) / P(text | match)
    for text in texts:
        state = model.start()
        q = goal.start
        ratio = p_match
        for symbol in [*vocabulary.encode(text).tolist(), vocabulary.boundary]:
            p = state.next_proba()
            following = goal.after_each(q)
            ratio /= p[following[: len(p)] <= n_states].sum()
            q = following[symbol]
            if symbol != vocabulary.boundary:
                state.feed(vocabulary[symbol])
        ratios.append(ratio)
    return float(np.maximum(0, 1 - np.array(ratios)).mean())


def table(models: Sequence[LanguageModel], patterns: Sequence[str], n_samples: int, n_masked: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield from HEAD
    counts = models[0]
    plain = " | ".join(shown_times(model, None, n_samples) for model in models)
    yield f"| none | 1 | {plain} | – |"
    for pattern in patterns:
        name = "`" + pattern.replace("|", r"\|") + "`"
        times = " | ".join(shown_times(model, pattern, n_samples) for model in models)  # first, before P is known
        p_match = counts.match_probability(pattern, MAX_LENGTH)[0]
        exact = counts.sample(n_samples=n_masked, matching=pattern, max_length=MAX_LENGTH, random_state=4)
        off = mask_variation(counts, pattern, exact)
        yield f"| {name} | {p_match:.2g} | {times} | {off:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", type=Path)
    parser.add_argument("--seconds", type=float, default=20, help="to train the network (default: 20)")
    parser.add_argument("--n-samples", type=int, default=1000, help="further samples that are timed (default: 1000)")
    parser.add_argument("--masked", type=int, default=500, help="samples for the last column (default: 500)")
    options = parser.parse_args()
    names = options.names.read_text(encoding="utf-8").lower().split()
    print("\n".join(machine()), flush=True)
    for line in table(models(names, options.seconds), PATTERNS, options.n_samples, options.masked):
        print(line, flush=True)


if __name__ == "__main__":
    main()
