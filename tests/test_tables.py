"""dirty_cells: the errors of a table come first, with reasons, in the kind of frame that was given."""

import random
from pathlib import Path

import pytest

from crnn import InvalidInputError, dirty_cells
from crnn.tables import DirtyCell

PARTS = ["Ash", "Bel", "Clare", "Dun", "Ever", "Glen", "Hart", "Kings", "Mill", "Oak", "Rock", "Stan"]
ENDS = ["ton", "ville", "field", "haven", "brook", "burg"]
ERRORS = {
    ("city", 7): "Millvlile",
    ("city", 123): "ashfield",
    ("city", 250): "Dun",
    ("code", 42): "GB12-123",
    ("code", 377): "GB12_1234",
    ("state", 99): "open x",
    ("n", 5): "7 kg",
}


def table(n=503):
    rng = random.Random(0)
    columns = {
        "city": [rng.choice(PARTS) + rng.choice(ENDS) for _ in range(n)],
        "code": [f"GB{rng.randrange(10, 100)}-{rng.randrange(1000, 10_000)}" for _ in range(n)],
        "state": [rng.choice(["open", "closed"]) for _ in range(n)],
        "n": [str(rng.randrange(2000)) for _ in range(n)],
        "same": ["x"] * n,
    }
    for (column, row), value in ERRORS.items():
        columns[column][row] = value
    columns["city"][11] = None
    return columns


def flagged(frame):
    n_judged = sum(value is not None for values in table().values() for value in values)
    return dirty_cells(frame, (len(ERRORS) - 0.5) / n_judged, random_state=0)


def test_errors_come_first_with_reasons():
    cells = flagged(table())
    assert {(cell.column, cell.row): cell.value for cell in cells} == ERRORS
    scores = [cell.score for cell in cells]
    assert scores == sorted(scores)
    assert scores[-1] < -1
    reasons = {cell.value: cell.reason for cell in cells}
    assert reasons["Millvlile"].startswith("'millvlile' occurs once, 'millville' ")
    assert reasons["GB12-123"] == "the end after 'gb00-000', not a digit"
    assert reasons["GB12_1234"] == "'_' after 'gb00', not '-'"
    assert reasons["7 kg"] == "' ' after '0', not the end"


def test_frames_give_frames():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = table()
    names = [f"row {i}" for i in range(503)]
    expected = flagged(columns)
    of_pandas = flagged(pd.DataFrame(columns, index=names))
    assert type(of_pandas) is pd.DataFrame
    assert list(of_pandas.columns) == list(DirtyCell._fields)
    assert of_pandas["row"].tolist() == [f"row {cell.row}" for cell in expected]
    of_polars = flagged(pl.DataFrame(columns))
    assert isinstance(of_polars, pl.DataFrame)
    assert [DirtyCell(*row) for row in of_polars.rows()] == expected


def test_an_arrow_table_gives_the_same_list_as_its_columns():
    pa = pytest.importorskip("pyarrow")
    columns = table()
    assert flagged(pa.table(columns)) == flagged(columns)


def test_a_file_is_read(tmp_path):
    columns = table()
    path = Path(tmp_path, "a.csv")
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    path.write_text("\n".join(";".join(value or "" for value in line) for line in lines))
    assert flagged(path) == flagged(columns)


def test_an_ordinary_cell_has_no_contradictory_reason():
    dates = [f"2024-01-{1 + i % 28:02}" for i in range(100)]
    odd, ordinary = dirty_cells({"date": [*dates, "05.01.2024"]}, contamination=0.015, random_state=0)
    assert odd.reason == "'.' after '00', not a digit"
    assert ordinary.reason == "no symbol is improbable"


def test_a_rare_shape_is_a_reason():
    values = [f"{i % 7} kg" for i in range(50)] + ["3 KG"]
    (cell,) = dirty_cells({"weight": values}, random_state=0)
    assert cell.reason == "shape '0 A' in 1 of 51 values"


def test_columns_and_the_number_of_cells():
    cells = dirty_cells(table(), 0.01, columns=["code", "state"], random_state=0)
    assert len(cells) == 11  # 0.01 * 1006, rounded up
    assert {cell.column for cell in cells} <= {"code", "state"}
    assert {("code", 42), ("code", 377), ("state", 99)} <= {(cell.column, cell.row) for cell in cells}


def test_tiny_tables():
    assert dirty_cells({"a": ["x"]}) == [DirtyCell(0, "a", "x", 0.0, "shape 'a' in 1 of 1 values")]
    (cell,) = dirty_cells({"a": ["abc", "def", "ghi"]})
    assert cell.column == "a"
    (cell,) = dirty_cells({"a": ["", "", "b"]})
    assert cell.value == "b"


def test_equal_values_have_equal_scores():
    columns = {"city": ["Bath"] * 100 + ["B?th"] * 3}
    cells = dirty_cells(columns, 0.029, random_state=0)
    assert [cell.row for cell in cells] == [100, 101, 102]
    assert len({cell.score for cell in cells}) == 1


def test_the_table_stays():
    columns = table()
    before = {name: [*values] for name, values in columns.items()}
    dirty_cells(columns, random_state=0)
    assert columns == before


@pytest.mark.parametrize("contamination", [0, -1, 0.6, "auto", None, float("nan")])
def test_invalid_rates(contamination):
    with pytest.raises(InvalidInputError, match=r"^contamination"):
        dirty_cells({"a": ["x", "y"]}, contamination)
