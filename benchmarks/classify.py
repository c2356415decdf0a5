"""Which program tells labels best, and in what time? `python -m benchmarks.classify [surnames] [domains]`.

The texts are surnames of 18 countries, and ordinary domains among domains of eight generators
(`benchmarks.labeled_texts`: from Faker and wordfreq, the group `labels`). Contenders: `TextClassifier` with counts
alone, with a network alone, and with both, its default; TF-IDF of character n-grams within words with a logistic
regression, whose n, C and case of letters are the best of a grid; PyTorch's tutorial on names
(`benchmarks.peers.torch_char_classifier`); fastText with character n-grams, if it is installed. Printed are each of
five splits (stratified, four fifths to learn) and their means: the accuracy; the log-loss, the mean of -log P of the
correct label; processor seconds of `fit` and of predicting. Networks train for a fixed number of epochs, so other
programs hardly change the figures. The seconds are of all threads, so compare them on one: `OMP_NUM_THREADS=1 python -m
benchmarks.classify`. Every contender has the same splits, and gets the texts as they are.

`--splits 1` is a quick look, and `--only counts network both` names contenders.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import labeled_texts, peers
from crnn import CharNGram, CharRNN, TextClassifier
from crnn.text_classifier import COUNTS, SHORT_TEXTS

N_SPLITS = 5
# n and C of the baseline by three-fold cross-validation on the first split's texts to learn: commit da5d1195, --tune
TUNED = {"surnames": (3, 3.0), "domains": (4, 100.0)}
DATA: dict[str, Callable[[], labeled_texts.Texts]] = {
    "surnames": labeled_texts.surnames,
    "domains": labeled_texts.domains,
}
EPOCHS: dict[str, dict[str, Any]] = {"surnames": {}, "domains": {"epochs": 6}}  # of more texts fewer are enough


class Result(NamedTuple):
    """How well and how fast a contender did on one split; seconds of all threads."""

    accuracy: float
    log_loss: float
    fit_seconds: float
    predict_seconds: float


def baseline(n: int, C: float) -> Any:
    """Return TF-IDF of character n-grams of 1 to n characters with a logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, n), lowercase=False)
    return make_pipeline(vectors, LogisticRegression(C=C, max_iter=1000))


def splits(y: NDArray[Any], n_splits: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the first of five splits: what to learn, and what to measure."""
    from sklearn.model_selection import StratifiedKFold

    found = StratifiedKFold(N_SPLITS, shuffle=True, random_state=0).split(np.zeros(len(y)), y)
    for _, (train, test) in zip(range(n_splits), found, strict=False):
        yield train, test


def measure(model: Any, texts: Sequence[str], y: NDArray[Any], train: Sequence[int], test: Sequence[int]) -> Result:
    """Fit a model to some texts and return how well it tells the others."""
    start = time.process_time()
    model.fit([texts[i] for i in train], y[train])
    fitted = time.process_time()
    p = model.predict_proba([texts[i] for i in test])
    end = time.process_time()
    check(p, len(test), len(np.unique(y)))
    accuracy = float((np.asarray(model.classes_)[p.argmax(axis=1)] == y[test]).mean())
    places = {label: place for place, label in enumerate(np.asarray(model.classes_).tolist())}
    of_labels = p[np.arange(len(test)), [places[label] for label in y[test].tolist()]]
    log_loss = float(-np.log(np.maximum(of_labels, 1e-15)).mean())
    return Result(accuracy, log_loss, fitted - start, end - fitted)


def check(p: NDArray[np.float64], n: int, n_classes: int) -> None:
    """Raise unless these are probabilities of classes."""
    assert p.shape == (n, n_classes)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-4)


def contenders(data: str) -> dict[str, Callable[[], Any]]:
    """Return a function for each contender that makes a model; the classifier's are the default, but for the epochs."""
    given = SHORT_TEXTS | {"random_state": 0} | EPOCHS[data]
    found: dict[str, Callable[[], Any]] = {
        "counts": lambda: TextClassifier(CharNGram(**COUNTS)),
        "network": lambda: TextClassifier(CharRNN(**given)),
        "both": lambda: TextClassifier([CharNGram(**COUNTS), CharRNN(**given)]),
        "TF-IDF and logistic regression": lambda: baseline(*TUNED[data]),
    }
    if peers.available("torch"):
        from benchmarks.peers.torch_char_classifier import TorchCharClassifier

        found["PyTorch's tutorial"] = TorchCharClassifier
    if importlib.util.find_spec("fasttext"):
        from benchmarks.peers.fasttext_classifier import FastTextClassifier

        found["fastText"] = FastTextClassifier
    return found


def compare(data: str, n_splits: int, makers: dict[str, Callable[[], Any]]) -> list[str]:
    """Return a table of means over the splits; print each split when it is done."""
    texts, labels = DATA[data]()
    y = np.array(labels)
    results: dict[str, list[Result]] = {name: [] for name in makers}
    for number, (train, test) in enumerate(splits(y, n_splits), 1):
        for name, make in makers.items():
            results[name].append(measure(make(), texts, y, train, test))
            print(f"{data}, split {number}: {_row(name, results[name][-1:])}", flush=True)
    head = f"| {data}: {len(texts):,} of {len(set(labels))} classes | accuracy | log-loss | fit, s | predict, s |"
    return [head, "|---|---|---|---|---|", *(_row(name, of_splits) for name, of_splits in results.items())]


def _row(name: str, results: Sequence[Result]) -> str:
    accuracy, log_loss, fit, predict = map(mean, zip(*results, strict=True))
    return f"| {name} | {100 * accuracy:.2f} | {log_loss:.3f} | {fit:.1f} | {predict:.2f} |"


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", choices=[*DATA, []])  # argparse wants [], where none is given, among them
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument("--only", nargs="+", metavar="CONTENDER")
    options = parser.parse_args(argv)
    for data in options.data or DATA:
        makers = contenders(data)
        if options.only:
            makers = {name: makers[name] for name in options.only}
        print("\n".join(compare(data, options.splits, makers)), flush=True)


if __name__ == "__main__":
    main()
