"""Which anomalies does each score find? `python -m benchmarks.anomalies`.

Log lines: a detector and its peers learn ``--megabytes`` of clean lines (`benchmarks.log_lines`), whose numbers are
masked. The recall is at a false-positive rate of 0.1 %: for ``AnomalyDetector()`` at the threshold that `fit` has set,
else at the threshold of 200,000 further clean lines. The last column is the false-positive rate at that threshold on
200,000 other clean lines. Then the same for domain names (`benchmarks.domain_names`) of several lengths, as AUC by
kind and recall, with a network trained for ``--network SECONDS``. ``--log-network SECONDS`` adds a network to the table
of log lines, too.

``--in-place`` has the anomalies among the texts to fit: 1,000 log lines among 100,000, and 250 dirty cells in a table
of 20,000 customers (made with Faker), one detector for each column.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import domain_names, log_lines
from benchmarks.log_lines import masked, mixed_lines, usual_lines
from benchmarks.machine import machine
from benchmarks.pages import print_tables
from benchmarks.timing import least_time
from crnn import AnomalyDetector, CharNGram, CharRNN
from crnn.scoring.reductions import Reduce

RATE = 0.001
TOKEN = re.compile(r"\w+|[^\w\s]")
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
    seconds, score = least_time(fit)
    return Row(name, seconds, score)


def detector_rows(texts: list[str], rate: float = RATE) -> Iterator[Row]:
    """Yield a detector with its own threshold, and the other reductions of the same model."""
    seconds, detector = least_time(lambda: AnomalyDetector(contamination=rate, random_state=0).fit(texts))
    yield Row(f"**AnomalyDetector()**, {detector.reduce_}", seconds, detector.score_samples, detector.offset_)
    for reduce in REDUCTIONS:
        if reduce == detector.reduce_:
            continue
        yield Row(f"the same model, {reduce}", seconds, partial(detector.estimator_.score_samples, reduce=reduce))


def network_rows(texts: list[str], seconds: float) -> Iterator[Row]:
    """Yield a network trained for some seconds, with each reduction."""
    options = {"min_count": 2, "random_state": 0, "verbose": 0}
    taken, model = least_time(lambda: CharRNN.recommended(texts, seconds, **options).fit(texts))
    for reduce in REDUCTIONS:
        name = f"{model.cell_} of {model.hidden_size} units, {reduce}"
        yield Row(name, taken, partial(model.score_samples, reduce=reduce))


# ---------------------------------------------------------------------- peers


class RarestPair:
    """The count of a text's rarest pair of neighboring tokens, its start and its end among them.

    Parameters
    ----------
    rare : float, default=0.0005
        Tokens that occur less often per text, such as random keys, count as one and the same token.

    Examples
    --------
    >>> RarestPair(rare=0.5).fit(["to be", "to be", "or not"]).score(["to be", "to not", "be"]).tolist()
    [2.0, 0.0, 0.0]
    """

    def __init__(self, rare: float = 0.0005) -> None:
        self._rare = rare

    def fit(self, texts: list[str]) -> RarestPair:
        """Count tokens, then pairs."""
        different, self._min_count = Counter(texts), self._rare * len(texts)
        self._tokens, self._pairs = Counter[str](), Counter[tuple[str, str]]()
        for text, n in different.items():
            for token in ["", *TOKEN.findall(text)]:
                self._tokens[token] += n
        for text, n in different.items():
            for pair in self._pairs_of(text):
                self._pairs[pair] += n
        return self

    def score(self, texts: list[str]) -> Scores:
        """Return the least count of each text."""
        return np.array([min(map(self._pairs.__getitem__, self._pairs_of(text))) for text in texts], np.float64)

    def _pairs_of(self, text: str) -> list[tuple[str, str]]:
        tokens = [token if self._tokens[token] >= self._min_count else "?" for token in TOKEN.findall(text)]
        return [*pairwise(["", *tokens, ""])]


class TfIdf:
    """TF-IDF of words, or of groups of up to three characters, and one of scikit-learn's detectors.

    Words as scikit-learn finds them and ``nu=0.01`` did best on log lines, compared with pairs of words, groups of
    characters, and values of `nu` from 0.001 to 0.5.

    Parameters
    ----------
    detector : "linear" or "kernel"
        SGDOneClassSVM, or OneClassSVM with a radial basis function.
    of_characters : bool, default=False
    max_texts : int, optional
        How many texts are learned.
    """

    def __init__(self, detector: str, *, of_characters: bool = False, max_texts: int | None = None) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import SGDOneClassSVM
        from sklearn.svm import OneClassSVM

        features: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (1, 3), "min_df": 2} if of_characters else {}
        self._features: Any = TfidfVectorizer(**features)
        detectors: dict[str, Any] = {
            "linear": SGDOneClassSVM(nu=0.01, random_state=0),
            "kernel": OneClassSVM(nu=0.01),
        }
        self._detector, self._max_texts = detectors[detector], max_texts

    def fit(self, texts: list[str]) -> TfIdf:
        """Learn texts, or those that come first in a random order."""
        if self._max_texts is not None:
            texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[: self._max_texts]]
        self._detector.fit(self._features.fit_transform(texts))
        return self

    def score(self, texts: list[str]) -> Scores:
        """Return the decision function."""
        return np.asarray(self._detector.decision_function(self._features.transform(texts)))


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
    seconds, scores = least_time(lambda: once(row.score, tested.texts))
    cost = 1e6 * seconds / len(scores)
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


# ------------------------------------------------------------------- in place

LOCALES = ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL")
IDS = ("postcode", "phone_number", "iban")  # only their shape is learned
COLUMNS = ("name", "street_address", "city", "email", *IDS)
TEST_DATA = ("Test Test", "test", "asdf", "xxx", "n/a", "12345")


def customers(n: int, seed: int = 0) -> dict[str, list[str]]:
    """Return the columns of a table of customers from seven countries."""
    from faker import Faker

    fakes = [Faker(locale) for locale in LOCALES]
    for i, fake in enumerate(fakes):
        fake.seed_instance(10 * seed + i)
    rng = random.Random(seed)
    rows = [[str(getattr(fake, column)()) for column in COLUMNS] for fake in rng.choices(fakes, k=n)]
    return {column: list(values) for column, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)}


def soil(table: dict[str, list[str]], n: int, seed: int = 0) -> set[tuple[str, int]]:
    """Damage n cells of a table, and return which."""
    rng, cells = random.Random(seed), set[tuple[str, int]]()
    while len(cells) < n:
        column, row = rng.choice(COLUMNS), rng.randrange(len(table["name"]))
        old, kind = table[column][row], rng.randrange(7)
        i = rng.randrange(len(old) - 1)
        other = table[rng.choice([name for name in COLUMNS if name != column])][row]
        new = (
            old[:i] + old[i + 1] + old[i] + old[i + 2 :],  # swapped
            old[:i] + rng.choice("qxzjwk" if old[i].isalpha() else "abcdef") + old[i + 1 :],  # typo
            old[: len(old) // 2],  # truncated
            old[:i] + old[i + 1 :],  # a character is missing
            old[:i] + rng.choice(["\N{LATIN CAPITAL LETTER A WITH TILDE}\N{POUND SIGN}", "?", "  "]) + old[i:],
            rng.choice(TEST_DATA),
            other,  # of another column
        )[kind]
        if new != old and (column, row) not in cells and not (column in IDS and shape(new) == shape(old)):
            table[column][row] = new
            cells.add((column, row))
    return cells


def shape(text: str) -> str:
    """Return a text with its digits masked."""
    return re.sub(r"\d", "0", text)


def tables(n: int, n_dirty: int, rate: float = 0.002) -> Iterator[str]:
    """Yield precision and recall by column, and of flagging the rarest shapes, letters masked as well."""
    table = customers(n)
    dirty = soil(table, n_dirty)
    yield f"| {n:,} customers, {n_dirty} dirty cells | seconds | found | flagged | precision | recall | rarest shapes |"
    yield "|---" * 7 + "|"
    total = np.zeros(4)
    for column, values in table.items():
        detector = AnomalyDetector(contamination=rate, random_state=0)
        if column in IDS:
            detector.set_params(estimator=CharNGram(order=30, min_count=2))
        texts = [*map(shape, values)] if column in IDS else values
        seconds, verdicts = least_time(partial(detector.fit_predict, texts), clock=time.process_time)
        flagged = verdicts == -1
        odd = np.array([(column, row) in dirty for row in range(n)])
        shapes = [re.sub(r"[^\W\d]", "a", shape(text)) for text in values]
        often = Counter(shapes)
        rarest = np.argsort([often[text] for text in shapes], kind="stable")[: round(rate * n)]
        numbers = np.array([(odd & flagged).sum(), flagged.sum(), odd.sum(), odd[rarest].sum()], float)
        total += numbers
        yield table_line(column, seconds, numbers)
    yield table_line("**all**", 0, total)


def table_line(name: str, seconds: float, numbers: NDArray[np.float64]) -> str:
    """Return a line of the table of columns."""
    found, flagged, odd, rare = numbers
    counts = f"{found:.0f} of {odd:.0f} | {flagged:.0f} | {found / max(flagged, 1):.2f} | {found / odd:.2f}"
    return f"| {name} | {seconds:.1f} | {counts} | {rare / odd:.2f} |"


def logs_in_place(n_lines: int, n_odd: int) -> Iterator[str]:
    """Yield the recall of anomalies among the lines to fit, and by a detector of the others."""
    clean = [masked(line) for line in islice(usual_lines(0), n_lines)]
    odd = [masked(line.text) for line in mixed_lines(1, n_odd // len(log_lines.KINDS), 1) if line.kind]
    yield "| flagged | recall in place | precision | recall by a detector of clean lines |"
    yield "|---" * 4 + "|"
    for times in (1, 2, 3):
        rate = times * len(odd) / (n_lines + len(odd))
        flagged = AnomalyDetector(contamination=rate, random_state=0).fit_predict([*clean, *odd]) == -1
        found = flagged[n_lines:]
        apart = AnomalyDetector(contamination=rate, random_state=0).fit(clean).decision_function(odd)
        precision = found.sum() / flagged.sum()
        yield f"| {rate:.2%} | {found.mean():.3f} | {precision:.2f} | {(apart < 0).mean():.3f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=120.0, help="of log lines to learn; 0: no table of them")
    parser.add_argument("--domains", type=int, default=50_000, help="names to learn; 0: no table of them")
    parser.add_argument("--network", type=float, default=10.0, metavar="SECONDS", help="for names; 0: none")
    parser.add_argument("--log-network", type=float, default=0.0, metavar="SECONDS", help="for log lines")
    parser.add_argument("--in-place", action="store_true", help="anomalies among the texts to fit, and nothing else")
    options = parser.parse_args()
    print("\n".join(machine()), flush=True)
    n_lines, found = int(options.megabytes * 1e6 / BYTES_A_LINE), list[Iterator[str]]()
    if options.in_place:
        n_lines = options.domains = 0
        found = [logs_in_place(100_000, 1000)]
        if find_spec("faker"):
            found.append(tables(20_000, 250))
        else:
            print("no table of customers: install the group `labels`, which has Faker")
    if n_lines:
        found.append(logs(n_lines, 200_000, 1000, options.log_network))
    if options.domains:
        for n_words in (None, (1,), (2,), (4, 5)):
            found.append(domains(options.domains, 2000, options.network, n_words))
    print_tables(found)


if __name__ == "__main__":
    main()
