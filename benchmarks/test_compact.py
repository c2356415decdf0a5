"""Does `benchmarks.compact` measure what it says? Its figures are that command's to print."""

import numpy as np

from benchmarks import compact

TEXT = " ".join(map(str, np.random.default_rng(0).permutation(9000).tolist()))


def test_the_table_has_a_row_for_each_size(monkeypatch):
    monkeypatch.setattr(compact, "SIZES", (2500, 4000, 10**9))
    whole, *pruned = compact.rows("text", *compact.of_text(TEXT))
    assert {line.count("|") for line in (whole, *pruned)} == {len(compact.COLUMNS) + 1}
    assert len(pruned) == 2
    assert all(
        int(line.split("|")[2].replace(",", "")) <= size for line, size in zip(pruned, (2500, 4000), strict=True)
    )
    n_grams = [int(line.split("|")[3].replace(",", "")) for line in (*pruned, whole)]
    assert n_grams == sorted(set(n_grams))
