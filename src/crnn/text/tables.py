"""The columns of texts of a table: a pandas or Polars DataFrame, an Arrow table, a dict of columns, or a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import InvalidInputError, short_repr
from .documents import is_missing, python_values, refuse_other_collections
from .file_reader import DecompressedFile

SEPARATORS = ",;\t|"  # of the fields of a CSV file; its first line tells which
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
TEXTS = 0.5  # the share of a column's values that must be str for it to be a column of texts


class Column(NamedTuple):
    """A column of texts."""

    name: str
    values: list[str | None]  # None for missing values


class Table(NamedTuple):
    """The columns of texts of a table."""

    columns: list[Column]
    rows: Sequence[Any]  # the name of each row


def is_table_file(path: str) -> bool:
    """Return whether a file's name is that of a table."""
    return path.lower().endswith(SUFFIXES)


def read_table(frame: Any, columns: Any = None) -> Table:
    """Return the columns of texts of a table: all of them, or those of the given names.

    A column is one of texts if at least half of its values that are not missing are str; its other values are
    converted.
    """
    found = _all_columns(frame)
    names = _checked_names(columns, list(found.columns))
    lengths = {name: len(found.columns[name]) for name in found.columns}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise InvalidInputError(f"frame must have columns of equal length, but {shown} values", argument="frame")
    texts = list[Column]()
    for name in names:
        values = [None if is_missing(value) else value for value in found.columns[name]]
        if columns is not None or _is_text(values):
            texts.append(Column(name, [None if value is None else str(value) for value in values]))
    if not any(value is not None for column in texts for value in column.values):
        raise InvalidInputError(
            "frame has no column of texts with a value. Convert one with astype(str) in pandas, or cast(pl.String) in "
            "Polars, or name the columns.",
            argument="frame",
        )
    return Table(texts, found.rows)


class _AllColumns(NamedTuple):
    columns: dict[str, list[Any]]
    rows: Sequence[Any]


def _all_columns(frame: Any) -> _AllColumns:
    """Return all columns of a table."""
    if isinstance(frame, os.PathLike):
        of_file = read_csv(frame)
        return _AllColumns(dict(of_file), range(len(next(iter(of_file.values()), []))))
    if isinstance(frame, Mapping):
        _refuse_equal_names([*frame])
        of_mapping = {str(name): _listed(name, values) for name, values in frame.items()}
        return _AllColumns(of_mapping, range(len(next(iter(of_mapping.values()), []))))
    if not (hasattr(frame, "columns") and hasattr(frame, "__getitem__") and hasattr(frame, "__len__")):
        raise InvalidInputError(
            f"frame must be a pandas or Polars DataFrame, an Arrow table, a dict of columns, or a pathlib.Path to a "
            f"CSV file, not {short_repr(frame)}",
            argument="frame",
        )
    arrow = hasattr(frame, "column_names")  # the columns of an Arrow table are arrays, not names
    names = [*frame.column_names] if arrow else [*frame.columns]
    _refuse_equal_names(names)
    if arrow:
        return _AllColumns({str(name): list(python_values(frame[name])) for name in names}, range(len(frame)))
    rows = frame.index.tolist() if hasattr(frame, "index") else range(len(frame))
    return _AllColumns({str(name): frame[name].to_list() for name in names}, rows)


def _refuse_equal_names(names: list[Any]) -> None:
    """Raise an error if two columns have the same name, as text."""
    if len(set(map(str, names))) < len(names):
        twice = next(name for i, name in enumerate(names) if str(name) in map(str, names[:i]))
        raise InvalidInputError(f"frame has two columns named {twice!r}. Rename one.", argument="frame")


def _listed(name: Any, values: Any) -> list[Any]:
    """Return the values of a column of a dict."""
    refuse_other_collections(values, f"frame[{name!r}]")
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Iterable):
        raise InvalidInputError(
            f"frame[{name!r}] is {short_repr(values)}, of type {type(values).__name__}. Pass a list of the column's "
            "values.",
            argument="frame",
        )
    return list(python_values(values))


def _checked_names(columns: Any, names: list[str]) -> list[str]:
    """Return the names of the columns to read."""
    if columns is None:
        return names
    if isinstance(columns, str | bytes) or not isinstance(columns, Sequence) or not columns:
        raise InvalidInputError(f"columns must be a list of names or None, not {short_repr(columns)}")
    for i, name in enumerate(columns):
        if str(name) not in names:
            known = ", ".join(names)
            raise InvalidInputError(f"columns[{i}] is {name!r}, but frame has the columns {known}.", argument="columns")
    return [str(name) for name in columns]


def _is_text(values: list[Any]) -> bool:
    n_present = sum(value is not None for value in values)
    n_texts = sum(isinstance(value, str) for value in values)
    return n_texts > 0 and n_texts >= TEXTS * n_present


def read_csv(path: os.PathLike[Any] | str) -> dict[str, list[str | None]]:
    """Return the columns of a CSV file, by the names in its first line; None for empty fields.

    The separator is the one among comma, semicolon, tab and bar that is most frequent in the first line. What is not
    UTF-8 is replaced, and so becomes an anomaly.
    """
    shown = os.fsdecode(path)
    with open(shown, "rb") as file:
        content = DecompressedFile(file, shown).read()
    text = content.decode("utf-8-sig", "replace")
    first_line = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first_line.count)
    rows = _csv_rows(text, separator, shown)
    header = next(rows, [])
    for i, name in enumerate(header):
        if name in header[:i]:
            raise InvalidInputError(f"{shown} has two columns named {name!r} in its first line. Rename one.")
    columns: list[list[str | None]] = [[] for _ in header]
    for n, row in enumerate(rows, 2):
        if len(row) != len(header):
            if not row:
                continue
            raise InvalidInputError(
                f"{shown}: record {n} has {len(row)} fields, but the first line has {len(header)} names. Mend the file."
            )
        for column, value in zip(columns, row, strict=True):
            column.append(value or None)
    return dict(zip(header, columns, strict=True))


def _csv_rows(text: str, separator: str, shown: str) -> Iterator[list[str]]:
    """Yield the fields of each record."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        yield from reader
    except csv.Error as error:
        raise InvalidInputError(f"{shown} cannot be read as CSV, line {reader.line_num}: {error}") from None
