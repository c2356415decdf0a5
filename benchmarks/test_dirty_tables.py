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


def write_table(folder, dirty, clean):
    folder.mkdir()
    for name, rows in (("dirty.csv", dirty), ("clean.csv", clean)):
        (folder / name).write_text("city,code\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")


def test_errors_of_a_real_table_are_the_cells_that_differ(tmp_path):
    clean = ["Bath,12", "Bath,13", "Hull,14", "Hull,15"] * 20
    dirty = ["Bxth,12", "Bath ,", *clean[2:]]
    write_table(tmp_path / "t", dirty, clean)
    table = dirty_tables.read_raha(tmp_path / "t")
    assert table.errors == {("city", 0), ("code", 1)}
    assert table.n_judged == 159
    assert dirty_tables.strangest_cells(table, 1) == {("city", 0)}
    assert dirty_tables.lowest_cells(table, dirty_tables.by_values, 1) == {("city", 0)}
    assert dirty_tables.by_rules(table, {"code": r"\d\d", "city": "Bath|Hull"}) == table.errors


def test_a_folder_without_the_tables_has_a_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["dirty_tables", "--raha", str(tmp_path)])
    with pytest.raises(SystemExit):
        dirty_tables.main()
    assert dirty_tables.RAHA in capsys.readouterr().err
