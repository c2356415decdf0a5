"""Split: a text at a symbol, documents at a boundary; nothing lost, neither part too short."""

from __future__ import annotations

import numpy as np
import pytest
from examples import packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.streams.split import split_documents, split_text
from crnn.text.streams.text_streams import TextStreams

FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=2, max_size=20)


@given(st.integers(1, 500), FRACTIONS, st.integers(1, 9))
def test_a_text_is_cut_at_the_nearest_symbol(n, fraction, batch_size):
    ids = np.arange(n)
    held_out = round(n * fraction)
    if held_out == 0 or n - held_out < batch_size + 1:
        message = rf"^validation_fraction=.* of a text of {n} symbols leaves {held_out} for .* and {n - held_out} for"
        with pytest.raises(InvalidInputError, match=message):
            split_text(ids, fraction, batch_size)
    else:
        training, tail = split_text(ids, fraction, batch_size)
        assert len(tail) == held_out
        assert np.concatenate([training, tail]).tolist() == ids.tolist()
        TextStreams(training, batch_size)  # it is long enough


@given(DOCUMENTS, FRACTIONS)
def test_the_last_documents_are_held_out(documents, fraction):
    n = round(len(documents) * fraction)
    if not 0 < n < len(documents):
        with pytest.raises(InvalidInputError, match=f"of {len(documents)} documents leaves {n} for validation"):
            split_documents(packed_documents(documents), 9, fraction)
        return
    training, validation = split_documents(packed_documents(documents), 9, fraction)
    assert unpacked_documents(training) + unpacked_documents(validation) == list(map(tuple, documents))
    assert len(unpacked_documents(validation)) == n
