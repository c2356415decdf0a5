"""Packed counts: they come back as they were, in few bytes, and what is damaged is refused."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.ngram.counts import Counts
from crnn.ngram.occurrences import Occurrences
from crnn.ngram.packed_counts import (
    from_arrays,
    pack,
    prune_longest,
    to_arrays,
    unpack,
    without_text,
)
from crnn.ngram.unrolled import UnrolledCounts

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=50), min_size=1, max_size=3)
CONTEXTS = np.array([[0, 1, 2, 0, 1], [3, 3, 1, 0, 0], [2, 2, 2, 2, 2], [-1, -1, 3, 0, 1]], np.int32)


def counted(texts, order, boundary, symbols=4, *, keeps_text=False):
    counts = Counts(order, symbols, boundary, keeps_text=keeps_text)
    for text in texts:
        counts.add(np.array(text), [] if boundary is None else [boundary])
    return counts


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@given(TEXTS, st.integers(1, 6), st.sampled_from([None, 3]))
@settings(max_examples=40)
def test_counts_come_back_and_can_be_added_to(texts, order, boundary):
    counts = counted(texts, order, boundary)
    back = unpack(pack(counts), 4, boundary)
    assert equal(pack(back), pack(counts))
    np.testing.assert_array_equal(back.rows(CONTEXTS), counts.rows(CONTEXTS))
    for each in (counts, back):
        each.add(np.array([0, 1, 2, 3, 3, 0]))
    assert equal(pack(back), pack(counts))


@given(TEXTS, st.integers(1, 24), st.sampled_from([None, 3]), st.data())
@settings(max_examples=40)
def test_counts_that_keep_their_text_come_back_from_it_or_pack_all_n_grams(texts, order, boundary, data):
    kept, smaller = counted(texts, order, boundary, keeps_text=True), data.draw(st.integers(1, order))
    back = from_arrays(to_arrays(kept), 4, boundary)
    assert back.keeps_text == (order > 10)
    assert equal(pack(kept), pack(counted(texts, order, boundary)))
    assert equal(pack(back), pack(kept))
    assert equal(to_arrays(back), to_arrays(kept))
    assert equal(pack(without_text(kept)), pack(kept))
    shorter = from_arrays(to_arrays(kept, smaller), 4, boundary)
    assert equal(pack(shorter), pack(counted(texts, smaller, boundary)))
    for counts in (back, kept):
        counts.add(np.array([0, 1, 2, 3]), [] if boundary is None else [boundary])
    assert equal(pack(back), pack(kept))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": np.array([0, 4], np.uint8)}, "a symbol is not below 4"),
        ({"text": np.array([0, 1], np.int32)}, "not an array of symbols"),
        ({"text": np.array([[0, 1]], np.uint8)}, "not an array of symbols"),
        ({"text": np.array([0, 1, 1], np.uint8)}, "not those of their text"),
        ({"lengths": np.ones(65, np.int64)}, "1 to 64"),
        ({"lengths": np.full(12, -1, np.int64)}, "fewer"),
    ],
)
def test_refuses_damaged_texts(changes, message):
    arrays = to_arrays(counted([[0, 1, 2]], 12, None, keeps_text=True))
    assert arrays.keys() == {"lengths", "text"}
    with pytest.raises(InvalidInputError, match=message):
        from_arrays(arrays | changes, 4, None)


@given(TEXTS, st.integers(2, 6), st.sampled_from([None, 3]), st.data())
@settings(max_examples=40)
def test_smaller_order_equals_a_model_of_the_same_texts(texts, order, boundary, data):
    counts, smaller = counted(texts, order, boundary), data.draw(st.integers(1, order))
    assert equal(pack(counts, Occurrences(counts), smaller), pack(counted(texts, smaller, boundary)))


def test_many_symbols_and_large_counts():
    text = np.concatenate([np.repeat([7, 70000], 200), np.arange(0, 70001, 911)])
    counts = counted([text], 3, None, symbols=70001)
    back = unpack(pack(counts), 70001, None)
    contexts = np.array([[7, 7], [70000, 70000], [0, 911]], np.int32)
    np.testing.assert_array_equal(back.rows(contexts), counts.rows(contexts))


def test_english_text_takes_few_bytes():
    sentence = "the of and to in is was he for it with as his on be at by had not are but from or have an they"
    text = np.frombuffer(" ".join(np.random.default_rng(0).choice(sentence.split(), 3000)).encode(), np.uint8)
    assert sum(array.nbytes for array in pack(counted([text], 8, None, 128)).values()) < 8 * len(text)


GOOD = pack(counted([[0, 1, 2, 0, 1, 0, 0, 3], [1, 1, 1, 3]], 3, 3))

BAD_DISCOUNTS = [np.full((3, 4), value) for value in (-0.1, 0.1, np.nan)] + [np.zeros((2, 4)), np.zeros((3, 4), "f4")]


def changed(name, i, value):
    array = GOOD[name].copy()
    array[i] = value
    return {**GOOD, name: array}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({name: GOOD[name] for name in ("lengths", "sizes", "symbols")}, "counts missing"),
        ({**GOOD, "sizes": GOOD["sizes"].astype(np.int16)}, "one-dimensional array of bytes"),
        ({**GOOD, "symbols": GOOD["symbols"][None]}, "one-dimensional array of bytes"),
        ({**GOOD, "lengths": GOOD["lengths"].astype(np.int32)}, "64 bits"),
        ({**GOOD, "lengths": np.empty(0, np.int64)}, "1 to 64"),
        ({**GOOD, "lengths": np.ones(65, np.int64)}, "1 to 64"),
        (changed("lengths", 1, -1), "fewer bytes"),
        (changed("lengths", 2, 2**62), "fewer bytes"),
        ({**GOOD, "symbols": GOOD["symbols"][: GOOD["lengths"].max() - 1]}, "fewer bytes"),
        ({**GOOD, "counts": GOOD["counts"][: GOOD["lengths"].max() - 1]}, "fewer bytes"),
        (changed("lengths", 2, GOOD["lengths"][2] - 1), "damaged"),
        (changed("lengths", 1, GOOD["lengths"][1] + 1), "damaged"),
        (changed("sizes", 0, 5), "damaged"),
        *(({**GOOD, "discounts": array}, "damaged: their discounts are invalid") for array in BAD_DISCOUNTS),
        (changed("sizes", 1, 0), "damaged"),
        (changed("symbols", 1, 3), "vocabulary's size 4"),
        (changed("counts", 2, 0), "count of an n-gram"),
        ({**GOOD, "counts": GOOD["counts"][:-1]}, "damaged"),
        ({**GOOD, "counts": np.append(GOOD["counts"], np.uint8(1))}, "1 unexpected bytes"),
        ({**GOOD, "symbols": np.concatenate([GOOD["symbols"][:-1], np.full(9, 255, np.uint8)])}, "damaged"),
    ],
)
def test_refuses_damaged_arrays(arrays, message):
    with pytest.raises(InvalidInputError, match=message):
        unpack(arrays, 4, 3)


def every_n_gram_has_its_suffix(counts):
    """Return whether each symbol after a context has an entry after the context without its first symbol."""
    unrolled = UnrolledCounts.of(counts)
    return np.array_equal(unrolled.symbols[unrolled.shorter], unrolled.symbols)


@pytest.mark.parametrize("boundary", [None, 3])
def test_damage_anywhere_is_refused_or_gives_probabilities(boundary):
    """Whatever the bytes are, nothing is read or written beyond the arrays, rows sum to 1, and no suffix is missing."""
    rng, refused = np.random.default_rng(0), 0
    arrays = pack(counted([rng.integers(0, 4, 300)], 5, boundary))
    for _ in range(1000):
        name = rng.choice(["sizes", "symbols", "counts", "lengths"])
        damaged = {key: array.copy() for key, array in arrays.items()}
        damaged[name][rng.integers(len(damaged[name]))] = rng.integers(256)
        try:
            counts = unpack(damaged, 4, boundary)
        except InvalidInputError:
            refused += 1
            continue
        np.testing.assert_allclose(np.exp(counts.rows(CONTEXTS)).sum(axis=1), 1)
        assert every_n_gram_has_its_suffix(counts)
        counts.add(rng.integers(0, 4, 50))
        assert every_n_gram_has_its_suffix(counts)
        Occurrences(counts).losses(np.array([0, 1, 2]))
    assert 300 < refused < 1000


@given(TEXTS, st.integers(2, 6), st.sampled_from([None, 3]))
@settings(max_examples=40)
def test_pruning_leaves_the_n_grams_that_occurred_twice(texts, order, boundary):
    counts = counted(texts, order, boundary)
    grams = Counter()
    for text in texts:
        grams.update(tuple(text[i : i + order]) for i in range(len(text) - order + 1))
    found = prune_longest(counts)
    *shorter, longest = counts.n_grams
    if boundary is None:
        assert longest == len(grams)
        twice = sum(n > 1 for n in grams.values())
        assert found.n_grams == (shorter if twice == longest else [*shorter, twice])
    else:
        assert found.n_grams[: len(shorter)] == shorter
    np.testing.assert_allclose(np.exp(found.rows(CONTEXTS)).sum(axis=1), 1)
    found.add(np.array([0, 1, 2, 3, 3, 0]))
