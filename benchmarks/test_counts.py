"""Does `benchmarks.counts` measure what it says? Its figures are that command's to print."""

import math

import numpy as np
import pytest

from benchmarks import counts

TEXT = "".join(np.random.default_rng(0).choice(["to ", "be ", "or ", "not ", "that ", "is "], 4000))


@pytest.mark.parametrize("text", [TEXT, TEXT.split()])
def test_both_know_that_words_come_at_random(text):
    cut = len(text) * 9 // 10
    fixed, reading_on = counts.of_counts(text[:cut], text[cut:], 1)
    per_symbol = math.log(6) * 4000 / len(TEXT)  # a word in six
    assert fixed.nats == pytest.approx(per_symbol, rel=0.1)
    assert reading_on.nats == pytest.approx(fixed.nats, rel=0.05)
    assert 0 < fixed.file < fixed.memory < reading_on.memory


def test_ppmd_is_measured_on_the_same_symbols():
    pytest.importorskip("pyppmd")
    cut = len(TEXT) * 9 // 10
    row = counts.of_ppmd(TEXT[:cut], TEXT[cut:], 1)
    assert row.nats == pytest.approx(math.log(6) * 4000 / len(TEXT), rel=0.2)


def test_the_table_has_a_row_for_each():
    known, held_out = counts.split(TEXT.split())
    assert (len(known), len(held_out)) == (3000, 1000)
    lines = counts.table(known, held_out, 1)
    assert {line.count("|") for line in lines} == {8}


def test_the_table_of_costs_has_a_row_for_each_order():
    text = "The sun of the morning is red.\nWhere is thy brother, and where is thy sister?\n" * 200
    head, _, *rows = counts.costs(text, text[:4000], [3, 6], 1)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["3", "6"]
    assert {len(row) for row in cells} == {head.count("|") - 1}
    assert float(cells[0][-2]) > float(cells[1][-2])
