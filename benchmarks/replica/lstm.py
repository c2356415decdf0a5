"""The plain model: one-hot input, LSTM layers, softmax. Each trick is a subclass that replaces a method or two.

Letters as in docs/mathematics.md: T time steps, B streams, H units, V symbols, G gates. Matrices are input × output.
A chunk `x` has shape (1 + CONTEXT, T, B): x[0] the symbols that are read, x[1] those before them, x[2] those before
these.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import numpy as np
from jax import numpy as jnp
from jax.nn import sigmoid

Weights = dict[str, Any]

CONTEXT = 2  # symbols before each, which some tricks read as well
INIT_SCALE = 0.2
GATES = {"lstm": 4, "capped": 4, "cifg": 3}


class Lstm:
    """A language model of V symbols.

    Parameters
    ----------
    n_symbols : int
    hidden_size : int, default=128
    num_layers : int, default=1
    cell : {"lstm", "capped", "cifg"}, default="lstm"
        "capped": the input gate is at most what is forgotten, min(i, 1 - f). "cifg": it is what is forgotten.
    """

    rate_factors: ClassVar[dict[str, float]] = {}  # of the learning rate, by the names of weights; 1 for all others
    sparse: ClassVar[frozenset[str]] = frozenset()  # names of tables: rows that a chunk does not read stay as they are

    def __init__(self, n_symbols: int, hidden_size: int = 128, num_layers: int = 1, cell: str = "lstm") -> None:
        self.V, self.H, self.L, self.cell = n_symbols, hidden_size, num_layers, cell
        self.G = GATES[cell]

    # ---------------------------------------------------------------- weights

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name. Those with two axes are drawn from a normal distribution, others are zero."""
        shapes: dict[str, tuple[int, ...]] = {"Wy": (self.H, self.V), "by": (self.V,)}
        for k in range(self.L):
            shapes[f"Wx{k}"] = (self.H if k else self.V, self.G * self.H)
            shapes[f"Wh{k}"] = (self.H, self.G * self.H)
            shapes[f"b{k}"] = (self.G * self.H,)
        return shapes

    def first_weights(self, seed: int) -> Weights:
        """Draw the first weights. The forget gate's bias is 1."""
        rng = np.random.default_rng(seed)
        w = {}
        for name, shape in self.shapes().items():
            w[name] = rng.normal(0, INIT_SCALE, shape) if len(shape) > 1 else np.zeros(shape)
        forget = 0 if self.cell == "cifg" else self.H
        for k in range(self.L):
            w[f"b{k}"][forget : forget + self.H] = 1.0
        return {name: value.astype(np.float32) for name, value in w.items()}

    def multiply_adds(self) -> float:
        """Multiplications and additions of the products of one character. Rows of a table cost nothing."""
        return self.G * self.H**2 * (2 * self.L - 1) + self.H * self.V

    # ---------------------------------------------------------------- one layer over time

    def zero_state(self, B: int) -> Any:
        """States before a text: for each layer h and c (B, H)."""
        return [(jnp.zeros((B, self.H)), jnp.zeros((B, self.H))) for _ in range(self.L)]

    def inputs(self, w: Weights, x: Any) -> Any:
        """What the first layer's steps read: arrays with T as their first axis."""
        return (w["Wx0"] + w["b0"])[x[0]]

    def gates(self, z: Any, c: Any) -> tuple[Any, Any]:
        """The cell: from pre-activations (B, G H) and c to h and c."""
        if self.cell == "cifg":
            f, g, o = jnp.split(z, 3, axis=1)
            g = jnp.tanh(g)
            c = g + sigmoid(f) * (c - g)
        else:
            i, f, g, o = jnp.split(z, 4, axis=1)
            i, f = sigmoid(i), sigmoid(f)
            if self.cell == "capped":
                i = jnp.minimum(i, 1 - f)
            c = f * c + i * jnp.tanh(g)
        return sigmoid(o) * jnp.tanh(c), c

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        """One time step of layer k, from its input part a to its state and what it passes on."""
        h, c = state
        h, c = self.gates(a + h @ w[f"Wh{k}"], c)
        return (h, c), h

    def read(self, w: Weights, states: Any, x: Any) -> tuple[Any, Any]:
        """The output of the last layer (T, B, H), and the states after the chunk."""
        after, a, output = [], self.inputs(w, x), None
        for k, state in enumerate(states):
            if k:
                a = self.layer_input(output) @ w[f"Wx{k}"] + w[f"b{k}"]
            state, hs = jax.lax.scan(lambda s, a, k=k: self.step(w, k, s, a), state, a)
            output = self.layer_output(output, hs)
            after.append(state)
        return output, after

    def layer_input(self, below: Any) -> Any:
        """What a layer above the first multiplies: the output of the layer below it."""
        return below

    def layer_output(self, below: Any, hs: Any) -> Any:
        """The output of a layer with hidden states hs: these; `below` is None for the first layer."""
        return hs

    # ---------------------------------------------------------------- loss

    def logits(self, w: Weights, hs: Any, x: Any) -> Any:
        """Logits (T, B, V)."""
        return hs @ w["Wy"] + w["by"]

    def surprisals(self, w: Weights, states: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """-ln P of each target (T, B), and the states after the chunk."""
        hs, states = self.read(w, states, x)
        return cross_entropy(self.logits(w, hs, x), y), states

    def training_state(self, B: int) -> Any:
        """What is carried from chunk to chunk in training."""
        return self.zero_state(B)

    def loss(self, w: Weights, states: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """What training minimises: the sum over time and the mean over streams."""
        surprisals, states = self.surprisals(w, states, x, y)
        return surprisals.sum() / y.shape[1], states


def cross_entropy(logits: Any, y: Any) -> Any:
    """-ln of the probabilities of targets y. By a mask, the gradient of which needs no scatter."""
    chosen = jnp.arange(logits.shape[-1]) == y[..., None]
    return jax.nn.logsumexp(logits, axis=-1) - jnp.where(chosen, logits, 0).sum(-1)
