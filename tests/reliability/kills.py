"""Training killed and resumed, again and again, ends with the same bits as uninterrupted training."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from trials import Outcome, forked

from crnn import CharRNN

TEXT = "to be or not to be, that is the question. " * 60
NAMES = ["anna", "bob", "eve", "otto", "maximilian", "lena"] * 20
RUNS = [
    ({"max_steps": 900, "cell": "lstm", "optimizer": "adam", "hidden_size": 24}, TEXT, 20),
    ({"epochs": 9, "batch_size": 8, "n_threads": 2, "cell": "gru", "dropout": 0.2, "hidden_size": 24}, TEXT, 10),
    ({"max_steps": 1500, "batch_size": 3, "validation_fraction": 0.2, "optimizer": "rmsprop"}, NAMES, 0.01),
    ({"max_steps": 2000, "num_layers": 2, "schedule": "cosine", "warmup": 0.1, "dtype": "float64"}, TEXT.encode(), 30),
]


def learned(model):
    """Return all that training has changed, as bytes."""
    arrays = {name: array.tobytes() for name, array in model.params_.items()}
    for part, views in model.optimizer_state_.items():
        arrays |= {part: views} if part == "step" else {f"{part}.{n}": array.tobytes() for n, array in views.items()}
    return arrays | {"state": np.array(model.state_).tobytes(), "steps": model.n_steps_, "loss": model.smooth_loss_}


def run(count: int, seed: int = 0) -> Outcome:
    """Kill training `count` times at random moments."""
    rng, failures, kills, i = np.random.default_rng(seed), [], 0, 0
    while kills < count:
        given, text, every = RUNS[i % len(RUNS)]
        i += 1
        shared = {"hidden_size": 16, "seq_length": 20, "random_state": 0} | given
        start = time.perf_counter()
        whole = CharRNN(**shared).fit(text)
        seconds = time.perf_counter() - start
        with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
            killed, fault = finish(Path(name), shared, text, every, rng, seconds)
            kills += killed
            again = CharRNN.load(Path(name) / "run") if fault is None else None
            if again is not None and learned(again) != learned(whole):
                fault = f"after {killed} kills the model is another one"
            if fault is None and os.listdir(name) != ["run"]:
                fault = f"files are left: {os.listdir(name)}"
        if fault:
            failures.append(f"{given}: {fault}")
    return Outcome(kills, failures)


def finish(folder, given, text, every, rng, seconds):
    """Train to the end in processes that get killed; return the number of kills, and a fault."""
    path, kills = folder / "run", 0

    def train():
        if path.exists():
            CharRNN.resume(path, text)
        else:
            CharRNN(**given).fit(text, checkpoint=path, checkpoint_every=every)

    while True:
        child = forked(train)
        # Most of the runs are killed several times; none for ever, since the time grows.
        time.sleep(rng.uniform(0, 0.5 * seconds * (1 + kills / 10)))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            return kills, None if status == 0 else f"exit status {status} after {kills} kills"
        kills += 1
        if path.exists():
            try:
                CharRNN.load(path)
            except Exception as error:
                return kills, f"{type(error).__name__}: {error} after {kills} kills"
