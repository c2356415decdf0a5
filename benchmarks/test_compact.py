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


def test_a_mixture_and_a_network_of_the_same_size(monkeypatch):
    monkeypatch.setattr(compact, "COMPACT", 30_000)
    monkeypatch.setattr(compact, "BLOCK", 500)
    monkeypatch.setattr(compact, "BLOCKS", 20)
    _, _, *rows = compact.compact_models(TEXT, 1.0, hidden_size=16, n_bigrams=8)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert [row[1] for row in cells][:3] == ["network alone", "mixture", "its network"]
    losses = [float(row[3]) for row in cells]
    assert losses[1] < min(losses[2:])
    sizes = [int(row[2].replace(",", "")) for row in cells]
    assert sizes[1] <= 30_000
    assert sizes[3] < sizes[1]


def test_models_of_a_number_of_steps_are_the_same_again(monkeypatch):
    monkeypatch.setattr(compact, "COMPACT", 30_000)
    monkeypatch.setattr(compact, "BLOCK", 500)
    monkeypatch.setattr(compact, "BLOCKS", 20)
    tables = [
        [row.split("|")[1:4] for row in compact.compact_models(TEXT, 9.0, steps=steps, hidden_size=8, n_bigrams=5)]
        for steps in ([7], [7, 7], [7, 11])
    ]
    assert tables[0] == tables[1]
    assert tables[0][:3] == tables[2][:3]
    assert tables[0][4] != tables[2][4]
