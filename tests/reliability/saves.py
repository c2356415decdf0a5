"""A model that another thread trains is saved as it was after one of its steps."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from kills import learned
from trials import Outcome

from crnn import CharRNN

TEXT = "to be or not to be, that is the question. " * 99
COMPARED = 4  # files of each run to compare with a run of the same number of steps
RUNS = [
    {"hidden_size": 32, "optimizer": "adam"},
    {"hidden_size": 16, "cell": "lstm", "num_layers": 2, "batch_size": 8, "n_threads": 2, "dropout": 0.1},
]


def run(count: int, seed: int = 0) -> Outcome:
    """Save `count` times."""
    failures, each = [], -(-count // len(RUNS))
    for given in RUNS:
        given = given | {"random_state": seed}
        model = CharRNN(**given, max_seconds=3600.0)
        thread = threading.Thread(target=model.fit, args=(TEXT,))
        thread.start()
        while not hasattr(model, "vocabulary_"):
            time.sleep(0.001)
        with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
            path = Path(name) / "model"
            compared = []
            try:
                for i in range(each):
                    model.save(path)
                    try:
                        again = CharRNN.load(path)
                        if i < COMPARED:
                            compared.append(again)
                    except Exception as error:
                        failures.append(f"{given}: {type(error).__name__}: {error}")
            finally:
                model.stop()
                thread.join()
        for again in compared:
            if learned(again) != learned(CharRNN(**given, max_steps=again.n_steps_).fit(TEXT)):
                failures.append(f"{given}: a file of step {again.n_steps_} holds another state")
    return Outcome(each * len(RUNS), failures)
