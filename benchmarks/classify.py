"""Which program tells labels best, and in what time? `python -m benchmarks.classify [surnames] [domains]`.

The texts are surnames of 18 countries, and ordinary domains among domains of eight generators
(`benchmarks.labeled_texts`: from Faker and wordfreq, the extra `labels`). Contenders: `TextClassifier` with counts
alone, with a network alone, and with both, its default; TF-IDF of character n-grams within words with a logistic
regression, whose n, C and case of letters are tuned; PyTorch's tutorial on names
(`benchmarks.peers.torch_char_classifier`); fastText with character n-grams, if it is installed. Printed are each of
five splits (stratified, four fifths to learn) and their means: the accuracy; the accuracy on texts that do not occur in
training ("unseen"); the log-loss, the mean of -log P of the correct label; of domains also the area under the curve for
"ordinary or not", by one minus the probability of "ordinary"; processor seconds of `fit` and of predicting. Networks
train for a fixed number of epochs, so other programs hardly change the figures. The seconds are of all threads, so
compare them on one: `OMP_NUM_THREADS=1 python -m benchmarks.classify`. Every contender has the same splits, and gets
the texts as they are. For `TextClassifier` with both models the last lines say whether it is worse than the better of
the two alone: the mean difference over the splits, paired, with its standard error.

The parameters of the baseline are those that `--tune` finds by a grid search, as users do: the most accurate ones in
three-fold cross-validation on the first split's texts to learn. It prints how long that takes, which the seconds of
`fit` do not include. `TextClassifier` is not tuned. `--seconds` adds `TextClassifier.recommended`, trained for so long.
`--splits 1` is a quick look, and `--only counts network both` names contenders. `--speed` prints how many distinct
texts counts label per second, and how long a single text takes.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import labeled_texts, peers
from crnn import CharNGram, CharRNN, TextClassifier
from crnn.text_classifier import COUNTS, SHORT_TEXTS

N_SPLITS = 5
N_TUNING_SPLITS = 3
GRID = [(n, C, lowercase) for n in (2, 3, 4, 5) for C in (1.0, 3.0, 10.0, 30.0, 100.0) for lowercase in (False,)]
TUNED = {"surnames": (3, 3.0, False), "domains": (4, 100.0, False)}  # by --tune
DATA: dict[str, Callable[[], labeled_texts.Texts]] = {
    "surnames": labeled_texts.surnames,
    "domains": labeled_texts.domains,
}
EPOCHS = {"surnames": None, "domains": 6}  # None: the default. Of more texts fewer epochs are enough.
ORDINARY = "ordinary"
COUNTS_ALONE, NETWORK_ALONE, BOTH = "counts", "network", "both"
Maker = Callable[[Sequence[str], NDArray[Any]], Any]


class Result(NamedTuple):
    """How well and how fast a contender did on one split; seconds of all threads."""

    accuracy: float
    unseen: float  # the accuracy on new texts
    log_loss: float
    auc: float | None
    fit_seconds: float
    predict_seconds: float


def baseline(n: int, C: float, lowercase: bool) -> Any:
    """Return TF-IDF of character n-grams of 1 to n characters with a logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, n), lowercase=lowercase)
    return make_pipeline(vectors, LogisticRegression(C=C, max_iter=1000))


def splits(y: NDArray[Any], n_splits: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the first of five splits: what to learn, and what to measure."""
    from sklearn.model_selection import StratifiedKFold

    found = StratifiedKFold(N_SPLITS, shuffle=True, random_state=0).split(np.zeros(len(y)), y)
    for _, (train, test) in zip(range(n_splits), found, strict=False):
        yield train, test


def measure(model: Any, texts: Sequence[str], y: NDArray[Any], train: Sequence[int], test: Sequence[int]) -> Result:
    """Fit a model to some texts and return how well it tells the others."""
    from sklearn.metrics import roc_auc_score

    start = time.process_time()
    model.fit([texts[i] for i in train], y[train])
    fitted = time.process_time()
    p = model.predict_proba([texts[i] for i in test])
    end = time.process_time()
    check(p, len(test), len(np.unique(y)))
    classes = np.asarray(model.classes_)
    auc = None
    if ORDINARY in classes:
        auc = float(roc_auc_score(y[test] != ORDINARY, 1 - p[:, list(classes).index(ORDINARY)]))
    right, learned = classes[p.argmax(axis=1)] == y[test], {texts[i] for i in train}
    unseen = np.array([texts[i] not in learned for i in test])
    places = {label: place for place, label in enumerate(classes.tolist())}
    of_labels = p[np.arange(len(test)), [places[label] for label in y[test].tolist()]]
    log_loss = float(-np.log(np.maximum(of_labels, 1e-15)).mean())
    accuracies = float(right.mean()), float(right[unseen].mean())
    return Result(*accuracies, log_loss, auc, fitted - start, end - fitted)


def check(p: NDArray[np.float64], n: int, n_classes: int) -> None:
    """Raise unless these are probabilities of classes."""
    assert p.shape == (n, n_classes)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-4)


def models(epochs: int | None) -> dict[str, Callable[[], Any]]:
    """Return functions that make the classifier's models: the default ones, but for the epochs if they are given."""
    given = SHORT_TEXTS | {"random_state": 0} | ({} if epochs is None else {"epochs": epochs})
    return {
        COUNTS_ALONE: lambda: CharNGram(**COUNTS),
        NETWORK_ALONE: lambda: CharRNN(**given),
        BOTH: lambda: [CharNGram(**COUNTS), CharRNN(**given)],
    }


def contenders(data: str, seconds: float | None = None) -> dict[str, Maker]:
    """Return a function for each contender that makes a model for the texts to learn."""
    found: dict[str, Maker] = {
        name: lambda X, y, make=make: TextClassifier(make()) for name, make in models(EPOCHS.get(data)).items()
    }
    if seconds is not None:
        found["recommended"] = lambda X, y: TextClassifier.recommended(X, y, seconds, random_state=0, verbose=0)
    found |= {
        "TF-IDF and logistic regression": lambda X, y: baseline(*TUNED[data]),
    }
    if peers.available("torch"):
        from benchmarks.peers.torch_char_classifier import TorchCharClassifier

        found["PyTorch's tutorial"] = lambda X, y: TorchCharClassifier()
    if importlib.util.find_spec("fasttext"):
        from benchmarks.peers.fasttext_classifier import FastTextClassifier

        found["fastText"] = lambda X, y: FastTextClassifier()
    return found


def compare(data: str, n_splits: int, makers: dict[str, Maker]) -> list[str]:
    """Return a table of means over the splits; print each split when it is done."""
    texts, labels = DATA[data]()
    y = np.array(labels)
    results: dict[str, list[Result]] = {name: [] for name in makers}
    for number, (train, test) in enumerate(splits(y, n_splits), 1):
        for name, make in makers.items():
            model = make([texts[i] for i in train], y[train])
            results[name].append(measure(model, texts, y, train, test))
            print(f"{data}, split {number}: {_row(name, results[name][-1:])}", flush=True)
    rows = [f"| {data}: {len(texts):,} of {len(set(labels))} classes | accuracy | unseen | log-loss | AUC | fit, s | "
            "predict, s |"]  # fmt: skip
    rows += ["|---|---|---|---|---|---|---|", *(_row(name, of_splits) for name, of_splits in results.items())]
    return rows + against_the_better(results)


def against_the_better(results: dict[str, list[Result]]) -> list[str]:
    """Return the differences between both models together and the better one alone, paired over the splits."""
    if not {COUNTS_ALONE, NETWORK_ALONE, BOTH} <= results.keys() or len(results[BOTH]) < 2:
        return []
    lines = []
    for key, sign in (("accuracy", 1), ("log_loss", -1)):
        means = {name: sign * mean(getattr(r, key) for r in results[name]) for name in (COUNTS_ALONE, NETWORK_ALONE)}
        better = max(means, key=means.__getitem__)
        pairs = zip(results[BOTH], results[better], strict=True)
        apart = [getattr(both, key) - getattr(alone, key) for both, alone in pairs]
        error = stdev(apart) / len(apart) ** 0.5
        lines.append(f"both minus {better}, {key}: {mean(apart):+.4f}, standard error {error:.4f}")
    return lines


def _row(name: str, results: Sequence[Result]) -> str:
    accuracy, unseen, log_loss, fit, predict = (
        mean(getattr(r, key) for r in results)
        for key in ("accuracy", "unseen", "log_loss", "fit_seconds", "predict_seconds")
    )
    aucs = [r.auc for r in results if r.auc is not None]
    auc = f"{100 * mean(aucs):.2f}" if aucs else "–"
    accuracies = f"{100 * accuracy:.2f} | {100 * unseen:.2f}"
    return f"| {name} | {accuracies} | {log_loss:.3f} | {auc} | {fit:.1f} | {predict:.2f} |"


def tune(data: str, grid: Sequence[tuple[int, float, bool]] = tuple(GRID)) -> tuple[tuple[int, float, bool], float]:
    """Return the parameters of the baseline that cross-validation finds best, and the processor seconds it takes."""
    from sklearn.model_selection import StratifiedKFold

    texts, labels = DATA[data]()
    y = np.array(labels)
    train, _ = next(splits(y, 1))
    folds = list(StratifiedKFold(N_TUNING_SPLITS, shuffle=True, random_state=0).split(train, y[train]))
    best, chosen, start = -1.0, grid[0], time.process_time()
    for parameters in grid:
        found = [measure(baseline(*parameters), texts, y, train[inner], train[outer]) for inner, outer in folds]
        accuracy, seconds = mean(r.accuracy for r in found), sum(r.fit_seconds for r in found)
        print(f"{data}: n, C, lowercase {parameters}: {100 * accuracy:.2f} in {seconds:.0f} s", flush=True)
        if accuracy > best:
            best, chosen = accuracy, parameters
    return chosen, time.process_time() - start


def speed(data: str, repeats: int = 5) -> Iterator[str]:
    """Yield a table of the speed of counts: the best of some repeats, in processor time of all threads."""
    texts, labels = DATA[data]()
    distinct = [*dict.fromkeys(texts)]
    head = f"{data}: {len(distinct):,} distinct texts, {len(set(labels))} classes"
    yield f"| {head} | texts per second | µs for one text |"
    yield "|---|---|---|"
    for directions in ("forward", "both"):
        model, seconds = TextClassifier(CharNGram(**COUNTS), directions=directions).fit(texts, labels), list[float]()
        for _ in range(repeats):
            start = time.process_time()
            together = model.predict_proba(distinct)
            middle = time.process_time()
            alone = [model.predict_proba([text]) for text in distinct[:2000]]
            seconds += [middle - start, (time.process_time() - middle) / len(alone)]
        np.testing.assert_array_equal(together[: len(alone)], np.concatenate(alone))
        yield (f"| counts, {directions} | {len(distinct) / min(seconds[::2]):,.0f} | {1e6 * min(seconds[1::2]):.0f} |")


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", choices=[*DATA, []])  # argparse wants [], where none is given, among them
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", nargs="+", metavar="CONTENDER")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args(argv)
    for data in options.data or DATA:
        if options.tune:
            chosen, seconds = tune(data)
            print(f"{data}: {chosen}, found in {seconds:.0f} s")
        elif options.speed:
            print("\n".join(speed(data)), flush=True)
        else:
            makers = contenders(data, options.seconds)
            if options.only:
                makers = {name: makers[name] for name in options.only}
            print("\n".join(compare(data, options.splits, makers)), flush=True)


if __name__ == "__main__":
    main()
