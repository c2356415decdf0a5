"""Define what to time: a case of training, its text, and each contender, ready to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import GATES, Arrays, Peer, peer_class
from crnn import CharRNN
from crnn.classic import MinCharRNN

VOCAB_SIZE = 65  # as many symbols as Tiny Shakespeare has
LEARNING_RATE = 0.01  # low enough for contenders' losses to stay comparable over thousands of steps
ACCUMULATOR = 0.1  # Adagrad's memory at first: from zero its first steps are violent, and PyTorch's differ


def weight_shapes(cell: str, num_layers: int, H: int, V: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights by the names of `CharRNN.params_`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(num_layers):
        rows = GATES[cell] * H
        shapes |= {f"Wxh_l{k}": (rows, H if k else V), f"Whh_l{k}": (rows, H), f"bh_l{k}": (rows,)}
        if cell == "gru":
            shapes[f"bhn_l{k}"] = (H,)
    return shapes | {"Why": (V, H), "by": (V,)}


@dataclass(frozen=True)
class Case:
    """A whole training step of one size, taken K times in a row.

    The text is made so that K chunks of T symbols of each of B streams are exactly one epoch.
    """

    hidden_size: int
    seq_length: int
    batch_size: int
    steps: int
    cell: str = "rnn"
    num_layers: int = 1

    @property
    def plain(self) -> bool:
        """Whether the model is one tanh layer, which min-char-rnn and every crnn know."""
        return self.cell == "rnn" and self.num_layers == 1

    @property
    def name(self) -> str:
        """Short and unique."""
        cell = "" if self.cell == "rnn" else f"{self.cell}-"
        layers = "" if self.num_layers == 1 else f"{self.num_layers}x"
        return f"{cell}{layers}H{self.hidden_size}-T{self.seq_length}-B{self.batch_size}"

    @property
    def flops(self) -> int:
        """Operations in the products of one step: three per matrix, but none for the first layer's Wx."""
        H, V = self.hidden_size, VOCAB_SIZE
        matrices = GATES[self.cell] * (2 * self.num_layers - 1) * H * H + H * V
        return 2 * self.seq_length * self.batch_size * 3 * matrices

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """A text that can be learned a little: symbols follow one another with some regularity."""
        rng = np.random.default_rng(0)
        n = self.batch_size * (self.steps * self.seq_length + 1) + 1
        jumps = rng.choice([1, 2, 7], size=n, p=[0.6, 0.3, 0.1])
        ids: NDArray[np.int64] = np.cumsum(jumps) % VOCAB_SIZE
        return ids

    @property
    def text(self) -> str:
        """The text as characters in id order."""
        return "".join(map(chr, (self.ids + 0x100).tolist()))

    @property
    def alphabet(self) -> str:
        """Every character once: a short text need not hold all of them."""
        return "".join(map(chr, range(0x100, 0x100 + VOCAB_SIZE)))

    @property
    def chunks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets of the K steps, each (K, T, B), as min-char-rnn's rule cuts them from the streams."""
        K, T, B = self.steps, self.seq_length, self.batch_size
        stride = K * T + 1
        streams = np.stack([self.ids[b * stride : b * stride + K * T + 1] for b in range(B)], axis=1)
        return streams[:-1].reshape(K, T, B), streams[1:].reshape(K, T, B)

    def weights(self) -> Arrays:
        """Initial weights, by the names of `CharRNN.params_`.

        Of one tanh layer min-char-rnn's, N(0, 0.01^2) and zero biases. Gates and layers would hand on next to nothing
        with those: theirs are PyTorch's, uniform within 1 / sqrt(H).
        """
        rng, H = np.random.default_rng(1), self.hidden_size
        shapes = weight_shapes(self.cell, self.num_layers, H, VOCAB_SIZE)
        if self.plain:
            matrices = {name: shapes[name] for name in ("Wxh_l0", "Whh_l0", "Why")}
            drawn = {name: 0.01 * rng.standard_normal(shape) for name, shape in matrices.items()}
            return drawn | {name: np.zeros(shapes[name]) for name in ("bh_l0", "by")}
        return {name: rng.uniform(-(H**-0.5), H**-0.5, shape) for name, shape in shapes.items()}


def crnn_model(case: Case, *, dtype: str = "float32", n_threads: int = 1, bfloat16: bool = False) -> CharRNN:
    """Return a model of the case with the case's weights, not yet trained; `bfloat16` is the products' precision."""
    stacked: dict[str, Any] = {} if case.plain else {"cell": case.cell, "num_layers": case.num_layers}
    if bfloat16:
        stacked["matmul_precision"] = "bfloat16"
    model = CharRNN(
        case.hidden_size,
        seq_length=case.seq_length,
        batch_size=case.batch_size,
        max_steps=0,
        learning_rate=LEARNING_RATE,
        dtype=dtype,
        n_threads=n_threads,
        **stacked,
    ).fit(case.alphabet + case.text)
    assert len(model.vocabulary_) == VOCAB_SIZE
    weights = case.weights()
    assert model.params_.keys() == weights.keys()
    with model.editing():
        for name, array in weights.items():
            model.params_[name][...] = array
            model.optimizer_state_["sum"][name][...] = ACCUMULATOR
    return model.set_params(max_steps=case.steps)


def dtype_of(contender: str) -> str:
    """Return the dtype that a contender computes in: what its name ends with, or else its framework's usual one."""
    for dtype in ("float32", "float64"):
        if contender.endswith(dtype):
            return dtype
    return "float64" if contender.startswith("numpy") else "float32"


def peer_of(contender: str, case: Case, n_threads: int) -> Peer:
    """Return a peer with the case's weights, not yet trained."""
    name = contender.partition("-")[0]
    options: dict[str, Any] = {}
    if name == "numpy":
        options["hoisted"] = "hoisted" in contender
    elif name == "jax":
        options["gradient"] = "by_hand" if "by-hand" in contender else "autodiff"
    elif name == "torch":
        options["bfloat16"] = "bfloat16" in contender
        options["compiled"] = "compiled" in contender
    options["n_threads"] = None if name == "jax" else n_threads  # JAX uses all cores of its process
    return peer_class(name)(
        case.weights(),
        case.batch_size,
        case.seq_length,
        cell=case.cell,
        dtype=dtype_of(contender),
        learning_rate=LEARNING_RATE,
        initial_accumulator=ACCUMULATOR,
        **options,
    )


def smoothed(losses: NDArray[np.float64]) -> float:
    """Return the mean of losses, weighted as min-char-rnn's smooth loss weights them."""
    weight = 0.999 ** np.arange(len(losses))[::-1]
    return float(weight @ losses / weight.sum())


def crnn_steps(model: CharRNN, text: str) -> float:
    """Let a model take its `max_steps` once more; return their loss as `smoothed` does."""
    model._learned.smooth_loss = 0.0
    model.partial_fit(text)
    return model.smooth_loss_ / (1 - 0.999**model.max_steps)


def classic_steps(model: MinCharRNN, case: Case) -> float:
    """Let the compiled gist take the case's steps once more; return their loss as `smoothed` does."""
    model.smooth_loss = 0.0
    model.train(case.text, case.steps)
    return model.smooth_loss / (1 - 0.999**case.steps)


def ready(contender: str, case: Case, n_threads: int) -> Callable[[], float]:
    """Return a function that takes the case's K steps once more and returns their loss, in nats per chunk.

    The loss is smoothed as in min-char-rnn and `CharRNN`.

    Parameters
    ----------
    contender : str
        "crnn", "classic" (`crnn.classic`), "numpy", "torch" or "jax" (gradient by automatic differentiation). A kind
        may follow: "crnn-bfloat16", "numpy-hoisted" (products that need not wait for a state leave the loop),
        "torch-compiled", "torch-bfloat16" (autocast) or "jax-by-hand" (its gradient). Then a dtype may follow, as in
        "jax-by-hand-float64".
    """
    if contender.startswith("crnn"):
        model = crnn_model(case, dtype=dtype_of(contender), n_threads=n_threads, bfloat16="bfloat16" in contender)
        return partial(crnn_steps, model, case.text)
    if contender.startswith("classic"):
        return partial(classic_steps, MinCharRNN.from_char_rnn(crnn_model(case, dtype=dtype_of(contender))), case)
    peer = peer_of(contender, case, n_threads)
    inputs, targets = case.chunks
    return lambda: smoothed(peer.train(inputs, targets))
