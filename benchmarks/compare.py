"""Is one version of crnn slower than another? `python -m benchmarks.compare BASE HEAD [--repeats N]`.

BASE and HEAD are folders with the sources of two versions, built in place. Each does the same work through the public
interface in its own process, and they take turns, so that changes of the machine's speed affect both.
The medians are compared. A version is slower if it takes more than 10 % and more than 10 ms longer: the time of short
work varies by much of its own length. Exits with status 1 if HEAD is slower in any row.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Timed, race

RELATIVE, ABSOLUTE_SECONDS = 0.10, 0.010
ROOT = Path(__file__).resolve().parents[1]
# What is timed, and the arguments of `benchmarks.work`: about a fifth of a second each. The last one is the threads.
WORK = {
    "train rnn, H = 100, B = 1": "train crnn rnn 1 100 25 1 3000 1",
    "train rnn, H = 256, B = 50": "train crnn rnn 1 256 50 50 10 1",
    "train rnn, H = 256, B = 50, 2 threads": "train crnn rnn 1 256 50 50 20 2",
    "train rnn in float64, H = 100, B = 1": "train crnn-float64 rnn 1 100 25 1 1500 1",
    "train rnn, H = 256, B = 1": "train crnn rnn 1 256 25 1 800 1",
    "train rnn, H = 512, B = 1": "train crnn rnn 1 512 25 1 200 1",
    "train lstm, H = 128, B = 1": "train crnn lstm 1 128 25 1 800 1",
    "train lstm, H = 256, B = 1": "train crnn lstm 1 256 25 1 200 1",
    "train gru, H = 128, B = 50": "train crnn gru 1 128 50 50 10 1",
    "train 2 lstm layers, H = 128, B = 50": "train crnn lstm 2 128 50 50 5 1",
    "sample a text, H = 100": "sample crnn rnn 100 50000 1 1",
    "sample 64 texts, H = 100": "sample crnn rnn 100 3000 64 1",
    "score a text, H = 100": "score crnn-exact 100 50000 1 1",
    "score a long text in parts, H = 256": "score crnn 256 100000 1 2",
}


def is_slower(base: float, head: float) -> bool:
    """Return whether `head` seconds are more than `base` by both margins."""
    return head > base * (1 + RELATIVE) and head > base + ABSOLUTE_SECONDS


def row(name: str, base: float, head: float) -> str:
    """Return a line of the table: milliseconds of both, how they compare, and the verdict."""
    verdict = "  SLOWER" if is_slower(base, head) else ""
    return f"{name:<42}{base * 1e3:9.1f}{head * 1e3:9.1f}{head / base - 1:+8.1%}{verdict}"


def environment(version: Path) -> dict[str, str]:
    """Return an environment with this version of crnn and these benchmarks on the path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(version / "src"), str(ROOT)])}


def build(version: Path) -> None:
    """Compile a version in place."""
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=version, check=True)


def check_is_used(version: Path) -> None:
    """Raise unless the workers of a version import that version."""
    command = [sys.executable, "-c", "import crnn; print(crnn.__file__)"]
    run = subprocess.run(command, env=environment(version), cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"crnn cannot be imported from {version}:\n{run.stderr}")
    found = Path(run.stdout.strip()).resolve()
    if version / "src" not in found.parents:
        raise RuntimeError(f"crnn is not imported from {version}, but from {found.parent}")


def compare(base: Path, head: Path, work: dict[str, str], repeats: int) -> dict[str, tuple[float, float]]:
    """Let both versions do each work in turns, and return their median seconds."""
    found = {}
    for name, arguments in work.items():
        sides = {"base": base, "head": head}
        pair = [Timed(side, arguments.split(), environment=environment(path)) for side, path in sides.items()]
        timed = race(pair, repeats)
        found[name] = timed["base"].median, timed["head"].median
        print(row(name, *found[name]), flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, compare, print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="folder of the version to compare with")
    parser.add_argument("head", type=Path, help="folder of the version that must not be slower")
    parser.add_argument("--repeats", type=int, default=15, help="of each work (default: %(default)s)")
    parser.add_argument("--no-build", action="store_true", help="both are built in place already")
    options = parser.parse_args(arguments)
    versions = [options.base.resolve(), options.head.resolve()]
    for version in versions:
        if not options.no_build:
            build(version)
        check_is_used(version)
    print(f"{'milliseconds, medians of ' + str(options.repeats):<42}{'base':>9}{'head':>9}")
    found = compare(*versions, WORK, options.repeats)
    return int(any(is_slower(*medians) for medians in found.values()))


if __name__ == "__main__":
    sys.exit(main())
