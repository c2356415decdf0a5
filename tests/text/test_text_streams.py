"""TextStreams: contiguous parts of a text, min-char-rnn's rule for its end, blocks that are views."""

from __future__ import annotations

import numpy as np
import pytest
from examples import contiguous_parts
from hypothesis import given
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.text.streams import TextStreams, symbols_for_epoch


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
