"""Eight threads that call one model at the same time get what one thread gets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from trials import Outcome

from crnn import AnomalyDetector, CharNGram, CharRNN, TextClassifier

THREADS = 8
TEXT = "to be or not to be, that is the question. " * 9
KINDS = 64  # different calls


def calls(model, documents, counts, detector, classifier):
    """Return functions whose results never change."""
    for i in range(KINDS):
        text, words = TEXT[i : 2 * i + 7], [TEXT[i : i + 5].strip(), "be"]
        yield [
            lambda text=text: model.score(text),
            lambda i=i: model.sample(20, random_state=i, temperature=0.7),
            lambda text=text: model.next_proba([text]).tobytes(),
            lambda text=text: model.surprisal(text).tobytes(),
            lambda i=i: tuple(documents.sample(n_samples=3, random_state=i)),
            lambda i=i: documents.score_samples(["to be", TEXT[i : i + 9]]).tobytes(),
            lambda text=text: model.start(text).feed("to").sample(5, random_state=1),
            lambda i=i: model.transform([TEXT[i : i + 5], "to be"]).tobytes(),
            lambda i=i: documents.sample(n_samples=3, random_state=i, matching=f"(.*{TEXT[i % 8]}.*)?"),
            lambda i=i: counts.match_probability(f"[{TEXT[i : i + 5]}]+"),
            lambda i=i: counts.enumerate_documents(3, matching=f"[{TEXT[i : i + 9]}]*").documents,
            lambda words=words: counts.restore(words, typos=0.1, spaces=True, changes=True),
            lambda words=words: documents.start_many(words).feed(["t", "o"]).tobytes(),
            lambda i=i: detector.explain(TEXT[i : i + 9]).score,
            lambda words=words: detector.predict(words).tobytes(),
            lambda words=words: classifier.predict_proba(words).tobytes(),
        ][i % 16]


def run(count: int, seed: int = 0) -> Outcome:
    """Let each thread make `count` calls."""
    model = CharRNN(32, cell="lstm", max_steps=200, random_state=0).fit(TEXT)
    documents = CharRNN(16, cell="gru", max_steps=200, random_state=0, n_threads=2, min_count=2).fit(TEXT.split() * 3)
    words = TEXT.split() * 3
    counts = CharNGram(3).fit([*words, " "])
    detector = AnomalyDetector(counts, contamination=0.4).calibrate(words)
    classifier = TextClassifier([CharNGram(3), CharRNN(8, max_steps=50, random_state=0)]).fit(
        [*words, " "], [len(word) > 2 for word in [*words, " "]]
    )
    functions = list(calls(model, documents, counts, detector, classifier))
    expected = [function() for function in functions]

    def work(rank):
        failures, rng = [], np.random.default_rng([seed, rank])
        for i in rng.integers(KINDS, size=count).tolist():
            try:
                if functions[i]() != expected[i]:
                    failures.append(f"thread {rank}, call {i}: another result")
            except Exception as error:
                failures.append(f"thread {rank}, call {i}: {type(error).__name__}: {error}")
        return failures

    with ThreadPoolExecutor(THREADS) as pool:
        return Outcome(THREADS * count, [fault for found in pool.map(work, range(THREADS)) for fault in found])
