"""Documents that occur several times: their symbols and ids are those of the repeated documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError, Lines
from crnn.text import labels
from crnn.text.labels import CountedSource
from crnn.text.sources import text_source

COUNTED = st.lists(st.tuples(st.text("abc\0é", max_size=5), st.integers(0, 4)), min_size=1, max_size=7)


@given(COUNTED.filter(lambda pairs: any(n for _, n in pairs)), st.integers(1, 5))
def test_symbols_count_as_often_as_their_documents(pairs, min_count):
    texts, times = zip(*pairs, strict=True)
    source, repeated = CountedSource(list(texts), times), text_source([text for text, n in pairs for _ in range(n)])
    try:
        expected = repeated.vocabulary(min_count)
    except InvalidInputError as error:
        with pytest.raises(InvalidInputError, match=str(error)):
            source.vocabulary(min_count)
        return
    assert source.vocabulary(min_count) == expected
    once = text_source([text for text, n in pairs if n])
    assert source.ids(expected).tolist() == once.ids(expected).tolist()
    assert source.times.tolist() == [n for n in times if n]


def test_occurrences_are_added_up_in_blocks(monkeypatch):
    monkeypatch.setattr(labels, "BLOCK_SIZE", 3)
    source = CountedSource(["abcab", "", "bd", "e"], [1, 9, 3, 1])
    assert [*source.vocabulary(2)][:-2] == ["a", "b", "d"]
    assert [*source.vocabulary(5)][:-2] == ["b"]
    assert [*source.vocabulary(5, given="xy")][:-2] == ["x", "y"]
    assert (source.n_documents, source.max_length, "".join(source.blocks())) == (4, 13, "abcabbde")


@pytest.mark.parametrize("given", [["ab", "c", "d"], iter(["ab", "c", "d"]), np.array(["ab", "c", "d"]), "lines"])
def test_documents_of_weight_0_are_left_out(given, tmp_path):
    (tmp_path / "lines").write_text("ab\nc\nd\n")
    source = CountedSource(Lines(tmp_path / "lines", cache=tmp_path) if isinstance(given, str) else given, [2, 0.0, 1])
    assert [*source.vocabulary()][:-1] == ["a", "b", "d"]
    assert source.ids(source.vocabulary()).tolist() == [3, 0, 1, 3, 2, 3]
    assert source.labels(["x", "y", "z"]).tolist() == ["x", "z"]


def test_bytes_may_be_counted():
    source = CountedSource([b"ab", bytearray(b"c")], [3, 1])
    assert [*source.vocabulary(2)][:-2] == [b"a", b"b"]
