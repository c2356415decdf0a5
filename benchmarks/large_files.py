"""Memory and speed of texts larger than memory: `python -m benchmarks.large_files text --megabytes 100 1000 4000`.

``text`` makes a text of each size and trains on it, each time in a new process. The command prints the time of the
first call, which writes the ids to a cache; the memory before training and the peak above it; the pages of files
mapped in addition, which the system can take back; and the speed of training, compared with training on the first text
in memory, in turns.

``lines --count N`` makes N short lines. For training, scoring and sampling with all lines excluded it prints the
highest memory of the process, the mapped pages and the time a line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

MB = 10**6
PIECE = 1 << 16
TRAINING = {"hidden_size": 100, "max_steps": 20_000, "random_state": 0, "n_threads": 1}
LINES_MODEL = {"hidden_size": 16, "batch_size": 64, "optimizer": "adam", "random_state": 0}


def make_text(path: Path, megabytes: int) -> None:
    """Write words in random order: pieces of one block, permuted anew each time it is written."""
    rng = np.random.default_rng(0)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9), np.uint8)) for _ in range(4096)]
    block = b" ".join([words[i] for i in rng.integers(0, len(words), 3_000_000)])
    pieces = np.frombuffer(block[: len(block) // PIECE * PIECE], np.uint8).reshape(-1, PIECE)
    with path.open("wb") as file:
        left = megabytes * MB
        while left > 0:
            data = pieces[rng.permutation(len(pieces))].tobytes()[:left]
            file.write(data)
            left -= len(data)


def make_lines(path: Path, count: int) -> None:
    """Write lines of 4 to 13 letters and digits."""
    rng = np.random.default_rng(0)
    names = [bytes(rng.integers(97, 123, rng.integers(3, 8), np.uint8)) for _ in range(1 << 16)]
    with path.open("wb") as file:
        for start in range(0, count, MB):
            n = min(MB, count - start)
            chosen, numbers = rng.integers(0, len(names), n).tolist(), rng.integers(0, 10**6, n).tolist()
            file.write(b"".join([b"%b%d\n" % (names[i], number) for i, number in zip(chosen, numbers, strict=True)]))


def memory(name: str) -> float:
    """Return a number of this process's memory in MB: RssAnon, its own, or RssFile, the pages of mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) * 1024 / MB


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds of a call, and by how much its memory and its mapped pages were at most above those before.

    They are looked at every 20 ms.
    """
    before = {name: memory(name) for name in ("RssAnon:", "RssFile:")}
    most, ended = dict(before), threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for name in most:
                most[name] = max(most[name], memory(name))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    more, mapped = (most[name] - before[name] for name in before)
    return {"seconds": seconds, "base": sum(before.values()), "more": more, "mapped": mapped}


def steady_speed(history: list[dict[str, Any]], symbols_per_step: int) -> float:
    """Return symbols a second between the first and the last record, without the reading of the text."""
    first, last = history[0], history[-1]
    return symbols_per_step * (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


def child(what: str, path: str, in_memory: bool) -> dict[str, float]:
    """Do one task in this process, after a first small one that loads all modules."""
    from crnn import CharRNN, Lines
    from crnn.text import sources

    CharRNN(8, max_steps=10).fit(["to be", "or not"]).sample(exclude=["to"], num_samples=2)
    if what == "text":
        if in_memory:
            sources.IN_MEMORY = 1 << 40
        model = CharRNN(**TRAINING)
        found = measured(lambda: model.fit(Path(path)))
        return found | {"speed": steady_speed(model.history_, 25)}
    lines = Lines(path)
    if what == "cache":
        return measured(lambda: CharRNN(**LINES_MODEL, max_steps=0).fit(lines))
    if what == "train":
        model = CharRNN(**LINES_MODEL, max_seconds=30.0, n_threads=1)
        found = measured(lambda: model.fit(lines))
        model.save(f"{path}.crnn")
        first, last = model.history_[0], model.history_[-1]
        epochs = last["epoch"] - first["epoch"]
        return found | {"a line": (last["seconds"] - first["seconds"]) / (epochs * len(lines))}
    model = CharRNN.load(f"{path}.crnn")
    if what == "score":
        return measured(lambda: model.score_samples(lines))
    return measured(lambda: model.sample(num_samples=100, exclude=lines, random_state=0))


def run(what: str, path: Path, *, in_memory: bool = False) -> dict[str, float]:
    """Do one task in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.large_files", "child", what, str(path), *(["memory"] * in_memory)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


def compare_texts(folder: Path, megabytes: list[int], repeats: int) -> None:
    """Print the table of ``text``."""
    print("| text | first call | memory before | more | mapped | symbols a second |\n|---|---|---|---|---|---|")
    paths = {}
    for size in megabytes:
        paths[size] = path = folder / f"text{size}.txt"
        make_text(path, size)
        first = run("text", path)
        again = [run("text", path) for _ in range(repeats)]
        speed = median(found["speed"] for found in again)
        row = [f"{size:,} MB", f"{first['seconds']:.1f} s", f"{first['base']:.0f} MB"]
        row += [f"{max(found[name] for found in (first, *again)):.0f} MB" for name in ("more", "mapped")]
        row.append(f"{speed:,.0f}")
        print(f"| {' | '.join(row)} |", flush=True)
        if size != megabytes[0]:
            for made in folder.glob(f"text{size}.txt*"):
                made.unlink()
    ratios = []
    for _ in range(repeats):
        held = run("text", paths[megabytes[0]], in_memory=True)["speed"]
        ratios.append(run("text", paths[megabytes[0]])["speed"] / held)
    print(f"speed compared with the same {megabytes[0]:,} MB in memory: {median(ratios):.3f} (median of {repeats})")


def measure_lines(folder: Path, count: int) -> None:
    """Print the table of ``lines``."""
    path = folder / "lines.txt"
    start = time.perf_counter()
    make_lines(path, count)
    print(f"{count:,} lines, {path.stat().st_size / MB:,.0f} MB, made in {time.perf_counter() - start:.0f} s")
    print("| | memory before | more | mapped | time a line |\n|---|---|---|---|---|")
    for what in ("cache", "train", "score", "exclude"):
        found = run(what, path)
        per_line = found.get("a line", found["seconds"] / count)
        sizes = " | ".join(f"{found[name]:,.0f} MB" for name in ("base", "more", "mapped"))
        print(f"| {what} | {sizes} | {per_line * 1e6:.3f} µs |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    text = commands.add_parser("text")
    text.add_argument("--megabytes", type=int, nargs="+", default=[100, 400])
    text.add_argument("--repeats", type=int, default=3)
    lines = commands.add_parser("lines")
    lines.add_argument("--count", type=int, default=2_000_000)
    for command in (text, lines):
        command.add_argument("--folder", type=Path, help="where to make the files (default: the temporary one)")
    of_child = commands.add_parser("child")
    of_child.add_argument("task")
    of_child.add_argument("path")
    of_child.add_argument("memory", nargs="?")
    arguments = parser.parse_args()
    if arguments.what == "child":
        print(json.dumps(child(arguments.task, arguments.path, arguments.memory is not None)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.what == "text":
            compare_texts(Path(folder), arguments.megabytes, arguments.repeats)
        else:
            measure_lines(Path(folder), arguments.count)


if __name__ == "__main__":
    main()
