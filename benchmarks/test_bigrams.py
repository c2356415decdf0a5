"""What do bigrams cost? That such steps are right is shown by tests/kernels/test_variants.py."""

import pytest

from benchmarks import bigrams

TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind " * 400


@pytest.mark.parametrize("n_bigrams", [None, 512])
def test_training(benchmark, n_bigrams):
    model = bigrams.models(TEXT, 128, [] if n_bigrams is None else [n_bigrams], "float32")[-1]
    steps = model.n_steps_
    benchmark(bigrams.turns(TEXT)["training"], model)
    assert model.n_steps_ > steps
    assert model.score(TEXT[:1000]) > -1


def test_table(monkeypatch):
    monkeypatch.setattr(bigrams, "SIZES", (5, 7))
    lines = list(bigrams.table(TEXT, [13], "float32", repeats=1))
    rows = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert [row[:2] for row in rows] == [["5", "none"], ["5", "13"], ["7", "none"], ["7", "13"]]
    assert int(rows[1][2]) - int(rows[0][2]) == 13 * 3 * 5
    assert rows[0][4:] == ["1.00×"] * 3
    assert all(float(row[3]) > 0 for row in rows)
