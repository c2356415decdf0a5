"""Which anomalies does each score find? `python -m benchmarks.anomalies`.

Log lines: a detector and its peers learn ``--megabytes`` of clean lines (`benchmarks.log_lines`), whose numbers are
masked. The recall is at a false-positive rate of 0.1 %: for ``AnomalyDetector()`` at the threshold that `fit` has set,
else at the threshold of 200,000 further clean lines. The last column is the false-positive rate at that threshold on
200,000 other clean lines. Then the same for domain names (`benchmarks.domain_names`) of several lengths, as AUC by
kind and recall, with a network trained for ``--network SECONDS``. ``--log-network SECONDS`` adds a network to the table
of log lines, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import domain_names, log_lines
from benchmarks.anomaly_peers import RarestPair, TfIdf
from benchmarks.log_lines import masked, mixed_lines, usual_lines
from benchmarks.report import machine
from crnn import AnomalyDetector, CharRNN
from crnn.inference.string_scores import Reduce

RATE = 0.001
BYTES_A_LINE = 118
REDUCTIONS: tuple[Reduce, ...] = ("min", "sum", "mean", "scaled")

Scores = NDArray[np.float64]
Score = Callable[[list[str]], Scores]


class Mixed(NamedTuple):
    """Texts of known kinds; "" are clean ones."""

    texts: list[str]
    kinds: NDArray[np.str_]


class Row(NamedTuple):
    """A way to score, fitted."""

    name: str
    seconds: float  # to fit it
    score: Score
    offset: float | None = None  # its own threshold


def auc(clean: Scores, odd: Scores) -> float:
    """Return the probability that a clean text has a higher score than an anomaly; equal scores count half.

    Examples
    --------
    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    ordered = np.sort(clean)
    below, upto = (np.searchsorted(ordered, odd, side=side) for side in ("left", "right"))
    return float(1 - (below + upto).mean() / 2 / len(ordered))


def once(score: Score, texts: list[str]) -> Scores:
    """Return the scores of texts, each different one scored once."""
    different, places = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return score(different.tolist())[places]


def fitted(name: str, fit: Callable[[], Score]) -> Row:
    """Time a fit."""
    start = time.perf_counter()
    score = fit()
    return Row(name, time.perf_counter() - start, score)


def detector_rows(texts: list[str], rate: float = RATE) -> Iterator[Row]:
    """Yield a detector with its own threshold, and the other reductions of the same model."""
    start = time.perf_counter()
    detector = AnomalyDetector(contamination=rate, random_state=0).fit(texts)
    seconds = time.perf_counter() - start
    yield Row(f"**AnomalyDetector()**, {detector.reduce_}", seconds, detector.score_samples, detector.offset_)
    for reduce in REDUCTIONS:
        if reduce == detector.reduce_:
            continue
        yield Row(f"the same model, {reduce}", seconds, partial(detector.estimator_.score_samples, reduce=reduce))


def network_rows(texts: list[str], seconds: float) -> Iterator[Row]:
    """Yield a network trained for some seconds, with each reduction."""
    start = time.perf_counter()
    model = CharRNN.recommended(texts, seconds, fit=True, min_count=2, random_state=0, verbose=0)
    taken = time.perf_counter() - start
    for reduce in REDUCTIONS:
        name = f"{model.cell_} of {model.hidden_size} units, {reduce}"
        yield Row(name, taken, partial(model.score_samples, reduce=reduce))


# ----------------------------------------------------------------------- logs


def logs(n_lines: int, n_test: int, n_of_each: int, network: float) -> Iterator[str]:
    """Yield the table of log lines."""
    train = [masked(line) for line in islice(usual_lines(0), n_lines)]
    clean = [masked(line) for line in islice(usual_lines(2), n_test)]
    mixed = mixed_lines(n_test, n_of_each, 1)
    tested = Mixed([masked(line.text) for line in mixed], np.array([line.kind for line in mixed]))
    yield f"{n_lines:,} lines, {sum(map(len, train)) / 1e6:.0f} MB once masked; anomalies: {n_of_each} of each kind"
    yield ""
    yield "| score | s to fit | µs a line | AUC | recall | " + " | ".join(log_lines.KINDS) + " | false positives |"
    yield "|---" * (len(log_lines.KINDS) + 6) + "|"
    for row in log_rows(train, network):
        yield log_line(row, clean, tested)


def log_rows(train: list[str], network: float) -> Iterator[Row]:
    """Yield the ways to score log lines."""
    yield from detector_rows(train)
    if network:
        yield from network_rows(train, network)
    yield fitted("rarest pair of tokens", lambda: RarestPair().fit(train).score)
    yield fitted("TF-IDF + SGDOneClassSVM", lambda: TfIdf("linear").fit(train).score)


def log_line(row: Row, clean: list[str], tested: Mixed) -> str:
    """Return the line of a table for one way to score."""
    start = time.perf_counter()
    scores = once(row.score, tested.texts)
    cost = 1e6 * (time.perf_counter() - start) / len(scores)
    offset = row.offset
    if offset is None:
        ordered = np.sort(once(row.score, clean))
        offset = float(ordered[int(RATE * (len(ordered) + 1)) - 1])
    odd, found = tested.kinds != "", scores < offset
    recalls = [found[tested.kinds == kind].mean() for kind in log_lines.KINDS]
    shown = " | ".join(f"{recall:.2f}" for recall in recalls)
    return (
        f"| {row.name} | {row.seconds:.0f} | {cost:.1f} | {auc(scores[~odd], scores[odd]):.4f} | "
        f"{found[odd].mean():.3f} | {shown} | {100 * found[~odd].mean():.3f} % |"
    )


# ---------------------------------------------------------------------- names


def name_rows(train: list[str], network: float) -> Iterator[Row]:
    """Yield the ways to score names."""
    yield from detector_rows(train, 0.01)
    if network:
        yield from network_rows(train, network)
    yield fitted("TF-IDF + SGDOneClassSVM", lambda: TfIdf("linear", of_characters=True).fit(train).score)
    kernel = TfIdf("kernel", of_characters=True, max_texts=5000)
    yield fitted("TF-IDF + OneClassSVM, 5,000 names", lambda: kernel.fit(train).score)


def domains(n: int, n_of_each: int, network: float, n_words: tuple[int, ...] | None = None) -> Iterator[str]:
    """Yield a table of AUC by kind and recall at 1 % false positives, for names of these numbers of words.

    No name tested is learned.
    """
    train = [*islice(domain_names.ordinary_names(0, n_words), n)]
    known = set(train)
    clean = [*islice((name for name in domain_names.ordinary_names(1, n_words) if name not in known), n // 5)]
    odd = {kind: [*islice(domain_names.odd_names(kind, 0, n_words), n_of_each)] for kind in domain_names.KINDS}
    length = np.mean([*map(len, train)])
    yield f"{n:,} names of {length:.0f} characters to fit, {len(clean):,} clean ones and {n_of_each:,} of each kind"
    yield ""
    yield "| score | s to fit | " + " | ".join(odd) + " | all | recall |"
    yield "|---" * (len(odd) + 4) + "|"
    for row in name_rows(train, network):
        scores = row.score(clean)
        found = {kind: row.score(texts) for kind, texts in odd.items()}
        together = np.concatenate([*found.values()])
        aucs = " | ".join(f"{auc(scores, of_kind):.3f}" for of_kind in [*found.values(), together])
        recall = (together < np.quantile(scores, 0.01)).mean()
        yield f"| {row.name} | {row.seconds:.1f} | {aucs} | {recall:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=120.0, help="of log lines to learn; 0: no table of them")
    parser.add_argument("--domains", type=int, default=50_000, help="names to learn; 0: no table of them")
    parser.add_argument("--network", type=float, default=10.0, metavar="SECONDS", help="for names; 0: none")
    parser.add_argument("--log-network", type=float, default=0.0, metavar="SECONDS", help="for log lines")
    options = parser.parse_args()
    print("\n".join(machine()), flush=True)
    n_lines, tables = int(options.megabytes * 1e6 / BYTES_A_LINE), list[Iterator[str]]()
    if n_lines:
        tables.append(logs(n_lines, 200_000, 1000, options.log_network))
    if options.domains:
        for n_words in (None, (1,), (2,), (4, 5)):
            tables.append(domains(options.domains, 2000, options.network, n_words))
    for table in tables:
        print(flush=True)
        for line in table:
            print(line, flush=True)


if __name__ == "__main__":
    main()
