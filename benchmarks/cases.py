"""What is timed: a training case, the text it sweeps, and each contender made ready to sweep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Arrays, peer_class
from crnn import CharRNN

VOCAB_SIZE = 65  # as many symbols as Tiny Shakespeare has
LEARNING_RATE = 0.01  # low enough for contenders' losses to stay comparable over thousands of steps
ACCUMULATOR = 0.1  # Adagrad's memory at first: from zero its first steps are violent, and PyTorch's differ
NAMES = {"Wxh": "Wxh_l0", "Whh": "Whh_l0", "bh": "bh_l0", "Why": "Why", "by": "by"}  # the peers' names -> params_


@dataclass(frozen=True)
class Case:
    """A whole training step of one size, taken K times in a row.

    The text is made so that K chunks of T symbols of each of B streams are exactly one sweep.
    """

    hidden_size: int
    seq_length: int
    batch_size: int
    steps: int
    vocab_size: int = VOCAB_SIZE

    @property
    def name(self) -> str:
        """Short and unique."""
        return f"H{self.hidden_size}-T{self.seq_length}-B{self.batch_size}"

    @property
    def flops(self) -> int:
        """Of the products of one step: each of Wh and Wy is multiplied by three times (the input is a lookup)."""
        H, V = self.hidden_size, self.vocab_size
        return 2 * self.seq_length * self.batch_size * 3 * (H * H + H * V)

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """A text that can be learned a little: symbols follow one another with some regularity."""
        rng = np.random.default_rng(0)
        n = self.batch_size * (self.steps * self.seq_length + 1) + 1
        jumps = rng.choice([1, 2, 7], size=n, p=[0.6, 0.3, 0.1])
        ids: NDArray[np.int64] = np.cumsum(jumps) % self.vocab_size
        return ids

    @property
    def text(self) -> str:
        """The text as characters in id order."""
        return "".join(map(chr, (self.ids + 0x100).tolist()))

    @property
    def chunks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets of the K steps, each (K, T, B), as min-char-rnn's rule cuts them from the streams."""
        K, T, B = self.steps, self.seq_length, self.batch_size
        stride = K * T + 1
        streams = np.stack([self.ids[b * stride : b * stride + K * T + 1] for b in range(B)], axis=1)
        return streams[:-1].reshape(K, T, B), streams[1:].reshape(K, T, B)

    def weights(self) -> Arrays:
        """First weights, in min-char-rnn's shapes: N(0, 0.01^2) and zero biases."""
        rng, H, V = np.random.default_rng(1), self.hidden_size, self.vocab_size
        shapes = {"Wxh": (H, V), "Whh": (H, H), "Why": (V, H)}
        drawn = {name: 0.01 * rng.standard_normal(shape) for name, shape in shapes.items()}
        return drawn | {"bh": np.zeros(H), "by": np.zeros(V)}


def crnn_model(case: Case, *, dtype: str = "float32", n_threads: int | None = 1) -> CharRNN:
    """Return a model of the case with the case's weights, not yet trained."""
    model = CharRNN(
        case.hidden_size,
        seq_length=case.seq_length,
        batch_size=case.batch_size,
        max_steps=0,
        learning_rate=LEARNING_RATE,
        dtype=dtype,
        n_threads=n_threads,
    ).fit(case.text)
    assert len(model.vocabulary_) == case.vocab_size
    for name, array in case.weights().items():
        model.params_[NAMES[name]][...] = array
        model.optimizer_state_["sum"][NAMES[name]][...] = ACCUMULATOR
    return model.set_params(max_steps=case.steps)


def ready(contender: str, case: Case, n_threads: int) -> Callable[[], float]:
    """Return a function that takes the case's K steps once more and returns their loss, in nats per chunk.

    The loss is smoothed as min-char-rnn does it, which is what a `CharRNN` shows.

    Parameters
    ----------
    contender : str
        "crnn", "crnn-float64", "numpy", "torch", "jax" (gradient by automatic differentiation) or "jax-by-hand".
    """
    if contender.startswith("crnn"):
        model = crnn_model(case, dtype="float64" if "float64" in contender else "float32", n_threads=n_threads)
        text = case.text

        def sweep() -> float:
            model.smooth_loss_ = 0.0
            model.partial_fit(text)
            return model.smooth_loss_ / (1 - 0.999**case.steps)

        return sweep
    name, _, gradient = contender.partition("-")
    options = {"gradient": "by_hand" if gradient else "autodiff"} if name == "jax" else {}
    threads = None if name == "jax" else n_threads
    options |= {"learning_rate": LEARNING_RATE, "n_threads": threads, "initial_accumulator": ACCUMULATOR}
    peer = peer_class(name)(case.weights(), case.batch_size, case.seq_length, **options)
    inputs, targets = case.chunks
    weight = 0.999 ** np.arange(case.steps)[::-1]

    def sweep_peer() -> float:
        losses = peer.train(inputs, targets)
        return float(weight @ losses / weight.sum())

    return sweep_peer
