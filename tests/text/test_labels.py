"""Labels as an array, documents with labels, and documents that occur several times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError, Lines
from crnn.text import labels
from crnn.text.labels import CountedSource, LabeledSource, checked_labels, label_number, label_numbers, labeled_ids
from crnn.text.sources import text_source


def test_labels_are_the_values_that_were_given():
    for values in (
        ["b", "a\0c", ""], [2**63, 2**64 - 1], [2**53, 0.5, 2], [np.float32(0.1), np.float64(0.1)],
        np.array([3, 5], np.uint8), np.array([0.1, 0.5], np.float16), np.array([0.25, 0.5], np.longdouble),
        [np.int64(3), 5], np.ma.array([5, 7], mask=False),
    ):  # fmt: skip
        labels, numbers = checked_labels(values)
        assert labels[numbers].tolist() == list(values)
        assert all(type(label) in (str, int, float) for label in labels.tolist())


def test_labels_are_numbers_of_the_known_ones():
    assert checked_labels(np.array([], np.int64), 0).numbers.tolist() == []
    assert checked_labels(iter(["b", "a"])).numbers.tolist() == [1, 0]
    assert label_numbers(["b", "a", "b"], np.array(["a", "b", "c"])).tolist() == [1, 0, 1]
    for label, known, k in (("b", ["a", "b"], 1), (np.str_("a"), ["a", "b"], 0), (7.0, [5, 7], 1), (True, [0, 1], 1)):
        assert label_number(label, np.array(known)) == k


def test_ids_with_labels_are_large_enough_for_the_last_label():
    for boundary, n_labels, dtype in ((250, 5, np.uint8), (250, 6, np.uint16), (3, 253, np.uint16)):
        packed = np.array([boundary, 0, boundary, 1, 2, boundary], np.uint8)
        ids = labeled_ids(packed, boundary, np.array([n_labels - 1, 0]), n_labels)
        assert ids.dtype == dtype
        assert ids.tolist() == [boundary, boundary + n_labels, 0, boundary, boundary + 1, 1, 2, boundary]


def test_documents_begin_with_their_labels():
    source = LabeledSource(text_source(["cab", "", "a"]), ["y", "x", "y"])
    assert source.labels == ("x", "y")
    assert (source.n_documents, source.max_length, "".join(source.blocks())) == (3, 11, "caba")
    assert source.ids(source.vocabulary()).tolist() == [3, 5, 2, 0, 1, 3, 4, 3, 5, 0, 3]
    known = LabeledSource(text_source(["a", "b"]), ["z", "x"], known=("x", "y", "z"))  # they keep their numbers
    assert known.labels == ("x", "y", "z")
    assert known.ids(known.vocabulary()).tolist() == [2, 5, 0, 2, 3, 1, 2]


def test_the_fingerprint_is_of_texts_and_labels(tmp_path):
    def fingerprint(texts, labels):
        return LabeledSource(text_source(texts), labels).fingerprint().sha256

    (tmp_path / "names").write_text("a\nb\n")
    whole = fingerprint(["a", "b"], [0, 1])
    assert whole == fingerprint(Lines(tmp_path / "names", cache=tmp_path), [0, 1])
    assert whole not in (fingerprint(["a", "b"], [1, 0]), fingerprint(["a", "c"], [0, 1]))


# --- documents that occur several times: the same symbols and ids as if the documents were repeated


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
def test_documents_of_weight_0_are_left_out_and_bytes_counted(given, tmp_path):
    (tmp_path / "lines").write_text("ab\nc\nd\n")
    source = CountedSource(Lines(tmp_path / "lines", cache=tmp_path) if isinstance(given, str) else given, [2, 0.0, 1])
    assert [*source.vocabulary()][:-1] == ["a", "b", "d"]
    assert source.ids(source.vocabulary()).tolist() == [3, 0, 1, 3, 2, 3]
    assert source.labels(["x", "y", "z"]).tolist() == ["x", "z"]
    source = CountedSource([b"ab", bytearray(b"c")], [3, 1])
    assert [*source.vocabulary(2)][:-2] == [b"a", b"b"]
