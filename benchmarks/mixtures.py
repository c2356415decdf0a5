"""When is the network best, when are counts, when both? `python -m benchmarks.mixtures FILE [--seconds 15 60]`.

For each time and seed, `crnn.train` learns the first nine tenths of FILE, and the loss of the last tenth is
printed for the network, the counts and the mixture, in nats per character: the mean over the seeds, and the range of
the mixture's losses. ``--text names`` reads FILE as one name per line, and holds out 1,000 names. ``--text source``
needs no FILE: it reads the source code of Python's standard library (the sorted top-level modules, up to 3.5 MB).
Characters that are missing from the training text are removed from the last tenth.

``--adapt`` prints the losses while the models of the last time learn from what they read, the mixture by ``adapt=True``
and by ``adapt="counts"``, where the network stays as it is; and how long a character takes: means over the seeds.

With the models of the last time and seed
``--costs`` prints what the models and PPMd (`pip install pyppmd`) cost: time to learn, memory, bytes in a file, and
time to score and to draw a character, on one thread. A second table compares the mixture with and without its counts of
words: processor time to count, memory, bytes in a file, and processor time to score a character, in turns.
``--copying`` prints how many of the windows of 50 characters in 100,000 drawn characters stand in what was learned;
``--hidden-size 224`` trains networks of this size.
"""

from __future__ import annotations

import argparse
import io
import sysconfig
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

import crnn
from benchmarks.counts import of_ppmd
from benchmarks.counts import split as split_names
from benchmarks.machine import machine
from benchmarks.pages import print_tables
from benchmarks.timing import least_time
from crnn import CharNGram, CharRNN, Mixture
from crnn.ngram.word_counts import WordCounts
from crnn.scoring.text_scores import source_ids
from crnn.text.sources import text_source
from crnn.text.vocabulary import Ids, Vocabulary

MAX_SOURCE = 3_500_000  # characters of the standard library
SCORED = 20_000  # characters timed
REPEATS = 3
TURNS = 9  # of scoring with and without words
MAX_MEMORY = 10**9  # of counts of words
HEAD = ["| seconds | seeds | network | counts | mixture | spread | gain |", "|---|---|---|---|---|---|---|"]
ADAPTED = ["| adapting | network | counts | mixture | mixture, counts only |", "|---|---|---|---|---|"]
COSTS = ["| model | seconds to learn | MB in memory | MB in a file | µs to score | µs to draw |",
         "|---|---|---|---|---|---|"]  # fmt: skip
COSTS_OF_WORDS = ["| mixture | seconds to count | MB in memory | MB in a file | µs to score |", "|---|---|---|---|---|"]
COPIED = ["| model | windows of 50 characters that stand in the training text |", "|---|---|"]
N_DRAWN = 100_000  # characters
WINDOW = 50  # characters
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


def read(kind: str, path: Path | None) -> tuple[Text, Text]:
    """Return the text to learn from, and the one that is held out."""
    if kind == "source":
        return split(standard_library())
    if path is None:
        raise SystemExit(f"--text {kind} needs a FILE")
    text = path.read_text(encoding="utf-8")
    return split_names(text.splitlines()) if kind == "names" else split(text)


def last_models(mixture: Mixture) -> str:
    """Return a sentence about the last mixture's members and its network's products."""
    parameters = mixture.models_[0].get_params()
    return (
        f"The last mixture: {', '.join(mixture.members_)}; its network has {parameters['hidden_size']} units and "
        f"products in {parameters['matmul_precision']}."
    )


def losses(mixture: Mixture, held_out: Text) -> Losses:
    """Return the losses of both models and of the mixture."""
    return Losses(*(-model.score(held_out) for model in (*mixture.models_, mixture)))


def row(seconds: float, found: Sequence[Losses]) -> str:
    """Return the row of a time, from the losses of each seed."""
    means = Losses(*map(mean, zip(*found, strict=True)))
    of_mixture = [of_seed.mixture for of_seed in found]
    gain, spread = min(means.network, means.counts) - means.mixture, max(of_mixture) - min(of_mixture)
    shown = " | ".join(f"{loss:.4f}" for loss in (*means, spread, gain))
    return f"| {seconds:g} | {len(found)} | {shown} |"


def adapted(mixtures: Sequence[Mixture], held_out: Text) -> Iterator[str]:
    """Yield the losses of models that learn from what they read, and the times that takes, means over the seeds."""
    yield from ADAPTED
    symbols = number_of_symbols(held_out)
    found = []
    for mixture in mixtures:
        network, counts = mixture.models_
        for model, adapt in ((network, True), (counts, True), (mixture, True), (mixture, "counts")):
            found.append(least_time(lambda model=model, adapt=adapt: -model.score(held_out, adapt=adapt)))
    times, nats = (np.reshape(values, (len(mixtures), -1)).mean(axis=0) for values in zip(*found, strict=True))
    yield f"| nats | {' | '.join(f'{loss:.4f}' for loss in nats)} |"
    yield f"| µs a character | {' | '.join(f'{1e6 * seconds / symbols:.1f}' for seconds in times)} |"
    of_network, _, of_mixture, of_counts = times
    yield (
        f"\nBy counts only the mixture reads on {of_mixture / of_counts:.1f} times as fast as with adapt=True, and "
        f"{of_network / of_counts:.1f} times as fast as the network by dynamic evaluation"
    )


def file_size(model: CharRNN | CharNGram | Mixture) -> int:
    """Return the bytes of a model's file."""
    model.save(file := io.BytesIO())
    return len(file.getvalue())


def costs(mixture: Mixture, known: Text, held_out: Text, seconds: float) -> Iterator[str]:
    """Yield what each model costs, on one thread."""
    yield from COSTS
    to_count, _ = least_time(lambda: CharNGram().fit(known))
    to_learn = {"network": max(seconds - to_count, 0), "counts": to_count, "mixture": seconds}
    part = held_out[: SCORED if isinstance(held_out, str) else None]
    symbols = number_of_symbols(part)
    memory = files = 0.0
    for name, model in named(mixture):
        model.n_threads = 1
        to_score, _ = least_time(lambda model=model: model.score(part), REPEATS)
        to_draw, drawn = least_time(lambda model=model: draw(model, 5000), REPEATS)
        if model is not mixture:  # which has what its models have
            memory, files = memory + bytes_of(model), files + file_size(model)
        used = (memory, files) if model is mixture else (bytes_of(model), file_size(model))
        megabytes = " | ".join(f"{n_bytes / 1e6:.2f}" for n_bytes in used)
        times = f"{1e6 * to_score / symbols:.2f} | {1e6 * to_draw / len(drawn):.2f}"
        yield f"| {name} | {to_learn[name]:.2f} | {megabytes} | {times} |"
    try:
        ppmd = of_ppmd(known, held_out, 1)
    except ImportError:
        return
    megabytes = f"{ppmd.memory / 1e6:.2f} | {ppmd.file / 1e6:.2f}"
    yield f"| PPMd of order {ppmd.order} | {ppmd.seconds:.2f} | {megabytes} | {ppmd.microseconds:.2f} | - |"
    yield f"\nPPMd, which learns as it reads: {ppmd.nats:.4f} nats"


class CostsOfMixture(NamedTuple):
    """What a mixture costs on one thread."""

    seconds: float  # of the processor, to count
    memory: float  # bytes of the weights and counts
    file: float  # bytes
    microseconds: float  # of the processor, to score a character

    def row(self, name: str) -> str:
        """Return the row of a table."""
        return (
            f"| {name} | {self.seconds:.2f} | {self.memory / 1e6:.2f} | {self.file / 1e6:.2f} | "
            f"{self.microseconds:.2f} |"
        )


def costs_of_words(mixture: Mixture, known: Text, held_out: Text) -> Iterator[str]:
    """Yield what counts of words add to the costs of a mixture, on one thread; nothing if it has none."""
    words = mixture._words
    if words is None:
        return
    yield from COSTS_OF_WORDS
    without = mixture.without_words()
    for model in (mixture, without, *mixture.models_):
        model.n_threads = 1
    part = held_out[: SCORED if isinstance(held_out, str) else None]
    symbols = number_of_symbols(part)
    scoring: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(TURNS):
        for name, model in (("without", without), ("with", mixture)):
            seconds, _ = least_time(lambda model=model: model.score(part), clock=time.process_time)
            scoring[name].append(1e6 * seconds / symbols)
    to_count, _ = least_time(lambda: CharNGram().fit(known), clock=time.process_time)
    to_count_words, _ = least_time(
        lambda: WordCounts.of(ids_of(known, words.vocabulary), words.vocabulary, MAX_MEMORY), clock=time.process_time
    )
    memory = float(sum(map(bytes_of, without.models_)))
    plain = CostsOfMixture(to_count, memory, file_size(without), median(scoring["without"]))
    full = CostsOfMixture(
        to_count + to_count_words, memory + words.counts.nbytes, file_size(mixture), median(scoring["with"])
    )
    yield plain.row("without words")
    yield full.row("with words")
    ratios = [after / before for before, after in zip(plain[:3], full[:3], strict=True)]
    ratios.append(median([after / before for before, after in zip(scoring["without"], scoring["with"], strict=True)]))
    yield f"| ratio | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |"
    units = mixture.models_[0].get_params().get("hidden_size")
    yield f"\nThe network has {units} units; scored in {TURNS} turns; the medians are shown"


def ids_of(text: Text, vocabulary: Vocabulary) -> Ids:
    """Return the ids of a text, or of documents with boundaries."""
    ids, _ = source_ids(text_source(text), vocabulary)
    return ids


def number_of_symbols(text: Text) -> int:
    """Return the number of characters, and of ends of documents."""
    return len(text) if isinstance(text, str) else sum(len(document) + 1 for document in text)


def bytes_of(model: Any) -> int:
    """Return the bytes of a network's weights, or of counts."""
    if isinstance(model, CharRNN):
        return sum(weights.nbytes for weights in model.params_.values())
    return int(model._learned.counts.nbytes)


def draw(model: Any, length: int) -> str:
    """Return text of about this length; documents end in a newline."""
    if model.vocabulary_.boundary is None:
        return str(model.sample(length, random_state=0))
    drawn: list[str] = model.sample(n_samples=length // 5, random_state=0)
    return "".join(f"{name}\n" for name in drawn)


def copying(mixture: Mixture, known: Text) -> Iterator[str]:
    """Yield how much of what each model draws stands in the text."""
    yield from COPIED
    text = known if isinstance(known, str) else "".join(f"{name}\n" for name in known)
    for name, model in named(mixture):
        share = copied_share(draw(model, N_DRAWN), text, WINDOW)
        yield f"| {name} | {100 * share:.1f} % |"


def copied_share(drawn: str, text: str, length: int) -> float:
    """Return the share of the windows of `drawn` of this length that stand in a text.

    Examples
    --------
    >>> copied_share("abcab", "xab", 2)
    0.5
    """
    windows = [drawn[i : i + length] for i in range(len(drawn) - length + 1)]
    wanted = set(windows)
    found = {text[i : i + length] for i in range(len(text) - length + 1) if text[i : i + length] in wanted}
    return mean(window in found for window in windows)


def named(mixture: Mixture) -> list[tuple[str, Any]]:
    """Return the models with their names."""
    return [("network", mixture.models_[0]), ("counts", mixture.models_[1]), ("mixture", mixture)]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="a UTF-8 file; not with --text source")
    parser.add_argument("--text", choices=["shakespeare", "names", "source"], default="shakespeare")
    parser.add_argument("--seconds", type=float, nargs="+", default=[15.0, 60.0])
    parser.add_argument("--seeds", type=int, default=3)
    for option in ("--adapt", "--costs", "--copying"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--hidden-size", type=int, help="units of the network (default: as crnn.train chooses)")
    options = parser.parse_args()
    overrides = {} if options.hidden_size is None else {"hidden_size": options.hidden_size}
    known, held_out = read(options.text, options.file)
    print("\n".join([*machine(), "", *HEAD]), flush=True)
    for seconds in options.seconds:
        found = []
        took = []
        mixtures = []
        for seed in range(options.seeds):
            learn = partial(crnn.train, known, seconds, verbose=0, random_state=seed, **overrides)
            spent, mixture = least_time(learn)
            took.append(spent)
            mixtures.append(mixture)
            found.append(losses(mixture, held_out))
        print(row(seconds, found), flush=True)
    print(
        f"\nThe longest of the last {options.seeds} trainings took {max(took):.1f} s. {last_models(mixture)}",
        flush=True,
    )
    tables = []
    if options.adapt:
        tables.append(adapted(mixtures, held_out))
    if options.costs:
        tables.append(costs(mixture, known, held_out, options.seconds[-1]))
        tables.append(costs_of_words(mixture, known, held_out))
    if options.copying:
        tables.append(copying(mixture, known))
    print_tables(tables)


if __name__ == "__main__":
    main()
