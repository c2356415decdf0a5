"""The programs that crnn is timed against, behind one small interface.

Every peer trains and scores the same model (clipped Adagrad; a tanh, GRU or LSTM cell, one layer or more) from
the same weights, so that a benchmark can time it *and* check that what it computed is right. One tanh layer is
sampled from as well, and is all that NumPy's peer knows. A framework is imported when its peer is built, never
with this package: ask `available` first.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Arrays = dict[str, NDArray[np.floating]]

GATES = {"rnn": 1, "gru": 3, "lstm": 4}  # blocks of H rows in the weights of a cell
SCORING_ROWS = 1024  # symbols a peer scores at a time: their logits stay in cache, a long text in memory

_MODULES = {  # name -> (module, class, what it needs)
    "numpy": ("numpy_rnn", "NumpyPeer", "numpy"),
    "torch": ("torch_rnn", "TorchPeer", "torch"),
    "jax": ("jax_rnn", "JaxPeer", "jax"),
}
NAMES = tuple(_MODULES)


class Peer(Protocol):
    """What every peer offers.

    Parameters of a peer
    --------------------
    parameters : mapping of str to array
        Weights to start from, under the names of `CharRNN.params_`. For each layer k ``Wxh_l{k}`` (G H, V), or
        (G H, H) above the first, ``Whh_l{k}`` (G H, H) and ``bh_l{k}`` (G H,), G the gates of the cell in PyTorch's
        order; for a GRU also ``bhn_l{k}`` (H,), the bias inside the new gate's product with the reset gate. Then
        ``Why`` (V, H) and ``by`` (V,). They are copied.
    batch_size, seq_length : int
        B streams side by side, T symbols in a chunk.
    learning_rate, clip : float, default 0.1 and 5.0
        Of Adagrad, and the bound of every element of every gradient.
    dtype : dtype
        "float32" or "float64"; default float32 but for NumPy's peer, whose original is float64.
    n_threads : int, optional
        Threads to use; None leaves the framework's own choice.
    initial_accumulator : float, default 0.0
        What every element of Adagrad's memory starts from.
    state : array (B, H), optional
        Hidden state of the last layer before the first chunk; zero by default, like all other states.
    cell : str, default "rnn"
        A key of `GATES`.
    """

    name: str

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
    ) -> None: ...

    def train(self, inputs: NDArray[np.integer], targets: NDArray[np.integer]) -> NDArray[np.float64]:
        """Take one step on each of K consecutive chunks, ids (K, T, B); return the K losses in nats.

        A loss is the sum over time and the mean over streams, before the step. The hidden state is carried.
        """
        ...

    def forward(self, ids: NDArray[np.integer]) -> float:
        """Mean log-likelihood in nats of each symbol of ids (N, B) but the first, from a zero state."""
        ...

    def sample(self, n: int, n_samples: int = 1, *, seed: int = 0) -> NDArray[np.integer]:
        """Draw n_samples texts of n ids each, (n_samples, n), from a zero state and symbol 0.

        Of one tanh layer only.
        """
        ...

    def parameters(self) -> Arrays:
        """Copies of the present weights, in the shapes of the constructor."""
        ...

    def state(self) -> NDArray[np.floating]:
        """A copy of the carried hidden state of the last layer, (B, H)."""
        ...


def layers(parameters: Mapping[str, ArrayLike]) -> int:
    """How many layers the parameters of a peer are of."""
    return sum(name.startswith("Whh_l") for name in parameters)


def available(name: str) -> bool:
    """Whether the framework of a peer is installed."""
    return importlib.util.find_spec(_MODULES[name][2]) is not None


def reason(name: str) -> str:
    """The message of a skip: what is missing and how to get it."""
    return f"the peer {name!r} needs {_MODULES[name][2]}, but it is missing: pip install --group bench"


def peer_class(name: str) -> type[Peer]:
    """The class of a peer; ImportError with the remedy when its framework is absent."""
    module, cls, _ = _MODULES[name]
    if not available(name):
        raise ImportError(reason(name))
    found: type[Peer] = getattr(importlib.import_module(f"{__name__}.{module}"), cls)
    return found
