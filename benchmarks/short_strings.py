"""Where does the time of many short strings go? `python -m benchmarks.short_strings [--strings 1000000] [--small]`.

The strings consist of 10 to 20 characters from an alphabet of 65, drawn from a seed. The models are untrained LSTMs,
which take the same time as trained ones. One thread; processor time. Three tables:

1. The stages of `score_samples(Lines(file))`, each one alone: reading the file, looking up which strings are new,
   encoding, sorting by length into groups, packing the weights, the network, the logits and softmax of 65 symbols, and
   the rest of the whole call (gathering the scores, passing on blocks). The network is timed with an alphabet of one
   character, whose logits take almost no time; the extra time with 65 characters is spent on logits and softmax.
2. Microseconds per string compared with PyTorch, which scores the same strings with the same weights, sorted by length
   and packed (`pack_padded_sequence`) in batches of two sizes. Contenders take turns, and the fastest turn counts.
3. `reduce="min"` compared with `reduce="sum"`, and strings that occur ten times each on average.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine
from crnn import CharRNN, Lines
from crnn.inference.string_scores import ROWS, RecentScores, Strings, TextBlock, log_likelihoods, text_blocks

SHORTEST, LONGEST = 10, 20  # characters of a string
ALPHABET = "".join(map(chr, range(33, 98)))  # 65 characters, none of them a line end
ONE = ALPHABET[:1]
BATCHES = 256, 1024  # strings that PyTorch reads at a time
COMPARED = 20_000  # strings that contenders take turns with
REPEATED = 10  # how often each of the repeated strings occurs, on average
Turn = Callable[[], Any]


def strings(n: int, alphabet: str = ALPHABET, seed: int = 0) -> list[str]:
    """Return strings of random characters."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(SHORTEST, LONGEST + 1, n)
    together = "".join(alphabet[i] for i in rng.integers(len(alphabet), size=lengths.sum()).tolist())
    ends = np.cumsum(lengths)
    return [together[start:end] for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True)]


def fresh(hidden_size: int, alphabet: str = ALPHABET) -> CharRNN:
    """Return an LSTM of documents with initial weights."""
    return CharRNN(hidden_size, cell="lstm", max_steps=0, n_threads=1, random_state=0).fit([alphabet])


def seconds_of(work: Turn) -> tuple[float, Any]:
    """Return the processor time of some work, and what it returns."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


# --------------------------------------------------------------------------------------------------- the stages


def looked_up(blocks: list[TextBlock]) -> None:
    """Look up strings that are all new; scoring them takes no time."""
    recent = RecentScores()
    for block in blocks:
        recent.look_up(block.texts, lambda texts: np.zeros(len(texts)))


def read_strings(model: CharRNN, encoded: list[Strings]) -> None:
    """Score encoded strings."""
    network, _ = model._network("score_samples", one_row=False, scoring=True)
    for part in encoded:
        log_likelihoods(network, part, network.start(), 1)


def encoded_blocks(model: CharRNN, blocks: list[TextBlock]) -> list[Strings]:
    """Return the ids of each block of strings."""
    return [Strings.encode(block, model.vocabulary_, name="texts[{}]", ended=True) for block in blocks]


def stages(model: CharRNN, of_one: CharRNN, path: Path, n: int) -> dict[str, float]:
    """Return the seconds of each stage for the lines of a file; `of_one` is the model with one character."""
    found: dict[str, float] = {}
    model = copy.copy(model)  # a copy's weights are not packed yet
    whole, scores = seconds_of(lambda: model.score_samples(Lines(path)))
    assert len(scores) == n
    found["reading the file"], batches = seconds_of(lambda: list(Lines(path).batches()))
    texts = [text for batch in batches for text in batch]
    blocks = list(text_blocks(texts, model.vocabulary_, name="texts"))
    found["looking up which strings are new"], _ = seconds_of(lambda: looked_up(blocks))
    found["encoding"], encoded = seconds_of(lambda: encoded_blocks(model, blocks))
    network, _ = model._network("score_samples", one_row=False, scoring=True)
    at_a_time = network.rows_at_a_time(ROWS)
    found["sorting into groups"], _ = seconds_of(lambda: [part.groups(1, at_a_time) for part in encoded])
    unpacked = copy.copy(model)
    found["packing the weights"], _ = seconds_of(lambda: unpacked._network("x", one_row=False, scoring=True))
    total, _ = seconds_of(lambda: read_strings(model, encoded))
    ids_of_one = [Strings(np.where(part.ids == part.ids[-1], 1, 0).astype(np.int32), part.lengths) for part in encoded]
    of_one.score_samples([ONE, ONE * 2])  # packs the weights
    found["the network"], _ = seconds_of(lambda: read_strings(of_one, ids_of_one))
    found["logits and softmax of 65 symbols"] = max(0.0, total - found["the network"])
    found["all else"] = max(0.0, whole - sum(found.values()))
    found["the whole call"] = whole
    return found


def profile(hidden_size: int, n: int) -> list[str]:
    """Return the rows of the first table."""
    models = [make() for make in (partial(fresh, hidden_size), partial(fresh, hidden_size, ONE))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strings.txt"
        path.write_text("\n".join(strings(n)) + "\n", encoding="ascii")
        columns = [stages(*pair, path, n) for pair in (models, [model.quantize() for model in models])]
    lines = [f"| LSTM {hidden_size}, {n:,} strings | float32, µs a string | share | int8, µs a string | share |"]
    lines.append("|---|---|---|---|---|")
    for name in columns[0]:
        cells = [f"{1e6 * found[name] / n:.2f} | {found[name] / found['the whole call']:.1%}" for found in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


# --------------------------------------------------------------------------------------------------- contenders


def fastest(turns: dict[str, Turn], repeats: int) -> dict[str, float]:
    """Return the processor time of each one's fastest turn, after one turn that does not count."""
    best = dict.fromkeys(turns, np.inf)
    for repeat in range(repeats + 1):
        for name, turn in turns.items():
            taken, _ = seconds_of(turn)
            if repeat:
                best[name] = min(best[name], taken)
    return best


def compared(hidden_size: int, n: int, repeats: int) -> list[str]:
    """Return rows of the second table."""
    model, texts = fresh(hidden_size), strings(n)
    small = model.quantize()
    turns: dict[str, Turn] = {
        "crnn, float32": partial(model.score_samples, texts),
        "crnn, bfloat16": partial(copy.copy(model).set_params(matmul_precision="bfloat16").score_samples, texts),
        "crnn, int8": partial(small.score_samples, texts),
    }
    try:
        from benchmarks.peers.torch_documents import TorchDocuments

        peer = TorchDocuments(model, 1)
        assert np.allclose(peer.score_packed(texts[:300]), model.score_samples(texts[:300]), atol=1e-3)
        for batch in BATCHES:
            turns[f"PyTorch, float32, packed, {batch:,} at a time"] = partial(peer.score_packed, texts, batch)
    except ImportError:
        print("PyTorch is left out: it is not installed")
    best = fastest(turns, repeats)
    peers = [taken for name, taken in best.items() if "PyTorch" in name]
    return rows(hidden_size, best, n, min(peers, default=best["crnn, float32"]))


def rows(hidden_size: int, best: dict[str, float], n: int, base: float) -> list[str]:
    """Return a row for each contender: microseconds per string, and how many times as fast it is as `base` seconds."""
    figures = {name: f"{1e6 * taken / n:.1f} | {base / taken:.2f}" for name, taken in best.items()}
    return [f"| LSTM {hidden_size}, {name} | {shown} |" for name, shown in figures.items()]


def reductions(hidden_size: int, n: int, repeats: int) -> list[str]:
    """Return rows of the third table."""
    model, texts = fresh(hidden_size), strings(n)
    drawn = np.random.default_rng(1).integers(max(1, n // REPEATED), size=n).tolist()
    best = fastest(
        {
            'reduce="sum"': partial(model.score_samples, texts),
            'reduce="min"': partial(model.score_samples, texts, reduce="min"),
            f"sum, each string {REPEATED} times": partial(model.score_samples, [texts[i] for i in drawn]),
        },
        repeats,
    )
    return rows(hidden_size, best, n, best['reduce="sum"'])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=int, default=1_000_000, help="in the file of the first table")
    parser.add_argument("--hidden-sizes", type=int, nargs="+", default=[64, 128, 256], help="the middle one has stages")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a few seconds, to see that everything runs")
    arguments = parser.parse_args(argv)
    n = COMPARED
    if arguments.small:
        arguments.strings, arguments.hidden_sizes, arguments.repeats, n = 700, [16], 1, 300
    middle = arguments.hidden_sizes[len(arguments.hidden_sizes) // 2]
    print("\n".join([*machine(), "", *profile(middle, arguments.strings), ""]), flush=True)
    print("| | µs a string | times as fast as the fastest PyTorch |\n|---|---|---|", flush=True)
    for hidden_size in arguments.hidden_sizes:
        print("\n".join(compared(hidden_size, n, arguments.repeats)), flush=True)
    print('\n| | µs a string | times as fast as `reduce="sum"` |\n|---|---|---|', flush=True)
    for hidden_size in arguments.hidden_sizes:
        print("\n".join(reductions(hidden_size, n, arguments.repeats)), flush=True)


if __name__ == "__main__":
    main()
