"""Programs that run in processes of their own: children forked during training, and other hash seeds."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from trials import Outcome, environment

FORKS = """
import os, sys, threading, time
from crnn import CharRNN
TEXT = "to be or not to be, that is the question. " * 99
model = CharRNN(16, cell="gru", batch_size=8, n_threads=2, max_seconds=3600.0, random_state=0)
thread = threading.Thread(target=model.fit, args=(TEXT,))
thread.start()
while not getattr(model, "n_steps_", 0):  # no import is running in the thread: Python would keep its lock
    time.sleep(0.001)
failed, folder = 0, sys.argv[1]
for i in range(int(sys.argv[2])):
    time.sleep(0.013 * (i % 7))
    child = os.fork()
    if not child:
        code = 1
        try:
            model.set_params(max_seconds=None, max_steps=5)
            steps = model.n_steps_
            model.partial_fit(TEXT)
            path = os.path.join(folder, str(i))
            model.save(path)
            again = CharRNN.load(path)
            code = 0 if again.n_steps_ == steps + 5 and again.score(TEXT) == model.score(TEXT) else 2
            os.unlink(path)
        finally:
            os._exit(code)
    failed += os.waitpid(child, 0)[1] != 0
model.stop()
thread.join()
print(failed)
"""

HASHES = """
import hashlib, tempfile, os
from crnn import CharRNN
text = "to be or not to be, that is the question. na\\u00efve \\U0001f642 " * 20
digest = hashlib.sha256()
for given, X in [
    ({"cell": "lstm", "optimizer": "adam", "batch_size": 4, "dropout": 0.2, "min_count": 2}, text),
    ({"cell": "gru", "vocabulary": set(text)}, text),
    ({"batch_size": 3, "validation_fraction": 0.2}, text.split()),
    ({}, text.encode()),
]:
    model = CharRNN(16, max_steps=50, random_state=0, n_threads=2, **given).fit(X)
    for record in model.history_:
        for name in ("seconds", "chars_per_second"):
            record[name] = 0.0
    if isinstance(X, list):
        digest.update(repr(model.sample(n_samples=9, unique=True, exclude=set(X), random_state=1)).encode())
    else:
        stops = {"be", "or"} if isinstance(X, str) else {b"be", b"or"}
        digest.update(repr(model.sample(90, stop=stops, random_state=1)).encode())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        model.save(path)
        digest.update(open(path, "rb").read())
print(digest.hexdigest())
"""


def result_of(program, *arguments, **variables):
    """Run a program with these arguments and variables of the environment."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment() | variables, capture_output=True, text=True, timeout=36_000)


def forks(count: int, seed: int = 0) -> Outcome:
    """Fork `count` children while a thread trains: each trains, saves and scores its copy."""
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as folder:
        result = result_of(FORKS, folder, str(count))
    if result.returncode:
        return Outcome(count, [f"exit code {result.returncode}: {result.stderr[-500:]}"])
    failed = int(result.stdout)
    return Outcome(count, [f"{failed} children failed"] * bool(failed))


def hash_seeds(count: int, seed: int = 0) -> Outcome:
    """Make the same models, samples and files in `count` processes, each with another hash seed of Python."""
    digests, failures = [], []
    for i in range(seed, seed + count):
        result = result_of(HASHES, PYTHONHASHSEED=str(i))
        digests.append(result.stdout)
        if result.returncode:
            failures.append(f"seed {i}: {result.stderr[-300:]}")
        elif result.stdout != digests[0]:
            failures.append(f"seed {i}: other models, samples or files than seed {seed}")
    return Outcome(count, failures)
