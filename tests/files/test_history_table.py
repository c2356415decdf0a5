"""HistoryTable: records come back, and arrays that form no history are refused."""

import numpy as np
import pytest

from crnn.files.history_table import MAX_COLUMNS, MAX_TEXT, HistoryTable

RECORDS = [{"step": 3, "loss": 0.5}, {"step": 5, "loss": None, "note": "best"}, {"note": "last", "more": [1]}]


def test_slices_are_records():
    assert HistoryTable.of(RECORDS)[1:] == RECORDS[1:]


@pytest.mark.parametrize("names", [[3], [f"name {i}" for i in range(MAX_COLUMNS + 1)]])
def test_names_that_no_file_holds(names):
    with pytest.raises(ValueError, match=f"has a name that is not a str, or over {MAX_COLUMNS} names"):
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
        (["note"], 4, b'"%s"\n' % (b"a" * MAX_TEXT), "a text that is too long"),
    ],
)
def test_arrays_that_are_no_history(columns, kind, texts, fault):
    kinds, bits = np.array([[kind]], np.uint8), np.zeros((1, 1), np.int64)
    found = HistoryTable(columns, kinds, bits, np.frombuffer(texts, np.uint8)).fault()
    assert found is None if fault is None else fault in found


def test_a_history_without_names():
    empty = HistoryTable([], np.zeros((1, 0), np.uint8), np.zeros((1, 0), np.int64), np.zeros(0, np.uint8))
    assert empty.fault() == "its history has no names, or a value of unknown kind"
