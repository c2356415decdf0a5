"""Anomalies in real logs: `python -m benchmarks.real_logs FOLDER`.

FOLDER has the samples BGL, OpenSSH and Hadoop of LogHub, 2,000 lines each: `git clone --depth 1
https://github.com/logpai/loghub FOLDER`. Digits are masked. BGL has labels: 900 random normal lines are learned, the
other 1,100 lines judged, in three splits. In the other two, an anomaly is a line with an event id that occurs at most
20 times and is not learned, half of these ids at random, in three splits, too. All rows see the same lines.

Below, BGL in order of time: the first 900 normal lines are learned, and `predict` warns that the rest is not like them.

The last table has the anomalies in place: all 2,000 lines of a log are judged by each other. In OpenSSH and Hadoop, an
anomaly is then a line with an event id that occurs at most 20 times.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomalies import RarestPair, Scores, auc
from benchmarks.machine import machine
from benchmarks.pages import print_tables
from crnn import AnomalyDetector

VARIABLE = "CRNN_LOGHUB"  # the folder, for the test
FIELDS = {
    "BGL": ("Type", "Component", "Level", "Content"),
    "OpenSSH": ("Content",),
    "Hadoop": ("Level", "Component", "Content"),
}
N_LEARNED = 900
N_SPLITS = 3
RARE = 20
HOW = "git clone --depth 1 https://github.com/logpai/loghub FOLDER, then name FOLDER"

Fit = Callable[[list[str]], Callable[[list[str]], Scores]]


class Log(NamedTuple):
    """The lines of a log."""

    texts: list[str]
    events: list[str]
    is_odd: NDArray[np.bool_] | None  # None without labels


class Split(NamedTuple):
    """Lines to learn, and lines to judge."""

    learned: list[str]
    judged: list[str]
    is_odd: NDArray[np.bool_]


def read_log(folder: Path, name: str) -> Log:
    """Read a log, with masked digits."""
    path = folder / name / f"{name}_2k.log_structured.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. Get it with: {HOW}.")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [re.sub("[0-9]+", "0", " ".join(row[field] for field in FIELDS[name])) for row in rows]
    is_odd = np.array([row["Label"] != "-" for row in rows]) if name == "BGL" else None
    return Log(texts, [row["EventId"] for row in rows], is_odd)


def split(log: Log, seed: int) -> Split:
    """Return the lines of a split."""
    rng = np.random.default_rng(seed)
    is_odd = log.is_odd
    if is_odd is None:
        often = Counter(log.events)
        rare = sorted(event for event in often if often[event] <= RARE)
        unseen = set(rng.permutation(rare)[: len(rare) // 2].tolist())
        is_odd = np.array([event in unseen for event in log.events])
    normal = rng.permutation(np.flatnonzero(~is_odd))
    judged = np.concatenate([normal[N_LEARNED:], np.flatnonzero(is_odd)])
    return Split(
        [log.texts[i] for i in normal[:N_LEARNED].tolist()], [log.texts[i] for i in judged.tolist()], is_odd[judged]
    )


def detector(learned: list[str], **options: Any) -> Callable[[list[str]], Scores]:
    """Return the scores of a detector with its default model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AnomalyDetector(random_state=0, **options).fit(learned).score_samples


def svm(learned: list[str]) -> Callable[[list[str]], Scores]:
    """Return the scores of a one-class SVM on TF-IDF of two to four characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import OneClassSVM

    features: Any = TfidfVectorizer(analyzer="char", ngram_range=(2, 4))
    model = OneClassSVM(nu=0.01).fit(features.fit_transform(learned))
    return lambda texts: np.asarray(model.decision_function(features.transform(texts)))


def forest(learned: list[str]) -> Callable[[list[str]], Scores]:
    """Return the scores of an isolation forest on TF-IDF of two to four characters."""
    from sklearn.ensemble import IsolationForest
    from sklearn.feature_extraction.text import TfidfVectorizer

    features: Any = TfidfVectorizer(analyzer="char", ngram_range=(2, 4))
    model = IsolationForest(random_state=0).fit(features.fit_transform(learned))
    return lambda texts: np.asarray(model.decision_function(features.transform(texts)))


def drain(learned: list[str]) -> Callable[[list[str]], Scores]:
    """Return how many learned lines have the template of a line by drain3, 0 for none."""
    from drain3 import TemplateMiner

    miner = TemplateMiner()
    for line in learned:
        miner.add_log_message(line)

    def score(texts: list[str]) -> Scores:
        matches = [miner.match(text) for text in texts]
        return np.array([0 if cluster is None else cluster.size for cluster in matches], float)

    return score


def rarest_pair(learned: list[str]) -> Callable[[list[str]], Scores]:
    """Return the count of a line's rarest pair of tokens."""
    return RarestPair().fit(learned).score


ROWS: dict[str, Fit] = {
    "**`AnomalyDetector()`**": detector,
    '`reduce="min"`': partial(detector, reduce="min"),
    '`reduce="mean"`': partial(detector, reduce="mean"),
    "one-class SVM": svm,
    "isolation forest": forest,
    "drain3": drain,
    "rarest pair of tokens": rarest_pair,
}


def recall(scores: Scores, is_odd: NDArray[np.bool_], rate: float) -> float:
    """Return the share of anomalies below the threshold at which this share of normal lines is flagged."""
    normal = np.sort(scores[~is_odd])
    return float((scores[is_odd] < normal[int(rate * (len(normal) + 1))]).mean())


def numbers(fit: Fit, log: Log) -> NDArray[np.float64]:
    """Return AUC and the recall at 1 % and 5 % false alarms, means over the splits."""
    found = []
    for seed in range(N_SPLITS):
        lines = split(log, seed)
        scores = fit(lines.learned)(lines.judged)
        is_odd = lines.is_odd
        area = auc(scores[~is_odd], scores[is_odd])
        found.append([area, recall(scores, is_odd, 0.01), recall(scores, is_odd, 0.05)])
    return np.mean(found, axis=0)


def table(folder: Path) -> Iterator[str]:
    """Yield the table."""
    logs = {name: read_log(folder, name) for name in FIELDS}
    yield "| AUC, recall at 1 % and 5 % false alarms | " + " | ".join(logs) + " |"
    yield "|---" * (len(logs) + 1) + "|"
    for name, fit in ROWS.items():
        try:
            cells = [numbers(fit, log) for log in logs.values()]
        except ImportError as error:
            yield f"| {name}: {error} |" + " |" * len(logs)
            continue
        yield f"| {name} | " + " | ".join("{:.3f}, {:.2f}, {:.2f}".format(*cell) for cell in cells) + " |"


# -------------------------------------------------------------------- in place


def in_place(texts: list[str], **options: Any) -> Scores:
    """Return the scores of lines by the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = AnomalyDetector(contamination=0.05, random_state=0, **options)
        fitted.fit_predict(texts)
    return fitted.outlier_scores_


def by_frequency(texts: list[str]) -> Scores:
    """Return how often each line occurs."""
    n_of_line = Counter(texts)
    return np.array([n_of_line[text] for text in texts], np.float64)


def by_template(texts: list[str]) -> Scores:
    """Return how many lines have a line's template by drain3."""
    return drain(texts)(texts)


IN_PLACE: dict[str, Callable[[list[str]], Scores]] = {
    "**`fit_predict`**": in_place,
    "`unique=True`": partial(in_place, unique=True),
    '`reduce="mean"`': partial(in_place, reduce="mean"),
    '`reduce="mean", unique=True`': partial(in_place, reduce="mean", unique=True),
    "rarest lines": by_frequency,
    "rarest templates of drain3": by_template,
}


def rare_events(log: Log) -> NDArray[np.bool_]:
    """Return which lines are anomalies: by the log's labels, or those with a rare event id."""
    if log.is_odd is not None:
        return log.is_odd
    n_of_event = Counter(log.events)
    return np.array([n_of_event[event] <= RARE for event in log.events])


def recall_of_lowest(scores: Scores, is_odd: NDArray[np.bool_], n: int) -> float:
    """Return the share of anomalies among the n lowest scores; lines with equal scores count with their share."""
    limit = np.sort(scores)[n - 1]
    below = scores < limit
    equal = scores == limit
    share = (n - below.sum()) / equal.sum()
    return float((is_odd[below].sum() + share * is_odd[equal].sum()) / is_odd.sum())


def table_in_place(folder: Path) -> Iterator[str]:
    """Yield the recall of each way if as many lines are flagged as are anomalies, and if twice as many are."""
    logs = {name: read_log(folder, name) for name in FIELDS}
    odd = {name: rare_events(log) for name, log in logs.items()}
    heads = []
    for name, log in logs.items():
        n_different = len({text for text, is_odd in zip(log.texts, odd[name], strict=True) if is_odd})
        heads.append(f"{name}: {odd[name].sum()} anomalies, {n_different} different")
    yield "| recall in place, flags as many, twice as many | " + " | ".join(heads) + " |"
    yield "|---" * (len(logs) + 1) + "|"
    for way, score in IN_PLACE.items():
        cells = []
        for name, log in logs.items():
            scores = score(log.texts)
            n = int(odd[name].sum())
            cells.append(", ".join(f"{recall_of_lowest(scores, odd[name], times * n):.2f}" for times in (1, 2)))
        yield f"| {way} | " + " | ".join(cells) + " |"


def in_order_of_time(log: Log) -> list[str]:
    """Return the warnings of `predict` for BGL's later lines, by a detector of its first normal ones."""
    assert log.is_odd is not None
    normal = np.flatnonzero(~log.is_odd)[:N_LEARNED].tolist()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = AnomalyDetector(random_state=0).fit([log.texts[i] for i in normal])
        caught.clear()
        fitted.predict(log.texts[normal[-1] + 1 :])
    return [str(warning.message) for warning in caught]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get(VARIABLE), help=f"default: ${VARIABLE}")
    folder = parser.parse_args().folder
    if folder is None:
        parser.error(f"name the folder of LogHub. Get it with: {HOW}")
    print("\n".join(machine()), flush=True)
    print_tables([table(Path(folder))])
    print("\nBGL in order of time:", *in_order_of_time(read_log(Path(folder), "BGL")), sep="\n")
    print_tables([table_in_place(Path(folder))])


if __name__ == "__main__":
    main()
