"""The model in PyTorch: `nn.RNN`, `nn.GRU` or `nn.LSTM` on one-hot rows, `nn.Linear`, clipping, `optim.Adagrad`.

The settings are the fastest of those tried: one-hot rows by `F.one_hot` or from an identity matrix; Adagrad plain,
foreach or fused; clipping foreach or not. Adagrad is PyTorch's own, whose epsilon (1e-10) stands
outside the square root: from a memory of zero its first step differs from min-char-rnn's where a gradient is
tiny. `nn.LSTM` computes with oneDNN, which is enabled by default: without oneDNN a step takes from 1.3 times
(H = 512) to twice as long (H = 128). Autocast to bfloat16 is optional; the step then differs from float32.

`torch.compile` finds nothing to fuse within `nn.RNN`, which is one operator. Compiled, the tanh layer is therefore
a loop over the chunk, written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from benchmarks.peers import SCORING_ROWS, Arrays, layers


def compiled_loss() -> Any:
    """Return a compiled function of a chunk's ids, a state and the weights: its loss and the state after it."""
    import torch

    functional = torch.nn.functional

    def loss(x: Any, y: Any, h: Any, Wxh: Any, bh: Any, Whh: Any, Why: Any, by: Any) -> Any:
        fed = functional.embedding(x, Wxh.t()) + bh
        recurrent = Whh.t()
        states = []
        for row in fed.unbind():
            h = torch.tanh(torch.addmm(row, h, recurrent))
            states.append(h)
        logits = functional.linear(torch.cat(states), Why, by)
        return functional.cross_entropy(logits, y.flatten(), reduction="sum") / x.shape[1], h

    return torch.compile(loss, fullgraph=True, dynamic=False)


class TorchPeer:
    """PyTorch; see `benchmarks.peers.Peer`. `n_threads` sets PyTorch's own number, global to the process.

    `bfloat16`: autocast. `compiled`: `torch.compile`, of one tanh layer alone. Both are for training alone.
    """

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
        cell: str = "rnn",
        bfloat16: bool = False,
        compiled: bool = False,
    ) -> None:
        import torch

        if compiled and (cell != "rnn" or layers(parameters) != 1):
            raise ValueError(f"only one tanh layer is compiled; got cell={cell!r} and {layers(parameters)} layers")

        self.torch, self.bfloat16 = torch, bfloat16
        self.batch_size, self.seq_length, self.clip, self.n_threads = batch_size, seq_length, clip, n_threads
        self._use_threads()
        dtype = self.dtype = getattr(torch, np.dtype(dtype).name)
        weights = {k: torch.tensor(np.asarray(v), dtype=dtype) for k, v in parameters.items()}
        V, H = self.vocab_size, self.hidden_size = tuple(weights["Why"].shape)
        self.cell, self.num_layers = cell, layers(parameters)
        self.rnn = getattr(torch.nn, cell.upper())(V, H, self.num_layers, dtype=dtype)
        self.decoder = torch.nn.Linear(H, V, dtype=dtype)
        with torch.no_grad():
            for k in range(self.num_layers):
                self._silence(getattr(self.rnn, f"bias_hh_l{k}"))
            for name, tensor in self._tensors().items():
                tensor.copy_(weights[name])
        modules = (self.rnn, self.decoder)
        self.trained = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adagrad(
            self.trained, learning_rate, initial_accumulator_value=initial_accumulator, eps=1e-10, fused=True
        )
        self.one_hot_rows = torch.eye(V, dtype=dtype)
        h = torch.zeros(self.num_layers, batch_size, H, dtype=dtype)
        if state is not None:
            h[-1] = torch.tensor(np.asarray(state), dtype=dtype)
        self.h = (h, torch.zeros_like(h)) if cell == "lstm" else h
        self._compiled = compiled_loss() if compiled else None

    def _use_threads(self) -> None:
        if self.n_threads is not None:
            self.torch.set_num_threads(self.n_threads)

    def _ids(self, ids: NDArray[np.integer]) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(ids, np.int64))

    def _silence(self, bias_hh: Any) -> None:
        """Leave of a layer's second bias only what the first cannot say: the part of a GRU's new gate.

        The model has one bias otherwise: were both trained, their sum would move twice as far.
        """
        bias_hh.zero_()
        if self.cell == "gru":
            trained = self.torch.zeros_like(bias_hh)
            trained[2 * self.hidden_size :] = 1
            bias_hh.register_hook(trained.mul)
        else:
            bias_hh.requires_grad_(False)

    def _tensors(self) -> dict[str, Any]:
        """The trained tensors by their names outside; of a GRU's second bias only the new gate's part."""
        found = {}
        for k in range(self.num_layers):
            found[f"Wxh_l{k}"] = getattr(self.rnn, f"weight_ih_l{k}")
            found[f"Whh_l{k}"] = getattr(self.rnn, f"weight_hh_l{k}")
            found[f"bh_l{k}"] = getattr(self.rnn, f"bias_ih_l{k}")
            if self.cell == "gru":
                found[f"bhn_l{k}"] = getattr(self.rnn, f"bias_hh_l{k}")[2 * self.hidden_size :]
        return found | {"Why": self.decoder.weight, "by": self.decoder.bias}

    def parameters(self) -> Arrays:
        """See `Peer.parameters`."""
        return {k: v.detach().numpy().copy() for k, v in self._tensors().items()}

    def state(self) -> NDArray[np.floating]:
        """See `Peer.state`."""
        h = self.h[0] if self.cell == "lstm" else self.h
        found: NDArray[np.floating] = h[-1].numpy().copy()
        return found

    def _loss(self, x: Any, y: Any) -> Any:
        """Return the loss of a chunk; the state moves to the chunk's end."""
        if self._compiled is not None:
            weights = self._tensors()
            names = ("Wxh_l0", "bh_l0", "Whh_l0", "Why", "by")
            loss, h = self._compiled(x, y, self.h[0], *(weights[name] for name in names))
            self.h = h.detach()[None]
            return loss
        F = self.torch.nn.functional
        with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.bfloat16):
            hidden, h = self.rnn(F.embedding(x, self.one_hot_rows), self.h)
            logits = self.decoder(hidden).flatten(0, 1)
        if self.bfloat16:
            logits = logits.float()
            h = tuple(a.float() for a in h) if self.cell == "lstm" else h.float()
        self.h = tuple(a.detach() for a in h) if self.cell == "lstm" else h.detach()
        return F.cross_entropy(logits, y.flatten(), reduction="sum") / self.batch_size

    def _step(self, x: Any, y: Any) -> Any:
        loss = self._loss(x, y)
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

    def sample(self, n: int, n_samples: int = 1, *, seed: int = 0) -> NDArray[np.integer]:
        """See `Peer.sample`; all samples advance together, the input being a row of the transposed Wxh.

        Draws by inverse CDF: `torch.multinomial` takes twice the time of this whole loop.
        """
        if self.cell != "rnn" or self.num_layers != 1:
            raise ValueError(f"only one tanh layer is sampled; this is {self.num_layers} of {self.cell!r}")
        self._use_threads()
        torch, rnn, decoder, V = self.torch, self.rnn, self.decoder, self.vocab_size
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            rows = (rnn.weight_ih_l0.t() + rnn.bias_ih_l0).contiguous()
            Whh, Why = rnn.weight_hh_l0.t().contiguous(), decoder.weight.t().contiguous()
            uniform = torch.rand(n, n_samples, 1, generator=generator, dtype=self.dtype)
            out = torch.empty(n, n_samples, 1, dtype=torch.int64)
            i = torch.zeros(n_samples, dtype=torch.int64)
            h = torch.zeros(n_samples, self.hidden_size, dtype=self.dtype)
            for u, drawn in zip(uniform.unbind(), out.unbind(), strict=True):
                h = torch.addmm(torch.nn.functional.embedding(i, rows), h, Whh).tanh_()
                cumulative = torch.addmm(decoder.bias, h, Why).softmax(1).cumsum(1)
                # rounding can leave the last sum below u
                i = torch.searchsorted(cumulative, u, out=drawn).clamp_(max=V - 1).view(-1)
        found: NDArray[np.integer] = out[:, :, 0].t().contiguous().numpy()
        return found
