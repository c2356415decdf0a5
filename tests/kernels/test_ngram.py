"""The trie of n-grams against its definition, and what its entry points refuse."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wrong_arrays import wrong_arrays

from crnn._kernels.ngram import ngrams
from crnn._kernels.ngram import reading as reader
from crnn.ngram.counts import Counts
from crnn.ngram.packed_counts import pack, unpack
from crnn.ngram.unrolled import UnrolledCounts
from crnn.reference.kneser_ney import KneserNey


@st.composite
def texts_and_boundary(draw):
    """Texts over few symbols; the last symbol may be a boundary that ends each text."""
    V = draw(st.integers(1, 5))
    boundary = draw(st.sampled_from([None, V - 1]))
    texts = draw(st.lists(st.lists(st.integers(0, V - 1), max_size=50), min_size=1, max_size=3))
    return V, boundary, texts if boundary is None else [[*text, boundary] for text in texts]


def counted(texts, order, V, boundary, *, keeps_text=False):
    counts = Counts(order, V, boundary, keeps_text=keeps_text)
    for text in texts:
        counts.add(np.array(text, np.int32), [] if boundary is None else [boundary])
    return counts


@given(texts_and_boundary(), st.integers(1, 6), st.lists(st.integers(0, 4), max_size=8))
@settings(max_examples=80)
def test_probabilities_match_the_definition(case, order, context):
    V, boundary, texts = case
    context = [symbol % V for symbol in context]
    reference, counts = KneserNey(texts, order, V, boundary), counted(texts, order, V, boundary)
    assert counts.n_grams == list(map(len, reference.counts))
    p = np.exp(counts.rows(np.array(context, np.int32).reshape(1, -1)))[0]
    np.testing.assert_allclose(p, reference.probabilities(context), rtol=0, atol=1e-12)
    assert p.sum() == pytest.approx(1, abs=1e-12)


@given(texts_and_boundary(), st.integers(1, 24), st.integers(1, 2), st.lists(st.integers(0, 4), max_size=30))
@settings(max_examples=150)
def test_contexts_that_occurred_once_are_read_from_the_text(case, order, times, text):
    """With the text kept, everything has the same bits as with all n-grams, and only repeated contexts have nodes."""
    V, boundary, texts = case
    stored, kept = (counted(texts * times, order, V, boundary, keeps_text=keeps) for keeps in (False, True))
    assert kept.n_grams == stored.n_grams
    np.testing.assert_array_equal(kept.trie.counts_of_counts(), stored.trie.counts_of_counts())
    text = [*(symbol % V for symbol in text), *texts[0]]
    contexts = np.lib.stride_tricks.sliding_window_view([-1] * 24 + text, 24).astype(np.int32)
    np.testing.assert_array_equal(kept.rows(contexts), stored.rows(contexts))
    x, start, out = np.array(text, np.int32)[:, None], np.full((1, 3), -1, np.int32), np.empty((2, len(text), 1))
    for counts, log_p in zip((stored, kept), out, strict=True):
        reader.log_probabilities(counts.trie, x, start, log_p)
    np.testing.assert_array_equal(*out)
    occurrences = KneserNey(texts * times, order, V, boundary).occurrences
    repeated = sum(n > 1 and len(n_gram) < order and n_gram[-1] != boundary for n_gram, n in occurrences.items())
    assert kept.trie.node_count == 1 + len(kept.trie.beginning) + repeated


@pytest.mark.parametrize("V", [255, 256])
def test_texts_of_few_and_many_symbols_are_kept(V):
    text = np.concatenate([np.arange(V), np.arange(V), [V - 1, 0]])
    stored, kept = (counted([text, text[:9]], 5, V, None, keeps_text=keeps) for keeps in (False, True))
    np.testing.assert_array_equal(kept.rows(text[-300:, None]), stored.rows(text[-300:, None]))
    assert kept.text[:-10].tolist() == text.tolist()
    assert len(kept.text) == len(text) + 1 + 9
    assert kept.nbytes == 16 * kept.trie.node_count + 4 * kept.trie.pool_used + kept.text.nbytes


def test_many_different_symbols_and_long_contexts():
    """Blocks of contexts move to larger ones many times, and single symbols are found by bisection."""
    rng = np.random.default_rng(5)
    text = rng.zipf(1.2, 2000) % 301
    reference, counts = KneserNey([text.tolist()], 3, 301), counted([text], 3, 301, None)
    for context in ([], [1], [1, 1], [2, 1], [300, 7]):
        p = np.exp(counts.rows(np.array(context, np.int32).reshape(1, -1)))[0]
        np.testing.assert_allclose(p, reference.probabilities(context), rtol=0, atol=1e-12)


@given(texts_and_boundary(), st.integers(1, 6), st.lists(st.integers(1, 7), min_size=3, max_size=3))
@settings(max_examples=80)
def test_a_text_counted_several_times_is_a_repeated_text(case, order, times):
    V, boundary, texts = case
    counts = Counts(order, V, boundary)
    for text, n in zip(texts, times, strict=False):
        counts.add(np.array(text, np.int32), [] if boundary is None else [boundary], np.full(len(text), n, np.int32))
    repeated = counted([text for text, n in zip(texts, times, strict=False) for _ in range(n)], order, V, boundary)
    assert counts.n_grams == repeated.n_grams
    np.testing.assert_array_equal(counts.trie.counts_of_counts(), repeated.trie.counts_of_counts())
    for context in ([], [0], [V - 1, 0]):
        rows = np.array([context], np.int32)
        np.testing.assert_array_equal(counts.rows(rows), repeated.rows(rows))
    for name, packed in pack(counts).items():
        np.testing.assert_array_equal(packed, pack(repeated)[name])


def unrolled_of(parts):
    """Return the arrays of ClassCounts for some counts."""
    columns, roots, rows, entries = [], [], 0, 0
    for counts in parts:
        _, suffixes, scales, firsts, symbols, nexts, _, p, _ = UnrolledCounts.of(counts)
        roots.append(rows)
        columns.append((suffixes + rows, scales, firsts[:-1] + entries, symbols, nexts + rows, p))
        rows, entries = rows + len(suffixes), entries + len(symbols)
    suffixes, scales, firsts, symbols, nexts, p = map(np.concatenate, zip(*columns, strict=True))
    firsts = np.append(firsts, entries).astype(np.int32)
    return {"roots": np.array(roots, np.int32), "boundary": parts[0].boundary, "suffixes": suffixes, "scales": scales,
            "firsts": firsts, "symbols": symbols, "nexts": nexts, "p": p}  # fmt: skip


@given(st.lists(st.lists(st.lists(st.integers(0, 3), max_size=20), min_size=1, max_size=3), min_size=1, max_size=3),
       st.integers(1, 5), st.lists(st.lists(st.integers(0, 4), max_size=12), max_size=4))  # fmt: skip
@settings(max_examples=40)
def test_strings_under_all_tries_match_the_definition(classes, order, strings):
    V = 5
    classes = [[[*text, V - 1] for text in texts] for texts in classes]
    tables = ngrams.ClassCounts(**unrolled_of([counted(texts, order, V, V - 1) for texts in classes]))
    out, flat = np.empty((len(classes), len(strings))), np.array([w for s in strings for w in s], np.int32)
    tables.log_likelihoods(flat, np.array([*map(len, strings)], np.intp), out)
    for texts, row in zip(classes, out, strict=True):
        reference = KneserNey(texts, order, V, V - 1)
        for string, log_p in zip(strings, row, strict=True):
            assert log_p == pytest.approx(reference.log_probability(string), rel=1e-11, abs=1e-11)


def tables():
    return ngrams.ClassCounts(**unrolled_of([counted([[0, 1, 3]], 2, 4, 3)]))


def unrolled_with_text():
    floats, numbers = np.zeros(1), ids(0)
    ngrams.unroll(ready_with_text(3, 5), 0, *[numbers] * 3, floats, *[numbers] * 4, floats)


def test_a_long_string_of_small_probabilities_does_not_underflow():
    tables = ngrams.ClassCounts(**unrolled_of([counted([[0, 1, 6], [2, 6]], 3, 7, 6)]))
    x, out, half = np.array([3, 4, 5, 3] * 500, np.int32), np.empty((1, 2)), np.empty((1, 1))
    tables.log_likelihoods(x, np.array([1000, 1000], np.intp), out)
    tables.log_likelihoods(x[:1000], np.array([1000], np.intp), half)
    assert out.tolist() == [[half[0, 0]] * 2]
    expected = KneserNey([[0, 1, 6], [2, 6]], 3, 7, 6).log_probability(x[:1000].tolist())
    assert half[0, 0] == pytest.approx(expected, rel=1e-11)
    assert half[0, 0] < -1000


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("roots", 0, 1), ("roots", 1, 99), ("firsts", 0, 1), ("firsts", -1, 0), ("firsts", 1, 99), ("suffixes", -1, 999),
     ("suffixes", -1, 0), ("suffixes", 1, -1), ("symbols", 1, 0), ("symbols", -1, 7), ("nexts", -1, 0),
     ("nexts", 0, -1), ("boundary", None, 7), ("boundary", None, -1)],
)  # fmt: skip
def test_invalid_contexts_of_several_tries(name, place, value):
    arrays = unrolled_of([counted([[0, 1, 2, 0, 3]], 3, 4, 3)] * 2)
    ngrams.ClassCounts(**arrays)
    arrays[name] = value if place is None else arrays[name].copy()
    if place is not None:
        arrays[name][place] = value
    with pytest.raises(ValueError, match="the arrays do not hold contexts of n-grams"):
        ngrams.ClassCounts(**arrays)


@pytest.mark.parametrize("short", [None, "suffixes", "scales", "firsts"])
def test_unrolling_needs_a_place_for_each_row(short):
    trie, room = counted([[0, 1, 3]], 1, 4, 3).trie, {"suffixes": 1, "scales": 1, "firsts": 2}
    n = {name: size - (name == short) for name, size in room.items()}
    suffixes, scales, firsts = np.full(n["suffixes"], 7, np.int32), np.full(n["scales"], 7.0), ids(0, 7)[: n["firsts"]]
    rest = [np.zeros(7, np.int32) for _ in range(3)]

    def unroll():
        ngrams.unroll(trie, 0, *np.zeros((2, 1), np.int32), suffixes, scales, firsts, *rest, np.zeros(7))

    if short is None:
        unroll()
        assert (*suffixes, *scales, *firsts) == (0, 0, 0, 4)
        return
    with pytest.raises(ValueError, match="rows: too few"):
        unroll()


@given(texts_and_boundary(), st.integers(1, 6), st.data())
@settings(max_examples=40)
def test_counts_over_a_base_equal_counts_of_all_texts(case, order, data):
    V, boundary, texts = case
    cut = data.draw(st.integers(0, len(texts)))
    base = counted(texts[:cut], order, V, boundary)
    before, over = base.n_grams, base.over()
    for text in texts[cut:]:
        over.add(np.array(text, np.int32), [] if boundary is None else [boundary])
    base_rows = base.rows(np.zeros((1, 2), np.int32))
    over.update_discounts()
    together = counted(texts, order, V, boundary)
    contexts = np.array([text[i : i + order] for text in texts for i in range(len(text) - order)], np.int32)
    contexts = contexts.reshape(-1, order)
    np.testing.assert_array_equal(over.rows(contexts), together.rows(contexts))
    np.testing.assert_array_equal(over.copy().rows(contexts), together.rows(contexts))
    assert over.n_grams == together.n_grams
    assert base.n_grams == before
    np.testing.assert_array_equal(base.rows(np.zeros((1, 2), np.int32)), base_rows)


def arrays(nodes=50, numbers=900):
    return np.empty((nodes, 4), np.int32), np.empty(numbers, np.int32)


def ready(*arguments):
    trie = ngrams.Trie(*arguments)
    trie.grow(*arrays())
    return trie


def ready_with_text(*arguments):
    trie = ready(*arguments)
    trie.keep_text(np.empty(90, np.uint8))
    return trie


def ready_over(*arguments):
    trie = ngrams.Trie(*arguments, None, ready(*arguments))
    trie.grow(*arrays(), np.empty((64, 2), np.int32))
    return trie


def ids(*symbols):
    return np.array(symbols, np.int32)


def byte(*numbers):
    return np.array(numbers, np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ngrams.Trie(0, 5), "order must be from 1 to 64, not 0"),
        (lambda: ngrams.Trie(65, 5), "not 65"),
        (lambda: ngrams.Trie(3, 5, 5), "got 5 and 5"),
        (lambda: ngrams.Trie(3, 0), "got None and 0"),
        (lambda: ngrams.Trie(3, 5, None, ngrams.Trie(2, 5)), "base must have no base"),
        (lambda: ngrams.Trie(3, 5, None, ngrams.Trie(3, 5, None, ngrams.Trie(3, 5))), "base must have no base"),
        (lambda: ngrams.Trie(3, 5).grow(np.empty((50, 3), np.int32), ids(0)), "too small or too large"),
        (lambda: ngrams.Trie(3, 5).grow(*arrays(1)), r"nodes \(1\)"),
        (lambda: ngrams.Trie(3, 5).grow(*arrays(), np.empty((64, 2), np.int32)), "slots must be given if"),
        (lambda: ngrams.Trie(3, 5, None, ready(3, 5)).grow(*arrays()), "slots must be given if"),
        (lambda: ngrams.Trie(3, 5, None, ready(3, 5)).grow(*arrays(), np.empty((63, 2), np.int32)), "not 63"),
        (lambda: ngrams.count(ready(3, 5), ids(1, 2), ids(), ids(1)), "times: size is 1, but must be 2"),
        (lambda: ngrams.count(ready(3, 5), ids(1, 2), ids(), ids(1, 0)), r"times\[1\] is 0, but must be at least 1"),
        (lambda: ready(3, 5).set_discounts(np.zeros((2, 4))), "discounts: size is 2"),
        (lambda: ready(3, 5).set_discounts(np.zeros((3, 3))), "discounts of a length: size is 3"),
        (lambda: reader.log_likelihoods(ready(3, 5), ids(1, 2), np.array([1]), np.array([2]), ids(), True, np.empty(1)),
         "string 0"),
        (lambda: ngrams.children(ready(3, 5), ids(1), ids()), "-1 to 0, not 1"),
        (lambda: ngrams.pack(ready(3, 5), ids(1), *[np.empty(9, np.uint8)] * 3), "-1 to 0, not 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0)).pass_on(ready(3, 5), ids(1)), "-1 to 0, not 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0)).pass_on(ready(3, 5, 4), ids(0)), "nodes: size is 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0)).counts_of_counts(ready(3, 5, 4), ids(0)), "nodes: size is 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0)).score_orders(
            ready(3, 5), np.zeros((2, 4)), ids(1), ids(), np.zeros(3)), "discounts: size is 2"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0)).counts_of_counts(ready(3, 5), ids(-2)), "-1 to 0, not -2"),
        (lambda: ngrams.children(ready_with_text(3, 5), ids(-3), ids()), "-2 to 0, not -3"),
        (lambda: ngrams.pack(ready_with_text(3, 5), ids(-3), *[np.empty(9, np.uint8)] * 3), "-2 to 0, not -3"),
        (lambda: ngrams.depths(ready_with_text(3, 5), byte(0, 0)), "depths: size is 2"),
        (lambda: ngrams.count(ready_with_text(3, 5), ids(1), ids(), ids(2)), "counts each symbol once"),
        (lambda: unrolled_with_text(), "a trie without a text"),
        (lambda: ngrams.unpack(ready_with_text(3, 5), **LEVEL), "without base and text"),
        (lambda: ready_with_text(3, 5).keep_text(np.empty(0, np.uint8)), "a text of 0 bytes is too short"),
        (lambda: unpacked([FIRST]).keep_text(np.empty(9, np.uint8)), "has counted symbols, or extends a trie, without"),
        (lambda: ready_over(3, 5).keep_text(np.empty(9, np.uint8)), "has counted symbols, or extends a trie, without"),
        (lambda: ngrams.children(unpacked([FIRST]), ids(0), ids(0)), "children: size is 1, but must be 2"),
        (lambda: ngrams.children(ready_over(3, 5), ids(0), ids()), "a trie without a base"),
        (lambda: ngrams.depths(ready_over(3, 5), byte(0)), "a trie without a base"),
        (lambda: ngrams.depths(ready(3, 5), byte(0, 0)), "depths: size is 2, but must be 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0, 0), ids(0)), "nodes: size is 2, but must be 1"),
        (lambda: ngrams.Raw(ready(3, 5), ids(0), ids(0, 0)), "pool: size is 2, but must be 1"),
        (lambda: ngrams.pack(ready(3, 5), ids(0), *[np.empty(4, np.uint8)] * 3), "5 bytes per"),
        (lambda: ngrams.pack(ready(3, 5), ids(-1, 0), *[np.empty(9, np.uint8)] * 3), "5 bytes per"),
        (lambda: ngrams.pack(unpacked([FIRST]), ids(0), *[np.empty(n, np.uint8) for n in (5, 9, 10)]), "5 bytes per"),
        (lambda: ngrams.pack(unpacked([FIRST]), ids(0), *[np.empty(n, np.uint8) for n in (5, 10, 9)]), "5 bytes per"),
        (lambda: ngrams.pack(unpacked([FIRST, SECOND]), ids(0, 2), *[np.empty(n, np.uint8) for n in (10, 10, 15)]),
         "5 bytes per"),
        (lambda: ngrams.unpacked_size(byte(1, 6), 5), "invalid"),
        (lambda: ngrams.unpacked_size(byte(1, 128), 5), "invalid"),
        *((lambda changes=changes: reader.read(ready(3, 5), **reading("read") | changes), message)
          for changes, message in (
            ({"rows": np.array([3, 0], np.intp)}, "rows must be from 0 to 2, not 3"),
            ({"rows": np.array([0, -1], np.intp)}, "rows must be from 0 to 2, not -1"),
            ({"first": -1}, "first and last must be from 0 to 2"),
            ({"last": 3}, "first and last must be from 0 to 2"),
            ({"starts": np.array([0, 2], np.intp)}, "string 1 is not within the 4 symbols"))),
        *((lambda places=places: reader.log_likelihoods(ready(3, 5), **reading("log_likelihoods") | places), "string 1")
          for places in ({"starts": np.array([0, -1])}, {"starts": np.array([0, 2])}, {"lengths": np.array([3, -1])},
                         {"lengths": np.array([3, 2**63 - 1])})),
        *((lambda x=x, at=at: tables().read_part(ids(*x), ids(at), np.array([[0.0, 1.0]])), "ids must be below 4, and")
          for x, at in (([4], -1), ([-1], -1), ([0], -2), ([0], 99))),
        *((lambda x=x, n=n: tables().log_likelihoods(ids(*x), np.array(n), np.empty((1, len(n)))), "must add up")
          for x, n in (([4], [1]), ([-1], [1]), ([0, 1], [1]), ([0], [2, -1]), ([0], [2]))),
        *((lambda changes=changes: ngrams.unpack(ready(3, 5), **LEVEL | changes), message) for changes, message in (
            ({"owner_symbols": ids()}, "symbols of the level: size is 0, but must be 1"),
            ({"next_symbols": ids()}, "symbols of the next level: size is 0, but must be 1"),
            ({"next_owners": ids(0, 0), "next_symbols": ids(0, 0)}, "there are not"),
            ({"next_owners": ids(), "next_symbols": ids()}, "there are not"),
            ({"depth": 3}, "got depth 3"), ({"depth": -1}, "got depth -1"),
            ({"owners": ids(1)}, "nodes must be from -1 to 0, not 1"),
            ({"packed": (byte(6), byte(1), byte(1))}, "arrays are too small for these sizes"),
            ({"packed": (byte(1), byte(5), byte(1))}, "a symbol that is not below the vocabulary's size 5"),
            ({"packed": (byte(1), byte(4), byte(0))}, "the count of an n-gram is 0"))),
        (lambda: ready(3, 5).assign(ready(2, 5), *arrays()), "other must have this trie's base, order"),
        (lambda: ready(3, 5).assign(ready(3, 4), *arrays()), "other must have this trie's base, order"),
        (lambda: ready(3, 5).assign(ready(3, 5, 4), *arrays()), "other must have this trie's base, order"),
        (lambda: ready(3, 5).assign(ready_over(3, 5), *arrays()), "other must have this trie's base"),
    ],
)  # fmt: skip
def test_refuses_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


LEVEL = {
    "depth": 0, "owners": ids(0), "owner_symbols": ids(-1), "packed": (byte(1), byte(1), byte(1)),
    "next_owners": ids(0), "next_symbols": ids(0),
}  # fmt: skip


def reading(name):
    """Return the arguments, after the trie, for an entry point that reads two texts of three symbols."""
    x, contexts, context = np.array([[0, 1], [2, 3], [4, 0]], np.int32), np.array([[-1, 1], [2, 3]], np.int32), ids(3)
    return {
        "count": {"ids": ids(0, 1, 2), "context": context},
        "count_and_score": {"ids": ids(0, 1, 2), "context": context, "out": np.empty(3), "rows": np.empty((3, 5))},
        "log_probabilities": {"x": x, "contexts": contexts, "out": np.empty((3, 2))},
        "log_likelihoods": {
            "ids": ids(0, 1, 2, 3), "starts": np.array([0, 1], np.intp), "lengths": np.array([3, 3], np.intp),
            "context": context, "least": False, "out": np.empty(2),
        },
        "read": {
            "ids": ids(0, 1, 2, 3), "starts": np.array([0, 1], np.intp), "lengths": np.array([3, 3], np.intp),
            "contexts": np.array([[-1, 1], [4, 4], [2, 3]], np.int32), "rows": np.array([2, 0], np.intp),
            "after": np.empty((2, 2), np.int32), "sums": np.zeros((3, 2)), "first": 0, "last": 2,
        },
        "rows_after": {"contexts": contexts, "out": np.empty((2, 5))},
        "rows_before": {"x": x, "contexts": contexts, "out": np.empty((3, 2, 5))},
    }[name]  # fmt: skip


COUNTERS = ["count", "count_and_score"]
READERS = [*COUNTERS, "log_probabilities", "log_likelihoods", "read", "rows_after", "rows_before"]


def entry_point(name):
    return getattr(ngrams if name in COUNTERS else reader, name)


def check_refusal(name, trie, arguments, words):
    before = trie.edges
    with pytest.raises(ValueError, match=words):
        entry_point(name)(trie, **arguments)
    assert trie.edges == before


@pytest.mark.parametrize("name", READERS)
def test_refuses_arrays_of_another_size_dtype_or_order(name):
    arguments, trie = reading(name), ready(3, 5)
    entry_point(name)(trie, **arguments)
    free = {"ids": [], "context": [], "contexts": [] if name == "read" else [0]}  # axes whose length is not free
    for part, array in arguments.items():
        for wrong in wrong_arrays(array, free.get(part)) if np.ndim(array) else ():
            check_refusal(name, trie, arguments | {part: wrong}, "size|shape|type|contiguous")


@pytest.mark.parametrize("name", READERS)
def test_refuses_ids_beyond_the_vocabulary_and_a_trie_without_arrays(name):
    for part, lowest in {"x": 0, "ids": 0, "context": -1, "contexts": -1}.items():  # -1 stands before a text
        for bad in (lowest - 1, 5, 2**31 - 1) if part in reading(name) else ():
            arguments = reading(name)
            arguments[part].reshape(-1)[-1] = bad
            check_refusal(name, ready(3, 5), arguments, "below the vocabulary's size 5")
    check_refusal(name, ngrams.Trie(3, 5), reading(name), "the trie has no arrays: call grow")


def test_counting_stops_where_the_arrays_are_full_and_goes_on_in_larger_ones():
    trie, text = ngrams.Trie(4, 3), np.array([0, 1, 2, 0, 2, 1] * 40, np.int32)
    nodes, numbers = trie.room_for_symbol
    trie.grow(*arrays(nodes + 1, numbers + 1))
    done, calls = 0, 0
    while done < len(text):
        counted_now = ngrams.count(trie, text[done:], text[max(0, done - 3) : done])
        done, calls = done + counted_now, calls + 1
        if done < len(text):
            trie.grow(*arrays(trie.node_count + nodes + 2, trie.pool_used + numbers + 2))
    assert calls > 2
    assert trie.edges == counted([text], 4, 3, None).n_grams


def test_counting_stops_where_the_text_is_full_and_a_copy_needs_a_text_of_its_own():
    trie, text = ready_with_text(3, 5), np.arange(200, dtype=np.int32) % 5
    assert ngrams.count(trie, text, ids()) == 89  # a separator has room
    copy, over = ngrams.Trie(3, 5), ngrams.Trie(3, 5, None, trie)
    copy.assign(trie, *arrays())
    over.grow(*arrays(), np.empty((64, 2), np.int32))
    for other in (copy, over):
        assert ngrams.count(other, text, ids()) == 0
        other.keep_text(np.empty(200, np.uint8))
    assert ngrams.count(copy, text[89:], None) == 110
    assert ngrams.count(over, text[89:], ids(2, 3)) == 111
    assert copy.edges == over.edges == [5, 5, 5]


@pytest.mark.parametrize("missing", [(0, 0), (1, 0), (0, 1)])
def test_a_symbol_is_counted_only_with_room_for_all_that_it_may_need(missing):
    trie = ngrams.Trie(4, 3)
    nodes, numbers = (room + 1 - fewer for room, fewer in zip(trie.room_for_symbol, missing, strict=True))
    trie.grow(*arrays(nodes, numbers))  # one of each is in use
    assert ngrams.count(trie, ids(1), ids()) == (sum(missing) == 0)


@pytest.mark.parametrize("slots", [8, 16])
def test_a_symbol_is_counted_over_a_base_only_with_slots_for_all_contexts(slots):
    trie = ngrams.Trie(3, 5, None, ready(3, 5))
    trie.grow(*arrays(), np.empty((slots, 2), np.int32))
    assert trie.pool_used == 1  # 0 ends the lists of free blocks, so none starts there
    assert ngrams.count(trie, ids(1), ids()) == (slots == 16)  # six are reserved, which may fill less than half


def test_arrays_that_are_too_small_leave_a_trie_as_it_was():
    def slots(n):
        return np.empty((n, 2), np.int32)

    base, rows = counted([[1, 2, 1, 2]], 2, 5, None).trie, [np.empty((3, 5)) for _ in range(2)]
    trie, other = ngrams.Trie(2, 5, None, base), ngrams.Trie(2, 5, None, base)
    for made in (trie, other):
        made.grow(*arrays(), slots(16))
    assert ngrams.count(trie, ids(1, 2, 1, 3), ids()) == 4  # three contexts of the base are copied
    reader.rows_after(trie, ids(-1, 1, 2)[:, None], rows[0])
    for bad in (slots(4), slots(0), np.empty((8, 3), np.int32)):
        with pytest.raises(ValueError, match="as many rows as a power of 2 above 6, not"):
            trie.grow(*arrays(), bad)
    trie.grow(*arrays(), slots(8))
    reader.rows_after(trie, ids(-1, 1, 2)[:, None], rows[1])
    np.testing.assert_array_equal(*rows)
    with pytest.raises(ValueError, match="too small"):
        other.assign(trie, *arrays(1), slots(8))
    assert other.edges == base.edges != trie.edges


def test_results_do_not_depend_on_old_contents_of_the_arrays():
    text = np.random.default_rng(6).integers(0, 5, 300).astype(np.int32)
    contexts, found = np.array([[a, b] for a in range(5) for b in range(5)], np.int32), []
    for value in (0, 7):
        counted_now, unpacked_now = tries = ngrams.Trie(3, 5, 4), ngrams.Trie(3, 5)
        for trie in tries:
            trie.grow(*(np.full_like(array, value) for array in arrays(90, 1900)))
        assert ngrams.count(counted_now, text, ids()) == len(text)
        counted_now.set_discounts(np.full((3, 4), 0.5))
        ngrams.unpack(unpacked_now, 0, ids(0), ids(-1), (byte(2), byte(0, 0), byte(1, 1)), ids(0, 0), ids(0, 0))
        unpacked_now.set_discounts(np.full((3, 4), 0.5))
        children, rows = ids(1, 1), np.empty((2, 25, 5))
        ngrams.children(unpacked_now, ids(0), children)
        for trie, out in zip(tries, rows, strict=True):
            reader.rows_after(trie, contexts, out)
        found.append((children.tolist(), rows.tolist()))
    assert found[0] == found[1]


def test_a_context_is_made_only_with_room_for_all_that_it_may_need():
    trie = unpacked([(0, [0], [-1], [5])], following=5)  # the symbols are there, but no context after them
    nodes, numbers = trie.room_for_symbol
    for fewer, made in ((1, 0), (0, 1)):
        trie.grow(*arrays(trie.node_count + nodes - fewer, trie.pool_used + numbers))
        before = trie.node_count
        ngrams.count(trie, ids(), ids(2))
        assert trie.node_count == before + made
    trie.grow(*arrays(99, 1900))
    ngrams.count(trie, ids(), ids(4, 3, 1))
    assert trie.node_count == before + 3  # one for 3 and one for 1, but 4 was too long ago


def test_a_pointer_to_rows_keeps_its_trie_alive():
    trie = counted([[0, 1, 2, 0]], 3, 3, None).trie
    held = sys.getrefcount(trie)
    sources = [trie.row_source() for _ in range(3)]
    assert sys.getrefcount(trie) == held + 3
    del sources
    assert sys.getrefcount(trie) == held


@pytest.mark.parametrize("more", [[0] * 9, [0, 1] * 9])
def test_counts_do_not_overflow(more):
    """A made-up file may hold such a count; one more would be negative, and an index."""
    counts = Counts(1, 2)
    counts.add(np.array([0, 0], np.int32))
    limit = np.array([255, 255, 255, 255, 7], np.uint8)  # 2 ** 31 - 1, seven bits a byte
    made_up = unpack({**pack(counts), "counts": limit}, 2, None)
    made_up.add(np.array(more, np.int32))
    made_up.update_discounts()
    p = np.exp(made_up.rows(np.zeros((1, 0), np.int32))[0])
    assert p[0] > 0.99
    assert p.sum() == pytest.approx(1)


def test_refuses_counts_with_a_sum_beyond_the_limit():
    counts = Counts(1, 2)
    counts.add(np.array([0, 1], np.int32))
    limit = np.array([255, 255, 255, 255, 7], np.uint8)  # 2 ** 31 - 1, seven bits a byte
    with pytest.raises(ValueError, match="the count of an n-gram is 0 or too large"):
        unpack({**pack(counts), "counts": np.concatenate([limit, limit])}, 2, None)


def test_empty_contexts_take_no_room():
    nodes, _ = ngrams.unpacked_size(byte(0, 1, 3, 0, 2), 5)
    assert nodes == 3


def unpacked(levels, *, boundary=None, following=4):
    """Unpack these levels, given as depth, owners, their symbols and the sizes, into a trie of order 3."""
    trie = ready(3, 5, boundary)
    for depth, owners, of_owners, sizes in levels:
        n, found = sum(sizes), ids(*[9] * following)
        packed = np.array(sizes, np.uint8), np.arange(n, dtype=np.uint8) * 0, np.ones(n, np.uint8)
        ngrams.unpack(trie, depth, ids(*owners), ids(*of_owners), packed, found[:n], found[:n].copy())
    return trie


FIRST = (0, [0], [-1], [2])  # the symbols 0 and 1 follow nothing
SECOND = (1, [0, 0], [0, 1], [1, 1])  # 0 follows both: nodes 1 and 2


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([FIRST, SECOND, (2, [1, 2], [0, 0], [0, 0])], None),
        ([SECOND], "level 1 is out of order"),
        ([FIRST, FIRST], "level 0 is out of order"),
        ([FIRST, (2, [0], [0], [1])], "level 2 is out of order"),
        ([(0, [0], [0], [1])], "node 0 has no edge to a context of 0 symbols"),
        ([FIRST, (1, [0, 0], [0, -1], [1, 1])], "node 0 has no edge to a context of 1 symbols"),
        ([FIRST, (1, [0, 0], [0, 3], [1, 1])], "not below the vocabulary's size 5"),
        ([FIRST, SECOND, (2, [0, 2], [0, 0], [1, 0])], "node 0 has no edge to a context of 2 symbols"),
        ([FIRST, SECOND, (2, [1, 2], [0, -1], [1, 0])], "node 2 has no edge to a context of 2 symbols"),
    ],
)
def test_levels_need_the_edges_of_the_level_before(levels, message):
    if message is None:
        assert unpacked(levels).edges == [2, 2, 0]
        assert ngrams.unpack(ready(3, 5), **LEVEL) == (1, 1, 1)
        return
    with pytest.raises(ValueError, match=message):
        unpacked(levels)
