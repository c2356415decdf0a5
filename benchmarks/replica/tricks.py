"""The tricks: each a subclass of `Lstm` that changes what one paper changes, or of `Training`.

Those with tables of the last symbols are in `tables`. `multiply_adds` counts what a trick adds to the products of a
character. Tables are looked up and cost none. Element-wise arithmetic and the update of a table's weights are not
counted.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.nn import sigmoid

from .lstm import INIT_SCALE, Lstm, Weights, cross_entropy
from .training import B, T, Training

# -------------------------------------------------------------------- input and output


class Tied(Lstm):
    """One matrix E (V, H) is input embedding and decoder (Press and Wolf 2017).

    The gates' rows E Wx are made once a training step.
    """

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes() | {"E": (self.V, self.H), "Wx0": (self.H, self.G * self.H)}
        del shapes["Wy"]
        return shapes

    def inputs(self, w: Weights, x: Any) -> Any:
        return (w["E"] @ w["Wx0"] + w["b0"])[x[0]]

    def logits(self, w: Weights, hs: Any, x: Any) -> Any:
        return hs @ w["E"].T + w["by"]

    def multiply_adds(self) -> float:
        return super().multiply_adds() + self.V * self.H * self.G * self.H / (B * T)


class Smoothed(Lstm):
    """Label smoothing: a part of the target's probability goes to all symbols alike."""

    share = 0.02

    def loss(self, w: Weights, states: Any, x: Any, y: Any) -> tuple[Any, Any]:
        hs, states = self.read(w, states, x)
        logits = self.logits(w, hs, x)
        uniform = jax.nn.logsumexp(logits, axis=-1) - logits.mean(-1)
        return ((1 - self.share) * cross_entropy(logits, y) + self.share * uniform).sum() / y.shape[1], states


# -------------------------------------------------------------------- the recurrence


class Gated(Lstm):
    """The symbol scales the state before the product: h ⊙ 2σ(R[x]), a Mogrifier of one round (Melis et al. 2020)."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {"R": (self.V, self.H)}

    def inputs(self, w: Weights, x: Any) -> Any:
        return super().inputs(w, x), 2 * sigmoid(w["R"])[x[0]]

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        if k:
            return super().step(w, k, state, a)
        h, c = state
        return super().step(w, k, (h * a[1], c), a[0])


class Mogrifier(Lstm):
    """Rounds in which input and state scale one another: x ⊙ 2σ(h Q), then h ⊙ 2σ(x R), and so on; x an embedding."""

    rounds, width = 2, 32

    def shapes(self) -> dict[str, tuple[int, ...]]:
        n, H = self.width, self.H
        shapes = super().shapes() | {"E": (self.V, n), "Wx0": (n, self.G * H)}
        return shapes | {f"Q{r}": (H, n) if r % 2 else (n, H) for r in range(1, self.rounds + 1)}

    def inputs(self, w: Weights, x: Any) -> Any:
        return w["E"][x[0]]

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        if k == 0:
            h, c = state
            for r in range(1, self.rounds + 1):
                if r % 2:
                    a = a * 2 * sigmoid(h @ w[f"Q{r}"])
                else:
                    h = h * 2 * sigmoid(a @ w[f"Q{r}"])
            state, a = (h, c), a @ w["Wx0"] + w["b0"]
        return super().step(w, k, state, a)

    def multiply_adds(self) -> float:
        return super().multiply_adds() + self.width * self.H * (self.rounds + self.G)


class Mogrifier4(Mogrifier):
    """Four rounds."""

    rounds = 4


class MultiplicativeIntegration(Lstm):
    """α ⊙ a ⊙ (h Wh) + β ⊙ (h Wh) + γ ⊙ a + b, with a the symbol's row (Wu et al. 2016)."""

    first_alpha, first_beta = 1.0, 0.5

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | dict.fromkeys(("alpha", "beta", "gamma"), (self.G * self.H,))

    def first_weights(self, seed: int) -> Weights:
        w = super().first_weights(seed)
        ones = np.ones_like(w["alpha"])
        return w | {"alpha": self.first_alpha * ones, "beta": self.first_beta * ones, "gamma": self.first_beta * ones}

    def inputs(self, w: Weights, x: Any) -> Any:  # factor and summand of the recurrent part
        return ((w["alpha"] * w["Wx0"] + w["beta"])[x[0]], (w["gamma"] * w["Wx0"] + w["b0"])[x[0]])

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        if k:
            return super().step(w, k, state, a)
        h, c = state
        h, c = self.gates(a[0] * (h @ w["Wh0"]) + a[1], c)
        return (h, c), h


class MultiplicativeGated(MultiplicativeIntegration):
    """The same with a table of its own as the factor: (1 + M[x]) ⊙ (h Wh) + a + b."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return Lstm.shapes(self) | {"M": (self.V, self.G * self.H)}

    def first_weights(self, seed: int) -> Weights:
        return Lstm.first_weights(self, seed)

    def inputs(self, w: Weights, x: Any) -> Any:
        return (1 + w["M"])[x[0]], (w["Wx0"] + w["b0"])[x[0]]


class Multiplicative(Lstm):
    """mLSTM (Krause et al. 2016): m = M[x] ⊙ (h Wm) takes the place of h in the gates."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {"M": (self.V, self.H), "Wm": (self.H, self.H)}

    def first_weights(self, seed: int) -> Weights:
        w = super().first_weights(seed)
        return w | {"M": 1 + w["M"], "Wm": w["Wm"] / (INIT_SCALE * math.sqrt(self.H))}

    def inputs(self, w: Weights, x: Any) -> Any:
        return super().inputs(w, x), w["M"][x[0]]

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        if k:
            return super().step(w, k, state, a)
        h, c = state
        return super().step(w, k, (a[1] * (h @ w["Wm"]), c), a[0])

    def multiply_adds(self) -> float:
        return super().multiply_adds() + self.H**2


class Peepholes(Lstm):
    """The gates see the cell's state, unit by unit (Gers and Schmidhuber 2000)."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {f"p{k}": (self.G * self.H,) for k in range(self.L)}

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        return super().step(w, k, state, a + w[f"p{k}"] * jnp.tile(state[1], self.G))


def normalised(x: Any) -> Any:
    """Each row with mean 0 and variance 1."""
    x = x - x.mean(-1, keepdims=True)
    return x / jnp.sqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5)


class LayerNorm(Lstm):
    """Layer norm of the recurrent part of all gates, with a gain (Ba, Kiros and Hinton 2016)."""

    first_gain = 1.0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {f"gain{k}": (self.G * self.H,) for k in range(self.L)}

    def first_weights(self, seed: int) -> Weights:
        w = super().first_weights(seed)
        return w | {f"gain{k}": np.full_like(w[f"gain{k}"], self.first_gain) for k in range(self.L)}

    def step(self, w: Weights, k: int, state: Any, a: Any) -> Any:
        h, c = state
        h, c = self.gates(a + w[f"gain{k}"] * normalised(h @ w[f"Wh{k}"]), c)
        return (h, c), h


class Residual(Lstm):
    """Layers that are added to their input: the decoder reads the sum of all layers' hidden states."""

    def layer_output(self, below: Any, hs: Any) -> Any:
        return hs if below is None else below + hs


class NormalisedResidual(Residual):
    """The same; every layer but the first reads the sum after layer norm."""

    def layer_input(self, below: Any) -> Any:
        return normalised(below)


class NormalisedLayers(NormalisedResidual, LayerNorm):
    """Residual layers with layer norm of input and recurrent part."""


# -------------------------------------------------------------------- distillation


class Distilled(Lstm):
    """A student that learns half from the text and half from the mean of its teachers' probabilities.

    Parameters
    ----------
    teachers : list of Weights
        Of models of the same shape.
    """

    share = 0.5

    def __init__(self, n_symbols: int, teachers: list[Weights], **shape: Any) -> None:
        super().__init__(n_symbols, **shape)
        self.teachers = jax.tree.map(lambda *each: jnp.stack(each), *teachers)

    def training_state(self, B: int) -> Any:
        n = len(self.teachers["by"])
        return self.zero_state(B), jax.tree.map(lambda s: jnp.stack([s] * n), self.zero_state(B))

    def loss(self, w: Weights, states: Any, x: Any, y: Any) -> tuple[Any, Any]:
        own, theirs = states
        hs, own = self.read(w, own, x)
        log_p = jax.nn.log_softmax(self.logits(w, hs, x))

        def taught(w: Weights, state: Any) -> Any:
            hs, state = self.read(w, state, x)
            return jax.nn.softmax(self.logits(w, hs, x)), state

        p, theirs = jax.lax.stop_gradient(jax.vmap(taught)(self.teachers, theirs))
        target = self.share * p.mean(0) + (1 - self.share) * jax.nn.one_hot(y, self.V)
        return -(target * log_p).sum() / y.shape[1], (own, theirs)


# -------------------------------------------------------------------- training


class LaterLonger(Training):
    """Chunks of 16 characters in the first half of the text that is read, then of 24, and of 48 in the last quarter."""

    parts = ((1 / 2, 16), (1 / 4, 24), (1 / 4, 48))

    def chunk_lengths(self, steps: int, rng: np.random.Generator) -> list[int]:
        lengths: list[int] = []
        for part, length in self.parts:
            lengths += [length] * round(part * steps * T / length)
        return lengths


class LastLonger(LaterLonger):
    """Chunks of 48 characters, half as many, in the last quarter."""

    parts = ((3 / 4, 24), (1 / 4, 48))


class LastMuchLonger(LaterLonger):
    """Chunks of 96 characters, a quarter as many, in the last tenth."""

    parts = ((9 / 10, 24), (1 / 10, 96))


class FirstShorter(LaterLonger):
    """Chunks of 12 characters, twice as many, in the first quarter."""

    parts = ((1 / 4, 12), (3 / 4, 24))


class Jitter(Training):
    """Chunks of 16, 24 or 32 characters in a random order."""

    def chunk_lengths(self, steps: int, rng: np.random.Generator) -> list[int]:
        third = round(steps / 3)
        lengths = [16] * third + [24] * (steps - 2 * third) + [32] * third
        return list(map(int, rng.permutation(lengths)))


class Restarts(Training):
    """Warm restarts (Loshchilov and Hutter 2017): a cosine over the first third, another over the rest."""

    def schedule(self, progress: float) -> float:
        return super().schedule(3 * progress if progress < 1 / 3 else 1.5 * (progress - 1 / 3))


class Averaged(Training):
    """Exponential averages of the weights, beside the usual schedule."""

    averages = (0.98, 0.995, 0.998)


class AveragedAtConstantRate(Averaged):
    """Exponential averages of the weights at a constant rate."""

    averages = (0.995, 0.998, 0.999)

    def schedule(self, progress: float) -> float:
        return 1.0


class AveragedTail(Averaged):
    """Averages, and a cosine that ends at a tenth of the rate."""

    averages = (0.99, 0.995, 0.998)

    def schedule(self, progress: float) -> float:
        return 0.1 + 0.9 * super().schedule(progress)
