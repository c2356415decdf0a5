"""How good are counts, and what do they cost? `python -m benchmarks.counts TEXT [NAMES] [--repeats 5] [--orders N …]`.

Models of n-grams by crnn and PPMd by pyppmd, on the last tenth of TEXT after the rest, and on 1,000 of NAMES, one a
line, after the others. Nats are per symbol, the end of a name included. PPMd learns as it reads, and so does the row
"adaptive"; PPMd's loss is the difference of two compressed sizes. Both choose their order by the last twentieth of
what they learn from. PPMd stores no model: its file size is that text's compressed size, because loading would compress
the text again.

``--orders 6 8 10 14`` prints what counts of these orders cost instead: processor time of one thread to count TEXT's
first nine tenths, to score a character, to score and learn one, to copy a state that has read and learned 3,000
characters, to draw the first ten matches of a pattern, and to fill two gaps of a line: the least of the repeats.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from benchmarks.pages import print_tables
from benchmarks.timing import least_time
from crnn import CharNGram
from crnn.ngram.building import Builder
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.ngram.packed_counts import pack
from crnn.text.sources import text_source

ORDERS = (3, 4, 5, 6, 7, 8, 10, 12, 16)  # PPMd's contexts
PPMD_MEMORY = 1 << 26
PATTERN = "The [a-z]+ of .{10,20}"
N_MATCHING = 10
LINE_WITH_GAPS = "Where is thy br_ther, and where is thy si_ter?"
READ_BY_STATE = 3000  # characters
N_COPIES = 100
COSTS = (
    "order",
    "n-grams, millions",
    "MB in memory",
    "MB in a file",
    "s to count",
    "µs to score",
    "µs to score and learn",
    "µs to copy a state",
    f"s for {N_MATCHING} matches",
    "ms to fill two gaps",
    "nats",
    "nats, learning",
)


class Row(NamedTuple):
    """A line of the table."""

    name: str
    order: int
    seconds: float  # to learn, with the order given
    memory: int
    file: int
    nats: float
    microseconds: float  # to score a symbol

    def __str__(self) -> str:
        megabytes = f"{self.memory / 1e6:.1f} | {self.file / 1e6:.2f}"
        cost = f"{self.seconds:.2f} | {megabytes} | {self.microseconds:.2f}"
        return f"| {self.name} | {self.order} | {cost} | {self.nats:.4f} |"


COLUMNS = ("model", "order", "seconds to learn", "MB in memory", "MB in a file", "µs to score a symbol", "nats")
HEAD = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]


def split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names to learn from, and 1,000 others."""
    order = np.random.default_rng(0).permutation(len(names))
    return [names[i] for i in order[1000:]], [names[i] for i in order[:1000]]


def ids_of(known: str | list[str], held_out: str | list[str]) -> tuple[NDArray[Any], NDArray[Any], int, int | None]:
    """Return both texts as ids, with the number of symbols and the boundary."""
    source = text_source(known)
    vocabulary = source.vocabulary()
    return source.ids(vocabulary), text_source(held_out).ids(vocabulary), len(vocabulary), vocabulary.boundary


def of_counts(known: str | list[str], held_out: str | list[str], repeats: int) -> list[Row]:
    """Return the rows of n-grams: fixed, and adaptive."""
    ids, others, symbols, boundary = ids_of(known, held_out)
    builder = Builder(symbols, boundary)
    choice, chosen = least_time(lambda: builder.build(ids, None), 1)
    seconds, counts = least_time(lambda: builder.build(ids, chosen.order), repeats)
    size = sum(array.nbytes for array in pack(counts).values())
    given = np.zeros(0, np.int32) if boundary is None else np.array([boundary], np.int32)
    x = others[len(given) :].astype(np.int32)
    network = CountsNetwork(counts)

    def fixed() -> NDArray[np.float64]:
        state = network.zero_state(1)
        network.feed(given.reshape(-1, 1), state)
        return network.log_probabilities(x.reshape(-1, 1), state)[:, 0]

    def reading_on() -> tuple[Counts, NDArray[np.float64]]:
        over = counts.over()
        return over, over.add_and_score(x, given)

    slow, log_p = least_time(fixed, repeats)
    row = Row("n-grams", counts.order, seconds, counts.nbytes, size, -float(log_p.mean()), 1e6 * slow / len(x))
    slow, (over, log_p) = least_time(reading_on, repeats)
    memory = counts.nbytes + over.nbytes
    on = Row("n-grams, adaptive", counts.order, seconds, memory, size, -float(log_p.mean()), 1e6 * slow / len(x))
    print(f"choosing the order and learning: {choice:.2f} s", flush=True)
    return [row, on]


def compressed(text: bytes, order: int) -> int:
    """Return the bytes of a text that PPMd has compressed."""
    import pyppmd

    encoder = pyppmd.Ppmd8Encoder(order, PPMD_MEMORY)
    return len(encoder.encode(text)) + len(encoder.flush())


def of_ppmd(known: str | list[str], held_out: str | list[str], repeats: int) -> Row:
    """Return the row of PPMd, which reads lines where there are many texts."""
    both = (text if isinstance(text, str) else "".join(f"{line}\n" for line in text) for text in (known, held_out))
    first, last = both
    learned, whole, cut = first.encode(), (first + last).encode(), len(first) * 19 // 20
    before = first[:cut].encode()
    sizes = {order: compressed(learned, order) - compressed(before, order) for order in ORDERS}
    order = min(sizes, key=sizes.__getitem__)
    seconds, size = least_time(lambda: compressed(learned, order), repeats)
    longer, whole_size = least_time(lambda: compressed(whole, order), repeats)
    nats = (whole_size - size) * math.log(256) / len(last)
    microseconds = 1e6 * max(longer - seconds, 0) / len(last)
    return Row("PPMd, adaptive", order, seconds, PPMD_MEMORY, size, nats, microseconds)


def costs(known: str, held_out: str, orders: Sequence[int], repeats: int) -> Iterator[str]:
    """Yield the table of what counts of some orders cost, in processor time of one thread."""
    yield f"| {' | '.join(COSTS)} |"
    yield "|" + "---|" * len(COSTS)
    for order in orders:
        times = np.min([times_of(model_of(known, order), known, held_out) for _ in range(repeats)], axis=0)
        model = model_of(known, order)
        model.save(file := io.BytesIO())
        sizes = (
            f"{sum(model.n_grams_) / 1e6:.2f}",
            f"{model._learned.counts.nbytes / 1e6:.0f}",
            f"{len(file.getvalue()) / 1e6:.1f}",
        )
        nats = (-model.score(held_out), -model.score(held_out, adapt=True))
        cells = [order, *sizes, *map("{:.3g}".format, times), *map("{:.4f}".format, nats)]
        yield f"| {' | '.join(map(str, cells))} |"


def model_of(known: str, order: int) -> CharNGram:
    """Return counts that compute on one thread."""
    return CharNGram(order=order, n_threads=1).fit(known)


def times_of(model: CharNGram, known: str, held_out: str) -> tuple[float, ...]:
    """Return what a newly fitted model takes, in the order and the units of COSTS."""

    def seconds(action: Callable[[], object]) -> float:
        return least_time(action, clock=time.process_time)[0]

    symbols = len(held_out)
    state = model.start(adapt=True).feed(held_out[:READ_BY_STATE])
    return (
        seconds(lambda: model_of(known, model.order_)),
        1e6 * seconds(lambda: model.score(held_out)) / symbols,
        1e6 * seconds(lambda: model.score(held_out, adapt=True)) / symbols,
        1e6 * seconds(lambda: [state.copy() for _ in range(N_COPIES)]) / N_COPIES,
        seconds(lambda: model.sample(n_samples=N_MATCHING, matching=PATTERN, random_state=0)),
        1e3 * seconds(lambda: model.restore(LINE_WITH_GAPS, gaps="_")),
    )


def table(known: str | list[str], held_out: str | list[str], repeats: int) -> list[str]:
    """Return the table of a text."""
    rows = of_counts(known, held_out, repeats)
    try:
        rows.append(of_ppmd(known, held_out, repeats))
    except ImportError:
        print("without pyppmd: pip install pyppmd", flush=True)
    return [*HEAD, *map(str, rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("names", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--orders", type=int, nargs="+", metavar="N", help="the costs of counts of these orders instead"
    )
    arguments = parser.parse_args()
    print("\n".join(machine()))
    text = arguments.text.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    if arguments.orders:
        print_tables([costs(text[:cut], text[cut:], arguments.orders, arguments.repeats)])
        return
    print("\n".join(["", *table(text[:cut], text[cut:], arguments.repeats)]))
    if arguments.names is not None:
        known, held_out = split(arguments.names.read_text(encoding="utf-8").splitlines())
        print("\n".join(["", *table(known, held_out, arguments.repeats)]))


if __name__ == "__main__":
    main()
