"""How does crnn compare with published results? `python -m benchmarks.published warpeace.txt`.

The text and the split follow Karpathy, Johnson and Fei-Fei, "Visualizing and Understanding Recurrent Networks"
(arXiv 1506.02078, 2015): War and Peace, 3,258,246 bytes, cut as char-rnn's loader cuts it. The first 3,250,000 bytes
make 100 rows of 325 chunks of 100 bytes; the first 260 chunks of each row are for training, the next 32 for validation
and the last 33 for the test. Figures from another split cannot be compared: on the plain last tenth of the text, the
same n-grams are 0.04 nats worse. Every model is scored on the 330,000 test bytes as one text, in nats per character.

Sections (``--only``, any of them; default: all):

``ngrams``    `CharNGram` of 1 to 20 characters.
``mixtures``  `crnn.train` for each of ``--seconds``: its network, its counts, equal weights, the weights
              chosen by default and those fitted to the validation part; then the mixture while its counts, or all its
              models, learn from the test text. `crnn.train` sees the training part alone.
``orders``    The mixture of the last network and counts of each order, with weights fitted to the validation part.

Other texts have no published table here, only their usual split: ``--split text8`` and ``--split enwik8`` take the
first 90 %, the next 5 % and the last 5 % of your file, ``--split ptb`` takes a folder with ``ptb.char.train.txt``,
``ptb.char.valid.txt`` and ``ptb.char.test.txt``; ``--split text``, ``names`` and ``source`` are those of
`benchmarks.mixtures`, without a validation part. The last column is in bits per character.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import crnn
from benchmarks import mixtures as usual
from benchmarks.machine import machine
from benchmarks.timing import least_time
from crnn import CharNGram, CharRNN, Mixture
from crnn.mixture import shown_weights

SHA256 = "fb66ba99"  # how the file's hash begins
ROWS, CHUNKS, CHUNK, TRAINED, VALIDATED = 100, 325, 100, 260, 32
PUBLISHED = {"20-gram, Karpathy et al. 2015": 1.195, "best network, Karpathy et al. 2015 (3 layers of 512)": 1.077}
ORDERS = (*range(1, 11), 15, 20)
MIXED_ORDERS = (7, 8, 10, 12, 14, 24)
SECTIONS = ("ngrams", "mixtures", "orders")
HEAD = ["| model | weights | steps | characters read, millions | seconds | nats | bits |", "|---" * 7 + "|"]


class Split(NamedTuple):
    """The three parts of a text, or of documents."""

    training: usual.Text
    validation: usual.Text
    test: usual.Text


def paper_split(content: bytes) -> Split:
    """Return the parts of War and Peace as the paper used them.

    Examples
    --------
    >>> [len(part) for part in paper_split(bytes(3_258_246))]
    [2600000, 320000, 330000]
    """
    text = content.decode("latin-1")  # one character a byte
    rows = [text[i * CHUNKS * CHUNK : (i + 1) * CHUNKS * CHUNK] for i in range(ROWS)]
    cuts = (0, TRAINED * CHUNK, (TRAINED + VALIDATED) * CHUNK, CHUNKS * CHUNK)
    return Split(*("".join(row[start:stop] for row in rows) for start, stop in itertools.pairwise(cuts)))


def read(kind: str, path: Path | None) -> Split:
    """Return the parts of a text; leave the program if it is not the paper's."""
    if kind == "ptb":
        files = [path / f"ptb.char.{part}.txt" for part in ("train", "valid", "test")]
        # The symbols are separated by spaces, and the text's own spaces are underscores.
        return Split(*(file.read_text(encoding="utf-8").replace(" ", "") for file in files))
    if kind in ("text", "names", "source"):
        training, test = usual.read(kind, path)
        return Split(training, "", test)
    if path is None:
        raise SystemExit(f"--split {kind} needs a FILE")
    content = path.read_bytes()
    if kind != "warpeace":
        text, tenth = content.decode("latin-1"), len(content) // 20
        return Split(text[: -2 * tenth], text[-2 * tenth : -tenth], text[-tenth:])
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(SHA256):
        raise SystemExit(
            f"{path} has sha256 {found[:8]}…, but the paper's file has {SHA256}…, so figures would not compare"
        )
    return paper_split(content)


def row(name: str, model: Any, nats: float, seconds: float, steps: int = 0) -> str:
    """Return a line of the table."""
    networks = [m for m in getattr(model, "models_", [model]) if isinstance(m, CharRNN)]
    weights = sum(weights.size for network in networks for weights in network.params_.values())
    symbols = max((steps * m.batch_size * m.seq_length for m in networks), default=0)
    shown = (f"{weights:,}", f"{steps:,}", f"{symbols / 1e6:.1f}") if networks else ("–", "–", "–")
    return f"| {name} | {' | '.join(shown)} | {seconds:.1f} | {nats:.3f} | {nats / math.log(2):.3f} |"


def ngrams(split: Split, orders: Sequence[int]) -> Iterator[str]:
    """Yield the rows of n-grams."""
    for n in orders:
        seconds, model = least_time(partial(CharNGram(order=n).fit, split.training))
        yield row(f"{n}-grams", model, -model.score(split.test), seconds)


def mixtures(split: Split, mixed: list[Mixture], seconds: float) -> Iterator[str]:
    """Yield the rows of mixtures and their parts, means over the seeds."""
    fitted = [copy.copy(model).fit_weights(split.validation) for model in mixed if split.validation]
    for name, kinds in (
        ("its network", [model.models_[0] for model in mixed]),
        ("its counts", [model.models_[1] for model in mixed]),
        ("mixture, equal weights", [Mixture.from_fitted(model.models_) for model in mixed]),
        ("mixture without words", [model.without_words() for model in mixed]),
        ("**mixture, by default**", mixed),
        *([("mixture, weights fitted to the validation part", fitted)] if fitted else []),
    ):
        shown = "" if not isinstance(kinds[0], Mixture) else ", ".join(shown_weights(kinds[0]))
        nats, steps = mean(-model.score(split.test) for model in kinds), mixed[0].models_[0].n_steps_
        yield row(f"{name}, {seconds:g} s" + f" ({shown})" * bool(shown), kinds[0], nats, seconds, steps)
    for adapt in ("counts", True):
        nats = mean(-model.score(split.test, adapt=adapt) for model in mixed)
        yield row(f"mixture, `adapt={adapt!r}`, {seconds:g} s", mixed[0], nats, seconds, mixed[0].models_[0].n_steps_)


def orders(split: Split, network: CharRNN) -> Iterator[str]:
    """Yield the rows of mixtures of a network and counts of each order."""
    for n in MIXED_ORDERS:
        counted, counts = least_time(partial(CharNGram(order=n).fit, split.training))
        fitted, mixture = least_time(partial(Mixture.from_fitted([network, counts]).fit_weights, split.validation))
        seconds = counted + fitted
        nats = -mixture.score(split.test)
        yield row(f"the network and {n}-grams, fitted weights", mixture, nats, seconds, network.n_steps_)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="the paper's file; nothing is downloaded")
    parser.add_argument(
        "--split", choices=["warpeace", "text8", "enwik8", "ptb", "text", "names", "source"], default="warpeace"
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--orders", type=int, nargs="+", default=ORDERS, help="of the n-grams")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0, 300.0, 900.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of matrix products")
    options = parser.parse_args()
    split = read(options.split, options.file)
    print("\n".join([*machine(), f"seeds: {options.seeds}; products in {options.precision}", "", *HEAD]), flush=True)
    if options.split == "warpeace":
        for name, nats in PUBLISHED.items():
            print(f"| {name} | | | | | {nats} | {nats / math.log(2):.3f} |")
    if "ngrams" in options.only:
        print(*ngrams(split, options.orders), sep="\n", flush=True)
    for seconds in options.seconds if "mixtures" in options.only else []:
        mixed = [
            crnn.train(split.training, seconds, verbose=1, random_state=seed, matmul_precision=options.precision)
            for seed in range(options.seeds)
        ]
        for line in mixtures(split, mixed, seconds):
            print(line, flush=True)
        if "orders" in options.only and seconds == options.seconds[-1] and split.validation:
            for line in orders(split, mixed[0].models_[0]):
                print(line, flush=True)


if __name__ == "__main__":
    main()
