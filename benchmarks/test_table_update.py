"""The cost of a table's update: the rows that are read, and the command's table at a small size."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks import table_update
from benchmarks.conftest import needs

TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind " * 70


def test_rows_read_are_those_of_the_bigrams_of_a_chunk(monkeypatch):
    needs("jax")
    monkeypatch.setattr(table_update, "T", 5)
    monkeypatch.setattr(table_update, "B", 2)
    V = 7
    ids = np.random.default_rng(0).integers(V, size=2 * 3 * 5 + 1)
    pairs = list(pairwise(ids))  # of 2 streams with 3 chunks of 5 symbols
    chunks = [{*pairs[5 * k : 5 * k + 5], *pairs[15 + 5 * k : 20 + 5 * k]} for k in range(3)]
    expected = np.mean([len(chunk) for chunk in chunks]) / 101
    assert table_update.rows_read(ids, V, rows=101) == pytest.approx(expected)  # every pair has a row of its own


def test_table(monkeypatch):
    needs("jax")
    monkeypatch.setattr(table_update, "SIZES", (5, 7))
    lines = list(table_update.table(TEXT, rows=13, repeats=2))
    assert [line.split("|")[1:3] for line in lines[2:]] == [[" 5 ", " 260 "], [" 7 ", " 364 "]]
    for line in lines[2:]:
        every, read = (float(cell.split("(")[1].split("×")[0]) for cell in line.split("|")[4:6])
        assert every >= read >= 1
