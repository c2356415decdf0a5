"""How good is a model of names, and how fast compared with PyTorch? `python -m benchmarks.names FILE [--seconds 60]`.

FILE has a name a line; a tenth of the names is held out. The command prints their mean negative log-likelihood in nats
per symbol (a name's end included), the share of new names among samples, and the speed of `score_samples` and `sample`
on one thread compared with PyTorch with the same weights, and on two threads: medians of repeats in turns.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import peers
from crnn import CharRNN

MAX_LENGTH = 50


def split(names: Sequence[str], seed: int = 0) -> tuple[list[str], list[str]]:
    """Return the names to learn, and the tenth to measure."""
    order = np.random.default_rng(seed).permutation(len(names))
    cut = len(names) * 9 // 10
    return [names[i] for i in order[:cut]], [names[i] for i in order[cut:]]


def quality(names: Sequence[str], seconds: float, num_samples: int = 2000) -> tuple[float, float, float, CharRNN]:
    """Return nats per symbol of held-out names, the shares of samples that were learned or drawn before, the model."""
    known, held_out = split(names)
    model = CharRNN.recommended(known, seconds).set_params(random_state=0, validation_fraction=0.05)
    model.fit(known)
    symbols = sum(map(len, held_out)) + len(held_out)
    nats = -float(model.score_samples(held_out).sum()) / symbols
    samples = model.sample(num_samples=num_samples, max_length=MAX_LENGTH, random_state=0)
    learned, new = set(known), {*samples} - {*known}
    in_list = sum(sample in learned for sample in samples)
    return nats, in_list / num_samples, 1 - (in_list + len(new)) / num_samples, model


def speed(names: Sequence[str], *, num_samples: int = 10_000, repeats: int = 5, hidden_size: int = 100) -> list[str]:
    """Return rows of a table: seconds, times faster than PyTorch, and what a second thread gains."""
    model = CharRNN(
        hidden_size, batch_size=32, max_steps=500, optimizer="adam", n_threads=1, random_state=0
    ).fit(names)  # fmt: skip
    two = copy.copy(model).set_params(n_threads=2)
    contenders: dict[str, dict[str, Callable[[], object]]] = {
        f"score_samples of {len(names):,} names": {
            "crnn": lambda: model.score_samples(names),
            "two": lambda: two.score_samples(names),
        },
        f"sample of {num_samples:,} names": {
            "crnn": lambda: model.sample(num_samples=num_samples, max_length=MAX_LENGTH, random_state=0),
            "two": lambda: two.sample(num_samples=num_samples, max_length=MAX_LENGTH, random_state=0),
        },
    }
    if peers.available("torch"):
        from benchmarks.peers.torch_documents import TorchDocuments

        torch = TorchDocuments(model, 1)
        np.testing.assert_allclose(torch.score(names[:1000]), model.score_samples(names[:1000]), rtol=1e-3)
        scoring, sampling = contenders.values()
        scoring["torch"] = lambda: torch.score(names)
        sampling["torch"] = lambda: torch.sample(num_samples, MAX_LENGTH)
    rows = []
    for what, works in contenders.items():
        found: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(repeats):
            for name, work in works.items():
                start = time.perf_counter()
                work()
                found[name].append(time.perf_counter() - start)
        mine = median(found["crnn"])
        torch_ratio = f"{median(found['torch']) / mine:.1f}×" if "torch" in found else "–"
        rows.append(f"| {what} | {mine:.3f} | {torch_ratio} | {mine / median(found['two']):.2f} |")
    return rows


def main() -> None:
    """Print quality and speed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    names = options.file.read_text(encoding="utf-8").split("\n")
    names = [name for name in names if name]
    nats, learned, repeated, model = quality(names, options.seconds)
    print(f"{options.seconds:g} s of training: {nats:.3f} nats a symbol on held-out names")
    print(f"of 2,000 samples, {learned:.0%} are in the training list, and {repeated:.1%} repeat another new one")
    start = time.perf_counter()
    model.sample(num_samples=10_000, unique=True, exclude=names, matching="b.{2,7}", random_state=0)
    print(f"10,000 new names from `b.{{2,7}}`, none twice: {time.perf_counter() - start:.1f} s")
    print("\n| H = 100, one thread | s | PyTorch | 2 threads / 1 |\n|---|---|---|---|")
    print("\n".join(speed(names)))


if __name__ == "__main__":
    main()
