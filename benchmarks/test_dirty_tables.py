"""The table of dirty cells: most errors are found, and more than by shapes alone."""

import random

import pytest

from benchmarks import dirty_tables

pytest.importorskip("faker")


def test_more_is_found_than_by_the_peers():
    table = dirty_tables.dirty_table(3000, "en_US", 7, dict.fromkeys(dirty_tables.customers(1, "en_US", 0), 15))
    assert table.n_damaged == 120
    found = dirty_tables.found_in_table(table)
    assert found > 0.75 * table.n_damaged
    assert found > dirty_tables.found_by_column(table, dirty_tables.by_shapes)
    assert found > dirty_tables.found_by_column(table, dirty_tables.by_detector)


def test_damage_is_seen():
    rng = random.Random(0)
    for _ in range(100):
        new = dirty_tables.damage("12-34", "Bath", rng)
        assert dirty_tables.is_visible("name", "12-34", new) == (new != "12-34")
    assert not dirty_tables.is_visible("id", "12-34", "12-43")
