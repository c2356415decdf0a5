"""How good is a recipe for a number of operations? `python -m benchmarks.recipes FILE --operations 3.6e12 --cell cifg`.

A model trains on the first 81 % of FILE; the next 9 % are measured in nats per character. The last tenth stays unused,
so that `benchmarks.quality` can measure there what was chosen here. With `--lines`, FILE is a list of documents and
gets shuffled. Omitted options are as in `CharRNN.recommended`; `--n-bigrams 0` means none. The number of steps follows
from the operations, so neither the machine's speed nor other programs change a figure. The command prints a row for
docs/development/measurements.md.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crnn import CharRNN
from crnn.parameters.cells import CELLS
from crnn.training.recommend.machine_speed import OPERATIONS, recurrent_weights
from crnn.training.recommend.recommended import ADVICE, TYPICAL_SYMBOLS, overridden, recommend

COUNTS = ("hidden_size", "n_bigrams")
CHOSEN = (*COUNTS, "learning_rate", "init_scale", "weight_decay", "dropout", "weight_dropout", "state_reset")
COLUMNS = ("operations, 10¹²", "cell", "H", "bigrams", "B × T", "steps", "rate", "s", "weight decay", "dropout", "nats")


def parts(text: str, *, lines: bool, seed: int = 0) -> tuple[str, str] | tuple[list[str], list[str]]:
    """Return what is learned and what is measured, without symbols that only the second has.

    Examples
    --------
    >>> parts("ab" * 50, lines=False) == ("ab" * 40 + "a", "bababababa"[:9])
    True
    """
    if not lines:
        n = len(text)
        known = set(text[: n * 81 // 100])
        return text[: n * 81 // 100], "".join(c for c in text[n * 81 // 100 : n * 90 // 100] if c in known)
    documents = [line for line in text.split("\n") if line]
    random.Random(seed).shuffle(documents)
    n = len(documents)
    known = set().union(*documents[: n * 81 // 100])
    measured = [line for line in documents[n * 81 // 100 : n * 90 // 100] if known.issuperset(line)]
    return documents[: n * 81 // 100], measured


def parameters(
    n_symbols: int, operations: float, given: dict[str, Any], max_epochs: float | None, n_documents: int | None = None
) -> dict[str, Any]:
    """Return the parameters of `CharRNN`, with the number of steps that the operations allow."""
    chosen = recommend(n_symbols, operations, speed=1.0, cell=given["cell"], n_documents=n_documents)
    found = overridden(chosen, given)
    chunk = found["batch_size"] * found["seq_length"]
    weights = recurrent_weights(CELLS[found["cell"]].gates, found["hidden_size"], TYPICAL_SYMBOLS, found["num_layers"])
    steps = operations / (OPERATIONS * chunk * weights)
    limits = [steps] if max_epochs is None else [steps, max_epochs * n_symbols / chunk]
    limits += [] if found["max_steps"] is None else [found["max_steps"]]
    return found | {"max_steps": max(1, round(min(limits))), "max_seconds": None}


def nats(known: Any, measured: Any, settings: dict[str, Any], seed: int) -> float:
    """Return the loss of a model, with the end of each document counted as a symbol."""
    model = CharRNN(**settings, n_threads=1, random_state=seed).fit(known)
    if isinstance(measured, str):
        return -model.score(measured)
    return -float(model.score_samples(measured).sum()) / (sum(map(len, measured)) + len(measured))


def row(operations: float, p: dict[str, Any], found: Sequence[float]) -> str:
    """Return a row of the table."""
    dropout = f"{p['dropout']:g}, of weights {p['weight_dropout']:g}"
    reset = f", state_reset {p['state_reset']:g}" if p.get("state_reset") else ""
    cells = [f"{operations / 1e12:g}", p["cell"], p["hidden_size"], p.get("n_bigrams") or "none"]
    cells += [f"{p['batch_size']} × {p['seq_length']}"]
    cells += [f"{p['max_steps']:,}", f"{p['learning_rate']:g}", f"{p['init_scale']:g}", f"{p['weight_decay']:g}"]
    return f"| {' | '.join(map(str, cells))} | {dropout}{reset} | {', '.join(f'{loss:.4f}' for loss in found)} |"


def main() -> None:
    """Print the row of one recipe, with its figure for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a UTF-8 file")
    parser.add_argument("--lines", action="store_true", help="each line is a document")
    parser.add_argument("--operations", type=float, default=3.6e12, help="that training takes (default: 3.6e12)")
    parser.add_argument("--max-epochs", type=float)
    parser.add_argument("--cell", choices=[*ADVICE], default="lstm")
    parser.add_argument("--matmul-precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seq-length", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    for name in CHOSEN:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int if name in COUNTS else float)
    options = parser.parse_args()
    known, measured = parts(options.file.read_bytes().decode("utf-8"), lines=options.lines)
    names = ("cell", "matmul_precision", "batch_size", "seq_length", *CHOSEN)
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if given.get("n_bigrams") == 0:
        given["n_bigrams"] = None
    n_symbols = len(known) if isinstance(known, str) else sum(map(len, known)) + len(known)
    n_documents = None if isinstance(known, str) else len(known)
    settings = parameters(n_symbols, options.operations, given, options.max_epochs, n_documents)
    found = [nats(known, measured, settings, seed) for seed in options.seeds]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n{row(options.operations, settings, found)}")


if __name__ == "__main__":
    main()
