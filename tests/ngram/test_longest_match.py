"""The longest match equals a plain search, with the same bits however the text is cut."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crnn._kernels.ngram import longest_match as kernels
from crnn.inference.network import log_softmax
from crnn.ngram import longest_match as module
from crnn.ngram.longest_match import AdaptiveMatch
from crnn.reference import longest_match as reference

V = 5
TEXT = np.random.default_rng(0).integers(0, V, 900).astype(np.int32)
TEXT[300:600] = np.tile(TEXT[300:337], 9)[:300]
TEXT[600:700] = TEXT[100:200]


def repetitive(seed, n=211):
    """Return a random text in which parts of many lengths occur again."""
    rng = np.random.default_rng(seed)
    text = [int(symbol) for symbol in rng.integers(0, 3, 11)]
    while len(text) < n:
        start = rng.integers(0, len(text))
        length = rng.integers(1, 41)
        text += text[start : start + length]
        text.append(int(rng.integers(0, 3)))
    return np.array(text[:n], np.int32)


def pieces(text, seed):
    """Yield the pieces of a text, some of which are not learned."""
    rng = np.random.default_rng(seed)
    while len(text):
        n = int(rng.integers(0, 31))
        yield text[:n], bool(rng.random() < 0.8)
        text = text[n:]


def rows_after(history, text, *, learn):
    """Return the rows (n, V) that predict each symbol of a text after the last symbols of a history."""
    hits = module.first_hits()
    before = np.append(np.full(kernels.WINDOW, -1, np.int32), history.text)[-kernels.WINDOW :]
    rows = np.empty((len(text), 1, V))
    if learn:
        kernels.learn_rows(history, hits, text, before, rows[:, 0])
    else:
        kernels.rows_before(history, hits, text[:, None], before[None], rows)
    return rows


def rows_of_reference(read):
    """Return the rows that predict each symbol of some pieces, and the hits after them."""
    history = []
    text = [-1] * kernels.WINDOW
    hits = reference.first_hits()
    rows = []
    goes_on = True  # whether the history ends with the last symbol read
    for piece, learn in read:
        for symbol in piece.tolist():
            row, guess, of_class = reference.match_row(history, text, hits, V)
            rows.append(row)
            if learn:
                if guess >= 0:
                    hits[of_class] += [guess == symbol, 1]
                history += [symbol] if goes_on else [-1, symbol]
            goes_on = learn
            text.append(symbol)
    return np.array(rows), hits


@pytest.mark.parametrize("seed", range(20))
def test_matches_are_those_of_a_naive_search(seed):
    read = list(pieces(repetitive(seed), seed))
    expected, hits = rows_of_reference(read)
    reading = AdaptiveMatch.start(V, None)
    rows = []
    for piece, learn in read:
        reading, of_piece = reading.read_rows(piece, learn=learn)
        rows.append(of_piece)
    np.testing.assert_allclose(np.concatenate(rows), expected, rtol=1e-14)
    np.testing.assert_array_equal(reading.network.hits, hits)
    assert np.count_nonzero(expected) > 20


def test_constants_are_those_of_the_reference():
    assert kernels.LENGTHS == reference.LENGTHS
    assert kernels.CLASSES == reference.CLASSES
    np.testing.assert_array_equal(module.first_hits(), reference.first_hits())


def test_texts_with_equal_hashes_are_told_apart():
    """A long random text fills the tables: slots are searched on, and tables replaced by larger ones."""
    text = np.random.default_rng(3).integers(0, 2, 20_011).astype(np.int32)
    reading, rows = AdaptiveMatch.start(2, None).read_rows(text, learn=True)
    last = {}  # the symbol after the last 8 and 16 symbols when they were last read
    favored = 0
    for i in range(8, len(text)):
        longer = text[max(i - 16, 0) : i].tobytes()
        shorter = text[i - 8 : i].tobytes()
        if rows[i].any():  # in a random text, about half of the matches are not trusted
            assert rows[i].argmax() == last.get(longer, last.get(shorter))
            favored += 1
        last[longer] = text[i]
        last[shorter] = text[i]
    assert favored > 4000
    np.testing.assert_array_equal(reading.network.history.text, text)


def test_the_bits_do_not_depend_on_the_cuts():
    whole, expected = AdaptiveMatch.start(V, None).read_rows(TEXT, learn=True)
    for cuts in ([1, 2, 3, 400, 400, 401], range(0, 900, 7), [450]):
        reading = AdaptiveMatch.start(V, None)
        found = []
        for piece in np.split(TEXT, cuts):
            reading, rows = reading.read_rows(piece, learn=True)
            found.append(rows)
        np.testing.assert_array_equal(np.concatenate(found), expected)
        np.testing.assert_array_equal(reading.network.hits, whole.network.hits)
        after = [one.network.logits_after(one.state) for one in (reading, whole)]
        np.testing.assert_array_equal(*after)


def test_readings_do_not_change_and_copies_continue_alone():
    first, _ = AdaptiveMatch.start(V, 3).read_rows(TEXT[:400], learn=True)
    first, _ = first.read_rows(TEXT[100:103], learn=False)
    copies = [first.copy(), pickle.loads(pickle.dumps(first))]
    before = first.network.logits_after(first.state)
    second, expected = first.read_rows(TEXT[400:700], learn=True)
    for copy in copies:
        np.testing.assert_array_equal(copy.network.logits_after(copy.state), before)
        _, found = copy.read_rows(TEXT[400:700], learn=True)
        np.testing.assert_array_equal(found, expected)
    other, _ = first.read_rows(TEXT[:300], learn=True)  # it has lost its history to `second`
    again, found = first.read_rows(TEXT[400:700], learn=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again.network.logits_after(second.state), second.network.logits_after(second.state))
    assert other.network.history.size == first.network.history.size + 301
    assert pickle.loads(pickle.dumps(second.network)).same_as(second.network)
    assert not first.network.same_as(second.network)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 63, 64, 65, 97, 199])
def test_copies_of_histories_grow_independently(size):
    known, first, second = np.split(repetitive(size, size + 103 + 107), [size, size + 103])
    history = kernels.History(V, known)
    copied = history.copy()
    for grown, text in ((copied, second), (history, first), (copied.copy(), first)):
        before = grown.text
        alone = kernels.History(V, before)
        np.testing.assert_array_equal(*(rows_after(one, text, learn=False) for one in (grown, alone)))
        np.testing.assert_array_equal(*(rows_after(one, text, learn=True) for one in (grown, alone)))
        np.testing.assert_array_equal(grown.text, np.concatenate([before, text]))
    np.testing.assert_array_equal(history.text, np.concatenate([known, first]))
    np.testing.assert_array_equal(copied.text, np.concatenate([known, second]))


def test_copies_grow_on_threads():
    start, _ = AdaptiveMatch.start(V, None).read_rows(TEXT[:397], learn=True)
    parts = [TEXT[397 + k :][:389] for k in range(8)]
    expected = [AdaptiveMatch.start(V, None).read_rows(TEXT[:397], learn=True)[0].read_rows(part, learn=True)[1]
                for part in parts]  # fmt: skip
    copies = [start.copy() for _ in parts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one, part: one.read_rows(part, learn=True)[1], copies, parts))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(start.network.history.text, TEXT[:397])


def test_text_that_was_not_learned_is_not_found():
    reading, _ = AdaptiveMatch.start(V, None).read_rows(TEXT[:100], learn=False)
    reading, rows = reading.read_rows(TEXT[:100], learn=True)
    assert not rows.any()
    _, rows = reading.read_rows(TEXT[:100], learn=False)
    assert (rows[10:].argmax(axis=1) == TEXT[10:100]).all()


def test_every_method_gives_the_same_bits():
    net = AdaptiveMatch.start(V, None).read_rows(TEXT, learn=True)[0].network
    x = np.stack([TEXT[10:77], TEXT[320:387], TEXT[::-1][:67]], axis=1)
    state = net.zero_state(3)
    rows = net.logits_before(np.array(x), state)
    log_p = net.log_probabilities(x, net.zero_state(3))
    for b in range(3):
        one = net.zero_state(1)
        expected = log_softmax(rows[:, b])[np.arange(67), x[:, b]]
        np.testing.assert_allclose(log_p[:, b], expected, rtol=1e-14)
        for first, last in ((0, 1), (1, 20), (20, 67)):
            np.testing.assert_array_equal(net.logits_before(x[first:last, b : b + 1], one)[:, 0], rows[first:last, b])
        np.testing.assert_array_equal(net.logits_after(one)[0], net.logits_after(state)[b])
    np.testing.assert_allclose(net.probabilities_after(state).sum(axis=1), 1, rtol=1e-14)
    assert rows.any()


def test_a_text_that_repeats_becomes_certain():
    reading, log_p = AdaptiveMatch.start(V, None).read(np.tile(TEXT[:29], 40))
    assert log_p[:29].mean() == pytest.approx(-np.log(V))
    assert log_p[-29:].mean() > -0.1
    assert (reading.network.hits[:, 0] < reading.network.hits[:, 1]).all()


def test_one_symbol_is_never_favored():
    _, rows = AdaptiveMatch.start(1, None).read_rows(np.zeros(99, np.int32), learn=True)
    np.testing.assert_array_equal(rows, np.zeros((99, 1)))
