"""The model in PyTorch: `nn.RNN` on one-hot rows, `nn.Linear`, clipping by value, `optim.Adagrad`.

Of the settings tried (one-hot rows by `F.one_hot` or read from an identity matrix; Adagrad plain, foreach or
fused; clipping foreach or not) the fastest are kept. Adagrad is PyTorch's own, whose epsilon (1e-10) stands
outside the square root: from a memory of zero its first step differs from min-char-rnn's where a gradient is
tiny.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from benchmarks.peers import SCORING_ROWS, Arrays


class TorchPeer:
    """PyTorch; see `benchmarks.peers.Peer`. `n_threads` sets PyTorch's own number, global to the process."""

    name = "torch"

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
    ) -> None:
        import torch

        self.torch = torch
        self.batch_size, self.seq_length, self.clip, self.n_threads = batch_size, seq_length, clip, n_threads
        self._use_threads()
        dtype = self.dtype = getattr(torch, np.dtype(dtype).name)
        weights = {k: torch.tensor(np.asarray(v), dtype=dtype) for k, v in parameters.items()}
        V, H = self.vocab_size, self.hidden_size = tuple(weights["Why"].shape)
        self.rnn = torch.nn.RNN(V, H, dtype=dtype)
        self.decoder = torch.nn.Linear(H, V, dtype=dtype)
        with torch.no_grad():
            self.rnn.weight_ih_l0.copy_(weights["Wxh"])
            self.rnn.weight_hh_l0.copy_(weights["Whh"])
            self.rnn.bias_ih_l0.copy_(weights["bh"])
            self.rnn.bias_hh_l0.zero_()
            self.decoder.weight.copy_(weights["Why"])
            self.decoder.bias.copy_(weights["by"])
        # min-char-rnn has one hidden bias: were both trained, their sum would move twice as far
        self.rnn.bias_hh_l0.requires_grad_(False)
        modules = (self.rnn, self.decoder)
        self.trained = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adagrad(
            self.trained, learning_rate, initial_accumulator_value=initial_accumulator, eps=1e-10, fused=True
        )
        self.one_hot_rows = torch.eye(V, dtype=dtype)
        self.h = torch.zeros(1, batch_size, H, dtype=dtype)
        if state is not None:
            self.h[0] = torch.tensor(np.asarray(state), dtype=dtype)

    def _use_threads(self) -> None:
        if self.n_threads is not None:
            self.torch.set_num_threads(self.n_threads)

    def _ids(self, ids: NDArray[np.integer]) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(ids, np.int64))

    def parameters(self) -> Arrays:
        """See `Peer.parameters`."""
        tensors = {
            "Wxh": self.rnn.weight_ih_l0,
            "Whh": self.rnn.weight_hh_l0,
            "Why": self.decoder.weight,
            "bh": self.rnn.bias_ih_l0,
            "by": self.decoder.bias,
        }
        return {k: v.detach().numpy().copy() for k, v in tensors.items()}

    def state(self) -> NDArray[np.floating]:
        """See `Peer.state`."""
        found: NDArray[np.floating] = self.h[0].numpy().copy()
        return found

    def _step(self, x: Any, y: Any) -> Any:
        F = self.torch.nn.functional
        hidden, h = self.rnn(F.embedding(x, self.one_hot_rows), self.h)
        self.h = h.detach()
        logits = self.decoder(hidden).flatten(0, 1)
        loss = F.cross_entropy(logits, y.flatten(), reduction="sum") / self.batch_size
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.torch.nn.utils.clip_grad_value_(self.trained, self.clip, foreach=False)
        self.optimizer.step()
        return loss.detach()

    def train(self, inputs: NDArray[np.integer], targets: NDArray[np.integer]) -> NDArray[np.float64]:
        """See `Peer.train`."""
        self._use_threads()
        chunks = zip(self._ids(inputs), self._ids(targets), strict=True)
        losses = self.torch.stack([self._step(x, y) for x, y in chunks])
        found: NDArray[np.float64] = losses.double().numpy()
        return found

    def forward(self, ids: NDArray[np.integer]) -> float:
        """See `Peer.forward`; in pieces of about `SCORING_ROWS` symbols, the state carried between them."""
        self._use_threads()
        F = self.torch.nn.functional
        text = self._ids(ids)
        predicted = len(text) - 1
        piece = max(1, SCORING_ROWS // text.shape[1])
        h, total = None, 0.0
        with self.torch.inference_mode():
            for start in range(0, predicted, piece):
                stop = min(start + piece, predicted)
                hidden, h = self.rnn(F.embedding(text[start:stop], self.one_hot_rows), h)
                log_p = F.log_softmax(self.decoder(hidden), dim=-1)
                total += log_p.gather(-1, text[start + 1 : stop + 1, :, None]).sum().item()
        return total / (predicted * text.shape[1])

    def sample(self, n: int, num_samples: int = 1, *, seed: int = 0) -> NDArray[np.integer]:
        """See `Peer.sample`; all samples advance together, the input being a row of the transposed Wxh.

        Draws by inverse CDF: `torch.multinomial` takes twice the time of this whole loop.
        """
        self._use_threads()
        torch, rnn, decoder, V = self.torch, self.rnn, self.decoder, self.vocab_size
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            rows = (rnn.weight_ih_l0.t() + rnn.bias_ih_l0).contiguous()
            Whh, Why = rnn.weight_hh_l0.t().contiguous(), decoder.weight.t().contiguous()
            uniform = torch.rand(n, num_samples, 1, generator=generator, dtype=self.dtype)
            out = torch.empty(n, num_samples, 1, dtype=torch.int64)
            i = torch.zeros(num_samples, dtype=torch.int64)
            h = torch.zeros(num_samples, self.hidden_size, dtype=self.dtype)
            for u, drawn in zip(uniform.unbind(), out.unbind(), strict=True):
                h = torch.addmm(torch.nn.functional.embedding(i, rows), h, Whh).tanh_()
                cumulative = torch.addmm(decoder.bias, h, Why).softmax(1).cumsum(1)
                # rounding can leave the last sum below u
                i = torch.searchsorted(cumulative, u, out=drawn).clamp_(max=V - 1).view(-1)
        found: NDArray[np.integer] = out[:, :, 0].t().contiguous().numpy()
        return found
