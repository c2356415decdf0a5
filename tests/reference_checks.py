"""What the reference implementation makes of a run of training, and checks of runs: against it, and by differences."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from examples import Run, contiguous_parts, in_double

from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.reference.sampled_softmax import sampled_softmax_loss
from crnn.text.streams.text_streams import TextStreams


def expected_run(
    layout, params, memory, state, ids, n_steps, *, T, learning_rate=0.1, n_before=0, optimizer_start=0,
    dropout=0.0, weight_dropout=0.0, state_reset=0.0, dropout_seed=0, sampled_softmax=0, shards=None, **options,
):  # fmt: skip
    """Run min-char-rnn's loop with the reference implementation.

    Returns parameters, optimizer state, hidden state, and the losses of the `n_steps` steps.
    """
    params, memory = params.copy(), [flat.copy() for flat in memory]
    parts = [layout.tensors(flat) for flat in memory]
    B = state[0].shape[1]
    streams = TextStreams(ids, B, T)
    text, T = contiguous_parts(streams).astype(np.intp).T, streams.seq_length
    rate = learning_rate if callable(learning_rate) else lambda step: learning_rate
    losses, p = [], 0
    for step in range(n_before, n_before + n_steps):
        if p + T + 1 >= len(text):
            state, p = tuple(np.zeros_like(array) for array in state), 0
        reset = reference_dropout.state_resets(dropout_seed, step, B, state_reset)
        state = tuple(np.where(reset[:, None], 0, array).astype(array.dtype) for array in state)
        masks = None
        if dropout:
            masks = reference_dropout.dropout_masks(
                dropout_seed, step, (layout.num_layers, T, B, layout.hidden_size), dropout
            )
        weight_masks = None
        if weight_dropout:
            H, G = layout.hidden_size, layout.kind.gates
            weight_masks = [
                reference_dropout.weight_mask(dropout_seed, step, layer, (H, G * H), weight_dropout)
                for layer in range(layout.num_layers)
            ]
        if sampled_softmax:
            options["loss_of"] = partial(
                sampled_softmax_loss, sampled=sampled_softmax, seed=dropout_seed, step=step, shards=shards or [range(B)]
            )
        loss, state = reference.train_step(
            layout.tensors(params),
            layout.cell,
            parts,
            text[p : p + T],
            text[p + 1 : p + T + 1],
            state,
            rate(step),
            step=step - optimizer_start + 1,
            masks=masks,
            weight_masks=weight_masks,
            **{"clip": 5.0, **options},
        )
        losses.append(loss)
        p += T
    return params, memory, state, losses


def tolerance(dtype):
    """How far a number may be from the reference's, relatively and absolutely."""
    return 1e-4 if dtype == np.float32 else 1e-10


def expected_in_double(arguments, steps, **options):
    """Return layout, parameters, optimizer state, hidden state and losses of the reference, in double precision."""
    layout, params, memories, state, ids = arguments
    wide, params, *memories = in_double(layout, params, *memories)
    state = tuple(array.astype(np.float64) for array in state)
    return wide, *expected_run(wide, params, memories, state, ids, steps, **options)


def check_run(run, wanted, rtol=None):
    """Compare a run with what `expected_in_double` has; what no tensor covers must have stayed zero."""
    wide, params, memories, state, losses = wanted
    layout = run.layout
    rtol = tolerance(layout.dtype) if rtol is None else rtol
    np.testing.assert_allclose(run.losses, [losses[n - 1] for n in run.taken], rtol=rtol)
    padding = np.ones(layout.size, bool)
    for places in layout.tensors(padding):
        places[...] = False
    for found, its in zip((run.params, *run.memory), (params, *memories), strict=True):
        for a, b in zip(layout.tensors(found), wide.tensors(its), strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        assert not found[padding].any()
    for found, its in zip(run.state, state, strict=True):
        np.testing.assert_allclose(found, its, rtol=rtol, atol=rtol)


def check_against_reference(arguments, n_steps, *, n_threads=1, rtol=None, **options):
    """Take steps one by one, and compare the run with the reference's."""
    run = Run(*arguments, n_threads=n_threads, **options).steps(*[1] * n_steps)
    check_run(run, expected_in_double(arguments, n_steps, **options), rtol)


def check_gradients(layout, params, ids, state, parts, **options):
    """Compare gradients with central differences; return them.

    `parts` takes the arrays that are compared from `Tensors`.
    """
    options = {"clip": math.inf, **options}
    # From no memory, and without a clip, the memory after a step is the square of the gradient.
    after = Run(layout, params, [layout.zeros()], state, ids, **options).steps(1)
    gradients = parts(layout.tensors(np.sqrt(after.sum) * np.sign(params - after.params)))
    run = Run(layout, params, [layout.zeros()], state, ids, **options)
    trainer, carried = run.trainer, tuple(array.copy() for array in run.state)

    def loss(moved):
        trainer.params[:] = moved
        for array, before in zip(trainer.hidden, carried, strict=True):
            array[...] = before
        trainer.cursor.position = trainer.cursor.n_steps = 0
        trainer._load_arrays()
        trainer._take_steps(np.zeros(1))
        return trainer.cursor.last_loss

    with trainer:
        for gradient, places in zip(gradients, parts(layout.tensors(np.arange(layout.size))), strict=True):
            for i, j in np.ndindex(places.shape):
                e, losses = 1e-3, []  # fourth order
                for step in (-2 * e, -e, e, 2 * e):
                    moved = params.copy()
                    moved[places[i, j]] += step
                    losses.append(loss(moved))
                numeric = (losses[0] - 8 * losses[1] + 8 * losses[2] - losses[3]) / (12 * e)
                assert gradient[i, j] == pytest.approx(numeric, rel=1e-6, abs=1e-9)
    return gradients


def check_threads(arguments, n_threads, n_shards, **options):
    """Two steps on several threads must have the bits of those on one.

    With fewer shards than threads these form groups, of which each computes some of the units.
    """
    options = {"learning_rate": 0.01, "optimizer": "adam", "clip_norm": 0.5, "dropout": 0.2, "boundary": 3, **options}
    one = Run(*arguments, n_shards=n_shards, **options).steps(2)
    many = Run(*arguments, n_shards=n_shards, n_threads=n_threads, **options).steps(2)
    assert many.trainer.arrangement == (n_threads, max(1, n_threads // n_shards))
    assert many.bits() == one.bits()
    assert many.cursor.gradient_norm == one.cursor.gradient_norm
