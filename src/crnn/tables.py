"""dirty_cells finds the strange values of a table's columns."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .char_ngram import CharNGram
from .detection.cells import (
    Evidence,
    Similar,
    collapsed_shape,
    has_codes,
    has_numbers,
    masked_digits,
    relative_scores,
    shape_log_shares,
    similar_words,
)
from .detection.clean_texts import CleanTexts
from .detection.explanation import explain
from .detection.fold_counts import count_out_of_fold
from .detection.learned import DetectorOptions
from .parameters.checks import checked_float, generator
from .text.tables import Column, Table, read_table
from .text.vocabulary import BOUNDARY, UNKNOWN

ORDER = 30  # of the counts of codes: a lower one cannot tell 20 digits from 19
MAX_SHOWN = 12  # characters before an improbable one
MIN_TEXTS = 2  # different values that counts need
OPTIONS = DetectorOptions(
    contamination=0.01,
    reduce="joint",
    calibration_fraction=0.1,
    mask=None,
    folds=10,
    unique=False,
    max_seconds=60,
    keep_texts=True,
    verbose=0,
)


class DirtyCell(NamedTuple):
    """A cell of a table that is unlike the others of its column.

    Attributes
    ----------
    row : int or str
        The row's number, from 0, or its label (of any type) in a pandas frame.
    column : str
        The name of the column.
    value : str
        The value.
    score : float
        How far the value is from the column's median, in distances between the median and the column's lower 2 %; the
        lower, the stranger.
    reason : str
        What is strange, in words.
    """

    row: Any
    column: str
    value: str
    score: float
    reason: str


class _JudgedColumn(NamedTuple):
    """The different values of a column, in the order in which they first occur."""

    name: str
    counts: Counter[str]
    evidence: Evidence
    scores: NDArray[np.float64]  # comparable between columns
    codes: bool  # whether digits are masked
    model: CharNGram | None  # of `read`, unless there are too few
    read: list[str]  # what the model has read of each value
    similar: list[Similar | None]


def dirty_cells(frame: Any, contamination: float = 0.001, *, columns: Any = None, random_state: Any = None) -> Any:
    """Return the strangest cells of a table, the strangest first: typos, cut values, values of other columns.

    Each value is judged by the other values of its column, by three signs, in nats, which are added: the score of
    its characters by `AnomalyDetector`'s counts (small letters; digits are masked if most values have one), half the
    logarithm of how many values have its shape (``Aa0`` for "Bolt 17"), and how much more common a word is that
    differs from one of its words by a letter. The sum is compared with the column's usual values. Among numbers of no
    fixed length, only what is not a number stands out.

    A column of texts is one with at least as many str as other values. Other columns are left out, and so are missing
    values (None, NaN, NA, empty fields of a CSV file). Nothing is changed in the table.

    Parameters
    ----------
    frame : DataFrame of pandas or Polars, Arrow table, dict of columns, or os.PathLike
        A table (the columns of an Arrow table are copied), or the path of a CSV file whose first line has the names,
        optionally gzip-compressed. The separator is a comma, semicolon, tab or bar.
    contamination : float, default=0.001
        The fraction of the judged cells to return, rounded up; above 0 and at most 0.5.
    columns : list of str or None, default=None
        The names of the columns to judge. None: all columns of texts.
    random_state : int, SeedSequence, Generator or None, default=None
        The seed that divides values into the parts judged by each other; it hardly changes the result.

    Returns
    -------
    DataFrame, or list of DirtyCell
        A frame with the columns row, column, value, score and reason if `frame` is a DataFrame; otherwise a list of
        tuples with these fields.

    Raises
    ------
    ValueError
        If `frame` is not a table, has no column of texts, or has two columns of the same name; or if `columns`
        contains a name that `frame` lacks.
    OSError
        If the CSV file cannot be read, or its gzip data are damaged or incomplete.

    Examples
    --------
    >>> from crnn import dirty_cells
    >>> cities = ["Ashton", "Belfield", "Millville", "Oakton", "Rockford", "Ashfield"] * 50 + ["Millvlile"]
    >>> for cell in dirty_cells({"city": cities}, contamination=0.003, random_state=0):
    ...     print(cell.row, cell.value, cell.reason, sep=": ")
    300: Millvlile: 'millvlile' occurs once, 'millville' 50 times
    """
    share = checked_float("contamination", contamination, above=0.0, maximum=0.5)
    rng = generator(random_state)
    table = read_table(frame, columns)
    judged = [_judge(column, rng) for column in table.columns if any(value is not None for value in column.values)]
    cells = _lowest_cells(table, judged, share)
    frame_type = _frame_type(frame)
    if frame_type is None:
        return cells
    return frame_type({name: [getattr(cell, name) for cell in cells] for name in DirtyCell._fields})


def _frame_type(frame: Any) -> Any:
    """Return the class of a frame of pandas or Polars, not of a package that derives one; None for others."""
    for kind in type(frame).__mro__:
        if kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] in ("pandas", "polars"):
            return kind
    return None


def _judge(column: Column, rng: np.random.Generator) -> _JudgedColumn:
    """Return the evidence about each different value of a column."""
    counts = Counter(value for value in column.values if value is not None)
    folded = Counter[str]()
    small = [value.lower() for value in counts]
    codes = has_codes(counts)
    read = small
    if codes:
        runs = has_numbers(counts)
        read = [masked_digits(value, runs=runs) for value in small]
    for value, n in zip(read, counts.values(), strict=True):
        folded[value] += n
    model, score_of = _scores_by_others(folded, CharNGram(order=ORDER, min_count=2) if codes else None, rng)
    similar_of = dict(zip(folded, similar_words(folded), strict=True))
    similar = [similar_of[value] for value in read]
    words = np.array([0.0 if found is None else -found.log_ratio for found in similar])
    characters = np.array([score_of[value] for value in read])
    evidence = Evidence(characters, shape_log_shares(counts), words)
    scores = relative_scores(evidence.total, _array(counts))
    return _JudgedColumn(column.name, counts, evidence, scores, codes, model, read, similar)


def _array(counts: Counter[str]) -> NDArray[np.intp]:
    return np.array([*counts.values()], np.intp)


def _scores_by_others(
    counts: Counter[str], model: CharNGram | None, rng: np.random.Generator
) -> tuple[CharNGram | None, dict[str, float]]:
    """Return counts of n-grams of all values, and the score of each different value by the counts of the others.

    Too few values have no counts; the logarithm of a value's share is then its score.
    """
    total = counts.total()
    symbols = Counter(symbol for value in counts for symbol in value)
    if len(counts) < MIN_TEXTS or max(symbols.values(), default=0) < 2:
        return None, {value: math.log(n / total) for value, n in counts.items()}
    repeated = (value for value, n in counts.items() for _ in range(n))
    whole = CleanTexts(repeated, rng).whole(OPTIONS.folds, rng)
    fitted, scores = count_out_of_fold(whole, model, OPTIONS, rng)
    found = dict(zip(whole.texts, scores.tolist(), strict=True))
    others = [value for value in counts if value not in found]  # of a very long column, which is sampled
    found.update(zip(others, fitted.score_samples(others, reduce="joint", errors="replace").tolist(), strict=True))
    return fitted, found


def _lowest_cells(table: Table, judged: list[_JudgedColumn], share: float) -> list[DirtyCell]:
    """Return the given share of the cells, those with the lowest scores, in order."""
    n_wanted = math.ceil(share * sum(column.counts.total() for column in judged))
    places = list[tuple[float, int, int, str]]()  # score, row, column, value
    limit = _limit(judged, n_wanted)
    values_of = {column.name: column.values for column in table.columns}
    for i, column in enumerate(judged):
        score_of = dict(zip(column.counts, column.scores.tolist(), strict=True))
        for row, value in enumerate(values_of[column.name]):
            if value is not None and score_of[value] <= limit:
                places.append((score_of[value], row, i, value))
    places = sorted(places)[:n_wanted]
    reasons = [_reasons(column, {value for _, _, k, value in places if k == i}) for i, column in enumerate(judged)]
    return [
        DirtyCell(table.rows[row], judged[i].name, value, score, reasons[i][value]) for score, row, i, value in places
    ]


def _limit(judged: list[_JudgedColumn], n_wanted: int) -> float:
    """Return a score that at least so many cells do not exceed."""
    scores = np.concatenate([column.scores for column in judged])
    counts = np.concatenate([_array(column.counts) for column in judged])
    order = np.argsort(scores, kind="stable")
    return float(scores[order[np.searchsorted(np.cumsum(counts[order]), n_wanted)]])


def _reasons(column: _JudgedColumn, values: set[str]) -> dict[str, str]:
    """Return for each of these values what is strangest about it."""
    if not values:
        return {}
    characters, shapes, _ = column.evidence.parts(_array(column.counts))
    index_of = {value: i for i, value in enumerate(column.counts) if value in values}
    model = None if column.model is None else _without(column, list(index_of.values()))
    n_of_shape = Counter[str]()
    for value, n in column.counts.items():
        n_of_shape[collapsed_shape(value)] += n
    found = dict[str, str]()
    for value, i in index_of.items():
        similar = column.similar[i]
        if similar is not None:
            n_word = _times(similar.n_word)
            n_common = _times(similar.n_common)
            found[value] = f"{similar.word!r} occurs {n_word}, {similar.common!r} {n_common}"
        elif model is None or shapes[i] < characters[i]:
            shape = collapsed_shape(value)
            found[value] = f"shape {shape!r} in {n_of_shape[shape]:,} of {column.counts.total():,} values"
        else:
            found[value] = _improbable_place(model, column.read[i], codes=column.codes)
    return found


def _without(column: _JudgedColumn, indices: list[int]) -> CharNGram:
    """Return the counts of a column without some of its values."""
    assert column.model is not None
    texts = list(dict.fromkeys(column.read[i] for i in indices))
    times = np.ones(len(texts), np.intp)
    return column.model._without(texts, times)


def _improbable_place(model: CharNGram, text: str, *, codes: bool) -> str:
    """Say which symbol of a text is least probable, and what was expected, unless the symbol itself was."""
    symbols, surprisal, alternatives = explain(model.vocabulary_, model.start(), text, 1)
    place = int(surprisal.argmax())
    before = text[max(0, place - MAX_SHOWN) : place]
    after = f"after {before!r}" if before else "at the start"
    (expected, _), *_ = alternatives[place]
    if symbols[place] == expected:
        return "no symbol is improbable"
    return f"{_shown(symbols[place], codes=codes)} {after}, not {_shown(expected, codes=codes)}"


def _shown(symbol: Any, *, codes: bool) -> str:
    """Return a symbol in words; a masked digit is not the one that stands in the table."""
    if symbol is BOUNDARY:
        return "the end"
    if symbol is UNKNOWN:
        return "another character"
    return "a digit" if codes and symbol == "0" else repr(symbol)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"
