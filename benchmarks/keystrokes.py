"""Complete words while somebody types: `python -m benchmarks.keystrokes [--seconds 60] [--characters 2000]`.

Models learn nine tenths of Python's manual. A simulated user types from the last tenth; after every key a session reads
the key, and the model suggests three endings of the word. The user accepts the right ending, if it is there, with one
key. The peer suggests the most frequent words of the training text with the same beginning. Printed: the share of keys
saved, and how long a key takes (the session reads it, and suggests) in the median and in 99 of 100 cases, on an idle
machine and while all cores run busy loops. One thread.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np

import crnn
from benchmarks.busy import busy_loops
from crnn import CharNGram
from crnn.datasets import python_manual
from crnn.runtime.build_info import processor_name

SUGGESTED = 3
WORD = re.compile(r"[A-Za-z]+")


class FrequentWords:
    """Suggest the most frequent words with the same beginning."""

    def __init__(self, text: str) -> None:
        self.endings: dict[str, list[str]] = {}
        for word, _ in Counter(WORD.findall(text)).most_common():
            for cut in range(1, len(word)):
                known = self.endings.setdefault(word[:cut], [])
                if len(known) < SUGGESTED:
                    known.append(word[cut:])
        self.typed = ""

    def read(self, key: str) -> None:
        """Follow what is typed."""
        self.typed = self.typed + key if WORD.fullmatch(key) else ""

    def suggest(self) -> list[str]:
        """Return at most three endings."""
        return self.endings.get(self.typed, [])


class Session:
    """Suggest endings by a model's beam search, from the state after what has been typed."""

    def __init__(self, model: Any) -> None:
        self.stop = [symbol for symbol in model.vocabulary_ if not WORD.fullmatch(symbol)]
        self.state = model.start()

    def read(self, key: str) -> None:
        """Feed the session."""
        self.state.feed(key)

    def suggest(self) -> list[str]:
        """Return at most three endings."""
        return [ending for ending, _ in self.state.beam_search(n_beams=4, stop=self.stop)[:SUGGESTED]]


def type_text(text: str, keyboard: Any) -> tuple[int, list[float]]:
    """Type a text with suggestions; return the number of keys pressed, and the seconds that each suggestion took."""
    keys, seconds, at = 0, [], 0
    while at < len(text):
        keys += 1
        start = time.perf_counter()
        keyboard.read(text[at])
        rest = WORD.match(text, at + 1)
        inside = WORD.fullmatch(text[at]) is not None
        found = keyboard.suggest() if inside else []
        if inside:
            seconds.append(time.perf_counter() - start)
        at += 1
        if inside and rest and rest[0] in found:
            keys += 1  # to accept it
            for symbol in rest[0]:
                keyboard.read(symbol)
            at = rest.end()
    return keys, seconds


def rows(keyboards: dict[str, Callable[[], Any]], text: str) -> Iterable[str]:
    """Yield the rows of the table."""
    for name, make in keyboards.items():
        cells = []
        for busy in (False, True):
            with busy_loops(os.cpu_count() or 1) if busy else nullcontext():
                keys, seconds = type_text(text, make())
            cells.append(" | ".join(f"{1e3 * value:.2f}" for value in np.percentile(seconds, [50, 99])))
        yield f"| {name} | {1 - keys / len(text):.1%} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of training for the network (default: 60)")
    parser.add_argument("--characters", type=int, default=2000, help="to type (default: 2000)")
    arguments = parser.parse_args()
    text = python_manual()
    cut = len(text) * 9 // 10
    known, unseen = text[:cut], text[cut : cut + arguments.characters]
    options: dict[str, Any] = {"vocabulary": sorted(set(text))}
    counts = CharNGram(7, **options, n_threads=1).fit(known)
    mixture = crnn.train(known, seconds=arguments.seconds, **options, random_state=0, verbose=0)
    mixture.n_threads = 1
    keyboards: dict[str, Callable[[], Any]] = {
        "the most frequent words": lambda: FrequentWords(known),
        "counts of order 7": lambda: Session(counts),
        f"mixture, {arguments.seconds:g} s": lambda: Session(mixture),
    }
    print(f"{len(unseen):,} characters; {processor_name()}\n")
    print("| suggestions | keys saved | ms idle: p50 | p99 | ms busy: p50 | p99 |\n|---|---|---|---|---|---|")
    for row in rows(keyboards, unseen):
        print(row, flush=True)


if __name__ == "__main__":
    main()
