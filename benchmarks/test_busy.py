"""Does `benchmarks.busy` measure what it says? Its figures are that command's to print."""

from benchmarks import busy, work


def test_every_case_has_a_row_with_a_ratio():
    found = list(busy.rows([5], seconds=0.05, repeats=1))
    assert len(found) == 3
    assert all(float(row.split("|")[2]) > 0 for row in found)


def test_training_for_some_time_reads_characters():
    assert work.train_for("5", "1", "0.05")() > 1000
