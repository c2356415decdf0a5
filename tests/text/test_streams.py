"""Streams of a text and of documents: what each block holds, in which order, from a seed and from a position."""

from collections import Counter

import numpy as np
import pytest
from examples import contiguous_parts, packed_documents, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.documents import pack
from crnn.text.streams import Backlog, DocumentStreams, Parts, StreamLimits, TextStreams, symbols_for_epoch

# --- a text: contiguous parts, min-char-rnn's rule for its end, blocks that are views


def positions_of_an_epoch(n, T):
    """Return where min-char-rnn reads chunks of T in n symbols before it starts again."""
    positions, p = [0], T
    while p + T + 1 < n:
        positions.append(p)
        p += T
    return positions


@given(N=st.integers(2, 211), B=st.integers(1, 13), T=st.integers(1, 31))
def test_streams_are_contiguous_parts_read_by_the_rule(N, B, T):
    ids = np.arange(N, dtype=np.uint16)
    if B > N - 1:
        with pytest.raises(InvalidInputError, match="too short"):
            TextStreams(ids, B, T)
        return
    streams = TextStreams(ids, B, T)
    S = streams.stream_length - 1
    assert B * S <= N - 1 < B * (S + 1)
    assert streams.batch_size == B
    assert streams.seq_length == min(T, S)
    contiguous = contiguous_parts(streams)
    np.testing.assert_array_equal(contiguous[:, :-1].ravel(), np.arange(B * S))  # each transition is in one only
    positions = positions_of_an_epoch(S + 1, streams.seq_length)
    assert streams.steps_per_epoch == len(positions)
    for epoch in range(3):
        block = streams.next_block()
        np.testing.assert_array_equal(block.ids, contiguous[:, : len(positions) * streams.seq_length + 1])
        # The states of the model are carried into the first epoch, where the rule does not apply to it.
        assert block.starts_epoch == (epoch > 0 or streams.seq_length + 1 >= S + 1)


@given(n=st.integers(1, 11), B=st.integers(1, 7), T=st.integers(1, 13))
def test_the_shortest_text_of_an_epoch_of_some_steps(n, B, T):
    length = symbols_for_epoch(n, B, T)
    assert TextStreams(np.zeros(length, np.uint8), B, T).steps_per_epoch == n
    if n > 1:
        assert TextStreams(np.zeros(length - 1, np.uint8), B, T).steps_per_epoch == n - 1


@given(length=st.integers(2, 60), T=st.integers(1, 9), position=st.integers(-1, 59))
def test_position_matches_min_char_rnn(length, T, position):
    streams = TextStreams(np.arange(length, dtype=np.uint8), seq_length=T)
    T = streams.seq_length
    if not 0 <= position < length:
        with pytest.raises(InvalidInputError, match=f"position {position} is outside streams of {length} symbols"):
            streams.position = position
        return
    streams.position = position
    assert streams.position == position
    p, read = position, []
    for _ in range(17):
        starts_epoch = p + T + 1 >= length
        if starts_epoch:
            p = 0
        read.append((p, starts_epoch))
        p += T
    found = []
    while len(found) < 17:
        block = streams.next_block()
        assert streams.position == block.ids[0, -1]
        found += [(int(p), block.starts_epoch and p == 0) for p in block.ids[0, :-1:T]]
    assert found[:17] == read


def test_one_stream_has_the_chunks_of_min_char_rnn():
    for N, T, effective, steps in (
        (2, 25, 1, 1), (26, 25, 25, 1), (27, 25, 25, 1), (51, 25, 25, 1), (52, 25, 25, 2), (12, 25, 11, 1),
        (3, 1, 1, 1),
    ):  # fmt: skip
        streams = TextStreams(np.zeros(N, np.uint8), seq_length=T)
        assert (streams.seq_length, streams.stream_length, streams.steps_per_epoch) == (effective, N, steps)


def test_blocks_are_read_only_views():
    ids = np.arange(23, dtype=np.uint8)
    streams = TextStreams(ids, batch_size=3, seq_length=2)
    block = streams.next_block().ids
    assert np.shares_memory(block, ids)
    assert block.tolist() == [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12, 13], [14, 15, 16, 17, 18, 19, 20]]
    assert not block.flags.writeable
    ids[0] = 5  # the caller's array is as it was
    every_second = TextStreams(np.arange(23, dtype=np.uint8)[::2], batch_size=3, seq_length=3)
    assert every_second.next_block().ids.tolist() == [[0, 2, 4, 6], [6, 8, 10, 12], [12, 14, 16, 18]]


# --- documents: every document once an epoch, the same order from a seed and from a position


DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)


def streams_of(documents, B, T, seed=0, **limits):
    rng = np.random.default_rng(seed)
    return DocumentStreams(packed_documents(documents), 9, B, T, rng=rng, limits=StreamLimits(**limits))


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
    streams = streams_of(documents, B, T, seed=1, min_shuffled=shuffled, max_block=50)
    read = blocks_read(streams, n_blocks)
    assert (read[:, 0] == 9).all()
    found = Counter()
    for row in read:
        found.update(complete(row))
    once = Counter(map(tuple, documents))
    assert set(found) <= set(once)
    packed, parts = streams._ids, streams._parts
    for row, (numbers, done, symbols) in zip(read, streams._backlogs, strict=True):
        assert symbols == parts.lengths(numbers).sum() - done
        rest = [row[np.flatnonzero(row == 9)[-1] : -1]]  # what is left of the streams makes the epochs whole
        for i, number in enumerate(numbers):
            part = packed[parts.starts[number] : parts.stops[number]]
            rest.append(part[done:] if i == 0 else part)
        found.update(unpacked_documents(np.append(np.concatenate(rest), 9).astype(np.uint8)))
    rounds = {found[document] / (n * streams._epochs) for document, n in once.items()}
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


@given(st.sampled_from([1, 1 << 12]), DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(0, 12))
def test_other_streams_continue_from_a_position(shuffled, documents, B, T, n_blocks):
    limits = {"min_shuffled": shuffled, "max_block": 50}
    streams = streams_of(documents, B, T, **limits)
    for _ in range(n_blocks):
        streams.next_block()
    position = streams.position
    expected = blocks_read(streams, 9)
    after = streams.position.order, streams.position.read
    for other in (streams, streams_of(documents, B, T, seed=7, **limits)):
        other.position = position
        np.testing.assert_array_equal(blocks_read(other, 9), expected)
        assert (other.position.order, other.position.read) == after


def test_a_position_is_small():
    lengths = np.random.default_rng(0).integers(1, 11, size=5011)
    packed = pack(np.zeros(lengths.sum(), np.uint8), lengths, 9)
    limits = StreamLimits(max_block=1000)
    streams = DocumentStreams(packed, 9, 13, 5, rng=np.random.default_rng(0), limits=limits)
    most = 0
    for _ in range(75):  # more than two epochs
        streams.next_block()
        most = max(most, sum(len(held.numbers) for held in streams.position.held))
    assert most < 100  # documents, of 5,011


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_the_size_of_the_blocks_does_not_matter(size):
    rng = np.random.default_rng(0)
    documents = [rng.integers(4, size=n).tolist() for n in rng.integers(40, size=30)]
    expected = blocks_read(streams_of(documents, 3, 5), 3)
    streams = streams_of(documents, 3, 5, max_block=size)
    largest = streams.next_block().ids[:, 1:].size
    assert largest <= max(size, 3 * 5)
    read = blocks_read(streams_of(documents, 3, 5, max_block=size), 300)
    n = min(read.shape[1], expected.shape[1])
    assert n > 2 * sum(map(len, documents)) // 3
    np.testing.assert_array_equal(read[:, :n], expected[:, :n])


def test_a_document_longer_than_an_epoch_of_a_stream_is_read_in_parts():
    document = np.arange(97, dtype=np.uint8) % 7
    streams = streams_of([document.tolist(), [3], []], 4, 5, min_part=10)
    assert streams._parts.longest <= -(-100 // 4) + 1
    parts = [streams._ids[start + 1 : stop] for start, stop, _ in zip(*streams._parts[:3], strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), np.append(document, 3))
    for row in blocks_read(streams, 3):
        for part in complete(row):
            assert any(part == tuple(own.tolist()) for own in parts)


def test_documents_of_64_kb_are_not_cut():
    for symbols, starts in ((65_536, 1), (65_537, 2)):
        packed = pack(np.ones(symbols, np.uint8), np.array([symbols]), 9)
        streams = DocumentStreams(packed, 9, 2, 1 << 16, rng=np.random.default_rng(0))
        assert (blocks_read(streams, 1)[:, : symbols + 1] == 9).sum() == 2 * starts


def test_one_long_document_and_many_short_ones_are_distributed_with_little_work(monkeypatch):
    short, long, lengths, looked_up, read = 50_000, 1_000_000, Parts.lengths, [], []
    packed = pack(np.zeros(short + long, np.uint8), np.append(np.ones(short, int), long), 1)
    streams = DocumentStreams(packed, 1, 32, 64, rng=np.random.default_rng(0))

    def counted(parts, numbers):
        looked_up.append(len(found := lengths(parts, numbers)))
        return found

    monkeypatch.setattr(Parts, "lengths", counted)
    while sum(read) < len(packed):
        read.append(streams.next_block().ids.size)
    assert len(read) <= 5  # blocks of an epoch
    assert sum(looked_up) <= 10 * short


@pytest.mark.parametrize("B", [1, 2, 33])
def test_few_documents_shorten_the_chunks(B):
    for documents in ([[]], [[], []], [[1]], [[1, 2, 3]], [[1, 2, 3], []], [[], [1, 2, 3], [1]]):
        streams = streams_of(documents, B, 25)
        transitions = sum(map(len, documents)) + len(documents)
        assert streams.seq_length == max(transitions // B, max(map(len, documents)) + 1)  # no document needs more
        assert streams.steps_per_epoch == -(-transitions // (B * streams.seq_length))
        for row in blocks_read(streams, 7):
            assert set(complete(row)) <= set(map(tuple, documents))


def test_refuses_a_position_of_other_documents():
    streams = streams_of([[1, 2], [3], [0]], 2, 3)  # packed: 9 1 2 9 3 9 0 9
    streams.next_block()
    before = streams.position

    last = Backlog(np.array([2]), 0, 2)
    for parts, message in (
        ((last,), "^the position is for batch_size=1, but batch_size is 2"),
        ((last, last._replace(numbers=np.array([3]))), "^the position is for other documents"),
        ((last._replace(read=2), last), "^the position is for other documents"),
        ((last, Backlog(np.zeros(0, int), 1, 0)), "^the position is for other documents"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            streams.position = before._replace(held=parts)
        assert streams.position is before
    streams.position = before._replace(held=(last, last), shuffles=0, read=0)
    np.testing.assert_array_equal(streams.next_block().ids[:, :2], [[9, 0]] * 2)


LONG_DOCUMENTS = st.lists(st.integers(1, 90).map(lambda n: [n % 4] * n), min_size=1, max_size=9)


@given(st.one_of(DOCUMENTS, LONG_DOCUMENTS), st.integers(1, 5), st.integers(1, 9), st.integers(1, 8))
def test_each_transition_has_the_weight_of_its_document(documents, B, T, n_blocks):
    lengths = np.array([len(document) for document in documents])
    packed = pack(np.repeat(np.arange(len(documents), dtype=np.uint8), lengths), lengths, 255)  # symbols name documents
    weights = np.arange(3.0, 3.0 + len(documents))
    limits = StreamLimits(min_part=12)
    streams = DocumentStreams(packed, 255, B, T, rng=np.random.default_rng(0), weights=weights, limits=limits)
    for _ in range(n_blocks):
        block = streams.next_block()
        for ids, of_row in zip(block.ids, block.loss_weights, strict=True):
            named = np.where(ids[1:] < 255, ids[1:], ids[:-1])  # a boundary ends the document before it
            known = named < 255  # an empty document has no symbol that names it
            np.testing.assert_array_equal(of_row[known], weights[named[known]])
            empty = {3.0 + i for i, document in enumerate(documents) if not document}
            assert set(of_row[~known]) <= empty


def test_ids_mapped_from_a_file_are_read_as_in_memory(tmp_path):
    documents = np.random.default_rng(0).integers(4, size=(50, 7)).tolist()
    packed = packed_documents(documents)
    packed.tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", packed.dtype, "r")
    both = [DocumentStreams(ids, 9, 3, 5, rng=np.random.default_rng(0)) for ids in (packed, mapped)]
    np.testing.assert_array_equal(*(blocks_read(streams, 5) for streams in both))


def test_parts_are_distributed_alike_whatever_is_added_at_once():
    documents = [[1] * n for n in np.random.default_rng(0).integers(40, size=99)]
    expected = blocks_read(streams_of(documents, 7, 5), 4)
    np.testing.assert_array_equal(blocks_read(streams_of(documents, 7, 5, parts_at_a_time=3), 4), expected)
