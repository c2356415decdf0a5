"""Workers that other programs start: multiprocessing's spawn and forkserver, joblib's loky, and gunicorn's servers."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trials import Outcome, environment

NO_GUNICORN = "gunicorn is not installed: python -m pip install gunicorn"
WAIT = 60  # seconds that a server may take to start and to end

# A child gets a model by pickle, scores and trains it; the parent has used it before, by several threads.
POOL = """
import multiprocessing, sys
from crnn import CharNGram, CharRNN, Mixture

TEXT = "to be or not to be, that is the question. " * 40


def work(model):
    network = model.models_[0]
    network.set_params(max_steps=3).partial_fit(TEXT)
    return model.score(TEXT), network.n_steps_, model.sample(31, random_state=7)


def main():
    network = CharRNN(17, cell="gru", batch_size=4, n_threads=2, max_steps=5, random_state=0).fit(TEXT)
    model = Mixture.from_fitted([network, CharNGram(4).fit(TEXT)], weights=[0.5, 0.5])
    model.score(TEXT)
    method, count = sys.argv[1], int(sys.argv[2])
    if method == "loky":  # a batch would share one model between its tasks
        from joblib import Parallel, delayed

        results = Parallel(n_jobs=2, backend="loky", batch_size=1)(delayed(work)(model) for _ in range(count))
    else:
        with multiprocessing.get_context(method).Pool(2, maxtasksperchild=1) as pool:
            results = pool.map(work, [model] * count, chunksize=1)
    expected = work(model)
    print(sum(result != expected for result in results))


if __name__ == "__main__":
    main()
"""

SERVICE = """
import json
from crnn import AnomalyDetector

detector = AnomalyDetector.load("log.crnn")


def application(request, start_response):
    lines = json.loads(request["wsgi.input"].read(int(request["CONTENT_LENGTH"])))
    body = json.dumps(detector.score_samples(lines).tolist()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
REQUESTS = 16  # to each server, from eight clients at once
LINES = ["job 17 done", "job 17 dnoe", "user anna logged in", "\x00 caf\u00e9"]


def pool(method: str, count: int, seed: int = 0) -> Outcome:
    """Let `count` tasks of workers started by this method score and train a model: all find the parent's bits."""
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as folder:
        path = Path(folder) / "pool.py"  # a file, since spawn and forkserver import the program anew
        path.write_text(POOL)
        command = [sys.executable, str(path), method, str(count)]
        result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=36_000)
    if result.returncode:
        return Outcome(count, [f"{method}: exit code {result.returncode}: {result.stderr[-500:]}"])
    failed = int(result.stdout)
    return Outcome(count, [f"{method}: {failed} of {count} tasks have other results"] * bool(failed))


def free_port() -> int:
    """Return a port that no program listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(port: int) -> list[float]:
    """Return the scores that a server gives to the lines, once it answers."""
    body = json.dumps(LINES).encode()
    end = time.monotonic() + WAIT
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", body, timeout=WAIT) as answer:
                return list(json.load(answer))
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def serve_once(folder: str, options: list[str], expected: list[float]) -> str | None:
    """Start a server of two workers with two threads each, ask it, and end it; return what went wrong, or None."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers=2", "--threads=2", *options]
    command += [f"--bind=127.0.0.1:{port}", "service:application"]
    server = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(ask, [port] * REQUESTS))
        server.send_signal(signal.SIGTERM)
        server.wait(WAIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        server.kill()
        _, errors = server.communicate()
    if any(answer != expected for answer in answers):
        return "a worker gives other scores"
    if server.returncode:
        return f"exit code {server.returncode}: {errors[-300:]}"
    return None


def gunicorn(options: list[str], count: int, seed: int = 0) -> Outcome:
    """Start `count` servers: their workers score as this process does, and they end when they are asked to."""
    if importlib.util.find_spec("gunicorn") is None:
        return Outcome(0, [NO_GUNICORN])
    from crnn import AnomalyDetector

    lines = [f"job {i} done" for i in range(200)] + [f"user anna{i} logged in" for i in range(200)]
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as folder:
        detector = AnomalyDetector(contamination=0.05, random_state=0).fit(lines)
        detector.save(os.path.join(folder, "log.crnn"))
        Path(folder, "service.py").write_text(SERVICE)
        expected = detector.score_samples(LINES).tolist()
        faults = [serve_once(folder, options, expected) for _ in range(count)]
    return Outcome(count, [f"gunicorn {' '.join(options)}: {fault}" for fault in faults if fault])
