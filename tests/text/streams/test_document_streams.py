"""DocumentStreams: every document once an epoch, the same order from a seed and from a position."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from examples import packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.sources.documents import pack
from crnn.text.streams import queues, shuffled_documents
from crnn.text.streams.document_streams import DocumentStreams
from crnn.text.streams.queues import Held

DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)


def streams_of(documents, B, T, seed=0):
    return DocumentStreams(packed_documents(documents), 9, B, T, rng=np.random.default_rng(seed))


def blocks_read(streams, n):
    """Return what each stream reads in n blocks, the shared symbols once, (B, symbols)."""
    rows = []
    for _ in range(n):
        block = streams.next_block()
        assert block.ids.shape[0] == streams.batch_size
        assert block.ids.shape[1] % streams.seq_length == (1 if streams.seq_length > 1 else 0)
        assert not block.starts_epoch
        if rows:
            np.testing.assert_array_equal(rows[-1], block.ids[:, 0])  # the last target is the next input
            rows.pop()
        rows.extend(block.ids.T)
    return np.array(rows).T


def complete(row):
    """Return the documents that end within a row."""
    return unpacked_documents(row[: np.flatnonzero(row == 9)[-1] + 1])


@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(1, 6), st.sampled_from([1, 1 << 12]))
def test_every_document_is_read_whole_and_once_an_epoch(documents, B, T, n_blocks, shuffled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffled_documents, "MIN_SHUFFLED", shuffled)
        patch.setattr(queues, "MAX_BLOCK", 50)
        streams = streams_of(documents, B, T, seed=1)
        read = blocks_read(streams, n_blocks)
    assert (read[:, 0] == 9).all()
    found = Counter()
    for row in read:
        found.update(complete(row))
    once = Counter(map(tuple, documents))
    assert set(found) <= set(once)
    packed = streams._documents.ids
    for row, (first, length, done, symbols) in zip(read, streams._queues, strict=True):
        assert symbols == length.sum() - done
        rest = [row[np.flatnonzero(row == 9)[-1] : -1]]  # what is left of the streams makes the epochs whole
        for i in range(len(first)):
            part = packed[first[i] : first[i] + length[i]]
            rest.append(part[done:] if i == 0 else part)
        found.update(unpacked_documents(np.append(np.concatenate(rest), 9).astype(np.uint8)))
    rounds = {found[document] / (n * streams._documents._epochs) for document, n in once.items()}
    assert len(rounds) == 1
    assert rounds.pop() % 1 == 0


def test_each_epoch_has_another_order_and_a_seed_the_same():
    documents = [[i] for i in range(9)]

    def orders(seed):
        return blocks_read(streams_of(documents, 1, 18, seed), 1)[0, 1:90:2].reshape(5, 9).tolist()

    first = orders(4)
    assert first == orders(4) != orders(5)
    assert all(sorted(order) == list(range(9)) for order in first)
    assert len(set(map(tuple, first))) == 5


@pytest.mark.parametrize("shuffled", [1, 1 << 12])
@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(0, 12))
def test_other_streams_continue_from_a_position(shuffled, documents, B, T, n_blocks):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffled_documents, "MIN_SHUFFLED", shuffled)
        patch.setattr(queues, "MAX_BLOCK", 50)
        streams = streams_of(documents, B, T)
        for _ in range(n_blocks):
            streams.next_block()
        position = streams.position
        expected = blocks_read(streams, 9)
        after = streams.position.order, streams.position.read
        for other in (streams, streams_of(documents, B, T, seed=7)):
            other.position = position
            np.testing.assert_array_equal(blocks_read(other, 9), expected)
            assert (other.position.order, other.position.read) == after


def test_a_position_is_small(monkeypatch):
    monkeypatch.setattr(queues, "MAX_BLOCK", 1000)
    lengths = np.random.default_rng(0).integers(1, 11, size=20_011)
    packed = pack(np.zeros(lengths.sum(), np.uint8), lengths, 9)
    streams = DocumentStreams(packed, 9, 13, 5, rng=np.random.default_rng(0))
    most = 0
    for _ in range(300):  # more than two epochs
        streams.next_block()
        most = max(most, sum(len(held.lengths) for held in streams.position.held))
    assert most < 100  # documents, of 20,011


@pytest.mark.parametrize("size", [1, 30, 1 << 20])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, size):
    rng = np.random.default_rng(0)
    documents = [rng.integers(4, size=n).tolist() for n in rng.integers(40, size=30)]
    expected = blocks_read(streams_of(documents, 3, 5), 3)
    monkeypatch.setattr(queues, "MAX_BLOCK", size)
    streams = streams_of(documents, 3, 5)
    largest = streams.next_block().ids[:, 1:].size
    assert largest <= max(size, 3 * 5)
    read = blocks_read(streams_of(documents, 3, 5), 500)
    n = min(read.shape[1], expected.shape[1])
    assert n > 2 * sum(map(len, documents)) // 3
    np.testing.assert_array_equal(read[:, :n], expected[:, :n])


def test_a_document_longer_than_an_epoch_of_a_stream_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(shuffled_documents, "MIN_PART", 10)
    document = np.arange(97, dtype=np.uint8) % 7
    streams = streams_of([document.tolist(), [3], []], 4, 5)
    packed, (firsts, lengths) = streams._documents.ids, (streams._documents._first, streams._documents._length)
    assert lengths.max() <= -(-100 // 4) + 1
    parts = [packed[first + 1 : first + n] for first, n in zip(firsts, lengths, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), np.append(document, 3))
    for row in blocks_read(streams, 3):
        for part in complete(row):
            assert any(part == tuple(own.tolist()) for own in parts)


@pytest.mark.parametrize(("symbols", "starts"), [(65_536, 1), (65_537, 2)])
def test_documents_of_64_kb_are_not_cut(symbols, starts):
    packed = pack(np.ones(symbols, np.uint8), np.array([symbols]), 9)
    streams = DocumentStreams(packed, 9, 2, 1 << 16, rng=np.random.default_rng(0))
    assert (blocks_read(streams, 1)[:, : symbols + 1] == 9).sum() == 2 * starts


def test_one_long_document_and_many_short_ones_are_distributed_in_little_time():
    def seconds(ids, lengths, B, T):
        start = time.process_time()
        packed = pack(ids, lengths, 1)
        streams = DocumentStreams(packed, 1, B, T, rng=np.random.default_rng(0))
        read = 0
        while read < len(packed):
            read += streams.next_block().ids.size
        return time.process_time() - start

    short, long = 100_000, 2_000_000
    assert seconds(np.zeros(short, np.uint8), np.ones(short, int), 32, 25) < 1
    assert seconds(np.zeros(long, np.uint8), np.array([long]), 32, 64) < 1
    lengths = np.append(np.ones(short, int), long)
    assert seconds(np.zeros(short + long, np.uint8), lengths, 32, 64) < 3


@pytest.mark.parametrize("B", [1, 2, 33])
@pytest.mark.parametrize("documents", [[[]], [[], []], [[1]], [[1, 2, 3]], [[1, 2, 3], []], [[], [1, 2, 3], [1]]])
def test_little_is_enough(documents, B):
    streams = streams_of(documents, B, 25)
    transitions = sum(map(len, documents)) + len(documents)
    assert streams.seq_length == max(transitions // B, max(map(len, documents)) + 1)  # no document needs more
    assert streams.steps_per_epoch == -(-transitions // (B * streams.seq_length))
    for row in blocks_read(streams, 7):
        assert set(complete(row)) <= set(map(tuple, documents))


def test_a_position_of_other_documents_is_refused():
    streams = streams_of([[1, 2], [3], [0]], 2, 3)  # packed: 9 1 2 9 3 9 0 9
    streams.next_block()
    before = streams.position

    last = Held(np.array([2]), 0, first=np.array([5]))
    for parts, message in (
        ((last,), "^the position is for batch_size=1, but batch_size is 2"),
        ((last, last._replace(first=np.array([6]))), "^the position is for other documents"),
        ((last._replace(lengths=np.array([3])), last), "^the position is for other documents"),
        ((last, last._replace(first=None, ids=np.array([9, 0]))), "^the position is for documents in a file"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            streams.position = before._replace(held=parts)
        assert streams.position is before
    streams.position = before._replace(held=(last, last), shuffles=0, read=0)
    np.testing.assert_array_equal(streams.next_block().ids[:, :2], [[9, 0]] * 2)
