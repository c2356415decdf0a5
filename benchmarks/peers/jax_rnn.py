"""The model in JAX: `lax.scan` over time, donated buffers, a whole run of steps inside one jitted loop.

Two gradients are offered. ``gradient="by_hand"`` (the default, the faster) writes with `jax.custom_vjp` what a
good program would do: dWhh is one product over all T·B rows after the backward scan. ``gradient="autodiff"``
is what most people write: differentiating the scan adds T small products to a carried matrix. Tried and
found slower or no faster: one-hot products instead of row lookups, unrolled scans, vectors instead of
one-row matrices, one flat vector of parameters, a jitted step per chunk (it pays a dispatch of 30 us, and no
more). A gated cell, or more than one layer, has the gradient by autodiff only.

Threads: XLA's CPU client sizes its pool once, when JAX is first used, by the cores that the process may then
run on. To time one thread, call ``os.sched_setaffinity(0, {core})`` (or ``taskset -c``) in a fresh process
before JAX is imported; the environment variable ``NPROC=1`` does the same where affinity does not exist. The
flags of old, ``XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"``, are still
accepted by JAX 0.10 but leave its products on every core. `n_threads` therefore sets nothing: it is checked
against the cores of the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from benchmarks.peers import SCORING_ROWS, Arrays, layers


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _states(cell: str, w: Any, state: Any, pre: Any) -> Any:
    """The state after T steps and hidden states (T, B, H), from pre-activations (T, B, G H) and a state.

    A state is a tuple of (B, H): h, and for an LSTM c.
    """
    import jax
    from jax import numpy as jnp
    from jax.nn import sigmoid

    def rnn(state: Any, z: Any) -> Any:
        h = jnp.tanh(z + state[0] @ w["Wh"])
        return (h,), h

    def gru(state: Any, z: Any) -> Any:
        (h,) = state
        zr, zz, zn = jnp.split(z, 3, axis=1)
        ar, az, an = jnp.split(h @ w["Wh"], 3, axis=1)
        update = sigmoid(zz + az)
        new = jnp.tanh(zn + sigmoid(zr + ar) * (an + w["bhn"]))
        h = new + update * (h - new)
        return (h,), h

    def lstm(state: Any, z: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(z + h @ w["Wh"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return jax.lax.scan({"rnn": rnn, "gru": gru, "lstm": lstm}[cell], state, pre)


def _hidden_autodiff(cell: str, stack: Any, states: Any, x: Any) -> Any:
    """Hidden states (T, B, H) of the last layer, and the states of all layers after the chunk x (T, B)."""
    hs, after = None, []
    for w, state in zip(stack, states, strict=True):
        pre = (w["Wx"] + w["bh"])[x] if hs is None else hs @ w["Wx"] + w["bh"]
        state, hs = _states(cell, w, state, pre)
        after.append(state)
    return hs, after


def _by_hand() -> Callable[[Any, Any, Any], Any]:
    """`_hidden_autodiff` of one tanh layer with its backward pass written out."""
    import jax
    from jax import numpy as jnp

    def plain(w: Any, h0: Any, x: Any) -> Any:
        return _hidden_autodiff("rnn", [w], [(h0,)], x)[0]

    def forward(w: Any, h0: Any, x: Any) -> Any:
        hs = plain(w, h0, x)
        return hs, (w, h0, x, hs)

    def backward(saved: Any, dhs: Any) -> Any:
        w, h0, x, hs = saved
        Wh_t = w["Wh"].T

        def retreat(dh_next: Any, step: Any) -> Any:
            dh, h = step
            dz = (1 - h * h) * (dh + dh_next)
            return dz @ Wh_t, dz

        dh0, dz = jax.lax.scan(retreat, jnp.zeros_like(h0), (dhs, hs), reverse=True)
        H = h0.shape[1]
        before, dz = jnp.concatenate([h0[None], hs[:-1]]).reshape(-1, H), dz.reshape(-1, H)
        grads = {
            "Wx": jnp.zeros_like(w["Wx"]).at[x.reshape(-1)].add(dz),
            "Wh": before.T @ dz,
            "bh": dz.sum(0),
        }
        return grads, dh0, None

    of_one_layer = jax.custom_vjp(plain)
    of_one_layer.defvjp(forward, backward)

    def hidden(stack: Any, states: Any, x: Any) -> Any:
        hs = of_one_layer(stack[0], states[0][0], x)
        return hs, [(hs[-1],)]

    return hidden


def _zero_states(cell: str, stack: Any, batch_size: int) -> Any:
    from jax import numpy as jnp

    zero = [jnp.zeros((batch_size, len(w["Wh"])), w["Wh"].dtype) for w in stack]
    return [(h, h) if cell == "lstm" else (h,) for h in zero]


def _logits(w: Any, hs: Any) -> Any:
    return hs.reshape(-1, hs.shape[-1]) @ w["Wy"] + w["by"]


def _log_likelihood(logits: Any, targets: Any) -> Any:
    """Log-softmax of every row at its target. A mask instead of a gather, whose gradient would be a scatter."""
    import jax
    from jax import numpy as jnp

    chosen = jnp.arange(logits.shape[1]) == targets.reshape(-1, 1)
    return jnp.where(chosen, logits, 0).sum(1) - jax.nn.logsumexp(logits, axis=1)


def _training_step(hidden: Any, learning_rate: float, clip: float, carry: Any, chunk: Any) -> Any:
    import jax
    from jax import numpy as jnp

    def loss(w: Any, states: Any, x: Any, y: Any) -> Any:
        hs, states = hidden(w["layers"], states, x)
        return -_log_likelihood(_logits(w, hs), y).sum() / x.shape[1], states

    w, memory, states = carry
    (value, states), grads = jax.value_and_grad(loss, has_aux=True)(w, states, *chunk)
    grads = jax.tree.map(lambda d: jnp.clip(d, -clip, clip), grads)
    memory = jax.tree.map(lambda m, d: m + d * d, memory, grads)
    w = jax.tree.map(lambda p, d, m: p - learning_rate * d / jnp.sqrt(m + 1e-8), w, grads, memory)
    return (w, memory, states), value


def _score(cell: str, w: Any, pieces: Any, targets: Any, counted: Any) -> Any:
    """Sum of log-likelihoods over pieces (P, T, B) read one after another, where counted (P, T) is 1."""
    import jax

    def piece(states: Any, chunk: Any) -> Any:
        x, y, weight = chunk
        hs, states = _hidden_autodiff(cell, w["layers"], states, x)
        return states, (_log_likelihood(_logits(w, hs), y).reshape(x.shape).sum(1) * weight).sum()

    states = _zero_states(cell, w["layers"], pieces.shape[2])
    return jax.lax.scan(piece, states, (pieces, targets, counted))[1].sum()


def _sample(n: int, n_samples: int, w: Any, key: Any) -> Any:
    """Ids (n, n_samples): one text by Gumbel's arg-max, several by inverse CDF, whichever is the faster.

    The noise is made beforehand, all at once; drawing it within the scan (`random.categorical`) is slower.
    """
    import jax
    from jax import numpy as jnp

    (layer,) = w["layers"]
    rows, Wh, dtype = layer["Wx"] + layer["bh"], layer["Wh"], layer["Wh"].dtype

    def highest(y: Any, gumbel: Any) -> Any:
        return jnp.argmax(y + gumbel, axis=1).astype(jnp.int32)

    def inverse(y: Any, u: Any) -> Any:
        cumulative = jnp.cumsum(jnp.exp(y - y.max(1, keepdims=True)), axis=1)
        return (cumulative[:, :-1] <= u[:, None] * cumulative[:, -1:]).sum(1, dtype=jnp.int32)

    choose = highest if n_samples == 1 else inverse

    def draw(carry: Any, noise: Any) -> Any:
        h, i = carry
        h = jnp.tanh(rows[i] + h @ Wh)
        i = choose(h @ w["Wy"] + w["by"], noise)
        return (h, i), i

    if choose is highest:
        noise = jax.random.gumbel(key, (n, 1, len(w["by"])), dtype)
    else:
        noise = jax.random.uniform(key, (n, n_samples), dtype)
    start = jnp.zeros((n_samples, len(Wh)), dtype), jnp.zeros(n_samples, jnp.int32)
    return jax.lax.scan(draw, start, noise)[1]


class JaxPeer:
    """JAX; see `benchmarks.peers.Peer` and, for threads and compilation, this module's docstring.

    `gradient` is "by_hand" or "autodiff". The first call with new shapes compiles: make it before the clock starts.
    """

    name = "jax"

    def __init__(
        self,
        parameters: Mapping[str, ArrayLike],
        batch_size: int,
        seq_length: int,
        *,
        learning_rate: float = 0.1,
        clip: float = 5.0,
        dtype: DTypeLike = "float32",
        n_threads: int | None = None,
        initial_accumulator: float = 0.0,
        state: ArrayLike | None = None,
        cell: str = "rnn",
        gradient: str = "by_hand",
    ) -> None:
        import jax

        if n_threads not in (None, cores()):
            raise ValueError(f"n_threads={n_threads}, but XLA takes all {cores()} cores of this process")
        self.one_tanh_layer = cell == "rnn" and layers(parameters) == 1
        if gradient == "by_hand" and not self.one_tanh_layer:
            raise ValueError(f"no gradient by hand of cell={cell!r} in {layers(parameters)} layers; use 'autodiff'")
        self.jax = jax
        self.batch_size, self.seq_length = batch_size, seq_length
        self.dtype = np.dtype(dtype)
        hidden = {"by_hand": _by_hand(), "autodiff": partial(_hidden_autodiff, cell)}[gradient]
        step = partial(_training_step, hidden, learning_rate, clip)
        self._many = jax.jit(lambda carry, chunks: jax.lax.scan(step, carry, chunks), donate_argnums=0)
        self._score = jax.jit(partial(_score, cell))
        self._sample = jax.jit(_sample, static_argnums=(0, 1))
        p = {k: np.asarray(v, self.dtype) for k, v in parameters.items()}
        stack = []
        for k in range(layers(p)):
            layer = {"Wx": p[f"Wxh_l{k}"].T, "Wh": p[f"Whh_l{k}"].T, "bh": p[f"bh_l{k}"]}
            stack.append(layer | ({"bhn": p[f"bhn_l{k}"]} if cell == "gru" else {}))
        w = {"layers": stack, "Wy": p["Why"].T, "by": p["by"]}
        with self._precision():
            memory = jax.tree.map(lambda a: np.full_like(a, initial_accumulator), w)
            states = _zero_states(cell, stack, batch_size)
            if state is not None:
                states[-1] = (np.asarray(state), *states[-1][1:])
            # copies, because donated buffers must not be the caller's, nor one buffer be two states
            self._carry = jax.tree.map(lambda a: jax.numpy.array(a, self.dtype, copy=True), (w, memory, states))

    def _precision(self) -> AbstractContextManager[Any]:
        """float64 only where this peer asks for it: JAX's own default is a global switch."""
        wide = self.dtype == np.float64
        if hasattr(self.jax, "enable_x64"):
            return self.jax.enable_x64(wide)
        from jax.experimental import enable_x64

        return enable_x64(wide)

    def parameters(self) -> Arrays:
        """See `Peer.parameters`."""
        w = self.jax.tree.map(np.array, self._carry[0])
        found = {"Why": w["Wy"].T, "by": w["by"]}
        for k, layer in enumerate(w["layers"]):
            found |= {f"Wxh_l{k}": layer["Wx"].T, f"Whh_l{k}": layer["Wh"].T, f"bh_l{k}": layer["bh"]}
            if "bhn" in layer:
                found[f"bhn_l{k}"] = layer["bhn"]
        return found

    def state(self) -> NDArray[np.floating]:
        """See `Peer.state`."""
        return np.array(self._carry[2][-1][0])

    def train(self, inputs: NDArray[np.integer], targets: NDArray[np.integer]) -> NDArray[np.float64]:
        """See `Peer.train`."""
        chunks = inputs.astype(np.int32), targets.astype(np.int32)
        with self._precision():
            self._carry, losses = self._many(self._carry, chunks)
            return np.asarray(self.jax.block_until_ready((self._carry, losses))[1], np.float64)

    def forward(self, ids: NDArray[np.integer]) -> float:
        """See `Peer.forward`; in pieces of about `SCORING_ROWS` symbols, the last one padded."""
        predicted, B = len(ids) - 1, ids.shape[1]
        T = min(max(1, SCORING_ROWS // B), predicted)
        P = -(-predicted // T)
        padded = np.zeros((P * T + 1, B), np.int32)
        padded[: predicted + 1] = ids
        counted = (np.arange(P * T) < predicted).astype(self.dtype).reshape(P, T)
        with self._precision():
            x, y = padded[:-1].reshape(P, T, B), padded[1:].reshape(P, T, B)
            return float(self._score(self._carry[0], x, y, counted)) / (predicted * B)

    def sample(self, n: int, n_samples: int = 1, *, seed: int = 0) -> NDArray[np.integer]:
        """See `Peer.sample`; one jitted scan over all samples together."""
        if not self.one_tanh_layer:
            raise ValueError("only one tanh layer is sampled")
        with self._precision():
            return np.asarray(self._sample(n, n_samples, self._carry[0], self.jax.random.key(seed))).T
