"""Which damaged cells of a table are found? `python -m benchmarks.dirty_tables`.

A table of 8 columns (name, e-mail, city, ID, amount, phone number, status, birth date) is made with Faker for each of
the locales and seeds. Three in a hundred values are missing, and some names and cities are in capitals or small
letters, which is no error. 600 cells are damaged in one of eight ways: a letter transposed, replaced, missing, doubled;
cut; a stray character; test data; a value of another column. Damage that only changes which digits a code has is no
damage.

Each row flags as many cells as are damaged, so precision and recall are the same: 75 in each column for the peers,
which have no score that can be compared between columns, and 600 in the table for `dirty_cells`. In the second table,
the errors are in some columns only (0 to 75), which the peers are told.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from benchmarks.pages import print_tables
from crnn import AnomalyDetector, dirty_cells
from crnn.detection.cells import collapsed_shape, has_codes

LOCALES = ("en_US", "de_DE", "fr_FR", "it_IT")
STATES = ("active", "inactive", "pending review", "closed", "on hold")
STRAY = ("\N{LATIN CAPITAL LETTER A WITH TILDE}\N{COPYRIGHT SIGN}", "?", "\N{REPLACEMENT CHARACTER}", "  ", " ", ";")
TEST_DATA = ("Test", "asdf", "xxx", "TBD", "unknown", "-", "123", "tset tset")
CODES = ("id", "amount", "phone", "birth")
UNEVEN = (0, 0, 5, 20, 40, 60, 75, 75)
N_ERRORS = 75

Scores = NDArray[np.float64]
Values = list[str | None]


class DirtyTable(NamedTuple):
    """A table, and the rows of the damaged cells of each column."""

    columns: dict[str, Values]
    damaged: dict[str, set[int]]

    @property
    def n_damaged(self) -> int:
        """The number of damaged cells."""
        return sum(map(len, self.damaged.values()))

    @property
    def n_cells(self) -> int:
        """The number of cells that have a value."""
        return sum(value is not None for values in self.columns.values() for value in values)


def customers(n: int, locale: str, seed: int) -> dict[str, Values]:
    """Return a table without errors."""
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(seed)
    rng = random.Random(seed)

    def in_any_case(text: str) -> str:
        if rng.random() < 0.05:
            return text.upper()
        return text.lower() if rng.random() < 0.03 else text

    def or_missing(text: str) -> str | None:
        return None if rng.random() < 0.03 else text

    return {
        "name": [in_any_case(fake.name()) for _ in range(n)],
        "email": [or_missing(fake.email()) for _ in range(n)],
        "city": [in_any_case(fake.city()) for _ in range(n)],
        "id": [fake.bothify("??-####-##", letters="ABCDEFGHJKL") for _ in range(n)],
        "amount": [f"{rng.lognormvariate(5, 2):,.2f}" for _ in range(n)],
        "phone": [or_missing(fake.phone_number()) for _ in range(n)],
        "status": list(rng.choices(STATES, weights=[50, 20, 15, 10, 5], k=n)),
        "birth": [fake.date_of_birth().isoformat() for _ in range(n)],
    }


def damage(old: str, other: str, rng: random.Random) -> str:
    """Return a value damaged in one of eight ways.

    Examples
    --------
    >>> damage("Millville", "asdf", random.Random(3))
    'Mil lville'
    """
    i = rng.randrange(max(1, len(old) - 1))
    return (
        old[:i] + old[i + 1 : i + 2] + old[i] + old[i + 2 :],  # transposed
        old[:i] + rng.choice("abcdefghijklmnopqrstuvwxyz") + old[i + 1 :],
        old[:i] + old[i + 1 :],  # missing
        old[:i] + old[i] + old[i:],  # doubled
        old[: max(1, len(old) // 2)],  # cut
        old[:i] + rng.choice(STRAY) + old[i:],
        rng.choice(TEST_DATA),
        other,
    )[rng.randrange(8)]


def is_visible(column: str, old: str, new: str) -> bool:
    """Return whether damage can be seen: in a code, it is not seen which digits there are."""
    if new == old:
        return False
    if column not in CODES:
        return True
    if column == "amount" and re.fullmatch(r"[\d,]+\.\d\d", new):
        return False
    return re.sub(r"\d", "0", new) != re.sub(r"\d", "0", old)


def dirty_table(n: int, locale: str, seed: int, n_errors: dict[str, int]) -> DirtyTable:
    """Return a table with so many errors in each column."""
    columns = customers(n, locale, seed)
    rng = random.Random(seed)
    damaged = dict[str, set[int]]()
    for column, values in columns.items():
        rows = set[int]()
        others = [name for name in columns if name != column]
        while len(rows) < n_errors[column]:
            row = rng.randrange(n)
            old = values[row]
            other = columns[rng.choice(others)][row]
            if row in rows or old is None or other is None:
                continue
            new = damage(old, other, rng)
            if is_visible(column, old, new):
                values[row] = new
                rows.add(row)
        damaged[column] = rows
    return DirtyTable(columns, damaged)


def uneven_table(n: int, locale: str, seed: int) -> DirtyTable:
    """Return a table that has errors in some columns only."""
    names = list(customers(1, locale, seed))
    counts = random.Random(seed).sample(UNEVEN, len(UNEVEN))
    return dirty_table(n, locale, seed, dict(zip(names, counts, strict=True)))


def even_table(n: int, locale: str, seed: int) -> DirtyTable:
    """Return a table that has as many errors in each column."""
    return dirty_table(n, locale, seed, dict.fromkeys(customers(1, locale, seed), N_ERRORS))


# ---------------------------------------------------------------------- ways to find errors


def by_shapes(texts: list[str]) -> Scores:
    """Score by how many values have the same collapsed shape."""
    shapes = [collapsed_shape(text) for text in texts]
    n_of_shape = Counter(shapes)
    return np.array([n_of_shape[shape] for shape in shapes], np.float64)


def by_values(texts: list[str]) -> Scores:
    """Score by how often a value occurs."""
    n_of_value = Counter(texts)
    return np.array([n_of_value[text] for text in texts], np.float64)


def by_detector(texts: list[str]) -> Scores:
    """Score by a detector in place; digits are masked in codes."""
    codes = has_codes(Counter(texts))
    detector = AnomalyDetector(contamination=0.01, mask=[("[0-9]", "0")] if codes else None, random_state=0)
    detector.fit_predict(texts)
    return detector.outlier_scores_


def by_svm(texts: list[str]) -> Scores:
    """Score by a linear one-class SVM of groups of one to three characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDOneClassSVM

    codes = has_codes(Counter(texts))
    read = [re.sub(r"\d", "0", text) for text in texts] if codes else texts
    features: Any = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False)
    matrix = features.fit_transform(read)
    return np.asarray(SGDOneClassSVM(nu=0.01, random_state=0).fit(matrix).decision_function(matrix))


PEERS: dict[str, Callable[[list[str]], Scores]] = {
    "rarest collapsed shapes": by_shapes,
    "rarest values": by_values,
    "a detector for each column": by_detector,
    "one-class SVM for each column": by_svm,
}


def found_by_column(table: DirtyTable, score: Callable[[list[str]], Scores]) -> int:
    """Return how many errors are found if as many cells of each column are flagged as are damaged."""
    n_found = 0
    for column, values in table.columns.items():
        if not table.damaged[column]:
            continue
        rows = [row for row, value in enumerate(values) if value is not None]
        scores = score([values[row] or "" for row in rows])
        flagged = np.argsort(scores, kind="stable")[: len(table.damaged[column])]
        n_found += sum(rows[i] in table.damaged[column] for i in flagged.tolist())
    return n_found


def found_in_table(table: DirtyTable) -> int:
    """Return how many errors `dirty_cells` finds if as many cells are flagged as are damaged."""
    share = (table.n_damaged - 0.5) / table.n_cells
    cells = dirty_cells(table.columns, share, random_state=0)
    assert len(cells) == table.n_damaged
    return sum(cell.row in table.damaged[cell.column] for cell in cells)


def rows(n: int, seeds: list[int], make: Callable[[int, str, int], DirtyTable]) -> Iterator[str]:
    """Yield the share of errors found by each way, the mean over the seeds, for each locale."""
    tables = {locale: [make(n, locale, seed) for seed in seeds] for locale in LOCALES}
    n_damaged = tables[LOCALES[0]][0].n_damaged
    yield (
        f"| {n_damaged} of {8 * n:,} cells damaged, {len(seeds)} tables each | "
        + " | ".join(LOCALES)
        + " | µs a cell |"
    )
    yield "|---" * (len(LOCALES) + 2) + "|"
    ways: dict[str, Callable[[DirtyTable], int]] = {"**dirty_cells**": found_in_table}
    for name, score in PEERS.items():
        ways[name] = lambda table, score=score: found_by_column(table, score)
    for name, count in ways.items():
        start = time.process_time()
        found = {locale: sum(map(count, of_locale)) for locale, of_locale in tables.items()}
        seconds = time.process_time() - start
        n_cells = sum(table.n_cells for of_locale in tables.values() for table in of_locale)
        shares = [found[locale] / sum(table.n_damaged for table in tables[locale]) for locale in LOCALES]
        shown = " | ".join(f"{share:.2f}" for share in shares)
        yield f"| {name} | {shown} | {1e6 * seconds / n_cells:.0f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=15_000, help="of each table")
    parser.add_argument("--seeds", type=int, default=3, help="the number of tables of each locale")
    options = parser.parse_args()
    print("\n".join(machine()), flush=True)
    seeds = [*range(100, 100 + options.seeds)]
    print_tables([rows(options.rows, seeds, even_table), rows(options.rows, seeds, uneven_table)])


if __name__ == "__main__":
    main()
