"""Does a second process double the throughput of scoring and sampling? `python -m benchmarks.many_processes`.

The same texts are scored, and as many names drawn, in one process, by joblib with two processes, and by Dask on a
`LocalCluster` of two processes, each with one thread. The model is sent to each process once. Printed are medians of
texts a second in rounds that take turns, and how many times one process each is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from crnn import CharRNN

PARTS = 8
DRAWN = 5000  # names of a part


def texts(n: int) -> list[str]:
    """Return words of random letters."""
    rng = np.random.default_rng(0)
    return ["".join(map(chr, rng.integers(97, 107, rng.integers(5, 30)))) for _ in range(n)]


def score(part: list[str], model: CharRNN) -> np.ndarray:
    """Score a part of the texts."""
    return model.score_samples(part)


def sample(seed: int, model: CharRNN) -> list[str]:
    """Draw a part of the names."""
    found: list[str] = model.sample(num_samples=DRAWN, max_length=30, random_state=seed)
    return found


def rate(work: Callable[[], Any], n: int) -> float:
    start = time.perf_counter()
    work()
    return n / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hidden-size", type=int, default=128)
    arguments = parser.parse_args()
    import dask.bag
    from distributed import Client, LocalCluster
    from joblib import Parallel, delayed

    known = texts(arguments.texts)
    options = {"cell": "gru", "batch_size": 16, "max_steps": 50, "n_threads": 1, "random_state": 0}
    model = CharRNN(arguments.hidden_size, **options).fit(known[:2000])
    parts = [known[i::PARTS] for i in range(PARTS)]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        sent = client.scatter(model, broadcast=True)
        bag = dask.bag.from_sequence(known, npartitions=PARTS)
        bag = client.persist(bag)  # the texts are with the workers, as those of a file would be
        scattered = client.scatter(parts)
        seeds = list(range(PARTS))
        with Parallel(n_jobs=2) as parallel:
            tasks: dict[str, dict[str, Callable[[], Any]]] = {
                "score_samples": {
                    "one process": lambda: [score(part, model) for part in parts],
                    "joblib, 2 processes": lambda: parallel(delayed(score)(part, model) for part in parts),
                    "dask.bag, 2 processes": lambda: bag.map_partitions(score, sent).compute(),
                    "dask, 2 processes": lambda: client.gather(client.map(score, scattered, model=sent, pure=False)),
                },
                "sample": {
                    "one process": lambda: [sample(seed, model) for seed in seeds],
                    "joblib, 2 processes": lambda: parallel(delayed(sample)(seed, model) for seed in seeds),
                    "dask, 2 processes": lambda: client.gather(client.map(sample, seeds, model=sent, pure=False)),
                },
            }
            print("| task | where | texts a second | times one process |\n|---|---|---|---|")
            for task, ways in tasks.items():
                rates: dict[str, list[float]] = {name: [] for name in ways}
                n = len(known) if task == "score_samples" else PARTS * DRAWN
                for work in ways.values():
                    work()  # once before: processes start and load the library
                for _ in range(arguments.repeats):
                    for name, work in ways.items():
                        rates[name].append(rate(work, n))
                for name in ways:
                    times = median(a / b for a, b in zip(rates[name], rates["one process"], strict=True))
                    print(f"| {task} | {name} | {median(rates[name]):,.0f} | {times:.2f} |", flush=True)


if __name__ == "__main__":
    main()
