"""PackedNetwork: the same bits at every batch size, place in the batch and cut in time.

test_kernels.py compares its results with the reference implementation.
"""

import functools
import itertools
import math
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import drawn, in_turns, network, packed, random_language_model, states, symbols
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.inference import packed_network as inference
from crnn.inference import packing
from crnn.inference.network import Context, Use
from crnn.inference.packed_network import SCORE_ROWS, PackedNetwork
from crnn.inference.packing import folded_network, folded_weights
from crnn.parameters.kinds import CELLS
from crnn.reference.products import operands_in_bfloat16, product
from crnn.runtime.signals import Canceled, Cancellation
from crnn.sampling.controls import CheckedControls, root
from crnn.sampling.limits import SamplingLimits
from crnn.sampling.samples import IdSamples
from crnn.scoring.string_scores import TextScorer
from crnn.scoring.text_scores import mean_log_likelihood, ranks

B = 19  # more than two blocks of rows of any register tile
SIZES = [(5, 1), (13, 16), (67, 61), (101, 131)]  # V, H
READING = ["feed", "log_probabilities", "logits_before"]


def run(packed, entry_point, inputs, state):
    """Return the result of an entry point for symbols (n, B), and the states after them."""
    state = tuple(array.copy() for array in state)
    if entry_point == "log_probabilities":
        return packed.log_probabilities(inputs, state), state
    if entry_point == "logits_before":
        return packed.logits_before(inputs, state), state
    packed.feed(inputs, state)
    return np.empty(inputs.shape), state


def inputs_of(V, n):
    return symbols(V, n * B, np.int32).reshape(n, B)


def some(state, part):
    """Return the states of some streams."""
    return tuple(np.ascontiguousarray(array[:, part]) for array in state)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_states(a, b):
    return all(same_bits(*pair) for pair in zip(a, b, strict=True))


PARTS = [slice(0, n) for n in range(1, B)] + [slice(n, B) for n in (1, 2, 5, 11, B - 1)]
PARTS += [slice(i, i + 1) for i in (1, 4, 9)] + [slice(3, 5), slice(2, 15), slice(0, B, 2)]


# Every cell with every size and entry point, with one layer and two in turns; of coupled gates, some.
NETWORKS = [
    (cell, 1 + i % 2, entry_point, *size)
    for i, (cell, size, entry_point) in enumerate(itertools.product(CELLS, SIZES, [*READING, "sample"]))
    if cell != "cifg" or i % 5 == 0
]


def results(packed, entry_point, inputs, state, part=slice(None)):
    """Return what an entry point reads or draws for some of the streams, and the states after it."""
    if entry_point == "sample":
        return drawn(packed, some(state, slice(0, 1)), range(B)[part], len(inputs), temperature=0.8)[:2]
    return run(packed, entry_point, np.ascontiguousarray(inputs[:, part]), some(state, part))


@in_turns("cell, num_layers, entry_point, V, H", NETWORKS)
def test_a_stream_is_the_same_bits_among_any_others(kernels, dtype, cell, num_layers, entry_point, V, H):
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers)
    inputs, state = inputs_of(V, 7), states(B, H, dtype, cell=cell, num_layers=num_layers)
    out, after = results(PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS), entry_point, inputs, state)
    for use, parts in [
        (Use.MANY_STREAMS, PARTS),
        (Use.ONE_STREAM, PARTS[::3]),
        (Use.ONE_TEXT, PARTS[1::3]),
    ]:
        packed = PackedNetwork.pack(layout, params, use=use)  # nor does it depend on these
        for part in parts:
            own, own_after = results(packed, entry_point, inputs, state, part)
            if entry_point != "feed":
                assert same_bits(own, np.ascontiguousarray(out[:, part]))
            assert same_states(own_after, some(after, part))


LENGTH = 2 * SCORE_ROWS + 9


@functools.cache
def whole(entry_point, cell):
    """Return a network, an uncut text, states, and what an entry point makes of them."""
    V, H = 31, 17
    layout, params = network(V, H, np.float32, cell=cell, num_layers=2)
    packed = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS)
    inputs, state = inputs_of(V, LENGTH), states(B, H, np.float32, cell=cell, num_layers=2)
    return packed, inputs, state, *run(packed, entry_point, inputs, state)


@settings(max_examples=12)
@given(at=st.lists(st.integers(0, LENGTH), max_size=5).map(sorted))
@pytest.mark.parametrize(("cell", "entry_point"), list(zip(CELLS, itertools.cycle(READING))))
def test_a_text_is_the_same_bits_however_it_is_cut(cell, entry_point, at):
    packed, inputs, state, out, after = whole(entry_point, cell)
    pieces = []
    for first, last in zip([0, *at], [*at, LENGTH], strict=True):
        piece, state = run(packed, entry_point, inputs[first:last], state)
        pieces.append(piece)
    if entry_point != "feed":
        assert same_bits(np.concatenate(pieces), out)
    assert same_states(state, after)


@pytest.mark.parametrize("cell", CELLS)
def test_packing_copies_every_parameter(dtype, cell):
    layout, params = network(7, 5, dtype, cell=cell, num_layers=2)
    x, state = symbols(7, 29, np.int32)[:, None], states(1, 5, dtype, cell=cell, num_layers=2)
    packed = PackedNetwork.pack(layout, params, use=Use.ONE_STREAM)
    before, _ = run(packed, "log_probabilities", x, state)
    for number, part in enumerate(layout.tensors(params)):
        for place in (0, part.size - 1):
            changed = params.copy()
            list(layout.tensors(changed))[number].flat[place] += 1
            again = PackedNetwork.pack(layout, changed, use=Use.ONE_STREAM)
            assert (run(again, "log_probabilities", x, state)[0] != before).any()
    params[:] = 0  # what has been packed is a copy
    assert same_bits(run(packed, "log_probabilities", x, state)[0], before)


@pytest.mark.parametrize(("cell", "V", "H"), [("rnn", 1, 1), ("gru", 16, 16), ("lstm", 17, 15), ("cifg", 33, 37)])
def test_padding_is_not_part_of_the_network(dtype, cell, V, H):
    layout, params = network(V, H, dtype, cell=cell, num_layers=2)
    packed = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS)
    assert packed.hidden_size == H
    size = dtype.itemsize
    assert packed.layout.hidden_size >= H
    assert packed.layout.vocab_size >= V
    assert packed.layout.hidden_size * size % 16 == packed.layout.vocab_size * size % 16 == 0
    state = states(3, H, dtype, cell=cell, num_layers=2)
    session = inference.core.Session(packed.kernel_arguments, 5, 3)
    session.feed(symbols(V, 15, np.int32).reshape(5, 3), state)
    for array in session.hidden():
        assert not array[:, 0, :, H:].any()  # the states of missing units stay zero
    ids, _, _ = drawn(packed, packed.zero_state(1), range(3), 41, temperature=math.inf)  # all are equally likely
    assert ids.max() < V


# ----------------------------------------------------------------------- short calls


def one_stream(dtype, *, boundary=None, n_threads=1, **shape):
    layout, params = network(31, 17, dtype, **shape)
    return PackedNetwork.pack(layout, params, use=Use.ONE_STREAM, boundary=boundary, n_threads=n_threads)


def short_results(packed, state, n):
    """Return what the entry points make of n symbols, as bytes."""
    ids = symbols(31, max(n, 1), np.int32)[:n]
    _, fed = run(packed, "feed", ids[:, None], state)
    log_p, after = run(packed, "log_probabilities", ids[:, None], state)
    logits, _ = run(packed, "logits_before", ids[:, None], state)
    likelihood = packed.string_log_likelihoods(ids, np.array([0]), np.array([n]), state)
    return [array.tobytes() for array in (*fed, log_p, *after, logits, likelihood)]


@in_turns("shape", [*(({"cell": cell, "num_layers": 2},) for cell in CELLS), ({"n_bigrams": 37},)])
def test_short_calls_see_nothing_of_the_calls_before_them(kernels, dtype, shape):
    packed = one_stream(dtype, boundary=4, **shape)
    state = states(1, 17, dtype, **shape) if "cell" in shape else states(1, 17, dtype, V=31)
    for n in (32, 1, 0, 15, 2, 1, 32):
        assert short_results(packed, state, n) == short_results(one_stream(dtype, boundary=4, **shape), state, n)
        (spare,) = packed.pool.sessions  # one call after another uses the same arrays
        for array in spare.hidden():
            array[...] = np.nan


def test_short_calls_of_threads_use_different_arrays(dtype):
    packed, together = one_stream(dtype, cell="lstm"), threading.Barrier(3)

    class Meeting(list):
        def pop(self):
            try:
                return super().pop()
            finally:
                together.wait(20)

    def read(i):
        state = packed.zero_state(1)
        packed.feed(np.full((1, 1), i, np.int32), state)
        return state

    expected = [read(i) for i in range(3)]
    packed.pool.sessions = Meeting(packed.pool.sessions)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(read, range(3)))
    assert all(same_states(*pair) for pair in zip(found, expected, strict=True))
    assert len(packed.pool.sessions) == 3


@pytest.mark.parametrize(("n", "n_threads", "one"), [(32, 1, True), (33, 1, False), (15, 3, True), (16, 3, False)])
def test_a_call_of_few_symbols_does_not_ask_for_threads(monkeypatch, n, n_threads, one):
    packed, asked = one_stream("float32", n_threads=n_threads), []
    shared_stream = PackedNetwork.shared_stream
    monkeypatch.setattr(PackedNetwork, "shared_stream", lambda *a: asked.append(a) or shared_stream(*a))
    packed.feed(np.zeros((n, 1), np.int32), packed.zero_state(1))
    assert (asked == []) == one


def test_empty_state_is_shared_and_read_only(dtype):
    packed = one_stream(dtype, cell="lstm")
    empty = packed.empty_state()
    assert packed.empty_state() is empty
    assert same_states(empty, packed.zero_state(1))
    for read in (packed.feed, packed.log_probabilities):
        with pytest.raises((ValueError, BufferError), match="read-only"):
            read(np.zeros((1, 1), np.int32), empty)
    copy = packed.copy(empty)
    packed.feed(np.zeros((1, 1), np.int32), copy)
    assert same_states(empty, packed.zero_state(1))


# ----------------------------------------------------------------------- large vocabularies


@pytest.fixture(scope="module")
def large():
    """A model of 30,011 characters: 512 rows of its logits are 61 MB."""
    return random_language_model("".join(map(chr, range(0x100, 0x100 + 30_011))), hidden_size=3, dtype="float32")


MANY_CHARACTERS = "".join(map(chr, range(0x200, 0x200 + 600)))


def large_call(name, model, network, text):
    """Do with this network what the model's method does."""
    vocabulary = model.vocabulary_
    if name == "score":
        return mean_log_likelihood(network, vocabulary, text, exact=True, n_threads=1)
    if name == "score in parts":
        return mean_log_likelihood(network, vocabulary, text * 40, exact=False, n_threads=1)
    if name == "score_samples":
        return TextScorer(network, vocabulary, 1).scores([text[:40]] * 150)
    if name == "rank":
        return ranks(network, vocabulary.encode(text), network.start())
    controls = CheckedControls.check(vocabulary, {"repetition_penalty": 1.5})
    limits = SamplingLimits(seen_bytes=1 << 20)
    return IdSamples(network, Context.empty(network), 1, controls, root(0), 1, limits).strings(range(1500))


@pytest.mark.parametrize("name", ["score", "score in parts", "score_samples", "rank", "sample"])
def test_memory_does_not_grow_with_the_vocabulary(large, name):
    network = packed(large, use=Use.MANY_STREAMS, logit_bytes=1 << 20)
    tracemalloc.start()
    try:
        large_call(name, large, network, MANY_CHARACTERS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12e6


def test_the_rows_of_logits_at_a_time_change_no_bit(large):
    text, vocabulary = MANY_CHARACTERS, large.vocabulary_
    results = []
    for size in (1 << 25, 1 << 20, 1):
        network = packed(large, use=Use.MANY_STREAMS, logit_bytes=size)
        score = large_call("score", large, network, text)
        scores = TextScorer(network, vocabulary, 1).scores([text, text[:7]])
        results.append([score, *scores, *large_call("rank", large, network, text[:40])])
    assert results[0] == results[1] == results[2]


# ------------------------------------------------------------------ the embedding


@pytest.mark.parametrize(("V", "E", "N"), [(1, 1, 1), (67, 5, 33), (131, 37, 44)])
def test_the_embedding_is_multiplied_by_the_input_weights(dtype, V, E, N):
    rng = np.random.default_rng(0)
    embedding, Wx = rng.normal(size=(V, E)).astype(dtype), rng.normal(size=(E, N)).astype(dtype)
    found = folded_weights(embedding, Wx)
    assert found.dtype == dtype
    bound = np.finfo(dtype).eps * (E + 1) * (np.abs(embedding) @ np.abs(Wx))
    assert (np.abs(found - embedding.astype(np.float64) @ Wx) <= bound).all()


def test_rounded_operands_of_the_embedding_and_pieces_of_it(monkeypatch):
    rng = np.random.default_rng(0)
    embedding, Wx = rng.normal(size=(67, 71)).astype(np.float32), rng.normal(size=(71, 33)).astype(np.float32)
    with operands_in_bfloat16():
        expected = product(embedding, Wx)
    rounded, plain = (folded_weights(embedding, Wx, bfloat16=bfloat16) for bfloat16 in (True, False))
    np.testing.assert_allclose(rounded, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected - embedding @ Wx).max() > 1e-3
    monkeypatch.setattr(packing, "FOLDED_PRODUCTS", 7 * 71 * 33)
    np.testing.assert_array_equal(folded_weights(embedding, Wx, bfloat16=True), rounded)
    np.testing.assert_array_equal(folded_weights(embedding, Wx), plain)


def test_folding_ends_soon_after_another_thread_fails(monkeypatch):
    monkeypatch.setattr(packing, "FOLDED_PRODUCTS", 7 * 5 * 33)
    embedding, Wx, out = np.ones((67, 5)), np.ones((5, 33)), np.zeros((67, 33))
    cancellation, multiply = Cancellation(), inference.core.multiply

    def fail_meanwhile(*arguments, **named):
        multiply(*arguments, **named)
        cancellation.fail(KeyboardInterrupt())

    monkeypatch.setattr(inference.core, "multiply", fail_meanwhile)
    with cancellation.shared(), pytest.raises(Canceled):
        folded_weights(embedding, Wx, out=out)
    assert np.flatnonzero(out.any(axis=1)).tolist() == list(range(7))


def test_folding_leaves_other_weights_as_they_are():
    layout, params = network(13, 7, "float32", cell="gru", num_layers=2, embedding_size=5)
    plain, flat = folded_network(layout, params)
    before, after = layout.tensors(params), plain.tensors(flat)
    assert (plain.embedding_size, after.embedding) == (None, None)
    np.testing.assert_allclose(after.layers[0].Wx, before.embedding @ before.layers[0].Wx, rtol=1e-5, atol=1e-5)
    rest = list(before)[2:]
    for a, b in zip(rest, list(after)[1:], strict=True):
        np.testing.assert_array_equal(a, b)
