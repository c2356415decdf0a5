"""AdaptiveCounts: each symbol is predicted from those before it, and a model never changes."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import AdaptiveCounts
from crnn.ngram.packed_counts import pack

TEXT = np.random.default_rng(0).integers(0, 5, 900).astype(np.int32)
TEXT[300:600] = np.tile(TEXT[300:310], 30)


@pytest.fixture(params=[(None, False), (4, False), (None, True), (4, True)])
def counts(request):
    boundary, keeps_text = request.param
    made = Counts(4, 5, boundary, keeps_text=keeps_text)
    made.add(TEXT[:300], [] if boundary is None else [boundary])
    return made


READ = st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=12), st.booleans()), max_size=6)


@given(st.lists(st.integers(0, 3), max_size=40), READ, st.integers(1, 9), st.sampled_from([None, 3]), st.booleans())
@settings(max_examples=40)
def test_readings_are_the_same_whether_the_model_keeps_its_text(text, blocks, order, boundary, copies):
    """Contexts that the model has seen once get a node when the reading sees them, whatever was read before them."""
    readings = []
    for keeps_text in (False, True):
        base = Counts(order, 4, boundary, keeps_text=keeps_text)
        base.add(np.array(text), [] if boundary is None else [boundary])
        readings.append(AdaptiveCounts(base))
    for block, learn in [*blocks, (text, True), (text[::-1], False)]:
        (stored, expected), (kept, found) = (r.read(np.array(block, np.int32), learn=learn) for r in readings)
        np.testing.assert_array_equal(found, expected)
        assert kept.counts.n_grams == stored.counts.n_grams
        readings = [reading.copy() if copies else reading for reading in (stored, kept)]


def test_the_bits_do_not_depend_on_the_cuts(counts):
    before = pack(counts)
    whole, expected = AdaptiveCounts(counts).read(TEXT[300:])
    reading, found, start = AdaptiveCounts(counts), [], 300
    for cut in (301, 302, 417, 417, 800, 900):
        reading, surprisal = reading.read(TEXT[start:cut])
        found.append(surprisal)
        start = cut
    np.testing.assert_array_equal(np.concatenate(found), expected)
    np.testing.assert_array_equal(reading.network.logits_after(reading.state), whole.network.logits_after(whole.state))
    assert expected[:10].mean() < -0.5 < expected[100:250].mean()  # what is read again is known
    assert all(np.array_equal(x, y) for x, y in zip(before.values(), pack(counts).values(), strict=True))


def test_readings_do_not_change_and_copies_continue_alone(counts):
    first, _ = pickle.loads(pickle.dumps(AdaptiveCounts(counts))).read(TEXT[300:400])
    copy = first.copy()
    second, expected = first.read(TEXT[400:500])
    other, _ = copy.read(TEXT[600:700])
    again, found = first.read(TEXT[400:500])  # it has lost its counts to `second`
    np.testing.assert_array_equal(found, expected)
    rows = [reading.network.logits_after(second.state) for reading in (second, again, other)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_symbols_may_be_read_without_being_counted(counts):
    fixed, log_p = AdaptiveCounts(counts).read(TEXT[300:500], learn=False)
    np.testing.assert_array_equal(fixed.network.logits_after(fixed.state), fixed_rows(counts, TEXT[300:500]))
    after, _ = fixed.read(TEXT[500:600])
    assert after.counts.n_grams != counts.n_grams
    assert log_p[150:].mean() < -0.5  # nothing was learned of what repeats


def fixed_rows(counts, ids):
    return counts.rows([ids[-3:]])


def test_symbols_read_one_by_one_are_kept_in_few_pieces(counts):
    reading, expected = AdaptiveCounts(counts), AdaptiveCounts(counts)
    learned = [True] * 300 + [False] * 100 + [True] * 200
    for symbol, learn in zip(TEXT[300:], learned, strict=True):
        reading, _ = reading.read(np.array([symbol]), learn=learn)
    pieces, last = 0, reading._last
    while last is not None:
        pieces, last = pieces + 1, last.before
    assert pieces <= np.log2(600)
    for start, stop, learn in ((300, 600, True), (600, 700, False), (700, 900, True)):
        expected, _ = expected.read(TEXT[start:stop], learn=learn)
    again = pickle.loads(pickle.dumps(reading))
    for found in (reading, again, reading.copy()):
        np.testing.assert_array_equal(found.read(TEXT[:50])[1], expected.copy().read(TEXT[:50])[1])
