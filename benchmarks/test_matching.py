"""Does `benchmarks.matching` measure what it says? Its figures are that command's to print."""

from benchmarks import matching
from crnn import CharNGram

NAMES = ["anna", "bob", "hanna", "ann", "nan", "bann", "otto"] * 3


def test_the_table_has_a_row_for_each_pattern():
    lines = matching.table(CharNGram(order=3, n_threads=1).fit(NAMES), ["a.*", ".*nn.*"], 20)
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {6}
