"""What cannot be meant as a text or as documents is refused or warned of; columns and arrays of texts are documents."""

from __future__ import annotations

import io

import numpy as np
import pytest

from crnn import CharRNN, InvalidInputError
from crnn.text.sources.input_checks import LONGEST_NAME
from crnn.text.sources.sources import text_source

NAMES = ["anna", "bob"]


class Table:
    """Like a DataFrame of pandas or polars."""

    columns = ("name", "age")
    shape = (2, 2)

    def __iter__(self):
        return iter(self.columns)


class Rows(list):
    """Like a data set of Hugging Face, whose columns are named but that gives rows."""

    column_names = ("name",)


class Column:
    """Like a column of pandas or polars: it has one dimension and gives its values."""

    ndim, shape = 1, (2,)

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"anna": 1}, r"^text is a dict, .* pass list\(text.values\(\)\) or list\(text\)$"),
        (Table(), r"^text is a table, a Table: pass the column of the texts, text\['column'\]$"),
        (Rows([{"name": "anna"}]), r"^text is a table, a Rows"),
        (set(NAMES), r"^text is a set, which has no order, .* pass sorted\(text\)$"),
        (frozenset(NAMES), r"^text is a frozenset, .* pass sorted\(text\)$"),
        (io.StringIO("anna\nbob"), r"^text is an open file: pass text.read\(\) for its text, .* or the Path"),
        (np.array([NAMES]), r"^text is an array of 2 dimensions, .* pass a column, text\[:, 0\]$"),
        (np.array("anna"), r"^text is an array of no dimension"),
        ([None], r"^text\[0\] must be str or bytes, not NoneType: leave out what is missing$"),
        (["anna", float("nan")], r"^text\[1\] must be str or bytes, not float: leave out what is missing$"),
        ([np.arange(3)], r"^text\[0\] must be str or bytes, not ndarray$"),
    ],
)
def test_refused_with_the_remedy(X, message):
    with pytest.raises(InvalidInputError, match=message):
        text_source(X, "text")


@pytest.mark.parametrize(
    "X",
    [
        np.array(NAMES),
        np.array(NAMES, object),
        np.array([b"anna", b"bob"]),
        Column(NAMES),
        tuple(NAMES),
        (name for name in NAMES),
        {"anna": 1, "bob": 2}.keys(),
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_gives_texts_in_order_is_documents(X):
    source = text_source(X)
    assert source.holds_documents
    assert source.lengths.tolist() == [4, 3]


@pytest.mark.peers
@pytest.mark.parametrize(("module", "column"), [("pandas", "Series"), ("polars", "Series")])
def test_columns_of_tables(module, column):
    tables = pytest.importorskip(module)
    assert text_source(getattr(tables, column)(NAMES)).lengths.tolist() == [4, 3]
    with pytest.raises(InvalidInputError, match="is a table"):
        text_source(tables.DataFrame({"name": NAMES}))


@pytest.mark.peers
def test_columns_of_a_hugging_face_data_set():
    rows = pytest.importorskip("datasets").Dataset.from_dict({"name": NAMES})
    assert text_source(rows["name"]).lengths.tolist() == [4, 3]
    with pytest.raises(InvalidInputError, match="is a table"):
        text_source(rows)


def test_a_text_that_names_a_file_is_warned_of_at_the_caller(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input.txt").write_text("content")
    wanted = r"^the text is the 9 letters 'input.txt'; for the file give Path\('input.txt'\)$"
    with pytest.warns(UserWarning, match=wanted) as caught:
        model = CharRNN(3, max_steps=0).fit("input.txt")
    assert caught[0].filename == __file__
    assert "".join(model.vocabulary_) == ".inptux"


def test_other_texts_are_not_warned_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anna").write_text("content")
    (tmp_path / "folder").mkdir()
    for text in ("", "bob", "folder", "anna\n", "a\0b", "\ud800", "a" * (LONGEST_NAME + 1)):
        text_source(text)
    text_source(NAMES)


def test_many_strings_are_checked_as_documents_are():
    model = CharRNN(3, max_steps=0).fit(NAMES)
    with pytest.raises(InvalidInputError, match=r"^texts is a table"):
        model.score_samples(Table())
    assert len(model.score_samples(np.array(NAMES))) == 2


def test_sample_of_documents_warns_where_their_number_may_be_meant():
    model = CharRNN(3, max_steps=0, random_state=0).fit(NAMES)
    with pytest.warns(UserWarning, match=r"^sample\(20\) of a model of documents .* num_samples=20, .* max_length=20$"):
        model.sample(20)
    model.sample(5, max_length=3)
    model.sample(5, prime="an")
    model.sample(5, num_samples=2)
    CharRNN(3, max_steps=0).fit("anna").sample(20)
