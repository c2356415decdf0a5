"""Data of a training run: the line that tells them, texts with labels for a classifier, the part held out."""

import numpy as np
import pytest

from crnn import CharRNN
from crnn.text.labels import checked_labels
from crnn.training.data import LEAST_SECONDS, ClassData, class_prior


@pytest.mark.parametrize(
    ("X", "parameters", "line"),
    [
        ("abracadabra", {}, "data: 11 characters, 5 different ones"),
        (b"abracadabra", {}, "data: 11 bytes, 5 different ones"),
        ("abracadabra", {"min_count": 3}, "data: 11 characters, 1 different one and one symbol for all others"),
        ("abracadabra" * 100, {"validation_fraction": 0.25},
         "data: 825 characters, 5 different ones; validation: 275 characters"),
        (["ab", "", "bcd"], {}, "data: 3 documents of 5 characters in all, 4 different ones"),
        (["ab"] * 3, {"validation_fraction": 0.3},
         "data: 2 documents of 4 characters in all, 2 different ones; validation: 1 document of 2 characters in all"),
    ],
)  # fmt: skip
def test_training_first_tells_the_size_of_the_text(capsys, X, parameters, line):
    CharRNN(3, max_steps=1, verbose=1, **parameters).fit(X)
    assert capsys.readouterr().err.splitlines()[0] == line


TEXTS = ["anna", "bob", "", "eve", "otto", "lena", "maximilian"]
LABELS = [f"label of {text}" for text in TEXTS]
EIGHT_LABELS = ["c", "a", "b", "b", "c", "c", "b", "c"]  # 1, 3 and 4 of 8


def test_symbols_are_counted_with_an_end_and_a_label_for_each_text():
    data = ClassData.checked(np.array(TEXTS), tuple(LABELS))
    assert data.texts == TEXTS
    assert data.n_symbols == sum(map(len, TEXTS)) + 2 * len(TEXTS) + 1  # the first has a beginning, too


@pytest.mark.parametrize(("direction", "shuffled"), [("forward", False), ("backward", True)])
def test_each_text_keeps_its_label_and_weight(direction, shuffled):
    data = ClassData.checked(TEXTS, LABELS, sample_weight=[len(text) for text in TEXTS])
    texts, labels, weights = data.in_direction(direction, shuffled=shuffled)
    read = [text[::-1] for text in texts] if direction == "backward" else texts
    assert [f"label of {text}" for text in read] == labels.tolist()
    assert [len(text) for text in read] == weights.tolist()
    assert sorted(read) == sorted(TEXTS)
    assert (read == TEXTS) == (not shuffled)
    again = ClassData.checked(TEXTS, LABELS).in_direction(direction, shuffled=shuffled)
    assert (again[0], again[2]) == (texts, None)


LIMITS = {"epochs": 8, "batch_size": 2, "seq_length": 5, "max_steps": None, "max_seconds": None}


@pytest.mark.parametrize(
    ("change", "min_steps", "seconds", "directions", "found"),
    [
        ({}, 0, 0.0, 2, {"epochs": 8}), ({}, 8 * 5, 0.0, 2, {"epochs": 8}), ({}, 8 * 5 + 1, 0.0, 1, {"epochs": 9}),
        ({"batch_size": 100}, 21, 0.0, 1, {"epochs": 21}),  # fewer symbols than streams: a step is an epoch
        ({"seq_length": 100}, 33, 0.0, 1, {"epochs": 17}),  # a chunk of all symbols of a stream, and the rest
        ({"max_steps": 0}, 99, 0.0, 2, {}), ({"max_steps": 3}, 99, 0.0, 2, {}),
        ({"max_seconds": 9.0}, 99, 1.0, 2, {"max_seconds": 4.0}),
        ({"max_seconds": 9.0}, 99, 5.0, 1, {"max_seconds": 4.0}),
        ({"max_seconds": 9.0, "max_steps": 3}, 99, 1.0, 2, {"max_seconds": 4.0}),
        ({"max_seconds": 9.0}, 99, 10.0, 2, {"max_seconds": LEAST_SECONDS}),
    ],
)  # fmt: skip
def test_limits_of_a_direction(change, min_steps, seconds, directions, found):
    data = ClassData.checked(["ab" * 9, "cd" * 13], ["x", "y"])
    assert data.n_symbols == 49
    assert data.limits(LIMITS | change, min_steps, seconds, directions) == found


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "found"),
    [
        (None, None, [1, 3, 4]), ("balanced", None, [1, 1, 1]), ({}, None, [1, 3, 4]),
        ({"a": 5, "c": 0.5}, None, [5, 3, 2]), ({"b": 0}, None, [1, 0, 4]), ({"a": 0, "b": 0}, None, [0, 0, 1]),
        (None, [7, 2, 0, 1, 0, 0, 4, 0], [2, 5, 7]), ({"c": 2}, [7, 2, 0, 1, 0, 0, 4, 0], [2, 5, 14]),
        ("balanced", [7, 2, 0, 1, 0, 0, 4, 0], [1, 1, 1]),
    ],
)  # fmt: skip
def test_class_prior_counts_labels_and_weights(class_weight, sample_weight, found):
    prior = class_prior(checked_labels(EIGHT_LABELS), class_weight, sample_weight)
    np.testing.assert_allclose(prior, np.array(found) / sum(found))


def test_a_tenth_of_each_class_is_held_out():
    texts, y = [f"text {i}" for i in range(75)], ["a"] * 49 + ["b"] * 20 + ["c"] * 6
    weights = np.arange(75.0)
    learned, held = ClassData.checked(texts, y, weights).held_out()
    assert np.bincount(held.labeled.numbers, minlength=3).tolist() == [4, 2, 0]
    assert sorted(learned.texts + held.texts) == sorted(texts)
    for part in (learned, held):
        assert part.sample_weight.tolist() == [int(text.split()[1]) for text in part.texts]
        assert part.labeled.labels[part.labeled.numbers].tolist() == [y[int(text.split()[1])] for text in part.texts]
        assert part.n_symbols == sum(map(len, part.texts)) + 2 * len(part.texts) + 1
    assert ClassData.checked(texts[:18], ["a"] * 9 + ["b"] * 9).held_out() is None
    many = ClassData.checked([*"ab"] * 11_000, [0, 1] * 11_000).held_out()
    assert len(many[1].texts) == 500
