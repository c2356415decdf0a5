"""How much of what `crnn sample` writes are real words or copies: `python -m benchmarks.sampled_words FILE`.

`crnn.train` learns FILE for `--seconds`. Samples with the command's usual options and with `--raw` are compared: the
share of words that occur in FILE, and the share of runs of six words that do.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import crnn
from benchmarks.machine import machine
from crnn.cli.sample import USUAL_CONTROLS

RUN = 6  # words
HEAD = "| options | words | real words, % | copies of six words, % |\n|---|---|---|---|"


def words_of(text: str) -> list[str]:
    """Return the words of a text: runs of letters, with apostrophes inside."""
    return re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)


def runs_of(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all runs of six words."""
    return [tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)]


def share(found: Sequence[object], known: set[object]) -> float:
    """Return the percentage of items that are known."""
    return 100 * sum(each in known for each in found) / max(len(found), 1)


def row(name: str, samples: Sequence[str], text: str) -> str:
    """Return a row of the table for samples of a model of the text."""
    known = words_of(text)
    # The first and the last word of a sample may be parts of words.
    of_samples = [words_of(sample)[1:-1] for sample in samples]
    words = [word for of_sample in of_samples for word in of_sample]
    runs = [run for of_sample in of_samples for run in runs_of(of_sample)]
    real, copied = share(words, set(known)), share(runs, set(runs_of(known)))
    return f"| {name} | {len(words):,} | {real:.1f} | {copied:.2f} |"


def main() -> None:
    """Train, sample and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--n-samples", type=int, default=50, help="of 1,000 characters each")
    options = parser.parse_args()
    text = Path(options.file).read_text(encoding="utf-8")
    model = crnn.train(text, options.seconds, verbose=0, random_state=0)
    print("\n".join([*machine(), f"trained for {options.seconds:g} s", "", HEAD]), flush=True)
    drawn = {"n_samples": options.n_samples, "random_state": 0}
    start = "\n" if "\n" in text else ""
    print(row("crnn sample", model.sample(1000, prime=start, **USUAL_CONTROLS, **drawn), text), flush=True)
    print(row("crnn sample --raw", model.sample(1000, **drawn), text), flush=True)


if __name__ == "__main__":
    main()
