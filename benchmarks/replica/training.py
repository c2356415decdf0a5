"""Training as `CharRNN.recommended` has it for short times: Adam, a cosine with warm-up, the gradient's norm clipped.

A trick of training is a subclass of `Training` that replaces a method. All read as many characters: `steps` counts
chunks of T = 24.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray

from .lstm import CONTEXT, Lstm

T, B = 24, 16
RATE, WEIGHT_DECAY, WARMUP, CLIP_NORM = 0.04, 0.02, 0.02, 1.0
BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8
PARTS, WARM_UP, PIECE = 32, 512, 128  # of the held-out text, as in `crnn.training.loop.evaluation`
DRAW = 0x7A1A  # beside the seed, for what training draws

Array = NDArray[Any]


class Training:
    """One run; see `run`.

    Parameters
    ----------
    rate : float, default=0.04
    """

    averages: tuple[float, ...] = ()  # decay rates of averages of the weights, each measured as well

    def __init__(self, rate: float = RATE) -> None:
        self.rate = rate

    def chunk_lengths(self, steps: int, rng: np.random.Generator) -> list[int]:
        """Lengths of all chunks, `steps` times T in all."""
        return [T] * steps

    def schedule(self, progress: float) -> float:
        """Factor of the learning rate at a part of training, 0 to 1."""
        return 0.5 * (1 + math.cos(math.pi * progress))

    def run(self, model: Lstm, ids: Array, steps: int, seed: int) -> dict[str, Any]:
        """Train; return the last weights under "", and the averages under their decay rates."""
        rng = np.random.default_rng((seed, DRAW))
        streams = _streams(ids, B)
        w = jax.tree.map(jnp.array, model.first_weights(seed))
        zeros = [jax.tree.map(jnp.zeros_like, w) for _ in range(2)]
        carry = (w, *zeros, [jax.tree.map(jnp.array, w) for _ in self.averages])
        step = jax.jit(partial(_step, model, self.averages), donate_argnums=0)
        states, p, done, total = model.training_state(B), 0, 0, steps * T
        for n, length in enumerate(self.chunk_lengths(steps, rng), 1):
            if p + length >= streams.shape[1] - 1:
                states, p = model.training_state(B), 0
            x, y = streams[:, p : p + length], streams[0, p + 1 : p + length + 1]
            rise = min(1.0, (done + length) / total / WARMUP)
            carry, states = step(carry, states, x, y, np.float32(self.rate * self.schedule(done / total) * rise), n)
            p, done = p + length, done + length
        return {"": carry[0], **{f"average {d:g}": a for d, a in zip(self.averages, carry[3], strict=True)}}


def _streams(ids: Array, B: int) -> Array:
    """The text as B streams side by side, each with what precedes it: (1 + CONTEXT, S + 1, B)."""
    S = (len(ids) - 1) // B
    starts = np.arange(B) * S
    before = np.arange(CONTEXT + 1)[:, None, None]
    return ids[np.maximum(starts + np.arange(S + 1)[:, None] - before, 0)].astype(np.int32)


def _step(model: Lstm, averages: tuple[float, ...], carry: Any, states: Any, x: Any, y: Any, rate: Any, n: Any) -> Any:
    """One step of AdamW, the n-th, counted from 1."""
    w, m, v, means = carry
    before = carry[:3]
    (_, states), d = jax.value_and_grad(model.loss, has_aux=True)(w, states, x, y)
    norm = jnp.sqrt(sum((g * g).sum() for g in d.values()))
    factor = jnp.minimum(1.0, CLIP_NORM / (norm + 1e-6))
    n = n.astype(jnp.float32)
    of_m, of_v = 1 / (1 - BETA_1**n), 1 / (1 - BETA_2**n)
    m = {k: BETA_1 * m[k] + (1 - BETA_1) * factor * d[k] for k in w}
    v = {k: BETA_2 * v[k] + (1 - BETA_2) * jnp.square(factor * d[k]) for k in w}
    after = {}
    for k in w:
        r = rate * model.rate_factors.get(k, 1.0)
        after[k] = (1 - r * WEIGHT_DECAY) * w[k] - r * of_m * m[k] / (jnp.sqrt(of_v * v[k]) + EPSILON)
    for k in model.sparse:
        read = (d[k] != 0).any(axis=1, keepdims=True)
        after[k], m[k], v[k] = (jnp.where(read, new[k], old[k]) for new, old in zip((after, m, v), before, strict=True))
    decays = [jnp.minimum(decay, n / (n + 9)) for decay in averages]  # the first weights are soon forgotten
    means = [_average(mean, after, decay) for mean, decay in zip(means, decays, strict=True)]
    return (after, m, v, means), states


def _average(mean: Any, w: Any, decay: Any) -> Any:
    return {k: decay * mean[k] + (1 - decay) * w[k] for k in w}


def held_out(model: Lstm, w: Any, ids: Array, start: int) -> float:
    """Nats per character of ids[start:], in parts that each read `WARM_UP` characters before them."""
    S = (len(ids) - start) // PARTS
    t = np.arange(-WARM_UP, S)[:, None]
    at = start + np.arange(PARTS) * S + t - 1  # of inputs; their targets are one further
    x = ids[np.stack([np.maximum(at - k, 0) for k in range(CONTEXT + 1)])].astype(np.int32)
    y = ids[at + 1].astype(np.int32)
    measure = jax.jit(model.surprisals)
    states, total = model.zero_state(PARTS), 0.0
    for p in range(0, len(t), PIECE):
        found, states = measure(w, states, x[:, p : p + PIECE], y[p : p + PIECE])
        total += float(np.asarray(found, np.float64)[t[p : p + PIECE, 0] >= 0].sum())
    return total / (S * PARTS)
