"""What cannot be meant as a text or as documents is refused or warned of; how documents are joined and packed."""

import io
import sys

import numpy as np
import pytest
from examples import packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import CharRNN, InvalidInputError, TextClassifier
from crnn.text import documents
from crnn.text.documents import boundaries, is_missing, join, python_values
from crnn.text.sources import text_source

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


class NAType:
    """Like the type of pandas' missing values."""


class Column:
    """Like a column of pandas or polars: it has one dimension and gives its values."""

    ndim, shape = 1, (2,)

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


INVALID = [
    ({"anna": 1}, r"^text is a dict, .* Pass list\(text.values\(\)\) or list\(text\)\.$"),
    (Table(), r"^text is a table \(Table\)\. Pass its column of texts, text\['column'\]\.$"),
    (Rows([{"name": "anna"}]), r"^text is a table \(Rows\)"),
    (set(NAMES), r"^text is a set, which has no order, .* Pass sorted\(text\)\.$"),
    (frozenset(NAMES), r"^text is a frozenset, .* Pass sorted\(text\)\.$"),
    (io.StringIO("anna\nbob"), r"^text is an open file\. Pass text.read\(\) for its text, .* or the file's Path"),
    (np.array([NAMES]), r"^text is an array of 2 dimensions, .* Pass a column, text\[:, 0\]\.$"),
    (np.array("anna"), r"^text is an array of no dimension"),
    ([None], r"^text\[0\] must be str or bytes, not NoneType\. Leave out missing texts\.$"),
    (["anna", float("nan")], r"^text\[1\] must be str or bytes, not float\. Leave out missing texts\.$"),
    ([NAType()], r"^text\[0\] must be str or bytes, not NAType\. Leave out missing texts\.$"),
    ([3], r"^text\[0\] must be str or bytes, not int$"),
    ([np.arange(3)], r"^text\[0\] must be str or bytes, not ndarray$"),
]


def test_refuses_other_inputs_and_names_the_remedy():
    for X, message in INVALID:
        with pytest.raises(InvalidInputError, match=message):
            text_source(X, "text")


def test_ordered_collections_are_documents():
    for X in (
        np.array(NAMES), np.array(NAMES, object), np.array([b"anna", b"bob"]), Column(NAMES), tuple(NAMES),
        (name for name in NAMES), {"anna": 1, "bob": 2}.keys(),
    ):  # fmt: skip
        source = text_source(X)
        assert source.holds_documents
        assert source.lengths.tolist() == [4, 3]


@pytest.mark.peers
@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_columns_of_tables_and_their_missing_values(module):
    tables = pytest.importorskip(module)
    assert text_source(tables.Series(NAMES)).lengths.tolist() == [4, 3]
    with pytest.raises(InvalidInputError, match="is a table"):
        text_source(tables.DataFrame({"name": NAMES}))
    model, column = CharRNN(3, max_steps=0, random_state=0).fit(NAMES), tables.Series([NAMES[0], None, NAMES[1]])
    first, last = model.score_samples(NAMES)
    # In pandas, the missing values of strings are NA.
    for each in (column, column.astype("string")) if module == "pandas" else (column,):
        np.testing.assert_array_equal(model.score_samples(each, errors="skip"), [first, np.nan, last])


class ArrowLike:
    """Like an array of Arrow: its items are scalars, and slices give the values."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter([Scalar() for _ in self.values])

    def slice(self, start, length):
        return ArrowLike(self.values[start : start + length])

    def to_pylist(self):
        return list(self.values)


class Scalar:
    """Like a scalar of Arrow, not a str."""


def test_arrow_arrays_give_their_values(monkeypatch):
    monkeypatch.setattr(documents, "ARROW_SLICE", 2)
    values = [*NAMES, "eve", None, ""]
    assert list(python_values(ArrowLike(values))) == values
    assert python_values(values) is values
    column = Column(NAMES)
    column.to_pylist = column.slice = None  # an array has a length
    assert python_values(column) is column


class NaTType:
    """Like the type of pandas' missing times."""


def test_nan_nat_and_none_are_missing():
    assert all(map(is_missing, (NaTType(), None, float("nan"))))
    assert not any(map(is_missing, (np.float32("nan"), "", "NaN", 0.0)))


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary", "chunked"])
def test_arrow_arrays_wherever_columns_are(kind):
    pa = pytest.importorskip("pyarrow")

    def column(values):
        if kind == "chunked":
            return pa.chunked_array([values[:1], values[1:]], pa.string())
        return pa.array(values).dictionary_encode() if kind == "dictionary" else pa.array(values, getattr(pa, kind)())

    model = CharRNN(3, max_steps=5, random_state=0).fit(NAMES * 5)
    same = CharRNN(3, max_steps=5, random_state=0).fit(column(NAMES * 5))
    np.testing.assert_array_equal(same.params_["by"], model.params_["by"])
    np.testing.assert_array_equal(model.score_samples(column(NAMES)), model.score_samples(NAMES))
    scores = model.score_samples(column([NAMES[0], None]), errors="skip")
    np.testing.assert_array_equal(scores, [*model.score_samples(NAMES[:1]), np.nan])
    assert model.score(column(NAMES)) == model.score(NAMES)
    assert model.transform(column(NAMES)).shape == (2, 3)
    assert model.sample(exclude=column(NAMES), random_state=0) not in NAMES
    labeled = CharRNN(3, max_steps=5, random_state=0).fit(column(NAMES * 5), y=column(["x", "y"] * 5))
    assert labeled.labels_.tolist() == ["x", "y"]
    classifier = TextClassifier(CharRNN(3, max_steps=5, random_state=0))
    classifier.fit(column(NAMES * 5), column(["x", "y"] * 5))
    assert classifier.predict(column(NAMES)).shape == (2,)
    with pytest.raises(InvalidInputError, match="is a table"):
        text_source(pa.table({"name": NAMES}))


@pytest.mark.peers
def test_columns_of_a_hugging_face_data_set():
    rows = pytest.importorskip("datasets").Dataset.from_dict({"name": NAMES})
    assert text_source(rows["name"]).lengths.tolist() == [4, 3]
    with pytest.raises(InvalidInputError, match="is a table"):
        text_source(rows)


def test_a_text_that_names_a_file_is_warned_of_at_the_caller(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input.txt").write_text("content")
    wanted = r"^the text is the 9 letters 'input.txt'; to read the file, pass Path\('input.txt'\)$"
    with pytest.warns(UserWarning, match=wanted) as caught:
        model = CharRNN(3, max_steps=0).fit("input.txt")
    assert caught[0].filename == __file__
    assert "".join(model.vocabulary_) == ".inptux"


def test_other_texts_are_not_warned_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(documents, "LONGEST_NAME", 6)
    (tmp_path / "folder").mkdir()
    if sys.platform != "win32":
        (tmp_path / "a\nb").write_text("content")
    for text in ("", "bob", "folder", "a\nb", "a\0b", "\ud800"):
        text_source(text)
    text_source(NAMES)
    (tmp_path / "letters").write_text("content")
    text_source("letters")
    for name in ("letter", "x"):
        (tmp_path / name).write_text("content")
        with pytest.warns(UserWarning, match=f"the {len(name)} letters '{name}'"):
            text_source(name)


def test_sample_of_documents_warns_where_their_number_may_be_meant():
    model = CharRNN(3, max_steps=0, random_state=0).fit(NAMES)
    with pytest.warns(UserWarning, match=r"^sample\(20\) of a model .* n_samples=20; .* max_length=20\.$"):
        model.sample(20)
    model.sample(1)
    model.sample(5, max_length=3)
    model.sample(5, prime="an")
    model.sample(5, n_samples=2)
    CharRNN(3, max_steps=0).fit("anna").sample(20)


def test_generators_and_bytes_of_every_kind_are_joined():
    text, lengths = join(text for text in ["to", "", "be\nor"])
    assert text == "tobe\nor"
    assert lengths.tolist() == [2, 0, 5]
    text, lengths = join([b"to", bytearray(b" "), memoryview(b"b.e.")[::2]])
    assert text == b"to be"
    assert lengths.tolist() == [2, 1, 2]


DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)


@given(DOCUMENTS)
def test_packing_keeps_every_document(documents):
    packed = packed_documents(documents)
    assert len(packed) == sum(map(len, documents)) + len(documents) + 1
    assert unpacked_documents(packed) == list(map(tuple, documents))


class MostlyEmpty:
    """Packed ids of 2**32 + 1 symbols, of which all but the last are left out: a boundary."""

    def __len__(self):
        return 2**32 + 1

    def __getitem__(self, piece):
        return np.zeros(1 if piece.start == 2**32 else 0, np.uint8)


def test_positions_of_more_than_four_bytes():
    assert boundaries(MostlyEmpty(), 0).tolist() == [2**32]
