"""Streams of ids in a file equal streams in memory; documents are shuffled by groups, each read once an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from examples import packed_documents, unpacked_documents
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.text.sources.id_file import CheckedBlocks, IdFile, with_checksums
from crnn.text.sources.stored_ids import Slots, StoredDocuments, StoredIds
from crnn.text.streams import document_runs, queues, shuffled_runs, text_streams
from crnn.text.streams.document_streams import DocumentStreams
from crnn.text.streams.split import split_documents
from crnn.text.streams.text_streams import TextStreams
from crnn.training.checkpoints.stream_position import position_from, position_parts

DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=1, max_size=20)
LONG_DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=70), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("streams") / "ids"


def stored_ids(path, ids):
    checksums = []
    path.write_bytes(b"".join(with_checksums([ids.tobytes()], checksums)))
    blocks = CheckedBlocks(IdFile(str(path)), ids.nbytes, np.array(checksums, np.uint32))
    return StoredIds(Slots.of(blocks, ids.dtype, np.arange(10, dtype=np.uint8)), 0, len(ids))


def stored_documents(path, documents, step=3):
    packed = packed_documents(documents)
    places = np.flatnonzero(packed == 9)
    ids = stored_ids(path, packed)
    return StoredDocuments(ids, places[:-1:step], np.arange(0, len(documents), step), len(documents), 9)


@pytest.fixture
def small(monkeypatch):
    shrink(monkeypatch)


def shrink(patch, group=16):
    for module, name, size in (
        (shuffled_runs, "GROUP", group),
        (queues, "MAX_BLOCK", 50),
        (shuffled_runs, "MIN_PART", 12),
        (document_runs, "RUN", 5),
        (document_runs, "LONG", 25),
        (document_runs, "PIECE", 7),
        (document_runs, "MIN_PART", 12),
        (queues, "MIN_PART", 12),
    ):
        patch.setattr(module, name, size)


@given(N=st.integers(2, 97), B=st.integers(1, 7), T=st.integers(1, 9), block=st.integers(1, 60))
def test_a_text_in_a_file_is_read_as_in_memory(path, N, B, T, block):
    ids = np.arange(N, dtype=np.uint8) % 7
    if B >= N:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_streams, "MAX_BLOCK", block)
        memory, stored = TextStreams(ids, B, T), TextStreams(stored_ids(path, ids), B, T)
        T = memory.seq_length
        assert (stored.seq_length, stored.steps_per_epoch) == (T, memory.steps_per_epoch)
        for _ in range(3):
            whole = memory.next_block()
            read = 0
            while read < whole.n_transitions:
                part = stored.next_block()
                assert part.starts_epoch == (whole.starts_epoch and read == 0)
                assert part.ids.size <= max(block + B, B * (T + 1))
                assert not part.ids.flags.writeable
                np.testing.assert_array_equal(part.ids, whole.ids[:, read : read + part.n_transitions + 1])
                read += part.n_transitions
            assert stored.position == memory.position


def stored_streams(stored, B, T, *, seed, weights=None):
    return DocumentStreams(stored, 9, B, T, rng=np.random.default_rng(seed), weights=weights)


def read_rows(streams, n):
    """Return what each stream reads in n blocks, the shared symbols once, (B, symbols)."""
    rows = []
    for _ in range(n):
        block = streams.next_block()
        assert block.ids.shape[0] == streams.batch_size
        assert (block.ids.shape[1] - 1) % streams.seq_length == 0
        assert not block.starts_epoch
        if rows:
            np.testing.assert_array_equal(rows.pop(), block.ids[:, 0])  # the last target is the next input
        rows.extend(block.ids.T)
    return np.array(rows).T


@given(st.one_of(DOCUMENTS, LONG_DOCUMENTS), st.integers(1, 20))
def test_runs_follow_one_another_and_start_with_a_boundary_or_within_a_document(path, documents, step):
    packed = packed_documents(documents)
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        starts, stops, numbers = document_runs.document_runs(stored_documents(path, documents, step))
    within = packed[starts] != 9
    assert (starts[0], stops[-1]) == (0, len(packed) - 1)
    np.testing.assert_array_equal(starts[1:], stops[:-1] - within[1:])
    np.testing.assert_array_equal(numbers, np.cumsum(packed == 9)[starts] - 1)


@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(1, 6), st.sampled_from([16, 64, 1 << 12]))
def test_every_document_is_read_whole_and_once_an_epoch(path, documents, B, T, n_blocks, group):
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, group)
        patch.setattr(document_runs, "LONG", 1 << 20)
        streams = stored_streams(stored_documents(path, documents), B, T, seed=1)
        read = read_rows(streams, n_blocks)
        found = Counter()
        for row, held in zip(read, streams._documents.held(streams._queues), strict=True):
            begun = np.flatnonzero(row == 9)[-1]
            found.update(unpacked_documents(row[: begun + 1]))
            found.update(unpacked_documents(np.concatenate([row[begun:-1], held.ids[held.read :], [9]])))
        group, epoch = streams._documents.order["group"], streams._documents._groups_per_epoch
        rest = group % epoch
        for left in range(rest, epoch) if rest else ():  # those left of the last epoch
            ids = streams._documents._read_group(group - rest + left)[0]
            found.update(unpacked_documents(np.append(ids, 9)))
    rounds = {found[document] / n for document, n in Counter(map(tuple, documents)).items()}
    assert found.keys() == set(map(tuple, documents))
    assert len(rounds) == 1
    assert rounds.pop() % 1 == 0


@given(LONG_DOCUMENTS, st.integers(1, 3), st.integers(1, 9))
def test_runs_hold_every_symbol_once_and_cut_only_long_documents(path, documents, step, run):
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        patch.setattr(document_runs, "RUN", run)
        stored = stored_documents(path, documents, step)
        starts, stops, numbers = document_runs.document_runs(stored)
    packed = stored.read()
    assert starts[0] == 0
    assert stops[-1] == len(packed) - 1
    places = np.flatnonzero(packed == 9)
    for i, start in enumerate(starts):
        inside = packed[start] != 9
        assert i == 0 or stops[i - 1] == start + inside
        document = int(np.searchsorted(places, start, side="right")) - 1
        assert numbers[i] == document
        if inside:
            assert len(documents[document]) >= 12


def test_runs_have_about_8_kb(path):
    runs = document_runs.document_runs(stored_documents(path, [[1] * 99] * 1009, step=1))
    assert set(np.diff(runs.starts)) == {8200}
    np.testing.assert_array_equal(runs.numbers * 100, runs.starts)


@pytest.mark.parametrize(("n", "starts"), [(11, [0, 19]), (12, [0, 8])])
def test_a_document_is_cut_only_if_it_is_long(path, small, n, starts):
    documents = [[1] * 6, [2] * n, [3] * 9]  # the second starts at the end of the first piece
    runs = document_runs.document_runs(stored_documents(path, documents, step=3))
    assert runs.starts.tolist()[:2] == starts


@pytest.mark.parametrize(("n", "n_runs"), [(24, 1), (25, 2)])
def test_runs_are_cut_only_if_they_are_long(path, small, n, n_runs):
    runs = document_runs.document_runs(stored_documents(path, [[1] * 7, [2] * (n - 8)], step=2))
    assert (len(runs.starts), runs.stops[-1]) == (n_runs, n + 1)


@given(DOCUMENTS, st.floats(0.01, 0.99))
def test_documents_in_a_file_are_held_out_as_in_memory(path, documents, fraction):
    stored, packed = stored_documents(path, documents), packed_documents(documents)
    if not 0 < round(len(documents) * fraction) < len(documents):
        with pytest.raises(InvalidInputError, match=r"^validation_fraction="):
            split_documents(stored, 9, fraction)
        return
    for part, expected in zip(split_documents(stored, 9, fraction), split_documents(packed, 9, fraction), strict=True):
        np.testing.assert_array_equal(part.read(), expected)
        assert part.n_documents == np.count_nonzero(expected == 9) - 1


@pytest.mark.parametrize(("B", "T", "effective"), [(2, 3, 3), (2, 25, 18), (5, 25, 7), (37, 25, 1)])
def test_a_chunk_is_no_longer_than_a_streams_share(path, small, B, T, effective):
    streams = stored_streams(stored_documents(path, [[1, 2, 3]] * 9), B, T, seed=0)
    assert (streams.batch_size, streams.seq_length) == (B, effective)
    assert streams.steps_per_epoch == -(-36 // (B * effective))
    assert streams._documents._groups_per_epoch == 2  # of 16 symbols


def test_neighbors_are_read_far_apart_and_an_epoch_in_another_order(path, small):
    documents = [[i] for i in range(9)] * 20
    streams = stored_streams(stored_documents(path, documents), 1, 18, seed=4)
    read = read_rows(streams, 60)[0]
    order = read[read != 9]
    steps = np.diff(order.astype(int)) % 9
    assert np.bincount(steps, minlength=9).max() < len(steps) / 3  # in the file every step is 1
    assert (order[:90] != order[180:270]).any()


@settings(max_examples=25)
@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(0, 12), st.booleans())
def test_other_streams_continue_from_a_position(path, documents, B, T, n_blocks, weighted):
    weights = np.arange(1.0, len(documents) + 1) if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        stored = stored_documents(path, documents)

        def streams(seed):
            return stored_streams(stored, B, T, seed=seed, weights=weights)

        first = streams(3)
        for _ in range(n_blocks):
            first.next_block()
        position = position_from(*position_parts(first.position))  # as a file would hold it
        expected = [first.next_block() for _ in range(7)]
        for other in (first, streams(8)):
            other.position = position
            for block in expected:
                found = other.next_block()
                np.testing.assert_array_equal(found.ids, block.ids)
                if weighted:
                    np.testing.assert_array_equal(found.loss_weights, block.loss_weights)


def test_a_position_that_does_not_fit_is_refused(path, small):
    def streams(B, weights=None):
        return stored_streams(stored, B, 3, seed=0, weights=weights)

    stored = stored_documents(path, [[1, 2, 3]] * 9)
    two = streams(2)
    for _ in range(5):
        two.next_block()
    memory = DocumentStreams(packed_documents([[1, 2, 3]] * 9), 9, 2, 3, rng=np.random.default_rng(0)).position
    bad = two.position.held[0]._replace(ids=np.array([1, 10, 9], np.uint8), lengths=np.array([3]), read=0)
    for other, position, message in (
        (streams(3), two.position, "^the position is for batch_size=2, but batch_size is 3"),
        (streams(2, np.ones(9)), two.position, "^the position is for documents in memory, or for other weights"),
        (two, streams(2, np.ones(9)).position, "^the position is for documents in memory, or for other weights"),
        (two, two.position._replace(held=memory.held), "^the position is for documents in memory, or for other"),
        (two, memory, r"^the position is for documents in memory\. Pass the same"),
        (two, two.position._replace(held=(two.position.held[0], bad)), "^the position contains an invalid symbol"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            other.position = position
    good = bad._replace(ids=np.array([9, 8, 9], np.uint8))
    two.position = two.position._replace(held=(good, good), shuffles=0, read=0)
    np.testing.assert_array_equal(two.next_block().ids[:, :3], [[9, 8, 9]] * 2)


DAMAGES = [
    lambda document, arrays: document["order"].pop("group"),
    lambda document, arrays: document["order"].update(seed=-1),
    lambda document, arrays: document.update(shuffles=1 << 40),
    lambda document, arrays: arrays.update(parts=arrays["parts"] + 1),
    lambda document, arrays: arrays.update(length=arrays["length"] + 1),
    lambda document, arrays: arrays.update(ids=arrays["ids"][:-1]),
    lambda document, arrays: arrays.update(begun=arrays["begun"] + 100),
    lambda document, arrays: arrays.update(weights=np.zeros(1)),
    lambda document, arrays: arrays.update(more=np.zeros(1, np.int64)),
    lambda document, arrays: arrays.update(first=np.zeros(len(arrays["length"]) + 1, np.int64)),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_position_is_refused(path, small, damage):
    streams = stored_streams(stored_documents(path, [[1, 2, 3]] * 9), 2, 3, seed=0)
    while not all(len(held.ids) for held in streams.position.held):
        streams.next_block()
    document, arrays = position_parts(streams.position)
    damage(document, arrays)
    with pytest.raises(InvalidInputError, match="checkpoint's position is invalid"):
        position_from(document, arrays)


def test_weights_are_those_of_the_documents(path, small):
    documents = [[i % 5] * (1 + i % 5) for i in range(23)] + [[4] * 61]  # the last one is cut
    stored = stored_documents(path, documents)
    weights = np.array([float(document[0]) for document in documents])
    streams = stored_streams(stored, 2, 3, seed=0, weights=weights)
    for _ in range(50):
        block = streams.next_block()
        inputs, targets = block.ids[:, :-1], block.ids[:, 1:]
        symbol = np.where(inputs == 9, targets, inputs)  # a document repeats one symbol
        known = symbol != 9
        np.testing.assert_array_equal(block.loss_weights[known], symbol[known])


def test_the_file_without_the_position_read_is_read_with_a_lock(path, monkeypatch):
    monkeypatch.delattr("os.preadv", raising=False)
    monkeypatch.delattr("os.posix_fadvise", raising=False)
    ids = stored_ids(path, np.arange(10, dtype=np.uint8))
    ids.will_need(0, 3)
    assert ids[3:7].read().tolist() == [3, 4, 5, 6]
