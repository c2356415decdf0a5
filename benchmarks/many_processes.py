"""Does a second process double the throughput of scoring and sampling? `python -m benchmarks.many_processes`.

The same texts are scored, and as many names drawn, in one process; by two processes that no framework runs, each with
half of the work and a pipe that says when to begin: what the machine can do at most; by joblib with two processes; and
by Dask on a `LocalCluster` of two processes. Each process has one thread, and has been started before the clock runs.
"Files": a process reads its texts from a file, and writes what comes out into another. "Lists": texts and results go
through the main process. Printed are medians of texts a second in rounds that take turns, and how many times one
process each is: the median over the rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from crnn import CharRNN, Lines

PARTS = 8
Way = Callable[[], Any]


def texts(n: int) -> list[str]:
    """Return words of random letters."""
    rng = np.random.default_rng(0)
    return ["".join(map(chr, rng.integers(97, 107, rng.integers(5, 30)))) for _ in range(n)]


def score(part: list[str], model: CharRNN) -> np.ndarray:
    """Score a part of the texts."""
    return model.score_samples(part)


def score_file(path: Path, model: CharRNN) -> Path:
    """Score the lines of a file, and write the scores into another."""
    scores = path.with_suffix(".npy")
    np.save(scores, model.score_samples(Lines(path)))
    return scores


def sample(seed: int, model: CharRNN, n: int) -> list[str]:
    """Draw a part of the names."""
    found: list[str] = model.sample(num_samples=n, max_length=30, random_state=seed)
    return found


def sample_file(path: Path, seed: int, model: CharRNN, n: int) -> Path:
    """Draw a part of the names, and write them into a file."""
    path.write_text("\n".join(sample(seed, model, n)) + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------------------- ways


def _bare(pipe: Any, model: CharRNN, parts: list[list[str]], seeds: list[int], n: int) -> None:
    while (task := pipe.recv()) is not None:
        for part in parts if task == "score_samples" else []:
            score(part, model)
        for seed in seeds if task == "sample" else []:
            sample(seed, model, n)
        pipe.send(task)


@contextmanager
def bare_processes(model: CharRNN, parts: list[list[str]], n: int) -> Iterator[Callable[[str], None]]:
    """Yield a function that lets two processes do a task, and returns when both have; no framework runs them."""
    context, pipes, running = multiprocessing.get_context("spawn"), [], []
    for i in range(2):
        ours, theirs = context.Pipe()
        arguments = (theirs, model, parts[i::2], list(range(i, PARTS, 2)), n)
        running.append(context.Process(target=_bare, args=arguments))
        pipes.append(ours)
        running[-1].start()

    def work(task: str) -> None:
        for pipe in pipes:
            pipe.send(task)
        for pipe in pipes:
            assert pipe.recv() == task

    try:
        yield work
    finally:
        for pipe, process in zip(pipes, running, strict=True):
            pipe.send(None)
            process.join()


def joblib_ways(
    parallel: Any, model: CharRNN, parts: list[list[str]], files: list[Path], n: int
) -> dict[str, list[Way]]:
    """Return what joblib does: for scoring and for sampling the ways by lists and by files."""
    from joblib import delayed

    drawn = [path.with_suffix(".drawn") for path in files]
    return {
        "score_samples": [
            lambda: parallel(delayed(score)(part, model) for part in parts),
            lambda: parallel(delayed(score_file)(path, model) for path in files),
        ],
        "sample": [
            lambda: parallel(delayed(sample)(seed, model, n) for seed in range(PARTS)),
            lambda: parallel(delayed(sample_file)(path, i, model, n) for i, path in enumerate(drawn)),
        ],
    }


def dask_ways(client: Any, model: CharRNN, parts: list[list[str]], files: list[Path], n: int) -> dict[str, list[Way]]:
    """Return what Dask does, in the same order. The texts of "lists" are with the processes before the clock runs."""
    sent, scattered = client.scatter(model, broadcast=True), client.scatter(parts)
    drawn = [path.with_suffix(".drawn") for path in files]

    def work(function: Callable[..., Any], *arguments: Any, **more: Any) -> Way:
        return lambda: client.gather(client.map(function, *arguments, model=sent, pure=False, **more))

    return {
        "score_samples": [work(score, scattered), work(score_file, files)],
        "sample": [work(sample, range(PARTS), n=n), work(sample_file, drawn, range(PARTS), n=n)],
    }


def rate(work: Way, n: int) -> float:
    """Return how many of n texts a second a piece of work does."""
    start = time.perf_counter()
    work()
    return n / (time.perf_counter() - start)


def check(model: CharRNN, parts: list[list[str]], files: list[Path], n: int) -> None:
    """Raise unless the files hold what one process computes."""
    for seed, (part, path) in enumerate(zip(parts, files, strict=True)):
        np.testing.assert_array_equal(np.load(path.with_suffix(".npy")), score(part, model))
        drawn = path.with_suffix(".drawn").read_text(encoding="utf-8")
        assert drawn == "\n".join(sample(seed, model, n)) + "\n"


def compare(n_texts: int, n_drawn: int, repeats: int, hidden_size: int) -> Iterator[str]:
    """Yield the lines of the table."""
    from distributed import Client, LocalCluster
    from joblib import Parallel

    known, n = texts(n_texts), n_drawn // PARTS
    options = {"cell": "gru", "batch_size": 16, "max_steps": 50, "n_threads": 1, "random_state": 0}
    model = CharRNN(hidden_size, **options).fit(known[:2000])
    parts = [known[i::PARTS] for i in range(PARTS)]
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"names-{i}.txt" for i in range(PARTS)]
        for path, part in zip(files, parts, strict=True):
            path.write_text("\n".join(part) + "\n", encoding="utf-8")
        with (
            bare_processes(model, parts, n) as bare,
            Parallel(n_jobs=2, batch_size=1) as parallel,
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            by_joblib = joblib_ways(parallel, model, parts, files, n)
            by_dask = dask_ways(client, model, parts, files, n)
            alone: dict[str, Way] = {
                "score_samples": lambda: [score(part, model) for part in parts],
                "sample": lambda: [sample(seed, model, n) for seed in range(PARTS)],
            }
            yield "| task | where | texts a second | times one process |"
            yield "|---|---|---|---|"
            for task, done in {"score_samples": len(known), "sample": n * PARTS}.items():
                ways = {"one process": alone[task], "two processes, no framework": partial(bare, task)}
                for framework, found in {"joblib": by_joblib, "Dask": by_dask}.items():
                    lists, files_of_parts = found[task]
                    ways |= {f"{framework}, lists": lists, f"{framework}, files": files_of_parts}
                yield from rows(task, ways, done, repeats)
            check(model, parts, files, n)


def rows(task: str, ways: dict[str, Way], n: int, repeats: int) -> Iterator[str]:
    """Yield a row for each way to do a task on n texts; the first is the one that others are compared with."""
    for work in ways.values():
        work()  # once before: processes start, load the library and the model
    rounds = [{name: rate(work, n) for name, work in ways.items()} for _ in range(repeats)]
    first = next(iter(ways))
    for name in ways:
        times = median(found[name] / found[first] for found in rounds)
        yield f"| {task} | {name} | {median(found[name] for found in rounds):,.0f} | {times:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=400_000)
    parser.add_argument("--drawn", type=int, default=80_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hidden-size", type=int, default=128)
    arguments = parser.parse_args()
    for line in compare(arguments.texts, arguments.drawn, arguments.repeats, arguments.hidden_size):
        print(line, flush=True)


if __name__ == "__main__":
    main()
