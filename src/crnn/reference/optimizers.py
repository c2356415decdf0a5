"""Clipping and the optimizers in NumPy, with PyTorch's formulas and names of the optimizer state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from ..arrays import Array

ADAGRAD_EPSILON = 1e-8  # inside the square root, as in min-char-rnn
RMSPROP_DECAY = 0.99  # PyTorch's
RMSPROP_EPSILON = 1e-8  # PyTorch's
ADAM_EPSILON = 1e-8  # Kingma and Ba's
PAIR_SHARE = 0.3  # of the learning rate, for a row of the table of pairs


def clipped(d: Iterable[Array], clip: float, clip_norm: float) -> tuple[list[Array], float]:
    """Return the gradients clipped, first by their common norm, then by value, and the norm before clipping."""
    d = list(d)
    norm = math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in d))
    # PyTorch's clip_grad_norm_ adds 1e-6, too.
    factor = min(1.0, clip_norm / (norm + 1e-6)) if clip_norm < math.inf else 1.0
    return [np.clip(g * factor, -clip, clip) for g in d], norm


def adagrad(p: Iterable[Array], d: Iterable[Array], sum_: Iterable[Array], learning_rate: float) -> None:
    """Take one Adagrad step, in place on `p` and `sum_`."""
    for param, grad, total in zip(p, d, sum_, strict=True):
        total += grad * grad
        param -= learning_rate * grad / np.sqrt(total + ADAGRAD_EPSILON)


def rmsprop(p: Iterable[Array], d: Iterable[Array], square_avg: Iterable[Array], learning_rate: float) -> None:
    """Take one step of PyTorch's RMSprop, in place on `p` and `square_avg`."""
    for param, grad, square in zip(p, d, square_avg, strict=True):
        square *= RMSPROP_DECAY
        square += (1 - RMSPROP_DECAY) * grad * grad
        param -= learning_rate * grad / (np.sqrt(square) + RMSPROP_EPSILON)


def adam(
    p: Iterable[Array],
    d: Iterable[Array],
    exp_avg: Iterable[Array],
    exp_avg_sq: Iterable[Array],
    learning_rate: float,
    weight_decay: float,
    step: int,
    beta_1: float,
    beta_2: float,
) -> None:
    """Take one step of Adam with decoupled weight decay (PyTorch's AdamW), in place; `step` counts from 1."""
    # Both averages start at zero. After this many steps, the weights of the gradients in them add up to these numbers.
    mean_weight = 1 - beta_1**step
    square_weight = 1 - beta_2**step
    for param, grad, mean, square in zip(p, d, exp_avg, exp_avg_sq, strict=True):
        mean *= beta_1
        mean += (1 - beta_1) * grad
        square *= beta_2
        square += (1 - beta_2) * grad * grad
        param *= 1 - learning_rate * weight_decay
        param -= learning_rate / mean_weight * mean / (np.sqrt(square) / math.sqrt(square_weight) + ADAM_EPSILON)


def update(
    optimizer: str,
    p: Iterable[Array],
    d: Iterable[Array],
    optimizer_state: Sequence[Iterable[Array]],
    learning_rate: float,
    clip: float = math.inf,
    clip_norm: float = math.inf,
    weight_decay: float = 0.0,
    step: int = 1,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    rows: Array | None = None,
) -> float:
    """Take one step of an optimizer, in place on `p` and `optimizer_state`; return the norm of `d` before clipping.

    `step` counts Adam's steps, including this one; `weight_decay` is for Adam only. In the first parameter, the table
    of pairs, only `rows` change, at `PAIR_SHARE` of the learning rate.
    """
    d, norm = clipped(d, clip, clip_norm)
    parts = list(p)
    memories = [list(memory) for memory in optimizer_state]
    rules: dict[str, Callable[..., None]] = {"adagrad": adagrad, "rmsprop": rmsprop}
    rules["adam"] = partial(adam, weight_decay=weight_decay, step=step, beta_1=beta_1, beta_2=beta_2)
    assert optimizer == "adam" or weight_decay == 0
    take_step = rules[optimizer]
    if rows is not None:
        table, *of_table = parts.pop(0), *(memory.pop(0) for memory in memories)
        read = [array[rows] for array in (table, d.pop(0), *of_table)]
        take_step(*([array] for array in read), learning_rate * PAIR_SHARE)
        for array, changed in zip((table, *of_table), (read[0], *read[2:]), strict=True):
            array[rows] = changed
    take_step(parts, d, *memories, learning_rate)
    return norm
