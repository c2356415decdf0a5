"""Training that is killed, interrupted, or saved by another thread: the model is as after one of its steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from trials import Outcome, environment, forked

from crnn import CharNGram, CharRNN, Mixture

TEXT = "to be or not to be, that is the question. " * 60
LONG_TEXT = TEXT * 100  # which has a held-out part
NAMES = ["anna", "bob", "eve", "otto", "maximilian", "lena"] * 20
KILLED = [
    ({"max_steps": 900, "cell": "lstm", "optimizer": "adam", "hidden_size": 24}, TEXT, {"checkpoint_every": 20}),
    (
        {"epochs": 9, "batch_size": 8, "n_threads": 2, "cell": "gru", "dropout": 0.2, "hidden_size": 24},
        TEXT,
        {"checkpoint_every": 10},
    ),
    (
        {"max_steps": 1500, "batch_size": 3, "validation_fraction": 0.2, "optimizer": "rmsprop"},
        NAMES,
        {"checkpoint_seconds": 0.01},
    ),
    ({"max_steps": 900, "as_mixture": True, "optimizer": "adam"}, LONG_TEXT, {"checkpoint_every": 20}),
    (
        {"max_steps": 2000, "num_layers": 2, "schedule": "cosine", "warmup_fraction": 0.1, "dtype": "float64"},
        TEXT.encode(),
        {"checkpoint_every": 30},
    ),
]


def learned(model):
    """Return all that training has changed, as bytes."""
    if isinstance(model, Mixture):
        network, counts = model.models_
        return learned(network) | {"counts": counts.n_grams_, "weights": model.weights_.tobytes()}
    arrays = {name: array.tobytes() for name, array in model.params_.items()}
    for part, views in model.optimizer_state_.items():
        arrays |= {part: views} if part == "step" else {f"{part}.{n}": array.tobytes() for n, array in views.items()}
    return arrays | {"state": np.array(model.state_).tobytes(), "steps": model.n_steps_, "loss": model.smooth_loss_}


def kills(count: int, seed: int = 0) -> Outcome:
    """Kill training `count` times at random moments."""
    rng, failures, done, i = np.random.default_rng(seed), [], 0, 0
    while done < count:
        given, text, interval = KILLED[i % len(KILLED)]
        i += 1
        given = dict(given)
        as_mixture = given.pop("as_mixture", False)
        shared = {"hidden_size": 16, "seq_length": 20, "random_state": 0} | given
        start = time.perf_counter()

        def make(shared=shared, as_mixture=as_mixture):
            network = CharRNN(**shared)
            return Mixture([network, CharNGram()]) if as_mixture else network

        whole = make().fit(text)
        seconds = time.perf_counter() - start
        with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
            killed, fault = finish(Path(name), make, text, interval, rng, seconds)
            done += killed
            if fault is None and learned(type(whole).load(Path(name) / "run")) != learned(whole):
                fault = f"after {killed} kills the model is another one"
            if fault is None and os.listdir(name) != ["run"]:
                fault = f"files are left: {os.listdir(name)}"
        if fault:
            failures.append(f"{given}: {fault}")
    return Outcome(done, failures)


def finish(folder, make, text, interval, rng, seconds):
    """Train to the end in processes that get killed; return the number of kills, and a fault."""
    path, kills = folder / "run", 0

    def train():
        if path.exists():
            type(make()).resume(path, text)
        else:
            make().fit(text, checkpoint=path, **interval)

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
                type(make()).load(path)
            except Exception as error:
                return kills, f"{type(error).__name__}: {error} after {kills} kills"


INTERRUPTED = [
    {"hidden_size": 16, "cell": "lstm", "optimizer": "adam"},
    {"hidden_size": 32, "cell": "gru", "batch_size": 8, "n_threads": 2},
    {"hidden_size": 8, "num_layers": 2, "validation_fraction": 0.2, "eval_every": 50, "restore_best": False},
]
LONGEST = 0.4  # seconds of training, about
PATIENCE = 60  # seconds


def interrupts(count: int, seed: int = 0) -> Outcome:
    """Interrupt `fit` with SIGINT."""
    rng, failures = np.random.default_rng(seed), []
    for i in range(count):
        given = INTERRUPTED[i % len(INTERRUPTED)] | {"random_state": 0}
        with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
            path = Path(name) / "model"

            def train(given=given, path=path):
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(PATIENCE)
                model = CharRNN(**given, max_seconds=3600.0)
                try:
                    model.fit(TEXT)
                except KeyboardInterrupt:
                    if hasattr(model, "vocabulary_"):  # else the signal came before there was a model
                        model.save(path)
                    return
                raise RuntimeError("the signal had no effect")

            child = forked(train)
            time.sleep(0.03 + rng.uniform(0, LONGEST))
            os.kill(child, signal.SIGINT)
            status = os.waitpid(child, 0)[1]
            if os.WIFSIGNALED(status):  # by SIGALRM: the signal had no effect
                failures.append(f"{given}: ended by signal {os.WTERMSIG(status)} within {PATIENCE} seconds")
            elif status and path.exists():
                failures.append(f"{given}: exit status {status}")
            elif path.exists():
                model = CharRNN.load(path)
                alone = CharRNN(**given, max_steps=model.n_steps_).fit(TEXT)
                if learned(model) != learned(alone):
                    failures.append(f"{given}: after step {model.n_steps_} not the state of that step")
    return Outcome(count, failures)


def terminations(count: int, seed: int = 0) -> Outcome:
    """Interrupt ``crnn train`` with SIGTERM and SIGINT in turns."""
    rng, failures = np.random.default_rng(seed), []
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background would hand that on
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
        folder = Path(name)
        (folder / "text").write_text(TEXT)
        whole = started(folder, "whole", "--max-steps", "50")
        start = time.perf_counter()
        whole.wait()
        seconds = time.perf_counter() - start
        for i in range(count):
            number, output = (signal.SIGTERM, signal.SIGINT)[i % 2], folder / f"model{i}"
            process = started(folder, output.name, "--max-seconds", "3600")
            time.sleep(rng.uniform(0, 2 * seconds))
            process.send_signal(number)
            _, errors = process.communicate()
            if fault := fault_of(process.returncode, number, output, errors):
                failures.append(f"{signal.Signals(number).name}: {fault}")
            if left := list(folder.glob(".crnn-*")):
                failures.append(f"{signal.Signals(number).name}: {left[0].name} is left")
    return Outcome(count, failures)


def started(folder, output, *options):
    """Start training on the command line."""
    command = [sys.executable, "-m", "crnn", "train", "text", "-o", output, "--hidden-size", "16", "--quiet", *options]
    return subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)


def fault_of(code, number, output, errors):
    """Say what is wrong with how a command ended."""
    if code == -number or ("Traceback" in errors and not output.exists() and "crnn/cli" not in errors):
        return None  # before Python, or the command, had begun
    if code != 128 + number or "Traceback" in errors:
        return f"exit code {code}: {errors[-300:]}"
    if output.exists():
        try:
            CharRNN.load(output)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    elif "nothing to save" not in errors and errors.strip():
        return f"no model: {errors[-300:]}"
    return None


COMPARED = 4  # files of each run to compare with a run of the same number of steps
SAVED = [
    {"hidden_size": 32, "optimizer": "adam"},
    {"hidden_size": 16, "cell": "lstm", "num_layers": 2, "batch_size": 8, "n_threads": 2, "dropout": 0.1},
]


def saves_during_training(count: int, seed: int = 0) -> Outcome:
    """Save `count` times."""
    failures, each = [], -(-count // len(SAVED))
    for given in SAVED:
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
    return Outcome(each * len(SAVED), failures)
