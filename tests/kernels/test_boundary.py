"""The boundary in the kernels: what comes before it has no part in what comes after it, forward or backward."""

import functools
import itertools
import math

import numpy as np
import pytest
from examples import Run, drawn, memory, model_state, network, repeated, states
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_checks import check_against_reference

from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.parameters.kinds import CELLS
from crnn.reference import network as reference
from crnn.text.streams import DocumentStreams, StreamLimits
from crnn.training.trainer import StepSettings, Trainer

V, H = 7, 5
BOUNDARY = V - 1
check_training = functools.partial(check_against_reference, boundary=BOUNDARY)
LAYERS = list(zip(CELLS, itertools.cycle([2, 1])))


@pytest.fixture(params=LAYERS, ids=lambda kind: f"{kind[0]}{kind[1]}")
def kind(request):
    return {"cell": request.param[0], "num_layers": request.param[1]}


def text(n, *, often=0.3, seed=3):
    """Return n symbols, many of them boundaries, also one after another."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(V - 1, size=n).astype(np.uint8)
    ids[rng.random(n) < often] = BOUNDARY
    return ids


def start(kind, B, T, *, dtype="float64", chunks=4, often=0.3, optimizer="adagrad"):
    layout, params = network(V, H, dtype, **kind)
    state = states(B, H, dtype, **kind)
    return layout, params, memory(layout, optimizer), state, text(B * (chunks * T + 1) + 1, often=often)


# -------------------------------------------------------------------------- training


# Rare and frequent boundaries; chunks of several blocks, of 512 rows each for so small a network.
@pytest.mark.parametrize(
    ("B", "T", "often"),
    [*((3, 6, often) for often in (0.0, 0.02, 0.9, 1.0)), *((*size, 0.3) for size in ((1, 600), (130, 9), (64, 12)))],
)
def test_training_with_boundaries_matches_reference(kind, B, T, often):
    check_training(start(kind, B, T, chunks=2, often=often), 4, rtol=1e-8, T=T, learning_rate=0.003)


@settings(max_examples=30)
@given(
    st.sampled_from(LAYERS),
    st.lists(st.lists(st.integers(0, V - 2), max_size=6), min_size=1, max_size=6),
    st.integers(1, 9),
)
def test_packed_documents_have_the_gradients_of_single_documents(kind, documents, T):
    # Of one chunk after another the gradients with the same cuts, the state carried over the cut and no further.
    layout, params = network(V, H, cell=kind[0], num_layers=kind[1])
    packed = np.array([i for document in documents for i in (BOUNDARY, *document)] + [BOUNDARY], np.uint8)
    p = layout.tensors(params)
    zero = tuple(np.zeros((kind[1], 1, H)) for _ in layout.kind.states)
    chunks = -(-(len(packed) - 1) // T)
    alone = [[np.zeros_like(a) for a in layout.tensors(params)] for _ in range(chunks)]
    losses = np.zeros(chunks)
    begin = 0
    for document in documents:
        x = np.array([BOUNDARY, *document, BOUNDARY])[:, None]
        state, at = zero, 0
        while at < len(x) - 1:
            chunk, used = divmod(begin + at, T)
            n = min(T - used, len(x) - 1 - at)
            loss, d, state = reference.loss_and_gradients(p, kind[0], x[at : at + n], x[at + 1 : at + n + 1], state)
            losses[chunk] += loss
            for total, part in zip(alone[chunk], d, strict=True):
                total += part
            at += n
        begin += len(x) - 1
    state = zero
    for chunk in range(chunks):
        ids = packed[chunk * T : chunk * T + T + 1]
        run = Run(layout, params, [layout.zeros()], state, np.append(ids, np.uint8(0)), T=len(ids) - 1, clip=math.inf,
                  boundary=BOUNDARY).steps(1)  # fmt: skip
        state = run.state
        assert run.loss == pytest.approx(losses[chunk], rel=1e-10)
        for actual, expected in zip(layout.tensors(run.sum), alone[chunk], strict=True):
            np.testing.assert_allclose(np.sqrt(actual), np.abs(expected), rtol=1e-7, atol=1e-9)


# ------------------------------------------------------------------- streams of documents


def documents_trainer(kind, *, B, T, seed=0, n_threads=1, max_block=40, **settings):
    layout, params = network(V, H, **kind)
    rng = np.random.default_rng(5)
    packed = [BOUNDARY]
    for n in rng.integers(9, size=23):
        packed += [*rng.integers(V - 1, size=n), BOUNDARY]
    limits = StreamLimits(max_block=max_block)
    rng = np.random.default_rng(seed)
    streams = DocumentStreams(np.array(packed, np.uint8), BOUNDARY, B, T, rng=rng, limits=limits)
    state = model_state(layout, params, memory(layout), states(B, H, **kind), T=T, boundary=BOUNDARY)
    return Trainer(state, streams, StepSettings(T, clip=5.0, **settings), n_threads=n_threads)


def test_training_on_document_streams_matches_reference(kind):
    B, T = 3, 4
    trainer = documents_trainer(kind, B=B, T=T, n_threads=2)
    layout, params = trainer.layout, trainer.params.copy()
    memories = [layout.tensors(flat.copy()) for flat in trainer.optimizer_state]
    state = tuple(array.copy() for array in trainer.hidden)
    again = documents_trainer(kind, B=B, T=T).streams
    again.position = trainer.block_start.position
    with trainer:
        for n in (1, 7, 20, 3):
            trainer.advance(np.full(n, 0.03))
    step = 0
    while step < 31:
        ids = again.next_block().ids.T.astype(np.intp)
        for p in range(0, len(ids) - 1, T):
            if step == 31:
                break
            loss, state = reference.train_step(
                layout.tensors(params), layout.cell, memories, ids[p : p + T], ids[p + 1 : p + T + 1], state, 0.03,
                5.0, boundary=BOUNDARY,
            )  # fmt: skip
            step += 1
    assert trainer.cursor.last_loss == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(trainer.params, params, rtol=1e-9, atol=1e-9)
    for actual, expected in zip(trainer.hidden, state, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def test_the_size_of_the_blocks_of_documents_does_not_change_the_bits():
    bits = []
    for max_block in (70, 1 << 20):
        settings = {"max_block": max_block, "dropout": 0.3, "state_reset": 0.2}
        with documents_trainer({"cell": "lstm"}, B=5, T=4, n_threads=2, **settings) as trainer:
            trainer.advance(np.full(300, 0.03))
            bits.append([trainer.params.tobytes(), *(part.tobytes() for part in trainer.hidden)])
    assert bits[0] == bits[1]


# ------------------------------------------------------------------------- inference


def pack(layout, params, *, use=Use.MANY_STREAMS):
    return PackedNetwork.pack(layout, params, use=use, boundary=BOUNDARY)


def test_sampling_gives_the_bits_of_feeding(kind):
    layout, params = network(V, H, "float32", **kind)
    start = states(1, H, "float32", **kind)
    network_, fed = pack(layout, params), repeated(start, 4)
    out, sampled, _ = drawn(network_, start, range(4), 60)
    assert (out == BOUNDARY).any()
    network_.feed(out, fed)
    for a, b in zip(sampled, fed, strict=True):
        assert a.tobytes() == b.tobytes()
