"""What does pruning cost?

    python -m benchmarks.compact [--text TEXT] [--names NAMES] [--passwords FILE]
    python -m benchmarks.compact --text TEXT (--mixture SECONDS | --steps N [N ...]) [--seed SEED]

Counts, pruned to several sizes, on the held-out tenth of a text, of names, of passwords (both one a line), of generated
domain names and of generated log lines. With `zxcvbn` in place of FILE, the passwords come from that package. The
columns are the bytes of the saved file before and after `quantize`, the nats lost by pruning and by both, the size of
the exported C and JavaScript files with 8 bits, and the microseconds to score a character in Python and, where gcc and
node exist, in C and JavaScript.

With --mixture, the table compares models of the text instead that need at most 600 kB, with 8-bit numbers: a network
trained for SECONDS, and a mixture of a smaller network and pruned counts, made in the same time. Their files have no
training state. With --steps, in place of the time, the network alone takes N steps, and the networks of mixtures as
many, or the numbers after the first one; with products in float32 and parameters that do not depend on the machine's
speed, so that other programs that run change nothing.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.domain_names import ordinary_names
from benchmarks.log_lines import usual_lines
from benchmarks.machine import machine
from benchmarks.password_ranks import read_passwords
from crnn import CharNGram, CharRNN, Mixture

SIZES = (50_000, 100_000, 400_000, 1_000_000)
COLUMNS = (
    "texts", "bytes", "n-grams", "nats lost", "bytes, 8 bits", "nats lost", "C", "JavaScript", "µs", "µs in C",
    "µs in JavaScript",
)  # fmt: skip
GENERATED = 30_000  # domain names and log lines
TIMED = 500  # texts whose scores are timed
PIECE = 500  # characters of a text's pieces
COMPACT = 600_000  # bytes of a network alone, and of a mixture
ALONE = {"hidden_size": 256, "n_bigrams": 250}  # about as large as COMPACT
IN_MIXTURE = {"hidden_size": 192, "n_bigrams": 64}  # 290 kB
OF_STEPS = {  # what recommended would choose by the speed of the machine
    "max_seconds": None, "matmul_precision": "float32", "learning_rate": 0.03, "init_scale": 0.15, "weight_decay": 0.02,
    "dropout": 0.05, "weight_dropout": 0.03,
}  # fmt: skip
ORDER = 6  # of the counts in the mixture; with 5 to 12, the pruned ones are about equally good
QUANTIZED = 0.7  # bytes of quantized counts for each byte before, at least
OWN_BYTES = 2_000  # of the file of a mixture of two, beyond its members' files, at most
RESERVE = 0.05  # of the time, for pruning and weights
SECONDS = 60.0  # that recommended is asked for, if the steps are given
BLOCK = 1000  # characters
BLOCKS = 64  # one of so many fits the mixture's weights

Texts = list[str]


def held_out(texts: Texts) -> tuple[Texts, Texts]:
    """Return nine tenths of the texts, in random order, and the rest."""
    order = np.random.default_rng(0).permutation(len(texts))
    cut = len(texts) * 9 // 10
    return [texts[i] for i in order[:cut]], [texts[i] for i in order[cut:]]


def of_text(text: str) -> tuple[str, Texts]:
    """Return nine tenths of a text, and the rest as one text."""
    cut = len(text) * 9 // 10
    return text[:cut], [text[cut:]]


def file_bytes(model: CharRNN | CharNGram | Mixture) -> int:
    """Return the bytes of a model's file."""
    model.save(file := io.BytesIO())
    return len(file.getvalue())


def loss(model: CharNGram, texts: Texts) -> float:
    """Return the nats per symbol, ends of documents included."""
    ends = 0 if model.vocabulary_.boundary is None else len(texts)
    return float(-model.score_samples(texts).sum()) / (sum(map(len, texts)) + ends)


def rows(name: str, known: str | Texts, others: Texts) -> Iterator[str]:
    """Yield the rows of a table: the whole model, and the pruned ones."""
    model = CharNGram().fit(known)
    known_symbols = set(model.vocabulary_)
    others = [text for text in others if known_symbols.issuperset(text)]
    whole = loss(model, others)
    yield (
        f"| {name}, order {model.order_}: {whole:.4f} nats | {file_bytes(model):,} | {sum(model.n_grams_):,} |"
        + " |" * 8
    )
    for size in SIZES:
        if size >= file_bytes(model):
            continue
        small = model.prune(size)
        tiny = small.quantize()
        lost, lost_8 = loss(small, others) - whole, loss(tiny, others) - whole
        sizes = f"{file_bytes(small):,} | {sum(small.n_grams_):,} | {lost:.4f} | {file_bytes(tiny):,} | {lost_8:.4f}"
        yield f"| {name} | {sizes} | {' | '.join(exported(tiny, others))} |"


def exported(model: CharNGram, texts: Texts) -> list[str]:
    """Return the sizes of the exported files, and the time per character in Python, C and JavaScript."""
    pieces = [text[i : i + PIECE] for text in texts for i in range(0, len(text), PIECE)][:TIMED]
    n = sum(map(len, pieces))
    start = time.perf_counter()
    model.score_samples(pieces)
    found = [f"{1e6 * (time.perf_counter() - start) / n:.2f}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.export_c(folder / "model.c")
        model.export_js(folder / "model.mjs")
        sizes = [f"{(folder / file).stat().st_size:,}" for file in ("model.c", "model.mjs")]
        found.append(f"{1e6 * seconds_in_c(folder, pieces) / n:.2f}" if shutil.which("gcc") else "")
        found.append(f"{1e6 * seconds_in_node(folder, pieces) / n:.2f}" if shutil.which("node") else "")
    return [*sizes, *found]


def seconds_in_c(folder: Path, texts: Texts) -> float:
    """Return the time to score texts with the C file, compiled with -O2."""
    flags = ["-O2", "-shared", "-fPIC", "-DCRNN_NO_MAIN"]
    subprocess.run(["gcc", *flags, folder / "model.c", "-o", folder / "model.so"], check=True)
    score = ctypes.CDLL(str(folder / "model.so")).crnn_score
    score.restype, score.argtypes = ctypes.c_double, [ctypes.c_char_p, ctypes.c_size_t]
    encoded = [text.encode() for text in texts]
    start = time.perf_counter()
    for text in encoded:
        score(text, len(text))
    return time.perf_counter() - start


def seconds_in_node(folder: Path, texts: Texts) -> float:
    """Return the time to score texts with the JavaScript module, once compiled."""
    (folder / "run.mjs").write_text(
        f'import {{ score }} from "./model.mjs";\nconst texts = {json.dumps(texts)};\ntexts.forEach(score);\n'
        "const start = performance.now();\ntexts.forEach(score);\nconsole.log(performance.now() - start);\n"
    )
    done = subprocess.run(["node", folder / "run.mjs"], capture_output=True, check=True)
    return float(done.stdout) / 1000


def nats(model: CharRNN | CharNGram | Mixture, text: str) -> float:
    """Return the nats per character of a text whose characters the model knows."""
    return float(-model.score_samples([text]).sum()) / len(text)


def compact_models(
    text: str, seconds: float, seed: int = 0, steps: Sequence[int] = (), **overrides: int
) -> Iterator[str]:
    """Yield the rows of a table: a network of `COMPACT` bytes, and mixtures of a smaller network and counts.

    With `steps`, the first number of which is for the network alone, there is a mixture for each number after the first
    one, or for the same number.
    """
    known, (held_out_text,) = of_text(text)
    known_symbols = set(known)
    held_out_text = "".join(character for character in held_out_text if character in known_symbols)
    yield "| model | bytes | nats per character | seconds |"
    yield "|---|---|---|---|"

    def row(name: str, model: CharRNN | CharNGram | Mixture, took: str) -> str:
        return f"| {name} | {file_bytes(model):,} | {nats(model, held_out_text):.4f} | {took} |"

    limits = [{**OF_STEPS, "max_steps": n} for n in steps] or [{}]
    start = time.perf_counter()
    alone = _network(known, seconds, ALONE | limits[0] | overrides, seed)
    yield row("network alone", alone, f"{time.perf_counter() - start:.1f}")
    for limit in limits[1:] or limits:
        start = time.perf_counter()
        mixture = compact_mixture(known, seconds, IN_MIXTURE | limit | overrides, seed)
        yield row("mixture", mixture, f"{time.perf_counter() - start:.1f}")
        network, counts = mixture.models_
        yield row("its network", network, "")
        yield row(f"its counts, order {counts.order_}", counts, "")


def compact_mixture(known: str, seconds: float, parameters: dict[str, Any], seed: int) -> Mixture:
    """Return a mixture of `COMPACT` bytes: a network with these parameters, and pruned counts of the text."""
    start = time.perf_counter()
    blocks = [known[i : i + BLOCK] for i in range(0, len(known), BLOCK)]
    learned = "".join(block for i, block in enumerate(blocks) if i % BLOCKS != BLOCKS // 2)
    for_weights = "".join(block for i, block in enumerate(blocks) if i % BLOCKS == BLOCKS // 2)
    counts = CharNGram(ORDER).fit(learned)
    left = seconds * (1 - RESERVE) - (time.perf_counter() - start)
    network = _network(learned, left, parameters, seed)
    room = COMPACT - OWN_BYTES - file_bytes(network)
    weighted = Mixture.from_fitted([network, compact_counts(counts, room)]).fit_weights(for_weights)
    pruned = compact_counts(counts.partial_fit(for_weights), room)  # of the whole text
    return Mixture.from_fitted([network, pruned], weighted.weights_)


def compact_counts(counts: CharNGram, size: int) -> CharNGram:
    """Return counts with 8-bit numbers, pruned to need at most `size` bytes."""
    room = int(size / QUANTIZED)
    while file_bytes(found := counts.prune(room).quantize()) > size:
        room = int(0.995 * room * size / file_bytes(found))
    return found


def _network(text: str, seconds: float, parameters: dict[str, Any], seed: int) -> CharRNN:
    """Return the recommended network except for these parameters, trained, with 8-bit weights alone."""
    trained = CharRNN.recommended(text, seconds, verbose=0, random_state=seed, **parameters).fit(text)
    trained.quantize().save(file := io.BytesIO(), training_state=False)
    file.seek(0)
    return CharRNN.load(file)


def table(text: str | None, names: Texts | None, passwords: Texts | None = None) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    if text is not None:
        yield from rows("text", *of_text(text))
    if names is not None:
        yield from rows("names", *held_out(names))
    if passwords is not None:
        yield from rows("passwords", *held_out(passwords))
    yield from rows("domain names", *held_out(list(itertools.islice(ordinary_names(), GENERATED))))
    yield from rows("log lines", *held_out(list(itertools.islice(usual_lines(), GENERATED))))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--names", type=Path)
    parser.add_argument("--passwords", metavar="FILE")
    parser.add_argument("--mixture", metavar="SECONDS", type=float)
    parser.add_argument("--steps", metavar="N", type=int, nargs="+", default=[])
    parser.add_argument("--seed", type=int, default=0, help="of the networks (default: 0)")
    arguments = parser.parse_args()
    text = None if arguments.text is None else arguments.text.read_text("utf-8")
    names = None if arguments.names is None else list(filter(None, arguments.names.read_text("utf-8").split("\n")))
    passwords = None if arguments.passwords is None else read_passwords(arguments.passwords)
    is_of_mixture = arguments.mixture is not None or arguments.steps
    if is_of_mixture and text is None:
        parser.error("--mixture and --steps need --text")
    print(*machine(), sep="\n")
    if is_of_mixture:
        lines = compact_models(text or "", arguments.mixture or SECONDS, arguments.seed, arguments.steps)
    else:
        lines = table(text, names, passwords)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
