"""Eight threads that call one model at the same time get what one thread gets."""

from __future__ import annotations

import threading

import numpy as np
from trials import Outcome

from crnn import CharRNN

THREADS = 8
TEXT = "to be or not to be, that is the question. " * 9
KINDS = 40  # different calls


def calls(model, documents):
    """Return functions whose results never change."""
    for i in range(KINDS):
        text = TEXT[i : 2 * i + 7]
        yield [
            lambda text=text: model.score(text),
            lambda i=i: model.sample(20, random_state=i, temperature=0.7),
            lambda text=text: model.predict_proba([text]).tobytes(),
            lambda text=text: model.surprisal(text).tobytes(),
            lambda i=i: tuple(documents.sample(num_samples=3, random_state=i)),
            lambda i=i: documents.score_samples(["to be", TEXT[i : i + 9]]).tobytes(),
            lambda text=text: model.start(text).feed("to").sample(5, random_state=1),
            lambda i=i: model.transform([TEXT[i : i + 5], "to be"]).tobytes(),
        ][i % 8]


def run(count: int, seed: int = 0) -> Outcome:
    """Let each thread make `count` calls."""
    model = CharRNN(32, cell="lstm", max_steps=200, random_state=0).fit(TEXT)
    documents = CharRNN(16, cell="gru", max_steps=200, random_state=0, n_threads=2, min_count=2).fit(TEXT.split() * 3)
    functions = list(calls(model, documents))
    expected = [function() for function in functions]
    failures, done = [], [0] * THREADS

    def work(rank):
        rng = np.random.default_rng([seed, rank])
        for i in rng.integers(KINDS, size=count).tolist():
            try:
                if functions[i]() != expected[i]:
                    failures.append(f"thread {rank}, call {i}: another result")
            except Exception as error:
                failures.append(f"thread {rank}, call {i}: {type(error).__name__}: {error}")
            done[rank] += 1

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Outcome(sum(done), failures)
