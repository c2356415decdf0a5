"""Labels as an array: the given values, or an error."""

from __future__ import annotations

import numpy as np

from crnn import Lines
from crnn.text.labels import LabeledSource, checked_labels, label_number, label_numbers, labeled_ids
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
