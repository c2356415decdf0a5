"""Which damaged cells of a table are found? `python -m benchmarks.dirty_tables`.

A table of 8 columns (name, e-mail, city, ID, amount, phone number, status, birth date) is made with Faker for each of
the locales and seeds. Three in a hundred values are missing, and some names and cities are in capitals or small
letters, which is not an error. 600 cells are damaged in one of eight ways: a letter transposed, replaced, missing,
doubled; cut; a stray character; test data; a value of another column. Damage that only changes which digits a code has
is no damage.

Each row flags as many cells as are damaged, so precision and recall are the same: 75 in each column for the peers,
which have no score that can be compared between columns, and 600 in the table for `dirty_cells`. In the second table,
the errors are in some columns only (0 to 75), which the peers are told. The third has the share of errors that
`dirty_cells` finds in each column of the first.

`--raha FOLDER` judges real tables with known errors instead: hospital, beers and rayyan from the folder `datasets` of
https://github.com/BigDaMa/raha, each as dirty.csv and clean.csv. An error is a cell that differs between the two. All
ways but the rules flag as many cells as there are errors in the whole table. Missing values are no cells that
`dirty_cells` judges, but count as errors where the clean table has a value.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
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
FIRST = 50  # cells that a person looks at
RAHA = "https://github.com/BigDaMa/raha"

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


def column_rows(n: int, seeds: list[int]) -> Iterator[str]:
    """Yield for each column which share of its errors `dirty_cells` finds, and how many different values it has."""
    names = list(customers(1, LOCALES[0], 0))
    yield "| share found (different values) | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for locale in LOCALES:
        found = Counter[str]()
        n_damaged = Counter[str]()
        n_different = Counter[str]()
        for seed in seeds:
            table = even_table(n, locale, seed)
            share = (table.n_damaged - 0.5) / table.n_cells
            for cell in dirty_cells(table.columns, share, random_state=0):
                found[cell.column] += cell.row in table.damaged[cell.column]
            for name, values in table.columns.items():
                n_damaged[name] += len(table.damaged[name])
                n_different[name] += len(set(values))
        cells = [f"{found[name] / n_damaged[name]:.2f} ({n_different[name] // len(seeds):,})" for name in names]
        yield f"| {locale} | " + " | ".join(cells) + " |"


# ---------------------------------------------------------------------- real tables

# What a right value looks like, for a person who has looked at the columns for some minutes.
RULES: dict[str, dict[str, str]] = {
    "hospital": {
        "provider_number": r"\d{5}",
        "state": "al|ak",
        "zip": r"\d{5}",
        "phone": r"\d{10}",
        "type": "(acute care|critical access|childrens) hospitals",
        "owner": "(government - (federal|state|local|hospital district or authority)|proprietary"
        "|voluntary non-profit - (private|other|church))",
        "emergency_service": "yes|no",
        "condition": "surgical infection prevention|heart (attack|failure)|pneumonia|children s asthma care",
        "measure_code": "(ami|hf|pn|scip|cac)-[a-wyz0-9-]+",
        "score": r"\d{1,3}%|empty",
        "sample": r"\d+ patients|empty",
        "state_average": "(al|ak)_(ami|hf|pn|scip|cac)-[a-wyz0-9-]+",
    },
    "beers": {
        "ounces": r"\d+(\.\d+)?",
        "abv": r"(0\.\d+)?",
        "ibu": r"\d*",
        "city": r".*(?<! [A-Z]{2})",
        "state": "[A-Z]{2}",
    },
    "rayyan": {
        "article_title": "[ -~]*",
        "journal_title": "[ -~]*",
        "journal_issn": r"(\d{4}-\d{3}[\dX].*)?",
        "article_jvolumn": ".+",
        "article_jissue": ".+",
        "article_pagination": r"[^A-Z]*|[A-Z]?\d+-?[A-Z]?\d*",
        "author_list": "[ -~]*",
    },
}


class RealTable(NamedTuple):
    """A table, and the cells in which the clean one differs."""

    columns: dict[str, Values]  # None for missing values
    errors: set[tuple[str, int]]

    @property
    def n_judged(self) -> int:
        """The number of cells that have a value."""
        return sum(value is not None for values in self.columns.values() for value in values)


def read_raha(folder: Path) -> RealTable:
    """Read the files dirty.csv and clean.csv; white space at the ends of a value does not count."""
    tables = []
    for name in ("dirty.csv", "clean.csv"):
        with open(folder / name, encoding="utf-8", newline="") as file:
            tables.append([[value.strip() for value in row] for row in csv.reader(file)])
    dirty, clean = tables
    columns: dict[str, Values] = {name: [row[i] or None for row in dirty[1:]] for i, name in enumerate(dirty[0])}
    errors = {
        (name, row)
        for i, name in enumerate(dirty[0])
        for row, (old, new) in enumerate(zip(dirty[1:], clean[1:], strict=True))
        if old[i] != new[i]
    }
    return RealTable(columns, errors)


def lowest_cells(table: RealTable, score: Callable[[list[str]], Scores], n: int) -> set[tuple[str, int]]:
    """Return the cells with the lowest shares of their columns; a column of different values is left out."""
    places = list[tuple[float, str, int]]()
    for name, values in table.columns.items():
        rows = [row for row, value in enumerate(values) if value is not None]
        texts = [values[row] or "" for row in rows]
        if len(set(texts)) > len(texts) / 2:
            continue
        places += zip((score(texts) / len(texts)).tolist(), [name] * len(rows), rows, strict=True)
    return {(name, row) for _, name, row in sorted(places)[:n]}


def by_rules(table: RealTable, rules: dict[str, str]) -> set[tuple[str, int]]:
    """Return the cells that break a rule."""
    return {
        (name, row)
        for name, rule in rules.items()
        for row, value in enumerate(table.columns[name])
        if re.fullmatch(rule, value or "") is None
    }


def strangest_cells(table: RealTable, n: int) -> set[tuple[str, int]]:
    """Return the cells that `dirty_cells` finds."""
    found = dirty_cells(table.columns, (n - 0.5) / table.n_judged, random_state=0)
    return {(cell.column, cell.row) for cell in found}


def raha_rows(folder: Path) -> Iterator[str]:
    """Yield precision and recall of each way on each table, and the precision of the strangest cells."""
    tables = {name: read_raha(folder / name) for name in RULES}
    yield f"| precision, recall; precision of the first {FIRST} | " + " | ".join(tables) + " |"
    yield "|---" * (len(tables) + 1) + "|"
    ways: dict[str, Callable[[RealTable, int], set[tuple[str, int]]]] = {
        "**dirty_cells**": strangest_cells,
        "rarest collapsed shapes": lambda table, n: lowest_cells(table, by_shapes, n),
        "rarest values": lambda table, n: lowest_cells(table, by_values, n),
    }
    for way, find in ways.items():
        cells = []
        for table in tables.values():
            first = find(table, FIRST)
            of_first = len(first & table.errors) / len(first)
            cells.append(f"{quality(find(table, len(table.errors)), table)}; {of_first:.2f}")
        yield f"| {way} | " + " | ".join(cells) + " |"
    by_hand = [quality(by_rules(table, RULES[name]), table) for name, table in tables.items()]
    yield "| rules by hand | " + " | ".join(by_hand) + " |"
    yield ""
    for name, table in tables.items():
        n_missing = sum(table.columns[column][row] is None for column, row in table.errors)
        yield f"{name}: {table.n_judged:,} values, {len(table.errors):,} errors, {n_missing:,} of them missing values"


def quality(found: set[tuple[str, int]], table: RealTable) -> str:
    """Return precision and recall."""
    n_right = len(found & table.errors)
    return f"{n_right / max(len(found), 1):.2f}, {n_right / len(table.errors):.2f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=15_000, help="of each table")
    parser.add_argument("--seeds", type=int, default=3, help="the number of tables of each locale")
    parser.add_argument("--raha", type=Path, metavar="FOLDER", help="judge the tables in this folder")
    options = parser.parse_args()
    if options.raha and not all((options.raha / name / "dirty.csv").exists() for name in RULES):
        parser.error(f"{options.raha} lacks {', '.join(RULES)}. They are in the folder datasets of {RAHA}.")
    print("\n".join(machine()), flush=True)
    if options.raha:
        print_tables([raha_rows(options.raha)])
        return
    seeds = [*range(100, 100 + options.seeds)]
    print_tables(
        [
            rows(options.rows, seeds, even_table),
            rows(options.rows, seeds, uneven_table),
            column_rows(options.rows, seeds),
        ]
    )


if __name__ == "__main__":
    main()
