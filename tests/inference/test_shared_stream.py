"""Several threads share the steps of one stream, and give the bits of one thread."""

import itertools
import threading
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from examples import in_turns, network, random_language_model, states, symbols
from limited_threads import refuse_threads_after

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference import shared_stream
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.inference.shared_stream import SharedStream
from crnn.model.state import zero_hidden
from crnn.parameters.kinds import CELLS

V, H, N = 13, 101, 97  # 101 units are whole vectors and some more, of every instruction set
BOUNDARY = V - 1  # symbols after a boundary are labels, which start a text, too


@pytest.fixture(autouse=True)
def every_size(monkeypatch, seven_cores):
    """Networks and calls of any size are shared."""
    monkeypatch.setattr(shared_stream, "PRODUCTS_PER_THREAD", 1)
    monkeypatch.setattr(shared_stream, "BYTES_BY_DEFAULT", 1)
    monkeypatch.setattr(shared_stream, "MIN_SYMBOLS", 1)


def packed(cell, dtype, n_threads, *, num_layers=1, **options):
    layout, flat = network(V, H, dtype, cell=cell, num_layers=num_layers)
    return PackedNetwork.pack(layout, flat, use=Use.ONE_STREAM, boundary=BOUNDARY, n_threads=n_threads, **options)


def read(cell, dtype, n_threads, *, num_layers=1, **options):
    """Return what reading a text with boundaries gives, and the state after it."""
    found = packed(cell, dtype, n_threads, num_layers=num_layers, **options)
    state = states(1, H, dtype, cell=cell, num_layers=num_layers)
    return found.log_probabilities(symbols(V, N, np.int32).reshape(N, 1), state), *state


def same_bits(a, b):
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@in_turns("cell, num_layers", itertools.product(CELLS, [1, 3]))
def test_reading_on_threads_gives_the_same_bits(kernels, dtype, cell, num_layers):
    assert same_bits(read(cell, dtype, 3, num_layers=num_layers), read(cell, dtype, 1, num_layers=num_layers))


def test_threads_treat_denormal_numbers_alike(kernels, dtype):
    layout, flat = network(V, H, dtype)
    flat[:] = 0
    layout.tensors(flat).layers[0].bh[:] = np.finfo(dtype).tiny / 4
    for n_threads in (1, 3):
        state = zero_hidden(layout, 1)
        PackedNetwork.pack(layout, flat, use=Use.ONE_STREAM, n_threads=n_threads).feed(
            np.zeros((N, 1), np.int32), state
        )
        assert not state[0].any()


def test_reading_in_bfloat16_on_threads_gives_the_same_bits(bfloat16_kernels):
    single, options = np.dtype("float32"), {"num_layers": 2, "bfloat16": True}
    assert same_bits(read("gru", single, 3, **options), read("gru", single, 1, **options))


@pytest.mark.parametrize(("documents", "n_threads", "num_layers"), [(False, 2, 1), (True, 7, 2), (False, None, 2)])
def test_drawing_on_threads_gives_the_same_bits(documents, n_threads, num_layers):
    texts = ["abc", "bd"] if documents else "abcd"
    model = random_language_model(texts, hidden_size=H, cell="lstm", num_layers=num_layers)
    options = {"prime": "a", "n_samples": 1, "random_state": 5}
    alone = model.set_params(n_threads=1).sample(N, **options)
    assert model.set_params(n_threads=n_threads).sample(N, **options) == alone


def stream(n_threads):
    layout, _ = network(V, H, cell="lstm")
    kernel = core.Network(layout, Packing(one_row=True))
    return SharedStream(kernel, layout, n_threads)


def test_requested_helper_threads_run_and_end_even_after_an_error():
    before = threading.active_count()  # a display of another test may have one
    with suppress(KeyError), stream(3).threads(N) as shared:
        assert shared is not None
        assert threading.active_count() == before + 2
        raise KeyError
    assert threading.active_count() == before


def test_several_streams_share_no_steps():
    found = packed("lstm", np.dtype("float64"), 3)
    for streams in (1, 2):
        with found.shared_stream(streams).threads(N) as shared:
            assert (shared is not None) == (streams == 1)


def test_by_default_networks_that_fit_into_a_cache_take_one_thread(monkeypatch):
    monkeypatch.setattr(shared_stream, "BYTES_BY_DEFAULT", 8 * 4 * H * H + 1)
    for _ in range(4):
        with stream(None).threads(N) as shared:
            assert shared is None
    assert stream(None).symbols_of_call(N) == N
    with stream(3).threads(N) as shared:
        assert shared is not None
    monkeypatch.setattr(shared_stream, "BYTES_BY_DEFAULT", 8 * 4 * H * H)
    with stream(None).threads(N) as shared:
        assert shared is not None


def test_small_networks_and_short_calls_take_one_thread(monkeypatch):
    with stream(3).threads(shared_stream.TRIAL_SYMBOLS - 1) as shared:
        assert shared is None
    monkeypatch.setattr(shared_stream, "PRODUCTS_PER_THREAD", 4 * H * H)
    with stream(3).threads(N) as shared:
        assert shared is None
    monkeypatch.setattr(shared_stream, "PRODUCTS_PER_THREAD", 2 * H * H)
    with stream(3).threads(N) as shared:
        assert shared is not None


def test_short_calls_tell_how_many_threads_are_fastest(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(shared_stream.time, "perf_counter", lambda: now[0])
    adaptive, taken = stream(None), []
    for _ in range(6):
        symbols = adaptive.symbols_of_call(N)
        with adaptive.threads(symbols) as shared:
            now[0] += symbols * (1.0 if shared else 0.1)  # of a busy machine
        taken.append((symbols, shared is not None))
    trial = shared_stream.TRIAL_SYMBOLS
    assert taken[:3] == [(trial, True), (trial, True), (trial, False)]
    assert taken[3:] == [(N, False), (trial, True), (N, False)]
    assert stream(3).symbols_of_call(N) == N


@pytest.mark.parametrize("allowed", [0, 1])
def test_fewer_threads_where_the_system_refuses_them(monkeypatch, allowed):
    before = threading.active_count()  # other tests' libraries may have left some
    refuse_threads_after(monkeypatch, allowed)
    with ExitStack() as stack:
        with pytest.warns(RuntimeWarning, match="starts no more threads"):
            shared = stack.enter_context(stream(3).threads(N))
        assert threading.active_count() == before + allowed
        assert (shared is None) == (allowed == 0)


def test_refuses_invalid_shared_steps():
    found = packed("lstm", np.dtype("float64"), 1)
    with pytest.raises(ValueError, match="at least 2 threads, not 1"):
        core.SharedStep(found.network, 1)
    step = core.SharedStep(found.network, 2)
    with pytest.raises(ValueError, match="rank must be from 1 to 1, not 2"):
        step.serve(2)
    with pytest.raises(ValueError, match="2 streams"):
        core.Session(found.kernel_arguments, 1, 2).feed(np.zeros((1, 2), np.int32), found.zero_state(2), step)
