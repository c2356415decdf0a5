"""Checks of runs of training that several kinds of networks have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import Run


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
