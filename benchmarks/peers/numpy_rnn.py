"""min-char-rnn in NumPy, as it is usually written: one stream, one matrix-vector product after another.

It is the baseline that people start from, so it stays plain on purpose: one-hot columns, outer products
summed step by step, a softmax without max-subtraction (at H >= 256 and a learning rate of 0.1 it overflows
to NaN, and NumPy's warnings then cost time: measure those sizes at a smaller rate). Every product here is
too small for a BLAS to use a second thread with profit: pin the process to a core, or hold the BLAS at one
thread, for a quiet figure.

`hoisted_gradients` is the same arithmetic by someone who knows NumPy well: of the products, only those that wait for
a state or for its gradient stay in the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from benchmarks.peers import Arrays, layers


def hoisted_gradients(
    weights: Arrays, h: NDArray[np.floating], inputs: ArrayLike, targets: ArrayLike, *, carries: bool = True
) -> tuple[float, NDArray[np.floating], Arrays]:
    """Return a chunk's loss, the states (H, T + 1) from the one before it on, and its gradients before clipping.

    Parameters
    ----------
    weights : dict
        ``Wxh`` (H, V), ``Whh`` (H, H), ``bh`` (H, 1), ``Why`` (V, H) and ``by`` (V, 1).
    h : array (H,)
        The state before the chunk.
    carries : bool, default True
        Whether a state's gradient includes the part from later losses, the gist's ``dhnext``.
    """
    Whh, Why = weights["Whh"], weights["Why"]
    steps = range(np.size(inputs))
    hs = np.empty((len(h), len(steps) + 1), h.dtype)
    hs[:, 0] = h
    fed = weights["Wxh"][:, inputs] + weights["bh"]
    for t in steps:
        hs[:, t + 1] = np.tanh(fed[:, t] + Whh @ hs[:, t])
    p = np.exp(Why @ hs[:, 1:] + weights["by"])
    p /= p.sum(axis=0)
    loss = -np.log(p[targets, steps]).sum()
    p[targets, steps] -= 1
    dh = Why.T @ p
    slope = 1 - hs[:, 1:] * hs[:, 1:]
    dz = np.empty_like(dh)
    dh_next = np.zeros_like(h)
    for t in reversed(steps):
        dz[:, t] = slope[:, t] * (dh[:, t] + dh_next)
        if carries:
            dh_next = Whh.T @ dz[:, t]
    dWxh = np.zeros_like(weights["Wxh"])
    np.add.at(dWxh.T, inputs, dz.T)
    grads = {"Wxh": dWxh, "Whh": dz @ hs[:, :-1].T, "Why": p @ hs[:, 1:].T}
    grads["bh"] = dz.sum(axis=1, keepdims=True)
    grads["by"] = p.sum(axis=1, keepdims=True)
    return float(loss), hs, grads


class NumpyPeer:
    """min-char-rnn; see `benchmarks.peers.Peer`. One stream only, as the original.

    `hoisted`: train by `hoisted_gradients`.
    """

    name = "numpy"

    def __init__(
        self,
        parameters: Mapping[str, ArrayLike],
        batch_size: int = 1,
        seq_length: int = 25,
        *,
        learning_rate: float = 0.1,
        clip: float = 5.0,
        dtype: DTypeLike = "float64",
        n_threads: int | None = None,
        initial_accumulator: float = 0.0,
        state: ArrayLike | None = None,
        cell: str = "rnn",
        hoisted: bool = False,
    ) -> None:
        if cell != "rnn" or layers(parameters) != 1:
            raise ValueError(f"min-char-rnn is one tanh layer; got cell={cell!r} and {layers(parameters)} layers")
        if batch_size != 1:
            raise ValueError(f"min-char-rnn has one stream; got batch_size={batch_size}")
        if n_threads not in (None, 1):
            raise ValueError(f"min-char-rnn runs on one thread; got n_threads={n_threads}")
        self.dtype = np.dtype(dtype)
        self.hoisted = hoisted
        self.seq_length = seq_length
        self.learning_rate, self.clip = learning_rate, clip
        # within, the names of the original
        self.weights = {k.removesuffix("_l0"): np.array(v, self.dtype) for k, v in parameters.items()}
        for name in ("bh", "by"):
            self.weights[name] = self.weights[name].reshape(-1, 1)
        self.memory = {k: np.full_like(v, initial_accumulator) for k, v in self.weights.items()}
        self.vocab_size, self.hidden_size = self.weights["Why"].shape
        zero = np.zeros((self.hidden_size, 1), self.dtype)
        self.h = zero if state is None else np.array(state, self.dtype).reshape(-1, 1)

    def parameters(self) -> Arrays:
        """See `Peer.parameters`."""
        found = {k: v.ravel().copy() if k in ("bh", "by") else v.copy() for k, v in self.weights.items()}
        return {k if k in ("Why", "by") else f"{k}_l0": v for k, v in found.items()}

    def state(self) -> NDArray[np.floating]:
        """See `Peer.state`."""
        return self.h.T.copy()

    def _one_hot(self, i: int) -> NDArray[np.floating]:
        x = np.zeros((self.vocab_size, 1), self.dtype)
        x[i] = 1
        return x

    def _step(self, x: NDArray[np.floating], h: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
        """The next hidden state and the probabilities of the next symbol, as columns."""
        w = self.weights
        h = np.tanh(w["Wxh"] @ x + w["Whh"] @ h + w["bh"])
        e = np.exp(w["Why"] @ h + w["by"])
        return h, e / e.sum()

    def loss_and_gradients(self, inputs: list[int], targets: list[int]) -> tuple[float, Arrays]:
        """Loss of one chunk and its gradients before clipping; the hidden state moves to the chunk's end."""
        if self.hoisted:
            loss, states, grads = hoisted_gradients(self.weights, self.h[:, 0], inputs, targets)
            self.h = states[:, -1:].copy()
            return loss, grads
        Whh = self.weights["Whh"]
        Why = self.weights["Why"]
        xs, hs, ps, loss = [], [self.h], [], 0.0
        for i, j in zip(inputs, targets, strict=True):
            xs.append(self._one_hot(i))
            h, p = self._step(xs[-1], hs[-1])
            hs.append(h)
            ps.append(p)
            loss -= np.log(p[j, 0])
        grads = {k: np.zeros_like(v) for k, v in self.weights.items()}
        dh_next = np.zeros_like(self.h)
        for t in reversed(range(len(inputs))):
            h = hs[t + 1]
            dy = ps[t].copy()
            dy[targets[t]] -= 1
            grads["Why"] += dy @ h.T
            grads["by"] += dy
            dz = (1 - h * h) * (Why.T @ dy + dh_next)
            grads["bh"] += dz
            grads["Wxh"] += dz @ xs[t].T
            grads["Whh"] += dz @ hs[t].T
            dh_next = Whh.T @ dz
        self.h = hs[-1]
        return float(loss), grads

    def train(self, inputs: NDArray[np.integer], targets: NDArray[np.integer]) -> NDArray[np.float64]:
        """See `Peer.train`."""
        losses = np.empty(len(inputs))
        for k in range(len(inputs)):
            # lists of Python ints: indexing with them is faster than with NumPy's scalars
            losses[k], grads = self.loss_and_gradients(inputs[k, :, 0].tolist(), targets[k, :, 0].tolist())
            for name, d in grads.items():
                np.clip(d, -self.clip, self.clip, out=d)
                self.memory[name] += d * d
                self.weights[name] -= self.learning_rate * d / np.sqrt(self.memory[name] + 1e-8)
        return losses

    def forward(self, ids: NDArray[np.integer]) -> float:
        """See `Peer.forward`."""
        sequence = ids[:, 0].tolist()
        h, total = np.zeros_like(self.h), 0.0
        for i, j in pairwise(sequence):
            h, p = self._step(self._one_hot(i), h)
            total += np.log(p[j, 0])
        return float(total / (len(sequence) - 1))

    def sample(self, n: int, n_samples: int = 1, *, seed: int = 0) -> NDArray[np.integer]:
        """See `Peer.sample`; the samples are drawn one after another."""
        rng = np.random.default_rng(seed)
        out = np.empty((n_samples, n), np.intp)
        for row in out:
            x, h = self._one_hot(0), np.zeros_like(self.h)
            for t in range(n):
                h, p = self._step(x, h)
                row[t] = i = rng.choice(self.vocab_size, p=p.ravel())
                x = self._one_hot(i)
        return out
