"""Tables: columns of texts of frames, dicts and CSV files, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.tables import is_table_file, read_csv, read_table


def columns_of(frame, **given):
    return {column.name: column.values for column in read_table(frame, **given).columns}


def test_columns_of_texts_are_found():
    table = {"city": ["Bath", None, float("nan"), "Leeds"], "n": [1, 2, 3, 4], "mixed": ["a", 2, None, "b"]}
    assert columns_of(table) == {"city": ["Bath", None, None, "Leeds"], "mixed": ["a", "2", None, "b"]}
    assert columns_of(table, columns=["n"]) == {"n": ["1", "2", "3", "4"]}


def test_pandas_and_polars():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    data = {"city": ["Bath", None, "Leeds"], "n": [1, 2, 3]}
    frame = pd.DataFrame(data, index=["x", "y", "z"])
    assert columns_of(frame) == columns_of(pl.DataFrame(data)) == {"city": ["Bath", None, "Leeds"]}
    assert read_table(frame).rows == ["x", "y", "z"]
    assert columns_of(frame.astype({"city": "category"})) == {"city": ["Bath", None, "Leeds"]}
    assert list(read_table(pl.DataFrame(data)).rows) == [0, 1, 2]
    with pytest.raises(InvalidInputError, match="two columns named 'city'"):
        read_table(frame[["city", "city"]])


def test_arrow_tables():
    pa = pytest.importorskip("pyarrow")
    names = pa.chunked_array([["Bath", None], ["Leeds"]]).dictionary_encode()
    data = pa.table({"city": names, "n": [1, 2, 3]})
    assert columns_of(data) == {"city": ["Bath", None, "Leeds"]}
    assert columns_of(data.to_batches()[0], columns=["n"]) == {"n": ["1", "2"]}
    assert list(read_table(data).rows) == [0, 1, 2]
    with pytest.raises(InvalidInputError, match="two columns named 'city'"):
        read_table(pa.Table.from_arrays([names, names], names=["city", "city"]))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_files(tmp_path, separator):
    path = Path(tmp_path, "a.csv")
    lines = [["city", "note"], ["Bath", '"two\nlines"'], ["", f'"a{separator}b"'], ["caf\xe9", "x"]]
    text = "\ufeff" + "\r\n".join(separator.join(line) for line in lines) + "\r\n\r\n"
    expected = {"city": ["Bath", None, "caf\xe9"], "note": ["two\nlines", f"a{separator}b", "x"]}
    path.write_bytes(text.encode())
    assert read_csv(path) == expected
    path.write_bytes(gzip.compress(text.encode()))
    assert read_csv(path) == expected
    assert columns_of(path) == expected


def test_what_is_not_utf8_is_replaced(tmp_path):
    path = Path(tmp_path, "a.csv")
    path.write_bytes(b"city\ncaf\xe9\n")
    assert read_csv(path) == {"city": ["caf\ufffd"]}


@pytest.mark.parametrize(("content", "message"), [
    (b"a,b\n1,2\n3\n", "record 3 has 1 fields, but the first line has 2 names"),
    (b"a,a\n1,2\n", "two columns named 'a'"),
    (b'a\n"' + b"x" * 200_000, "cannot be read as CSV"),
])  # fmt: skip
def test_damaged_csv_files(tmp_path, content, message):
    path = Path(tmp_path, "a.csv")
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_csv(path)


@pytest.mark.parametrize(("damage", "message"), [
    (lambda content: content[:20], "end too early"),
    (lambda content: content[:20] + b"x" + content[20:], "are damaged"),
])  # fmt: skip
def test_damaged_gzip_files(tmp_path, damage, message):
    path = Path(tmp_path, "a.csv.gz")
    path.write_bytes(damage(gzip.compress(b"a,b\n1,2\n3,4\n")))
    with pytest.raises(OSError, match=message) as error:
        read_csv(path)
    assert error.value.filename == str(path)


@pytest.mark.parametrize("values", [None, 3, "Bath", b"Bath", {"a": "Bath"}, {"Bath"}, np.array("Bath")])
def test_a_column_of_a_dict_has_several_values(values):
    with pytest.raises(InvalidInputError, match=r"^frame\['b'\] is .* Pass "):
        read_table({"a": ["Bath"], "b": values})


def test_names_that_are_equal_as_text_are_refused():
    with pytest.raises(InvalidInputError, match="frame has two columns named '1'"):
        read_table({1: ["Bath"], "1": ["York"]})


@pytest.mark.parametrize("frame", ["city.csv", ["Bath"], 3, None, np.ones(2), {"n": [1, 2]}, {}, {"a": ["b"], "c": []}])
def test_what_is_no_table_is_refused(frame):
    with pytest.raises(InvalidInputError, match=r"^frame "):
        read_table(frame)


@pytest.mark.parametrize("columns", ["city", [], 3, ["town"]])
def test_columns_that_do_not_exist(columns):
    with pytest.raises(InvalidInputError, match=r"^columns"):
        read_table({"city": ["Bath"]}, columns)


def test_names_of_table_files():
    assert is_table_file("a/b.CSV")
    assert is_table_file("b.tsv.gz")
    assert not is_table_file("b.csv.log")
