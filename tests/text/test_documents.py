"""Documents: what a collection is, and how it is packed and split."""

from __future__ import annotations

import pytest
from examples import packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.documents import joined, split

# ------------------------------------------------------------------------- a collection


def test_a_generator_is_read_once():
    documents = joined(text for text in ["to", "", "be\nor"])
    assert documents.text == "tobe\nor"
    assert documents.lengths.tolist() == [2, 0, 5]
    assert documents.kind == "characters"


def test_bytes_of_every_kind():
    documents = joined([b"to", bytearray(b" "), memoryview(b"b.e.")[::2]])
    assert documents.text == b"to be"
    assert documents.lengths.tolist() == [2, 1, 2]
    assert documents.kind == "bytes"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X is an empty list; at least 1 document is needed"),
        (["a", "b", 3, "c"], r"X\[2\] must be str or bytes, not int"),
        ([None], r"X\[0\] must be str or bytes, not NoneType"),
        (["a", b"b"], r"X\[1\] is bytes, but X\[0\] is str: the documents must be all str or all bytes"),
        ([b"a", b"b", "c"], r"X\[2\] is str, but X\[0\] is bytes"),
        ([["a"], "b"], r"X\[0\] must be str or bytes, not list"),
    ],
)
def test_what_is_no_collection_of_texts_is_named(X, message):
    with pytest.raises(InvalidInputError, match=message):
        joined(X)


DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)


@given(DOCUMENTS)
def test_packing_keeps_every_document(documents):
    packed = packed_documents(documents)
    assert len(packed) == sum(map(len, documents)) + len(documents) + 1
    assert unpacked_documents(packed) == list(map(tuple, documents))


@given(DOCUMENTS.filter(lambda documents: len(documents) > 1), st.floats(0.01, 0.99))
def test_the_last_documents_are_held_out(documents, fraction):
    n = round(len(documents) * fraction)
    if not 0 < n < len(documents):
        with pytest.raises(InvalidInputError, match=f"of {len(documents)} documents leaves {n} for validation"):
            split(packed_documents(documents), 9, fraction)
        return
    training, validation = split(packed_documents(documents), 9, fraction)
    assert unpacked_documents(training) + unpacked_documents(validation) == list(map(tuple, documents))
    assert len(unpacked_documents(validation)) == n
