"""The errors for ids and texts that a vocabulary does not have: the first place that is wrong."""

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.symbols.refusals import not_a_symbol, refuse_other_ids, refuse_other_kind


@pytest.mark.parametrize(
    ("ids", "boundary", "message"),
    [
        ([0, 4, 5, -1], None, r"^ids\[2\] is 5, but the ids of this vocabulary run from 0 to 4$"),
        ([0, -1, 5], None, r"^ids\[1\] is -1, "),
        ([0, 3, 2, 2], 2, r"^ids\[2\] is the boundary, "),
        ([0, 1, 4, 3], 2, r"^ids\[2\] is a label, "),
        ([2, 5], 2, r"^ids\[1\] is 5, "),
    ],
)
def test_the_first_id_that_is_refused(ids, boundary, message):
    with pytest.raises(InvalidInputError, match=message):
        refuse_other_ids(np.array(ids), 5, boundary)


@pytest.mark.parametrize(
    ("ids", "message"), [([2, 0, 5], r"^ids\[2\] is 5, "), ([2, 2, 1, 3], r"^ids\[3\] is a label, ")]
)
def test_ids_of_documents_may_be_the_boundary(ids, message):
    refuse_other_ids(np.array(ids[:-1]), 5, 2, documents=True)
    with pytest.raises(InvalidInputError, match=message):
        refuse_other_ids(np.array(ids), 5, 2, documents=True)


@pytest.mark.parametrize(("ids", "boundary"), [([], None), ([0, 4, 0], None), ([0, 1, 1], 2), ([], 2)])
def test_ids_of_characters(ids, boundary):
    refuse_other_ids(np.array(ids, np.intp), 5, boundary)


def test_kinds():
    refuse_other_kind("a", "characters", "X")
    refuse_other_kind(bytearray(b"a"), "bytes", "X")
    for text, kind in (("a", "bytes"), (b"a", "characters"), (None, "characters"), (3, "bytes")):
        with pytest.raises(InvalidInputError, match=r"^prime "):
            refuse_other_kind(text, kind, "prime")


def test_a_symbol_and_a_byte():
    assert str(not_a_symbol("q", 3, "X", 20)).startswith("X contains 'q' (U+0071) at position 3")
    assert str(not_a_symbol(b"\xf1", 0, "text", 7)).startswith("text contains b'\\xf1' (byte 0xF1) at position 0")
