"""How long does a short call take? `python -m benchmarks.latency [--length 15] [--rounds 20] [--calls 20]`.

Microseconds of single calls of an LSTM on one thread, next to what the arithmetic of their symbols takes in a long text
(exact scoring), and to PyTorch's eager module with the same weights. All of them take turns in this process, a few
calls at a time; each figure is the median of all its calls. What they compute must agree. On a busy
machine, `--quantile 0.1` shows the times of uninterrupted calls. `--length` is the number of characters of the string.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.machine import machine
from crnn import CharRNN

SIZES = (256, 512)  # hidden units
LENGTH = 15  # characters of a string, by default
LONG = 2000  # characters of a long text
STRING_OVERHEAD = 30  # microseconds that a call with a string may take beyond its characters,
CHARACTER_OVERHEAD = 10  # and a call with one character
FASTER = {256: 2.5, 512: 1.2}  # how many times as fast as PyTorch a string should be
MISSING = float("nan")


def fitted(hidden_size: int) -> tuple[CharRNN, str]:
    """Return a model of 65 symbols and a long text."""
    text = "".join(map(chr, np.random.default_rng(0).integers(33, 98, LONG)))
    return CharRNN(hidden_size, cell="lstm", batch_size=4, max_steps=1, n_threads=1, random_state=0).fit(text), text


def contenders(model: CharRNN, text: str, length: int) -> dict[str, Callable[[], Any]]:
    """Return the calls to time, by name, with a string of this length; PyTorch's calls only if PyTorch is installed."""
    string, character = text[:length], text[0]
    calls: dict[str, Callable[[], Any]] = {
        "long text": lambda: model.score(text),
        "string": lambda: model.score_samples([string])[0],
        "character": lambda: model.start().feed(character).log_prob,
        "draw": lambda: model.sample(1, random_state=0),
    }
    if not peers.available("torch"):
        return calls
    import torch

    torch.set_num_threads(1)
    module = model.to_torch()

    def log_likelihood() -> float:
        with torch.inference_mode():
            return float(module.log_probabilities(module.encode(string)).sum())

    return {**calls, "PyTorch": log_likelihood}


def microseconds(
    calls: dict[str, Callable[[], Any]], n_rounds: int, n_calls: int, quantile: float = 0.5
) -> dict[str, float]:
    """Return how long each call takes: a quantile over so many calls in a row, in so many rounds."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(n_rounds):
        for name, call in calls.items():
            for _ in range(1 if name == "long text" else n_calls):
                start = time.perf_counter()
                call()
                taken[name].append(time.perf_counter() - start)
    return {name: 1e6 * float(np.quantile(seconds, quantile)) for name, seconds in taken.items()}


def row(hidden_size: int, n_rounds: int, n_calls: int, quantile: float = 0.5, length: int = LENGTH) -> str:
    """Return the row of a size, as text of a table."""
    model, text = fitted(hidden_size)
    calls = contenders(model, text, length)
    if "PyTorch" in calls:
        np.testing.assert_allclose(calls["string"](), calls["PyTorch"](), rtol=1e-5)
    assert calls["character"]() == model.score_samples([text[0]])[0]
    us = {"PyTorch": MISSING, **microseconds(calls, n_rounds, n_calls, quantile)}
    each = us["long text"] / LONG
    cells = [
        f"{each:.1f}",
        f"{us['string']:.0f} (≤ {each * length + STRING_OVERHEAD:.0f})",
        f"{us['PyTorch']:.0f}",
        f"{us['PyTorch'] / us['string']:.2f}× (≥ {FASTER.get(hidden_size, MISSING)})",
        f"{us['character']:.1f} (≤ {each + CHARACTER_OVERHEAD:.1f})",
        f"{us['draw']:.0f}",
    ]
    return f"| LSTM, H = {hidden_size} | {' | '.join(cells)} |"


def table(sizes: Sequence[int], n_rounds: int, n_calls: int, quantile: float = 0.5, length: int = LENGTH) -> list[str]:
    """Return the table; in brackets stands what each figure should be."""
    return [
        f"| one thread, µs | character of a long text | `score_samples` of {length} characters | PyTorch, eager "
        "| PyTorch / crnn | `start().feed` of one character | `sample(1)` |",
        "|---|---|---|---|---|---|---|",
        *(row(size, n_rounds, n_calls, quantile, length) for size in sizes),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--quantile", type=float, default=0.5)
    arguments = parser.parse_args()
    lines = table(SIZES, arguments.rounds, arguments.calls, arguments.quantile, arguments.length)
    print("\n".join([*machine(), "", *lines]))


if __name__ == "__main__":
    main()
