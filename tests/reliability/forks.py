"""A process forks while a thread trains: the child trains, saves and scores its copy."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from trials import Outcome, environment

PROGRAM = """
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


def run(count: int, seed: int = 0) -> Outcome:
    """Fork `count` children."""
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as folder:
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, folder, str(count)], env=environment(), capture_output=True, text=True,
            timeout=60 + 30 * count,
        )  # fmt: skip
    if result.returncode:
        return Outcome(count, [f"exit code {result.returncode}: {result.stderr[-500:]}"])
    failed = int(result.stdout)
    return Outcome(count, [f"{failed} children failed"] * bool(failed))
