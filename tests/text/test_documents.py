"""Documents: what a collection is, and how it is packed."""

from __future__ import annotations

import numpy as np
from examples import packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn.text.documents import boundaries, join

# ------------------------------------------------------------------------- a collection


def test_a_generator_is_read_once():
    text, lengths = join(text for text in ["to", "", "be\nor"])
    assert text == "tobe\nor"
    assert lengths.tolist() == [2, 0, 5]


def test_bytes_of_every_kind():
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
