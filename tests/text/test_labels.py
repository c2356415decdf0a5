"""Labels as an array: the given values, or an error."""

from __future__ import annotations

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.labels import checked_labels, label_number, label_numbers, labeled_ids

THIRD = np.longdouble(1) / 3  # no float64


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "a\0"], r"^labels\[1\] is 'a\\x00', but NumPy would store it as 'a'"),
        (np.array(["a", "b\0"], object), r"^labels\[1\] is 'b\\x00'"),
        ([2**53, 2**53 + 1, 0.5], r"^labels\[1\] is 9007199254740993, but NumPy would store it as 9007199254740992\.0"),
        ([2**63, -1, 2**63 + 1], r"^labels\[2\] is 9223372036854775809, but NumPy would store it as 9\.22"),
        ([2**64, 1], r"^labels\[0\] is 18446744073709551616, an integer of more than 64 bits"),
        ([-(2**63), -(2**63) - 1], r"^labels\[1\] is -9223372036854775809, an integer of more than 64 bits"),
        ([2**64 - 1, 0, 2**64], r"^labels\[2\] is 18446744073709551616, an integer of more than 64 bits"),
        ([float("nan"), 10**400], r"^labels\[1\] is 1000*\.\.\., an integer of more than 64 bits"),
        ([["a"], ["a", "b"]], r"^labels must be labels, one for each document: .*inhomogeneous"),
        ([0.5, THIRD], r"^labels\[1\] is .*, but NumPy would store it as 0\.333"),
        (np.array([0.5, THIRD]), r"^labels\[1\] is .*, but NumPy would store it as 0\.333"),
        ([True, 1], r"^labels\[1\] is int, but labels\[0\] is bool"),
        ([0.5, True], r"^labels\[1\] is bool, but labels\[0\] is float"),
        (["b", np.bool_(True)], r"^labels\[1\] is bool.*, but labels\[0\] is str"),
        ([1, b"a"], r"^labels\[1\] must be a str or a number, not bytes$"),
        ([0.5, float("nan")], r"^labels\[1\] is missing \(NaN\)"),
        (np.array([0.5, float("nan")], object), r"^labels\[1\] is missing \(NaN\)"),
        (np.ma.array([5, 7, 7], mask=[False, True, False]), r"^labels\[1\] is masked\. Leave out its document"),
        (np.ma.array(["a", "b"], object, mask=[False, True]), r"^labels\[1\] is masked"),
    ],
)
def test_refuses_labels_that_numpy_would_change(values, message):
    with pytest.raises(InvalidInputError, match=message):
        checked_labels(values)
    with pytest.raises(InvalidInputError, match=message):
        label_numbers(values, np.array(["a"]))


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a\0c", ""], [2**63, 2**64 - 1], [2**53, 0.5, 2], [np.float32(0.1), np.float64(0.1)],
        np.array([3, 5], np.uint8), np.array([0.1, 0.5], np.float16), np.array([0.25, 0.5], np.longdouble),
        [np.int64(3), 5], np.ma.array([5, 7], mask=False),
    ],
)  # fmt: skip
def test_labels_are_the_values_that_were_given(values):
    labels, numbers = checked_labels(values)
    assert labels[numbers].tolist() == list(values)
    assert all(type(label) in (str, int, float) for label in labels.tolist())


def test_the_first_label_that_a_model_does_not_have():
    with pytest.raises(InvalidInputError, match=r"^labels\[2\] .*'c'"):
        label_numbers(["b", "a", "c", "a", "c"], np.array(["a", "b"]))
    assert label_numbers(["b", "a", "b"], np.array(["a", "b", "c"])).tolist() == [1, 0, 1]


def test_labels_of_an_iterator():
    assert checked_labels(iter(["b", "a"])).numbers.tolist() == [1, 0]


def test_labels_of_a_type_that_no_file_holds():
    with pytest.raises(InvalidInputError, match=r"^labels must be str, whole numbers, floats or bool, not complex128$"):
        checked_labels(np.array([1j, 2j]))


@pytest.mark.parametrize(
    ("label", "known", "k"), [("b", ["a", "b"], 1), (np.str_("a"), ["a", "b"], 0), (7.0, [5, 7], 1), (True, [0, 1], 1)]
)
def test_the_number_of_a_label(label, known, k):
    assert label_number(label, np.array(known)) == k


@pytest.mark.parametrize(("n", "shown"), [(10, "9"), (11, r"9, \.\.\.")])
def test_an_error_names_ten_labels_at_most(n, shown):
    with pytest.raises(InvalidInputError, match=rf"^label must be one of 0, 1, .*8, {shown}, not 20$"):
        label_number(20, np.arange(n))


@pytest.mark.parametrize(
    ("boundary", "n_labels", "dtype"), [(250, 5, np.uint8), (250, 6, np.uint16), (3, 253, np.uint16)]
)
def test_ids_with_labels_are_large_enough_for_the_last_label(boundary, n_labels, dtype):
    packed = np.array([boundary, 0, boundary, 1, 2, boundary], np.uint8)
    ids = labeled_ids(packed, boundary, np.array([n_labels - 1, 0]), n_labels)
    assert ids.dtype == dtype
    assert ids.tolist() == [boundary, boundary + n_labels, 0, boundary, boundary + 1, 1, 2, boundary]


@pytest.mark.parametrize(
    ("values", "n", "message"),
    [
        (["a", "b"], 3, r"^labels must be 3 labels, one for each document, not 2$"),
        (["a", "b", "a"], 2, r"^labels must be 2 labels, one for each document, not 3$"),
        ([], 0, None),
        ([], None, r"^labels must be at least one label, not 0$"),
        ([["a"], ["b"]], None, r"^labels must be one label for each document, not of shape \(2, 1\)$"),
    ],
)
def test_the_number_of_labels(values, n, message):
    if message is None:
        assert checked_labels(np.array(values, np.int64), n).numbers.tolist() == []
        return
    with pytest.raises(InvalidInputError, match=message):
        checked_labels(values, n)
