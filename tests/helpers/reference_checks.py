"""What the reference implementation makes of a run of training, and checks of runs: against it, and by differences."""

import math
from functools import partial

import numpy as np
import pytest
from examples import Run, contiguous_parts, in_double, state_in_double
from small_models import learned_state

from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.reference.sampled_softmax import sampled_softmax_loss
from crnn.text.streams import TextStreams


def expected_run(
    layout, params, memory, state, ids, n_steps, *, T, learning_rate=0.1, n_before=0, optimizer_start=0,
    dropout=0.0, weight_dropout=0.0, state_reset=0.0, dropout_seed=0, n_sampled_symbols=0, shards=None, **options,
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
        if n_sampled_symbols:
            options["loss_of"] = partial(
                sampled_softmax_loss,
                sampled=n_sampled_symbols,
                seed=dropout_seed,
                step=step,
                shards=shards or [range(B)],
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
    state = state_in_double(state)
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
    for actual, expected in zip((run.params, *run.memory), (params, *memories), strict=True):
        for a, b in zip(layout.tensors(actual), wide.tensors(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        assert not actual[padding].any()
    for actual, expected in zip(run.state, state, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


def check_model(model, wanted, rtol, atol):
    """Compare a fitted model of the same precision with what `expected_run` has."""
    params, memories, states, _ = wanted
    np.testing.assert_allclose(learned_state(model).params, params, rtol=rtol, atol=atol)
    for actual, expected in zip(learned_state(model).optimizer_state.values(), memories, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
    for actual, expected in zip(model.state_ if len(states) > 1 else (model.state_,), states, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def check_against_reference(arguments, n_steps, *, n_threads=1, rtol=None, **options):
    """Take steps one by one, and compare the run with the reference's."""
    run = Run(*arguments, n_threads=n_threads, **options).steps(*[1] * n_steps)
    check_run(run, expected_in_double(arguments, n_steps, **options), rtol)


def expected_scores(layout, params, x, state, boundary=None):
    """Return log-probabilities and the state after symbols by the reference, in double precision."""
    wide, flat = in_double(layout, params)
    state = state_in_double(state)
    return reference.log_probabilities(wide.tensors(flat), layout.cell, x, state, boundary)


def check_scores(packed, x, state, wanted, rtol=None, *, cut=0):
    """Compare what a network gives symbols, scored and fed in two parts, with what `expected_scores` has."""
    log_p, after = wanted
    rtol = tolerance(state[0].dtype) if rtol is None else rtol
    scored, fed = (tuple(array.copy() for array in state) for _ in range(2))
    parts = [x[:cut], x[cut:]] if cut else [x]
    found = [packed.log_probabilities(part, scored) for part in parts]
    np.testing.assert_allclose(np.concatenate(found), log_p, rtol=rtol, atol=rtol)
    for part in parts:
        packed.feed(part, fed)
    for of_scoring, of_feeding, expected in zip(scored, fed, after, strict=True):
        np.testing.assert_allclose(of_scoring, expected, rtol=0, atol=rtol)
        np.testing.assert_allclose(of_feeding, expected, rtol=0, atol=rtol)


def central_difference(loss):
    """Return the derivative at 0 of a loss, a function of a step, to the fourth order."""
    e = 1e-3
    return (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)


def central_differences(loss, array):
    """Return the gradient of `loss()` with respect to an array, by perturbing its elements in place."""
    gradient = np.empty(array.shape)
    for i in np.ndindex(array.shape):
        value = array[i]

        def moved(step, i=i, value=value):
            array[i] = value + step
            return loss()

        gradient[i] = central_difference(moved)
        array[i] = value
    return gradient


def gradient_of(params, after, sum_):
    """Return the gradient of a step of Adagrad, from parameters and sum after it.

    From no memory, and without a clip, the sum after a step is the square of the gradient.
    """
    return np.sqrt(sum_) * np.sign(params - after)


def check_gradients(layout, params, ids, state, parts=tuple, *, every=1, n_threads=1, **options):
    """Compare gradients of a step on these threads with central differences of its loss on one; return them.

    `parts` takes the compared arrays from `Tensors`, and `every` some of their elements.
    """
    options = {"clip": math.inf, "n_shards": n_threads, **options}
    after = Run(layout, params, [layout.zeros()], state, ids, n_threads=n_threads, **options).steps(1)
    gradients = parts(layout.tensors(gradient_of(params, after.params, after.sum)))
    run = Run(layout, params, [layout.zeros()], state, ids, **options)
    trainer, carried = run.trainer, tuple(array.copy() for array in run.state)

    def loss():
        for array, before in zip(trainer.hidden, carried, strict=True):
            array[...] = before
        trainer.cursor.position = trainer.cursor.n_steps = 0  # the same chunk, and the same units dropped
        trainer.load_arrays()
        trainer._take_steps(np.zeros(1))  # of no length
        return trainer.cursor.last_loss

    def at(i):
        def moved(step):
            trainer.params[i] = params[i] + step
            return loss()

        return moved

    with trainer:
        assert loss() == after.loss
        found = np.concatenate([gradient.ravel() for gradient in gradients])[::every]
        places = np.concatenate([part.ravel() for part in parts(layout.tensors(np.arange(layout.size)))])[::every]
        for analytic, i in zip(found, places, strict=True):
            assert analytic == pytest.approx(central_difference(at(i)), rel=1e-6, abs=1e-9)
            trainer.params[i] = params[i]
    return gradients


def check_threads(arguments, n_threads, n_shards, **options):
    """Two steps on each of these numbers of threads must have the bits of those on one.

    With fewer shards than threads, the threads form groups, and each thread computes some of the units.
    """
    options = {"learning_rate": 0.01, "optimizer": "adam", "clip_norm": 0.5, "dropout": 0.2, "boundary": 3, **options}
    one = Run(*arguments, n_shards=n_shards, **options).steps(2)
    for n in n_threads:
        many = Run(*arguments, n_shards=n_shards, n_threads=n, **options).steps(2)
        assert many.trainer.arrangement == (n, max(1, n // n_shards))
        assert many.bits() == one.bits()
        assert many.cursor.gradient_norm == one.cursor.gradient_norm
