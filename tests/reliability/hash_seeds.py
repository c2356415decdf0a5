"""Python's hash seed, another one in each process, changes no model, no sample and no file."""

from __future__ import annotations

import subprocess
import sys

from trials import Outcome, environment

PROGRAM = """
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
        digest.update(repr(model.sample(num_samples=9, unique=True, exclude=set(X), random_state=1)).encode())
    else:
        stops = {"be", "or"} if isinstance(X, str) else {b"be", b"or"}
        digest.update(repr(model.sample(90, stop=stops, random_state=1)).encode())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        model.save(path)
        digest.update(open(path, "rb").read())
try:
    CharRNN().fit({"a", "b"})
except ValueError as error:
    digest.update(type(error).__name__.encode())
print(digest.hexdigest())
"""


def run(count: int, seed: int = 0) -> Outcome:
    """Make the same models in `count` processes."""
    digests, failures = [], []
    for i in range(count):
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment() | {"PYTHONHASHSEED": str(seed + i)},
            capture_output=True, text=True,
        )  # fmt: skip
        digests.append(result.stdout)
        if result.returncode:
            failures.append(f"seed {seed + i}: {result.stderr[-300:]}")
        elif result.stdout != digests[0]:
            failures.append(f"seed {seed + i}: other models, samples or files than seed {seed}")
    return Outcome(count, failures)
