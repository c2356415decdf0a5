"""Hours of work: memory, descriptors and threads of the process stay as they were after the first part of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
import warnings
from pathlib import Path

from trials import Outcome

from crnn import AnomalyDetector, CharNGram, CharRNN, DivergenceError, TextClassifier

TEXT = "to be or not to be, that is the question. " * 60
LINES = [f"job {i} done" for i in range(99)]
WARM_UP = 0.25  # of the time: caches fill, the allocator's arenas grow
MAX_GROWTH = 16 << 20  # bytes


def used():
    """Return resident bytes, descriptors and threads."""
    rss = 0
    if os.path.exists("/proc/self/statm"):
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    return rss, descriptors, threading.active_count()


def cycle(i, folder):
    """Fit, continue, save, load, sample and score; now and then make a call that fails."""
    cell = ("rnn", "gru", "lstm", "cifg")[i // 2 % 4]
    model = CharRNN(32, cell=cell, batch_size=8, n_threads=1 + i % 2, max_steps=30, random_state=i).fit(TEXT)
    path = folder / "model"
    model.partial_fit(TEXT, checkpoint=path, checkpoint_every=10)
    model.save(path)
    model = CharRNN.load(path)
    model.sample(50, n_samples=3, random_state=i)
    model.score(TEXT, exact=False)
    model.score_samples(TEXT.split("."))
    model.start("to").feed(" be").sample(9, random_state=i)
    model.start_many(["to", "be"]).feed([" be", " or"])
    model.restore("to  e", gaps=" ", changes=True)
    words = TEXT.split()
    counts = CharNGram(2 + i % 3).fit(words)
    counts.sample(n_samples=9, matching=".*[aeiou].", random_state=i)
    counts.enumerate_documents(9, matching=f"[a-{'fmt'[i % 3]}]*")
    detector = AnomalyDetector(CharNGram(3), contamination=0.4, random_state=i)
    detector.fit_predict(LINES)
    detector.partial_fit(LINES).predict(words)
    TextClassifier(CharNGram(2)).fit(words, [len(word) > 2 for word in words]).predict(words)
    if i % 5 == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(DivergenceError):
                CharRNN(8, learning_rate=1e30, max_steps=20, random_state=0).fit(TEXT)
    if i % 7 == 0:
        with contextlib.suppress(ValueError):
            model.sample(3, prime="\0")


def run(count: int, seed: int = 0) -> Outcome:
    """Work for `count` seconds."""
    begin, i, before = time.monotonic(), 0, None
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
        while (gone := time.monotonic() - begin) < count or before is None:
            cycle(i, Path(name))
            i += 1
            if before is None and gone >= WARM_UP * count and i >= 8:
                before = used()
    failures = []
    kinds = ("bytes", "descriptors", "threads")
    for what, was, now, more in zip(kinds, before, used(), (MAX_GROWTH, 0, 0), strict=True):
        if now > was + more:
            failures.append(f"{now} {what} after {i} cycles, {was} at first")
    return Outcome(i, failures)
