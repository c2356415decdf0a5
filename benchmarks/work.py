"""A process that does work when told to: `python -m benchmarks.work`, started by `benchmarks.workers`.

Each line of standard input is a JSON object. One with a kind of work and its arguments makes that work ready and does
it once; an empty one does it once more. The answer is a line with what the work found. A kind of work returns a
function that does it once and returns what it found.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import Case, crnn_model, peer_of, ready
from crnn import CharRNN

Work = Callable[[], float]

SGEMM_SIZE = 1024


def train(contender: str, cell: str, L: str, H: str, T: str, B: str, K: str, n_threads: str) -> Work:
    """K training steps of L layers of a cell; returns the smoothed loss."""
    case = Case(int(H), int(T), int(B), int(K), cell=cell, num_layers=int(L))
    return ready(contender, case, int(n_threads))


def train_for(H: str, n_threads: str, seconds: str) -> Work:
    """Train an LSTM on 16 streams of 24 symbols for some seconds; returns symbols per second."""
    text = "".join(map(chr, np.random.default_rng(0).integers(33, 98, 200_000)))
    threads = None if n_threads == "default" else int(n_threads)
    options: dict[str, Any] = {"cell": "lstm", "optimizer": "adam", "random_state": 0, "n_threads": threads}
    model = CharRNN(int(H), seq_length=24, batch_size=16, max_steps=2, **options).fit(text)
    model.set_params(max_steps=None, max_seconds=float(seconds))

    def train() -> float:
        before, start = model.n_steps_, time.perf_counter()
        model.partial_fit(text)
        return 24 * 16 * (model.n_steps_ - before) / (time.perf_counter() - start)

    return train


def sgemm(n_threads: str) -> Work:
    """One product of 1024³ by scipy's BLAS; returns the operations."""
    from scipy.linalg.blas import sgemm
    from threadpoolctl import threadpool_limits

    threadpool_limits(int(n_threads))
    a = np.asfortranarray(np.random.default_rng(0).standard_normal((SGEMM_SIZE, SGEMM_SIZE)), np.float32)
    c = np.zeros_like(a)

    def product() -> float:
        sgemm(1.0, a, a, c=c, overwrite_c=1)
        return 2.0 * SGEMM_SIZE**3

    return product


def sample(contender: str, cell: str, H: str, n: str, n_samples: str, n_threads: str) -> Work:
    """n_samples texts of n characters of a cell; returns the number of characters."""
    case, length, k = Case(int(H), 25, 1, 200, cell=cell), int(n), int(n_samples)
    if contender.startswith("crnn"):
        model = crnn_model(case, n_threads=int(n_threads), bfloat16="bfloat16" in contender).partial_fit(case.text)

        def draw() -> float:
            texts = model.sample(length, n_samples=k, random_state=0)
            return float(sum(map(len, texts)))

        return draw
    peer = peer_of(contender, case, int(n_threads))
    return lambda: float(peer.sample(length, k).size)


def score(contender: str, H: str, n: str, streams: str, n_threads: str) -> Work:
    """A text of n characters read as that many streams (crnn cuts it as it sees fit); returns nats per character."""
    case = Case(int(H), 25, 1, int(n) // 25)
    threads = int(n_threads)
    model, text = crnn_model(case, n_threads=threads), case.text
    if contender == "crnn":
        return lambda: -model.score(text, exact=False)
    if contender == "crnn-exact":
        return lambda: -model.score(text)
    peer = peer_of(contender, case, threads)
    b = int(streams)
    ids = case.ids[: len(case.ids) // b * b].reshape(b, -1).T.copy()
    return lambda: -peer.forward(ids)


KINDS: dict[str, Callable[..., Work]] = {
    "train": train,
    "train_for": train_for,
    "sgemm": sgemm,
    "sample": sample,
    "score": score,
}


def main() -> None:
    """Answer each line of standard input."""
    run: Work | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request:
            run = None  # what the last work holds is freed first
            run = KINDS[request["kind"]](*request["arguments"])
        assert run is not None, "the first line must name a kind of work"
        print(json.dumps(run()), flush=True)


if __name__ == "__main__":
    main()
