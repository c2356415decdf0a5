"""Documents: what a collection is, how it is packed, and how it is dealt to streams."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text import document_streams
from crnn.text.document_streams import DocumentStreams
from crnn.text.documents import joined, pack, split, starts

# ------------------------------------------------------------------------- a collection


def test_a_generator_is_read_once():
    documents = joined(text for text in ["to", "", "be\nor"])
    assert documents.text == "tobe\nor"
    assert documents.lengths.tolist() == [2, 0, 5]
    assert documents.kind == "characters"


def test_bytes_of_every_kind():
    documents = joined([b"to", bytearray(b" "), memoryview(b"b.e.")[::2]])
    assert documents.text == b"to be"
    assert documents.lengths.tolist() == [2, 1, 2]
    assert documents.kind == "bytes"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X is an empty list; at least 1 document is needed"),
        (["a", "b", 3, "c"], r"X\[2\] must be str or bytes, not int"),
        ([None], r"X\[0\] must be str or bytes, not NoneType"),
        (["a", b"b"], r"X\[1\] is bytes, but X\[0\] is str: the documents must be all str or all bytes"),
        ([b"a", b"b", "c"], r"X\[2\] is str, but X\[0\] is bytes"),
        ([["a"], "b"], r"X\[0\] must be str or bytes, not list"),
    ],
)
def test_what_is_no_collection_of_texts_is_named(X, message):
    with pytest.raises(InvalidInputError, match=message):
        joined(X)


texts = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)


def packed_of(documents, dtype=np.uint8, boundary=9):
    ids = np.array([i for document in documents for i in document], dtype)
    return pack(ids, np.array(list(map(len, documents))), boundary)


def unpacked(packed, boundary=9):
    """Return the documents of a row of ids, as tuples."""
    assert packed[0] == packed[-1] == boundary
    return [tuple(part[1:].tolist()) for part in np.split(packed, starts(packed, boundary))[1:-1]]


@given(texts)
def test_packing_keeps_every_document(documents):
    packed = packed_of(documents)
    assert len(packed) == sum(map(len, documents)) + len(documents) + 1
    assert unpacked(packed) == list(map(tuple, documents))


@given(texts.filter(lambda documents: len(documents) > 1), st.floats(0.01, 0.99))
def test_the_last_documents_are_held_out(documents, fraction):
    n = round(len(documents) * fraction)
    if not 0 < n < len(documents):
        with pytest.raises(InvalidInputError, match=f"of {len(documents)} documents leaves {n} for validation"):
            split(packed_of(documents), 9, fraction)
        return
    training, validation = split(packed_of(documents), 9, fraction)
    assert unpacked(training) + unpacked(validation) == list(map(tuple, documents))
    assert len(unpacked(validation)) == n


# ------------------------------------------------------------------------------- streams


def swept(streams, sweeps):
    """Return what each stream reads in so many sweeps, the shared symbols once, (B, n)."""
    rows = []
    for _ in range(sweeps):
        T, K = streams.seq_length, streams.steps_of_sweep
        assert len(streams.ids) == streams.batch_size * (K * T + 1) == streams.batch_size * (streams.stream_length - 1)
        ids = streams.ids.reshape(streams.batch_size, -1)
        if rows:
            np.testing.assert_array_equal(rows[-1], ids[:, 0])  # the last target is the next input
            rows.pop()
        rows.extend(ids.T)
        streams.next_sweep()
    return np.array(rows).T


@given(texts, st.integers(1, 5), st.integers(1, 9), st.integers(1, 6), st.sampled_from([1, 1 << 12]))
def test_every_document_is_read_whole_and_once_an_epoch(documents, B, T, sweeps, deal):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_streams, "DEAL", deal)
        patch.setattr(document_streams, "SWEEP", 50)
        streams = DocumentStreams(packed_of(documents), 9, B, T, rng=np.random.default_rng(1))
        read = swept(streams, sweeps)
        epochs = streams._epochs
        waiting = streams._queues  # what has been dealt and is in no sweep yet, and the sweep that is
    assert (read[:, 0] == 9).all()
    found = Counter()
    for row in read:
        ends = np.flatnonzero(row == 9)
        found.update(unpacked(row[: ends[-1] + 1]))
    once = Counter(map(tuple, documents))
    assert set(found) <= set(once)
    ids = streams.ids.reshape(B, -1)
    for b in range(B):  # what is left of the streams makes the epochs whole
        last = np.flatnonzero(read[b] == 9)[-1]
        rest = [read[b, last:-1], ids[b, :-1]]
        first, length, done = waiting[b]
        packed = streams._packed
        for i in range(len(first)):
            part = packed[first[i] : first[i] + length[i]]
            rest.append(part[done:] if i == 0 else part)
        found.update(unpacked(np.append(np.concatenate(rest), 9).astype(np.uint8)))
    rounds = {found[document] / (n * epochs) for document, n in once.items()}
    assert len(rounds) == 1
    assert rounds.pop() % 1 == 0


def test_each_epoch_has_another_order_and_a_seed_the_same():
    documents = [[i] for i in range(9)]

    def orders(seed):
        streams = DocumentStreams(packed_of(documents), 9, 1, 18, rng=np.random.default_rng(seed))
        return swept(streams, 1)[0, 1:90:2].reshape(5, 9).tolist()

    first = orders(4)
    assert first == orders(4) != orders(5)
    assert all(sorted(order) == list(range(9)) for order in first)
    assert len(set(map(tuple, first))) == 5


def test_streams_go_back_to_a_place():
    rng = np.random.default_rng(0)
    documents = [rng.integers(4, size=n).tolist() for n in rng.integers(40, size=30)]
    streams = DocumentStreams(packed_of(documents), 9, 3, 5, rng=rng)
    swept(streams, 2)
    place = streams.place
    there = swept(streams, 9)
    streams.place = place
    np.testing.assert_array_equal(swept(streams, 9), there)


def test_a_document_longer_than_an_epoch_of_a_stream_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(document_streams, "LEAST_PART", 10)
    document = np.arange(97, dtype=np.uint8) % 7
    streams = DocumentStreams(packed_of([document.tolist(), [3], []]), 9, 4, 5, rng=np.random.default_rng(0))
    assert streams._length.max() <= -(-100 // 4) + 1
    parts = [streams._packed[first + 1 : first + n] for first, n in zip(streams._first, streams._length, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), np.append(document, 3))
    for row in swept(streams, 3):
        row = row[: np.flatnonzero(row == 9)[-1] + 1]
        for part in unpacked(row):
            assert any(part == tuple(own.tolist()) for own in parts)


def test_one_long_document_and_many_short_ones_are_dealt_in_little_time():
    def seconds(ids, lengths, B, T):
        start = time.process_time()
        packed = pack(ids, lengths, 1)
        streams = DocumentStreams(packed, 1, B, T, rng=np.random.default_rng(0))
        read = 0
        while read < len(packed):
            read += len(streams.ids)
            streams.next_sweep()
        return time.process_time() - start

    short, long = 100_000, 2_000_000
    assert seconds(np.zeros(short, np.uint8), np.ones(short, int), 32, 25) < 1
    assert seconds(np.zeros(long, np.uint8), np.array([long]), 32, 64) < 1
    lengths = np.append(np.ones(short, int), long)
    assert seconds(np.zeros(short + long, np.uint8), lengths, 32, 64) < 3


@pytest.mark.parametrize("B", [1, 2, 33])
@pytest.mark.parametrize("documents", [[[]], [[], []], [[1]], [[1, 2, 3]]])
def test_little_is_enough(documents, B):
    streams = DocumentStreams(packed_of(documents), 9, B, 25, rng=np.random.default_rng(0))
    transitions = sum(map(len, documents)) + len(documents)
    assert streams.seq_length == max(transitions // B, max(map(len, documents)) + 1)  # no document needs more
    assert streams.steps_per_sweep == -(-transitions // (B * streams.seq_length))
    read = swept(streams, 7)
    for row in read:
        assert set(unpacked(row[: np.flatnonzero(row == 9)[-1] + 1])) <= set(map(tuple, documents))
