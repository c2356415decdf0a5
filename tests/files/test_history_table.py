"""HistoryTable: records come back, and arrays that form no history are refused."""

import numpy as np
import pytest

from crnn import ModelFileError
from crnn.files.history_table import HistoryTable

RECORDS = [{"step": 3, "loss": 0.5}, {"step": 5, "loss": None, "note": "best"}, {"note": "last", "more": [1]}]


def test_slices_are_records():
    assert HistoryTable.of(RECORDS)[1:] == RECORDS[1:]


@pytest.mark.parametrize("names", [[3], [f"name {i}" for i in range(1001)]])
def test_names_that_no_file_holds(names):
    with pytest.raises(ValueError, match="has a name that is not a str, or over 1000 names"):
        HistoryTable.of([dict.fromkeys(names, 1)])


@pytest.mark.parametrize(
    ("columns", "kind", "texts", "fault"),
    [
        (["note"], 4, b'"best"\n', None),
        ([], 4, b'"best"\n', "differ in shape"),
        (["note"], 5, b'"best"\n', "a value of unknown kind"),
        (["note"], 4, b"", "the wrong number of texts"),
        (["note"], 4, b'"best"\n"last"\n', "the wrong number of texts"),
        (["note"], 4, b'"best"\n"last"', "the wrong number of texts"),
        (["note"], 4, b'"%s"\n' % (b"a" * 65_533), None),
        (["note"], 4, b'"%s"\n' % (b"a" * 65_534), "a text that is too long"),
        (["note", "more"], 4, b'"best"\n', "differ in shape"),
    ],
)
def test_refuses_arrays_without_history(columns, kind, texts, fault):
    kinds, bits = np.array([[kind]], np.uint8), np.zeros((1, 1), np.int64)
    found = HistoryTable(columns, kinds, bits, np.frombuffer(texts, np.uint8)).fault()
    assert found is None if fault is None else fault in found


def test_texts_and_names_as_long_as_a_file_holds():
    for record in ({"note": "a" * 65_533}, {f"name {i}": i for i in range(1000)}):
        table = HistoryTable.of([record])
        assert table.fault() is None
        assert table == [record]
    with pytest.raises(ValueError, match=r"a value of 65536 characters of JSON\. Shorten it"):
        HistoryTable.of([{"note": "a" * 65_534}])
    with pytest.raises(ValueError, match=r"a value of \d+ characters of JSON\. Shorten it"):
        HistoryTable.of([{"note": [[]] * 16_000 * 5}])


def test_a_text_that_is_not_readable():
    table = HistoryTable(["a"], np.array([[4]], np.uint8), np.zeros((1, 1), np.int64), np.frombuffer(b"{\n", np.uint8))
    with pytest.raises(ModelFileError, match="its history is not readable JSON"):
        table.fault()


@pytest.mark.parametrize("lengths", [(1, 65_534), (65_534, 1)])
def test_one_of_several_texts_that_is_too_long(lengths):
    texts = "".join(f'"{"a" * n}"\n' for n in lengths).encode()
    kinds, bits = np.array([[4], [4]], np.uint8), np.zeros((2, 1), np.int64)
    assert "too long" in HistoryTable(["a"], kinds, bits, np.frombuffer(texts, np.uint8)).fault()


def test_texts_keep_the_order_of_the_columns():
    records = [{"a": "1", "b": True}, {"b": [2], "a": "3"}, {"b": 4.5}, {"c": 2**63, "a": -(2**63)}]
    table = HistoryTable.of(records)
    assert list(table) == records
    assert table == records
    assert table != records[:-1]
    assert table != [*records[:-1], {}]
    assert table != tuple(records)
    assert HistoryTable.of([{"a": -(2**63) - 1}]) == [{"a": -(2**63) - 1}]
    assert table[-1] == records[-1]
    with pytest.raises(IndexError):
        table[4]


def test_a_history_without_names():
    empty = HistoryTable([], np.zeros((1, 0), np.uint8), np.zeros((1, 0), np.int64), np.zeros(0, np.uint8))
    assert empty.fault() == "its history has no names, or a value of unknown kind"
