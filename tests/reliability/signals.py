"""Ctrl-C and SIGTERM at any moment: the model holds whole steps, and the command line saves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kills import learned
from trials import Outcome, environment, forked

from crnn import CharRNN

TEXT = "to be or not to be, that is the question. " * 60
PARAMETERS = [
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
        given = PARAMETERS[i % len(PARAMETERS)] | {"random_state": 0}
        with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
            path = Path(name) / "model"

            def train(given=given, path=path):
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
            status = status_of(child)
            if status is None:
                failures.append(f"{given}: a signal had no effect for {PATIENCE} seconds")
            elif status and path.exists():
                failures.append(f"{given}: exit status {status}")
            elif path.exists():
                model = CharRNN.load(path)
                alone = CharRNN(**given, max_steps=model.n_steps_).fit(TEXT)
                if learned(model) != learned(alone):
                    failures.append(f"{given}: after step {model.n_steps_} not the state of that step")
    return Outcome(count, failures)


def status_of(child):
    """Return the exit status of a process that is about to end, or kill the process and return None."""
    for _ in range(100 * PATIENCE):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


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
