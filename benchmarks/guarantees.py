"""The figures of docs/promises.md: `python -m benchmarks.guarantees [responses ...] [--count 10]`. Linux only."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import crnn
from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture

TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer. " * 30
MB = 10**6
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(crnn.__file__).parents[1]), "PYTHONWARNINGS": "ignore"}

# ------------------------------------------------------------------------------------------------ responses

SENDER = """
import os, sys, time
for line in sys.stdin:
    process, delay = line.split()
    time.sleep(float(delay))
    seconds = time.clock_gettime(~int(process) << 3 | 2)  # of all threads, by the clock of clock_getcpuclockid
    os.kill(int(process), 2)
    print(seconds, flush=True)
"""


def trained(**parameters):
    """Return a model of one step: only its size matters."""
    return CharRNN(**{"cell": "lstm", "random_state": 0, "max_steps": 1} | parameters)


def calls():
    """Yield each call's name, the seconds within which a signal comes, and a function that prepares the call."""
    names = [f"{a}{b}" for a in ("anna", "bob", "eve", "otto", "lena") for b in range(20)]
    long = TEXT * (MB // len(TEXT))

    def fit(text=TEXT * 200, **parameters):
        return lambda: trained(**{"optimizer": "adam", "max_steps": 9} | parameters).fit(text)

    def of_model(work):
        model = trained(hidden_size=512).fit(TEXT)
        return lambda: work(model)

    def guesses():
        model = trained(hidden_size=64, max_steps=300, batch_size=16, optimizer="adam").fit(names)
        return lambda: model.guess_number(names[:9], n_samples=10**6)

    def validation():
        return lambda: trained(hidden_size=512, eval_every=1, max_steps=3).fit(TEXT, validation=long)

    yield "guess_number of 10**6 samples", 3.0, guesses
    yield "validation of 1 MB", 3.0, validation
    yield "a step of H = 2048, B = 64, T = 200", 12.0, lambda: fit(hidden_size=2048, batch_size=64, seq_length=200)
    yield "the first second of that", 1.0, lambda: fit(hidden_size=2048, batch_size=64, seq_length=200)
    yield "steps of 3 layers, H = 1024, B = 8", 3.0, lambda: fit(hidden_size=1024, num_layers=3, batch_size=8)
    yield "steps of 3 layers, H = 1600, B = 8", 6.0, lambda: fit(hidden_size=1600, num_layers=3, batch_size=8)
    yield "steps of H = 100", 1.0, lambda: fit(hidden_size=100)
    yield "sample one text", 2.0, lambda: of_model(lambda model: model.sample(MB))
    yield "score 1 MB", 2.0, lambda: of_model(lambda model: model.score(long))
    strings = [TEXT[:99]] * 20_000
    yield "score_samples of 20,000 strings", 2.0, lambda: of_model(lambda model: model.score_samples(strings))
    yield "fit a text of 300 MB", 2.0, lambda: fit(("naïve " + TEXT) * (300 * MB // len(TEXT)), hidden_size=50)


def order(sender, process, delay):
    """Have SIGINT sent to a process after a delay; this returns at once."""
    sender.stdin.write(f"{process} {delay}\n")
    sender.stdin.flush()


def response(sender, call, delay):
    """Return the processor seconds from a signal during a call, repeated if it is short, to KeyboardInterrupt."""
    try:
        order(sender, os.getpid(), delay)
        while True:
            call()
    except KeyboardInterrupt:
        return time.process_time() - float(sender.stdout.readline())


def command_response(sender, folder, delay):
    """Return the processor seconds from a signal to the end of ``crnn train``, which includes saving the model."""
    (folder / "text").write_text(TEXT, encoding="utf-8")
    for old in folder.glob("model*"):
        old.unlink()
    command = [sys.executable, "-m", "crnn", "train", "text", "-o", "model", "--max-seconds", "3600"]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        process.stderr.readline()  # the command has read the text: training begins
        order(sender, process.pid, delay)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 128 + signal.SIGINT, process.returncode
    return usage.ru_utime + usage.ru_stime - float(sender.stdout.readline())


def responses(count):
    """Yield a table of the time from Ctrl-C to KeyboardInterrupt; `count` signals for each call."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    moments = random.Random(0)
    command = [sys.executable, "-c", SENDER]  # a process of its own: no lock of this one delays a signal
    yield "| processor ms from the signal to KeyboardInterrupt | signals | median | 99 of 100 | longest |"
    yield "|---|---:|---:|---:|---:|"
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender,
    ):
        for name, longest, prepared in calls():
            call = prepared()
            yield row(name, [response(sender, call, moments.uniform(0, longest)) for _ in range(count)])
        times = [command_response(sender, Path(folder), moments.uniform(0, 2)) for _ in range(count)]
        yield row("crnn train, to the end of the process", times)


def row(name, times):
    """Return a row of the table, in milliseconds."""
    quantiles = 1000 * np.quantile(times, (0.5, 0.99, 1.0), method="higher")
    return f"| {name} | {len(times)} | " + " | ".join(f"{ms:.0f}" for ms in quantiles) + " |"


# ------------------------------------------------------------------------------------------------ memory and import

PEAK = """
import gc, time
from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, ModelFileError
from crnn.cli.main import main
def memory(name):
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith(name))) / 1024
{}
highest, now, kept = memory("VmHWM"), memory("VmRSS"), None
start = time.process_time()
{}
seconds = time.process_time() - start
gc.collect()
print(memory("VmHWM") - highest, memory("VmRSS") - now, seconds)
"""
KINDS = {"network": "CharRNN", "counts": "CharNGram", "mixture": "Mixture", "detector": "AnomalyDetector"}
LOAD, SCORE = "kept = {}.load({!r})", "main(['score', {!r}, '--lines', {!r}])"
REFUSED = "try:\n    CharRNN.load({!r})\nexcept ModelFileError: pass"


def models():
    """Yield the name of each kind of model, a small model, and one with a file of several megabytes."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(3000)]
    lines = [f"{rng.choice(words)} {rng.choice(words)} for key {rng.choice(words)}{i % 997}" for i in range(40_000)]
    text = "\n".join(lines)
    network = {"cell": "lstm", "optimizer": "adam", "max_steps": 1, "n_threads": 1, "random_state": 0}
    yield "network", CharRNN(4, **network).fit("ab" * 9), CharRNN(1024, num_layers=2, **network).fit("ab" * 50)
    counts = CharNGram(order=3).fit("ab" * 9), CharNGram(order=10).fit(text)
    yield "counts", *counts
    both = Mixture.from_fitted([CharRNN(1024, **network).fit(text), counts[1]])
    yield "mixture", Mixture.from_fitted([counts[0]]), both
    yield "detector", *(AnomalyDetector(CharNGram(order=order)).fit(lines) for order in (2, 8))


def memory(count):
    """Yield a table: by how much a process grows at most when it loads each kind of model, and when it scores a line.

    Other numbers are what the loaded model takes, and the processor time.
    """
    yield "| | MB | growth, MB | of it, the model | seconds |"
    yield "|---|---:|---:|---:|---:|"
    with tempfile.TemporaryDirectory() as folder:
        path = {name: str(Path(folder) / name) for name in ("hostile", "short", "line", *KINDS)}
        for name, small, large in models():
            small.save(f"{path[name]}.small")
            large.save(path[name])
        header = b'{"__metadata__":{},"a":[' + b"[]," * (16 * MB // 3) + b"[]]}"
        Path(path["hostile"]).write_bytes(len(header).to_bytes(8, "little") + header)
        Path(path["short"]).write_bytes(b"ab\n")
        Path(path["line"]).write_bytes(b"ab" * (8 * MB))
        calls = {
            f"load {name}": (name, LOAD.format(kind, f"{path[name]}.small"), LOAD.format(kind, path[name]))
            for name, kind in KINDS.items()
        }
        small = f"{path['network']}.small"
        refused = REFUSED.format(path["hostile"])
        calls["refuse 16 MB of hostile JSON"] = "hostile", LOAD.format("CharRNN", small), refused
        calls["score one line"] = ("line", *(SCORE.format(small, path[name]) for name in ("short", "line")))
        for what, (name, warm_up, measured) in calls.items():
            runs = [printed(PEAK.format(warm_up, measured)).split()[-3:] for _ in range(count)]
            most, stays, seconds = (max(map(float, numbers)) for numbers in zip(*runs, strict=True))
            size = Path(path[name]).stat().st_size / MB
            yield f"| {what} | {size:.0f} | {most:.0f} | {stays:.0f} | {seconds:.2f} |"


IMPORTS = {
    "import numpy": ("", "import numpy"),
    "import crnn, after it": ("import numpy", "import crnn"),
    "from crnn import CharRNN, after it": ("import numpy", "from crnn import CharRNN"),
}


def imports(count):
    """Yield a table: what the import costs beyond NumPy's, the shortest of `count` runs."""
    yield "| | ms |"
    yield "|---|---:|"
    for name, (before, measured) in IMPORTS.items():
        program = f"import time\n{before}\nstart = time.perf_counter()\n{measured}\nprint(time.perf_counter() - start)"
        yield f"| {name} | {1000 * min(float(printed(program)) for _ in range(count)):.1f} |"


def printed(program):
    """Return what a program prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


# ------------------------------------------------------------------------------------------------ kills

MAX_KILLS = 3  # of one run, which then ends
# Nothing depends on the time, as a schedule would, or on the measured speed of the machine.
OF_NETWORK = {
    "model": "mixture",
    "time": "1h",
    "hidden-size": 32,
    "max-steps": 2000,
    "learning-rate": 0.02,
    "schedule": "constant",
    "warmup-fraction": 0,
    "init-scale": 0.1,
    "weight-decay": 0.01,
    "dropout": 0.1,
    "weight-dropout": 0.1,
    "matmul-precision": "float32",
    "checkpoint-every": 20,
    "random-state": 0,
}


def train_command(folder, name, *options):
    """Start ``crnn train`` on a text of 240 kB in a folder."""
    given = [f"--{option}={value}" for option, value in OF_NETWORK.items()]
    command = [sys.executable, "-m", "crnn", "train", "text", "-o", name, "--quiet", *given, *options]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE)


def succeed(process):
    """Wait for a process, which must succeed."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def kills(count):
    """Yield a table: a mixture after kills at random moments, each followed by --resume, and an uninterrupted one."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("etaoinshrdlu"), rng.integers(1, 8))) for _ in range(300)]
    yield "| seconds until kill -9 | step of the checkpoint | network equals | counts equal | weights equal |"
    yield "|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text").write_text(" ".join(rng.choice(words, 50_000)), encoding="utf-8")
        start = time.perf_counter()
        succeed(train_command(folder, "whole"))
        seconds = time.perf_counter() - start
        whole = Mixture.load(folder / "whole")
        killed = 0
        while killed < count:
            steps = []
            moments = []
            process = train_command(folder, "run")
            while True:
                moment = float(rng.uniform(0.2, 1)) * seconds
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    killed += 1
                    moments.append(f"{moment:.1f}")
                    checkpoint = folder / "run.checkpoint"
                    has_begun = checkpoint.exists()
                    steps.append(str(Mixture.load(checkpoint).models_[0].n_steps_) if has_begun else "none")
                    process = train_command(folder, "run", *["--resume"] * has_begun)
                    if len(moments) == MAX_KILLS:
                        break
                else:
                    break
            succeed(process)
            found = Mixture.load(folder / "run")
            equal = [str(part == other) for part, other in zip(learned_parts(found), learned_parts(whole), strict=True)]
            yield f"| {', '.join(moments)} | {', '.join(steps)} | {' | '.join(equal)} |"
            (folder / "run").unlink()


def learned_parts(mixture):
    """Return what a mixture's network, its counts and its weights have learned, as values to compare."""
    network, counts = mixture.models_
    weights = {name: array.tobytes() for name, array in network.params_.items()}
    with tempfile.TemporaryDirectory() as folder:
        counts.save(Path(folder) / "counts")
        of_counts = (Path(folder) / "counts").read_bytes()
    return (network.n_steps_, weights), of_counts, mixture.weights_.tobytes()


FIGURES = {"responses": (responses, 100), "memory": (memory, 1), "imports": (imports, 15), "kills": (kills, 20)}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TABLE", help=f"which ones: {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--count", type=int, help="how often each is measured")
    arguments = parser.parse_args()
    for name in arguments.names or FIGURES:
        measure, count = FIGURES[name]
        for line in measure(arguments.count or count):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
