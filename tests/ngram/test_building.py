"""Building: the best order for a text, within the memory that there may be."""

from functools import partial

import numpy as np
import pytest

from crnn.errors import InvalidInputError
from crnn.ngram import building
from crnn.ngram import counts as counts_module
from crnn.ngram.building import Builder, Limits
from crnn.ngram.counts import Counts
from crnn.ngram.packed_counts import pack
from crnn.runtime import machine
from crnn.text.documents import document_numbers
from crnn.text.sources import text_source

SENTENCE = "to be or not that is the question whether tis nobler in mind suffer slings and arrows of outrageous"
TEXT = " ".join(np.random.default_rng(0).choice(SENTENCE.split(), 3000))


def of_text(text):
    source = text_source(text)
    vocabulary = source.vocabulary()
    return source.ids(vocabulary), len(vocabulary), vocabulary.boundary


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(pack(a).values(), pack(b).values(), strict=True))


def made(ids, order, symbols, boundary):
    counts, given = Counts(order, symbols, boundary), boundary is not None
    counts.add(ids[given:], ids[:given])
    return counts


@pytest.mark.parametrize("text", [TEXT, TEXT.split()])
@pytest.mark.parametrize("orders", [(10, 24), (2, 12), (1, 3)])
def test_the_order_is_the_one_that_predicts_the_end_best(text, orders):
    ids, symbols, boundary = of_text(text)
    counts = Builder(symbols, boundary, limits=Limits(orders=orders, block=1009)).build(ids, None)
    cut = len(ids) - len(ids) // 20
    while boundary is not None and ids[cut - 1] != boundary:
        cut -= 1
    all_orders = range(1, orders[-1] + 1)
    losses = [loss(made(ids[:cut], order, symbols, boundary), ids, cut) for order in all_orders]
    assert counts.order == 1 + int(np.argmin(losses))
    assert same(counts, made(ids, counts.order, symbols, boundary))


def test_the_order_is_at_most_24():
    """Only after 30 letters a is it certain that b follows, and a longer context is always better."""
    ids, symbols, boundary = of_text(("a" * 30 + "b") * 60)
    assert Builder(symbols, boundary).build(ids, None).order == 24


@pytest.mark.parametrize("text", [TEXT, TEXT.split()])
def test_the_end_of_a_long_text_chooses_the_order_for_all_of_it(text):
    ids, symbols, boundary = of_text(text)
    last = ids[-307:] if boundary is None else ids[np.flatnonzero(ids[:-307] == boundary)[-1] :]
    of_last, of_all = (Builder(symbols, boundary).build(some, None) for some in (last, ids))
    limits = Limits(choice_symbols=307, block=509)
    counts = Builder(symbols, boundary, limits=limits).build(ids, None)
    assert counts.order == of_last.order != of_all.order
    assert same(counts, made(ids, counts.order, symbols, boundary))


TIMES = np.random.default_rng(1).integers(1, 8, 331).astype(np.int32)
WORDS = TEXT.split()[: len(TIMES)]
REPEATED = [word for word, n in zip(WORDS, TIMES.tolist(), strict=True) for _ in range(n)]


@pytest.mark.parametrize("choice", [1, 307, 1499, 1 << 20])
def test_documents_may_occur_several_times(choice):
    """The repeated documents choose the order, by the last ones."""
    (ids, symbols, boundary), (repeated, _, _) = of_text(WORDS), of_text(REPEATED)
    last = building.last_symbols(repeated, choice, boundary)
    assert building._last_copies(ids, TIMES, choice, boundary).tolist() == last.tolist()
    builder = Builder(symbols, boundary, limits=Limits(choice_symbols=choice, block=509))
    counts, expected = (builder.build(*given) for given in ((ids, None, TIMES), (repeated, None)))
    assert counts.order == expected.order
    assert same(counts, expected)
    added = Builder(symbols, boundary).add(expected, ids, TIMES)
    assert same(added, Builder(symbols, boundary).add(expected, repeated))


def loss(counts, ids, cut):
    """The loss of a text from `cut` on."""
    k = counts.order - 1
    contexts = np.array([ids[i - k : i] for i in range(cut, len(ids))], np.int32).reshape(len(ids) - cut, k)
    return -np.take_along_axis(counts.rows(contexts), ids[cut:, None].astype(np.intp), axis=1).sum()


@pytest.mark.parametrize("text", [TEXT, TEXT.split()])
@pytest.mark.parametrize(("blocks", "n"), [(1, 512), (7, 2048), (12, 3690), (1000, None)])
def test_counting_ends_after_a_block_that_uses_up_the_time(text, blocks, n):
    ids, symbols, boundary = of_text(text)
    answers = iter([True] * (blocks - 1))
    builder = Builder(symbols, boundary, limits=Limits(block=512))
    counts, found = builder.build_some(ids, 6, lambda: next(answers, False))
    assert found == (len(ids) if n is None else n + (boundary is not None))
    assert same(counts, made(ids[:found], 6, symbols, boundary))


def test_counting_ends_near_the_memory_limit():
    ids, symbols, _ = of_text(TEXT)
    counts, n = Builder(symbols, None, 60_000).build_some(ids, 6, lambda: True)
    assert 24_000 < counts.nbytes < 30_000
    assert same(counts, made(ids[:n], 6, symbols, None))


@pytest.mark.parametrize("text", ["", "a", "aaaaaaaaaaaaaaa", [""], ["", ""], ["ab", "c"]])
@pytest.mark.parametrize("order", [None, 9])
def test_texts_shorter_than_the_order(text, order):
    source = text_source(text)
    vocabulary = source.vocabulary() if text else source.vocabulary(given="a")
    ids = source.ids(vocabulary)
    counts = Builder(len(vocabulary), vocabulary.boundary).build(ids, order)
    np.testing.assert_allclose(np.exp(counts.rows(np.zeros((1, 3), np.int32))).sum(), 1)
    assert same(counts, made(ids, counts.order, len(vocabulary), vocabulary.boundary))


def test_without_memory_for_a_long_order_a_shorter_one_is_taken():
    small = partial(Builder, limits=Limits(block=509))
    ids, symbols, boundary = of_text(TEXT)
    best = small(symbols, boundary).build(ids, None)
    needed = [made(ids, order, symbols, boundary).nbytes for order in (2, 3)]
    limited = small(symbols, boundary, max_memory=sum(needed)).build(ids, None)
    assert best.order > 2 == limited.order
    assert same(limited, made(ids, 2, symbols, boundary))
    with pytest.raises(InvalidInputError, match=r"order is 7, which needs more than max_memory=.* that fits is 2"):
        small(symbols, boundary, max_memory=sum(needed)).build(ids, 7)
    assert same(small(symbols, boundary, max_memory=2 * needed[0]).build(ids, 2), limited)
    with pytest.raises(InvalidInputError, match=r"order is 2, which needs more .* that fits is 1"):
        small(symbols, boundary, max_memory=2 * needed[0] - 1).build(ids, 2)
    with pytest.raises(InvalidInputError, match="too little for any order"):
        small(symbols, boundary, max_memory=100).build(ids, None)


@pytest.mark.parametrize("order", [11, 13])
def test_without_memory_for_long_contexts_those_that_fit_are_taken(order):
    """Counts of an order above 10 are made anew from their text."""
    small = partial(Builder, limits=Limits(block=509))
    ids, symbols, boundary = of_text(TEXT[:2000])
    kept = Counts(order, symbols, boundary, keeps_text=True)
    kept.add(ids)
    with pytest.raises(InvalidInputError, match=rf"order is 24, .* that fits is {order}"):
        small(symbols, boundary, max_memory=2 * kept.nbytes).build(ids, 24)
    found = small(symbols, boundary, max_memory=2 * kept.nbytes).build(ids, order)
    assert same(found, kept)
    assert found.keeps_text
    needed = made(ids, 10, symbols, boundary).nbytes
    with pytest.raises(InvalidInputError, match=r"order is 24, .* that fits is [789]"):
        small(symbols, boundary, max_memory=needed).build(ids, 24)


@pytest.mark.parametrize(("order", "found"), [(14, 4), (3, 3)])
def test_the_longest_order_is_less_in_little_memory(order, found):
    ids, symbols, boundary = of_text(TEXT.split())
    memory = 2 * made(ids, 4, symbols, boundary).nbytes
    counts = Builder(symbols, boundary, memory).build_longest(ids, order)
    assert counts.order == found
    assert same(counts, made(ids, counts.order, symbols, boundary))


@pytest.mark.parametrize("text", [TEXT, TEXT.split()])
def test_a_long_text_needs_memory_for_the_order_chosen_not_for_the_longest(text, monkeypatch):
    ids, symbols, boundary = of_text(text)
    choosing = partial(Builder, limits=Limits(choice_symbols=307))
    order = choosing(symbols, boundary).build(ids, None).order
    needed = 16 * len(ids) * order
    monkeypatch.setattr(machine, "SMALL_REQUEST", 0)
    monkeypatch.setattr(machine, "available_bytes", lambda: needed)
    assert same(choosing(symbols, boundary).build(ids, None), made(ids, order, symbols, boundary))
    monkeypatch.setattr(machine, "available_bytes", lambda: needed - 1)
    told = []
    with pytest.raises(InvalidInputError, match=f"order {order} of {len(ids):,} symbols need about"):
        choosing(symbols, boundary, progress=lambda i, n: told.append(n)).build(ids, None)
    assert len(ids) not in told
    monkeypatch.setattr(machine, "available_bytes", lambda: 10**5)
    with pytest.raises(InvalidInputError, match="need about"):
        choosing(symbols, boundary).build(ids, None)
    with pytest.raises(InvalidInputError, match="need about"):
        choosing(symbols, boundary).add(made(ids[:99], order, symbols, boundary), ids)


def test_adding_a_text_leaves_the_counts_as_they_were(monkeypatch):
    ids, symbols, boundary = of_text(TEXT)
    counts = Builder(symbols, boundary).build(ids[:9000], 4)
    before = pack(counts)
    added = Builder(symbols, boundary).add(counts, ids[9000:])
    other = made(ids[:9000], 4, symbols, boundary)
    other.add(ids[9000:])
    assert same(added, other)
    with pytest.raises(InvalidInputError, match="Raise max_memory"):
        Builder(symbols, boundary, max_memory=2 * counts.nbytes - 2).add(counts, ids[9000:])
    with pytest.raises(InvalidInputError, match=r"the n-grams up to order 4 with this text need more"):
        Builder(symbols, boundary, max_memory=2 * added.nbytes - 1).add(counts, ids[9000:])
    assert same(Builder(symbols, boundary, max_memory=2 * added.nbytes).add(counts, ids[9000:]), added)
    assert all(np.array_equal(x, y) for x, y in zip(before.values(), pack(counts).values(), strict=True))


def test_progress_is_told_and_an_error_in_it_ends_the_building():
    blocks = partial(Builder, limits=Limits(block=5000))
    ids, symbols, boundary = of_text(TEXT)
    told = []
    blocks(symbols, boundary, progress=lambda *numbers: told.append(numbers)).build(ids, 3)
    assert told == [(min(i, len(ids)), len(ids)) for i in range(5000, len(ids) + 4999, 5000)]
    told.clear()
    blocks(symbols, boundary, progress=lambda *numbers: told.append(numbers)).build(ids, None)
    assert (len(ids) - len(ids) // 20, len(ids)) in told  # the last twentieth chooses the order
    assert told[-1] == (len(ids), len(ids))

    def interrupt(done, n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blocks(symbols, boundary, progress=interrupt).build(ids, None)


@pytest.mark.parametrize("order", [1, 3, 12])
def test_counts_without_documents_are_those_of_the_others(order, monkeypatch):
    """Whatever is subtracted, in blocks of any size: the bits equal counting only the others."""
    monkeypatch.setattr(counts_module, "CALL_SYMBOLS", 97)
    rng, words = np.random.default_rng(order), [*dict.fromkeys(WORDS), "", "tobe" * 5]
    times = rng.integers(1, 7, len(words)).astype(np.int32)
    ids, symbols, boundary = of_text(words)
    counts = Builder(symbols, boundary).build(ids, order, times)
    before = pack(counts)
    for _ in range(3):
        taken = rng.integers(0, 2, len(words)) * rng.integers(1, times + 1).astype(np.int32)
        (part,) = taken.nonzero()
        places = np.flatnonzero(ids == boundary)
        some = np.concatenate([ids[:1], *(ids[places[i] + 1 : places[i + 1] + 1] for i in part)])
        left = building.without(counts, some, taken[part])
        others = [i for i in range(len(words)) if times[i] > taken[i]]
        rest = np.concatenate([ids[:1], *(ids[places[i] + 1 : places[i + 1] + 1] for i in others)])
        anew = Builder(symbols, boundary).build(rest, order, (times - taken)[others].astype(np.int32))
        assert same(left, anew)
        assert left.n_grams == anew.n_grams
        contexts = rng.integers(0, symbols, (53, max(order - 1, 1))).astype(np.int32)
        contexts[:3] = boundary
        np.testing.assert_array_equal(left.rows(contexts), anew.rows(contexts))
        left.add(some[1:], some[:1], taken[part].astype(np.int32)[document_numbers(some[1:], boundary)])
        assert same(left, counts)
    assert all(np.array_equal(before[name], array) for name, array in pack(counts).items())


def test_a_boundary_may_be_blocks_away():
    for place in range(8):
        ids = np.arange(8) == place
        assert [building._boundary_before(ids, stop, 1, 3) for stop in (place, place + 1, 8)][1:] == [place] * 2


def test_a_text_of_more_symbols_than_counts_can_hold():
    few = Builder(11, None, limits=Limits(max_symbols=12))
    few.build(np.zeros(12, np.uint8), 3)
    with pytest.raises(InvalidInputError, match="the text has 13 symbols, but at most 12 can be counted"):
        few.build(np.zeros(13, np.uint8), 3)
