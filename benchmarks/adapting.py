"""What do the members gain that join a mixture while it adapts? `python -m benchmarks.adapting FILE [FILE ...]`.

For each text, and for the source code of Python's standard library, a mixture of a small network, counts and words
learns 800,000 characters before the last tenth and reads 60,000 characters of that: as it is; with counts that learn
from what they read, while the weights stay and no member joins; with `adapt="counts"`; and with `adapt=True`, the last
two also without the longest match. Steps are counted, not seconds, so the losses do not depend on the machine. They are
nats per character, means over the seeds. The last column has the processor time of a character with `adapt="counts"`,
on one thread, without the longest match and with it.

``--states`` measures states of such mixtures instead, with and without words: the processor time of a character that is
read alone and in pieces of 100, and of a copy after 3,000 characters.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine
from benchmarks.mixtures import ids_of, split, standard_library
from benchmarks.timing import least_time
from crnn import CharNGram, CharRNN, Mixture
from crnn.adaptation.reading import MixedReading
from crnn.inference.mixed_network import MixedNetwork
from crnn.text_states.text_state import TextState

N_LEARNED = 800_000  # characters
N_READ = 60_000  # characters
N_AT_ONCE = 1000  # characters
N_OF_STATE = 3000  # characters
TURNS = 7
N_JOINING = 2  # members of a mixture that adapts: counts of what is read, and the longest match
HEAD = [
    '| text | as it is | counts alone learn | `"counts"`, no longest match | `"counts"` '
    "| `True`, no longest match | `True` | µs |",
    "|---|---|---|---|---|---|---|---|",
]


HEAD_OF_STATES = [
    f"| members | µs to read a character alone | in pieces of 100 | to copy a state of {N_OF_STATE:,} characters |",
    "|---|---|---|---|",
]


class Losses(NamedTuple):
    """Nats a character, and microseconds of processor time a character."""

    as_it_is: float
    fixed_weights: float
    counts_without: float
    counts: float
    all_without: float
    all: float
    us_without: float
    us: float


def read_texts(paths: Iterable[Path], *, source: bool) -> dict[str, str]:
    """Return the texts of UTF-8 files and, with `source`, of Python's standard library, by name."""
    texts = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in paths}
    if source:
        texts["Python's standard library"] = standard_library()
    return texts


def trained(text: str, seed: int, n_steps: int) -> Mixture:
    """Return a mixture of a small network, counts and words that has learned a text."""
    network = CharRNN(
        96, cell="gru", optimizer="adam", learning_rate=0.01, batch_size=16, seq_length=64, max_steps=n_steps,
        random_state=seed, n_threads=1,
    )  # fmt: skip
    return Mixture([network, CharNGram(order=12, n_threads=1)], n_threads=1).fit(text)


def read(mixture: Mixture, text: str, adapt: Any, *, longest_match: bool) -> tuple[float, float]:
    """Return the loss of a text that the mixture adapts to, and the seconds of processor time."""
    reading = mixture.start(adapt=adapt)._reading
    assert isinstance(reading, MixedReading)
    if not longest_match:  # the last member
        reading = MixedReading(reading._readings[:-1], reading._weights[:, :-1], reading._letters)
    ids = ids_of(text, mixture.vocabulary_)
    start = time.process_time()
    _, log_p = reading.read(ids)
    return -float(log_p.mean()), time.process_time() - start


def read_with_fixed_weights(mixture: Mixture, text: str) -> float:
    """Return the loss of a text that the mixture's counts learn from, while its weights stay and no member joins."""
    reading = mixture.start(adapt="counts")._reading
    assert isinstance(reading, MixedReading)
    readings = reading._readings[:-N_JOINING]
    network = MixedNetwork([one.network for one in readings], mixture.weights_, reading._letters)
    ids = ids_of(text, mixture.vocabulary_).astype(np.int32)
    last = network.zero_state(1)[-1]
    log_p = []
    for i in range(0, len(ids), N_AT_ONCE):
        piece = ids[i : i + N_AT_ONCE]
        readings, rows = zip(*(one.read_rows(piece, learn=True) for one in readings), strict=True)
        log_p.append(network.log_probabilities_of(rows, piece[:, None], last))
    return -float(np.concatenate(log_p).mean())


def losses(known: str, unseen: str, seed: int, n_steps: int) -> Losses:
    """Return the losses of one seed."""
    mixture = trained(known, seed, n_steps)
    counts_without, seconds_without = read(mixture, unseen, "counts", longest_match=False)
    counts, seconds = read(mixture, unseen, "counts", longest_match=True)
    all_without, _ = read(mixture, unseen, True, longest_match=False)
    all_members, _ = read(mixture, unseen, True, longest_match=True)
    each = 1e6 / len(unseen)
    as_it_is = -mixture.score(unseen)
    fixed = read_with_fixed_weights(mixture, unseen)
    return Losses(
        as_it_is, fixed, counts_without, counts, all_without, all_members, seconds_without * each, seconds * each
    )


def costs_of_states(text: str, n_steps: int) -> Iterator[str]:
    """Yield what it costs to read with a state that adapts, and to copy it, for a mixture with words and without."""
    yield from HEAD_OF_STATES
    known, unseen = split(text)
    with_words = trained(known[-N_LEARNED:], 0, n_steps)
    unseen = "".join(symbol for symbol in unseen if symbol in with_words.vocabulary_)[:N_OF_STATE]

    def read_in_pieces(mixture: Mixture, length: int) -> TextState:
        """Return a state that has read the text in pieces of a length."""
        state = mixture.start(adapt="counts")
        for i in range(0, len(unseen), length):
            state.feed(unseen[i : i + length])
        return state

    for mixture in (with_words, with_words.without_words()):
        alone, state = least_time(lambda mixture=mixture: read_in_pieces(mixture, 1), TURNS, time.process_time)
        pieces, _ = least_time(lambda mixture=mixture: read_in_pieces(mixture, 100), TURNS, time.process_time)
        copies, _ = least_time(lambda state=state: [state.copy() for _ in range(100)], TURNS, time.process_time)
        microseconds = (1e6 * alone / len(unseen), 1e6 * pieces / len(unseen), 1e6 * copies / 100)
        yield f"| {', '.join(mixture.members_)} | {' | '.join(f'{each:.0f}' for each in microseconds)} |"


def rows(texts: dict[str, str], n_seeds: int, n_steps: int) -> Iterator[str]:
    """Yield the table."""
    yield from HEAD
    for name, text in texts.items():
        known, unseen = split(text)
        known, unseen = known[-N_LEARNED:], unseen[:N_READ]
        symbols = set(known)
        unseen = "".join(symbol for symbol in unseen if symbol in symbols)
        found = [losses(known, unseen, seed, n_steps) for seed in range(n_seeds)]
        means = Losses(*map(mean, zip(*found, strict=True)))
        shown = " | ".join(f"{loss:.4f}" for loss in means[:6])
        yield f"| {name} | {shown} | {means.us_without:.1f}, {means.us:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="UTF-8 files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400, help="of the network (default: 400)")
    parser.add_argument("--states", action="store_true", help="the costs of states instead, for the first text")
    options = parser.parse_args()
    texts = read_texts(options.files, source=True)
    print("\n".join(machine()), flush=True)
    if options.states:
        lines = costs_of_states(next(iter(texts.values())), options.steps)
    else:
        lines = rows(texts, options.seeds, options.steps)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
