"""How long after Ctrl-C does KeyboardInterrupt reach the caller?

``python -m benchmarks.ctrl_c`` sends SIGINT at random moments of long calls. For each call it prints the median, the
99th percentile and the maximum of the delays, by the clock and in processor time (all threads together, unaffected by
other programs). ``--count`` sets the number of signals, ``--names`` the calls. The signal and its time come from
another process, so that no lock of Python delays them. For ``crnn train`` the delay lasts until the process ends and
includes saving the model. Linux only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

import crnn
from crnn import CharRNN

COUNT = 100
SOURCE = str(Path(crnn.__file__).parents[1])
TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer. " * 30
MB = 10**6
NUMBERS = struct.Struct("dd")

Call = Callable[[], object]


class Sender:
    """A process that sends SIGINT to this one; it is forked before there are threads."""

    def __init__(self) -> None:
        (orders, self._orders), (self._times, times) = os.pipe(), os.pipe()
        receiver = os.getpid()
        self._child = os.fork()
        if self._child:
            os.close(orders)
            os.close(times)
            return
        os.close(self._orders)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while data := os.read(orders, NUMBERS.size):
            time.sleep(NUMBERS.unpack(data)[0])
            now = time.perf_counter(), processor_seconds(receiver)  # the system's clock, shared by all processes
            os.kill(receiver, signal.SIGINT)
            os.write(times, NUMBERS.pack(*now))
        os._exit(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._orders)
        os.waitpid(self._child, 0)

    def send_after(self, seconds: float) -> None:
        """Have the signal sent; this returns at once."""
        os.write(self._orders, NUMBERS.pack(seconds, 0.0))

    def sent(self) -> tuple[float, ...]:
        """Return when it was sent, and what processor time the receiver had taken then."""
        return NUMBERS.unpack(os.read(self._times, NUMBERS.size))


def processor_seconds(process: int) -> float:
    """Return the processor time of a process, of all its threads."""
    return time.clock_gettime(~process << 3 | 2)  # the number that clock_getcpuclockid returns


def latency(sender: Sender, call: Call, delay: float) -> list[float]:
    """Return the seconds from a signal during a call, repeated if it is shorter, to KeyboardInterrupt in its caller.

    The second number is in processor seconds.
    """
    try:
        sender.send_after(delay)
        while True:
            call()
    except KeyboardInterrupt:
        caught = time.perf_counter(), processor_seconds(os.getpid())
    return [after - before for after, before in zip(caught, sender.sent(), strict=True)]


def trained(**parameters: object) -> CharRNN:
    """Return a model of one step: only its size matters."""
    given = {"cell": "lstm", "random_state": 0, "max_steps": 1} | parameters
    return CharRNN(**given)


def calls(folder: Path) -> Iterator[tuple[str, float, Callable[[], Call]]]:
    """Yield the name of each call, the seconds within which a signal comes, and what prepares it."""
    names = [f"{a}{b}" for a in ("anna", "bob", "eve", "otto", "lena") for b in range(20)]

    def guesses() -> Call:
        model = trained(hidden_size=64, max_steps=300, batch_size=16, optimizer="adam").fit(names)
        return lambda: model.guess_number(names[:9], n=10**6)

    def validation() -> Call:
        text = TEXT * (MB // len(TEXT) + 1)
        return lambda: trained(hidden_size=512, eval_every=1, max_steps=3).fit(TEXT, validation=text)

    def fit(**parameters: object) -> Call:
        text = TEXT * 200
        return lambda: trained(optimizer="adam", max_steps=9, **parameters).fit(text)

    def of_model(work: Callable[[CharRNN], object]) -> Call:
        model = trained(hidden_size=512).fit(TEXT)
        return lambda: work(model)

    def fit_text(megabytes: int, *, file: bool) -> Call:
        text, path = ("naïve " + TEXT) * (megabytes * MB // (len(TEXT) + 7)), folder / f"{megabytes}.txt"
        path.write_text(text, encoding="utf-8")
        return lambda: trained(hidden_size=50).fit(path if file else text)

    text, strings = TEXT * (MB // len(TEXT)), [TEXT[:99]] * 20_000
    yield "guess_number of 10**6 samples", 3.0, guesses
    yield "validation of 1 MB", 3.0, validation
    yield "a step of H = 2048, B = 64, T = 200", 12.0, lambda: fit(hidden_size=2048, batch_size=64, seq_length=200)
    yield "the first second of that", 1.0, lambda: fit(hidden_size=2048, batch_size=64, seq_length=200)
    yield "steps of 3 layers, H = 1024, B = 8", 3.0, lambda: fit(hidden_size=1024, num_layers=3, batch_size=8)
    yield "steps of 3 layers, H = 1600, B = 8", 6.0, lambda: fit(hidden_size=1600, num_layers=3, batch_size=8)
    yield "steps of H = 100", 1.0, lambda: fit(hidden_size=100)
    yield "sample one text", 2.0, lambda: of_model(lambda model: model.sample(MB))
    yield "sample 1,000 texts", 2.0, lambda: of_model(lambda model: model.sample(300, num_samples=1000))
    yield "score 1 MB", 2.0, lambda: of_model(lambda model: model.score(text))
    yield "score 1 MB, not exactly", 2.0, lambda: of_model(lambda model: model.score(text, exact=False))
    yield "score_samples of 20,000 strings", 2.0, lambda: of_model(lambda model: model.score_samples(strings))
    yield "beam search, 64 beams", 2.0, lambda: of_model(lambda model: model.beam_search(2000, beams=64))
    yield "fit from a file of 20 MB", 1.0, lambda: fit_text(20, file=True)
    yield "fit from a file of 300 MB", 4.0, lambda: fit_text(300, file=True)
    yield "fit a text of 300 MB in memory", 2.0, lambda: fit_text(300, file=False)


def command_latency(folder: Path, delay: float) -> list[float]:
    """Return the seconds from a signal to the end of ``crnn train``, by the clock and in processor time."""
    (folder / "text").write_text(TEXT, encoding="utf-8")
    for old in folder.glob("model*"):
        old.unlink()
    command = [sys.executable, "-m", "crnn", "train", "text", "-o", "model", "--max-seconds", "3600"]
    environment = os.environ | {"PYTHONPATH": SOURCE}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()  # what there is to read: training begins
        time.sleep(delay)
        start, before = time.perf_counter(), processor_seconds(process.pid)
        process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(process.pid, 0)
        found = [time.perf_counter() - start, usage.ru_utime + usage.ru_stime - before]
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 128 + signal.SIGINT, process.returncode
    return found


def row(name: str, times: list[list[float]]) -> str:
    """Return a row of the table, in milliseconds."""
    found = 1000 * np.quantile(times, (0.5, 0.99, 1.0), axis=0, method="higher")
    return f"{name:<40}{len(times):>7}" + "".join(f"{number:>8.0f}" for number in found.T.ravel())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="signals for each call")
    parser.add_argument("--names", nargs="*", default=[""], help="parts of the names of calls")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    moments = random.Random(0)
    with Sender() as sender, tempfile.TemporaryDirectory() as name:
        columns = f"{'p50':>8}{'p99':>8}{'longest':>8}" * 2
        print(f"{'ms from the signal to KeyboardInterrupt':<40}{'signals':>7}{columns}")
        for what, longest, prepared in calls(Path(name)):
            if any(part in what for part in arguments.names):
                call = prepared()
                times = [latency(sender, call, moments.uniform(0, longest)) for _ in range(arguments.count)]
                print(row(what, times), flush=True)
        if any(part in "crnn train" for part in arguments.names):
            times = [command_latency(Path(name), moments.uniform(0, 2)) for _ in range(arguments.count)]
            print(row("crnn train, to the end of the process", times), flush=True)


if __name__ == "__main__":
    main()
