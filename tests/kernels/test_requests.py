"""What a step can do on request: weigh the losses of its positions, and keep the gradients of its states."""

import itertools
import math

import numpy as np
import pytest
from examples import Run, contiguous_parts, in_double, in_turns, network, state_in_double, states, symbols
from reference_checks import gradient_of, tolerance

from crnn.parameters.kinds import CELLS
from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.text.streams import TextStreams

H = 19
# Streams, steps, threads, and threads per group: the BLAS, packed weights, several blocks, one shard per thread.
SHAPES = [(1, 5, 1, 1), (3, 5, 3, 1), (5, 31, 1, 1), (29, 23, 2, 1), (29, 23, 2, 2)]


def start(dtype, B, T, cell):
    V = 7 if B < 29 else 211  # so many logits pass through the softmax in two parts
    layout, params = network(V, H, dtype, cell=cell, num_layers=2)
    text = symbols(V, B * (T + 1) + 1)
    return layout, params, [layout.zeros()], states(B, H, dtype, cell=cell, num_layers=2), text


def one_step(arguments, T, *, weights=None, kept=False, **options):
    """Take a step; return the run, and the gradients of the states, (L, T, B, H) each."""
    layout, _, _, state, _ = arguments
    run = Run(*arguments, T=T, clip=math.inf, **options)
    B = state[0].shape[1]
    shape = (layout.num_layers, T, B, H)
    out = [np.full(shape, np.nan, layout.dtype) for _ in state]
    for shard in run.trainer.team.shards:
        own = slice(shard.streams.start, shard.streams.stop)
        if weights is not None:
            shard.loss_weights = np.ascontiguousarray(weights[:, own])
        if kept:
            shard.state_gradients = tuple(np.ascontiguousarray(array[:, :, own]) for array in out)
    run.steps(1)
    for shard in run.trainer.team.shards if kept else []:
        for array, part in zip(out, shard.state_gradients, strict=True):
            array[:, :, shard.streams.start : shard.streams.stop] = part
    return run, out


def expected(arguments, T, *, weights=None, masks=None, boundary=None):
    """Return the reference's loss, gradients, and gradients by the states."""
    layout, params, _, state, text = arguments
    wide, flat = in_double(layout, params)
    p, B = wide.tensors(flat), state[0].shape[1]
    rows = contiguous_parts(TextStreams(text, B, T))[:, : T + 1].T.astype(np.intp)
    state = state_in_double(state)
    layers, y = reference.forward(p, layout.cell, rows[:-1], state, masks, boundary)
    losses = -np.take_along_axis(reference.log_softmax(y), rows[1:, :, None], 2)[..., 0]
    _, dy = reference.softmax_loss(y, rows[1:])
    if weights is not None:
        losses, dy = losses * weights, dy * weights[..., None]
    dstates = [tuple(np.empty((T, B, H)) for _ in state) for _ in layers]
    gradients = reference.backward(p, layout.cell, layers, dy, masks, dstates)
    kept = [np.stack([of_layer[i] for of_layer in dstates]) for i in range(len(state))]
    return losses.sum() / B, gradients, kept


# Every cell with every shape, and these (dropout, boundary) in turns.
REQUESTS = [
    (cell, *shape, *rest)
    for (cell, shape), rest in zip(
        itertools.product(CELLS, SHAPES), itertools.cycle([(0.0, None), (0.4, None), (0.0, 2)])
    )
]


@in_turns("cell, B, T, n_threads, group_size, dropout, boundary", REQUESTS)
def test_weighted_losses_and_gradients_of_states_match_reference(
    kernels, dtype, cell, B, T, n_threads, group_size, dropout, boundary
):
    arguments = start(dtype, B, T, cell)
    weights = np.random.default_rng(1).uniform(0.1, 2, (T, B)).astype(dtype)
    weights[T // 2, B // 2] = 0
    options = {"n_threads": n_threads, "n_shards": n_threads // group_size, "dropout": dropout, "boundary": boundary}
    run, kept = one_step(arguments, T, weights=weights, kept=True, dropout_seed=5, **options)
    masks = reference_dropout.dropout_masks(5, 0, (2, T, B, H), dropout) if dropout else None
    loss, gradients, states = expected(arguments, T, weights=weights.astype(np.float64), masks=masks, boundary=boundary)
    found = arguments[0].tensors(gradient_of(arguments[1], run.params, run.sum))
    rtol = tolerance(dtype)
    assert run.loss == pytest.approx(loss, rel=rtol)
    for ours, theirs in zip((*found, *kept), (*gradients, *states), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


@in_turns("cell", [(cell,) for cell in CELLS])
def test_requests_change_no_other_bit(kernels, dtype, cell):
    arguments = start(dtype, 5, 31, cell)
    plain, keeping = (one_step(arguments, 31, n_threads=2, kept=kept)[0] for kept in (False, True))
    weighed, _ = one_step(arguments, 31, n_threads=2, weights=np.ones((31, 5), dtype))
    assert keeping.bits() == weighed.bits() == plain.bits()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss_weights", np.ones((4, 3)), "weights of the losses: shape"),
        ("loss_weights", np.ones((5, 3), np.float32), "weights of the losses: numbers have 4 bytes"),
        ("state_gradients", (np.ones((2, 5, 3, H)),), "gradients of states: size is 1, but must be 2"),
        ("state_gradients", (np.ones((2, 5, 3, H)), np.ones((2, 5, 3, H + 1))), "gradients of c: shape"),
    ],
)
def test_refuses_arrays_of_another_shape_or_dtype(name, value, message):
    run = Run(*start("float64", 3, 5, "lstm"), T=5)
    setattr(run.trainer.team.shards[0], name, value)
    with pytest.raises(ValueError, match=message):
        run.steps(1)
