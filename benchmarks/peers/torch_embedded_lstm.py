"""PyTorch language models of large alphabets: an embedding, one LSTM layer, and one of three output layers.

They train as `CharRNN` does with the same parameters: Adam, warm-up and a cosine over the steps, the gradient's norm
clipped, streams whose state is carried. Symbols are numbered by falling frequency, as the adaptive softmax needs them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

CUTOFFS = (500, 2000, 5000)  # of the adaptive softmax: ids at which a cluster begins
PIECE = 1024  # symbols scored at a time


class Shape(NamedTuple):
    """What contenders differ in.

    `output` is "full", a linear layer; "tied", the same with the embedding as its weights; or "adaptive",
    `torch.nn.AdaptiveLogSoftmaxWithLoss`. `bfloat16` is autocast in training.
    """

    embedding_size: int = 64
    output: str = "full"
    bfloat16: bool = False


class Network(nn.Module):
    """The module: matrices drawn from N(0, std²), biases of zero but the forget gate's; the embedding from N(0, 1).

    A tied embedding is drawn like an output layer, and what the LSTM reads of it is multiplied to a variance of 1.
    """

    def __init__(self, n_symbols: int, hidden_size: int, shape: Shape, std: float) -> None:
        super().__init__()
        E = hidden_size if shape.output == "tied" else shape.embedding_size
        self.embedding = nn.Embedding(n_symbols, E)
        self.rnn = nn.LSTM(E, hidden_size)
        self.decoder: Any
        if shape.output == "adaptive":
            cutoffs = [cutoff for cutoff in CUTOFFS if cutoff < n_symbols]
            self.decoder = nn.AdaptiveLogSoftmaxWithLoss(hidden_size, n_symbols, cutoffs, head_bias=True)
        else:
            self.decoder = nn.Linear(hidden_size, n_symbols)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=1.0 if name.startswith("embedding") else std)
            else:
                nn.init.zeros_(parameter)
        nn.init.ones_(self.rnn.bias_ih_l0[hidden_size : 2 * hidden_size])
        self.rnn.bias_hh_l0.requires_grad_(requires_grad=False)  # there is one bias a gate
        self.scale = 1.0
        if shape.output == "tied":
            nn.init.normal_(self.embedding.weight, std=std)
            self.decoder.weight, self.scale = self.embedding.weight, 1 / std

    def hidden(self, ids: Any, state: Any) -> tuple[Any, Any]:
        """Hidden states (T, B, H) of ids (T, B), and the state after them."""
        hidden, state = self.rnn(self.scale * self.embedding(ids), state)
        return hidden, state

    def nats(self, hidden: Any, targets: Any) -> Any:
        """The sum of -ln P of targets (N,) after hidden states (N, H)."""
        if isinstance(self.decoder, nn.Linear):
            return cross_entropy(self.decoder(hidden).float(), targets, reduction="sum")
        return -self.decoder(hidden, targets).output.float().sum()


class TorchLearner:
    """A network in training.

    Parameters
    ----------
    known, alphabet : str
        The training text, for the frequencies of its symbols, and all symbols.
    shape : Shape
    settings : mapping
        Parameters of `CharRNN`: `hidden_size`, `seq_length`, `batch_size`, `learning_rate`, `beta_2`, `clip_norm`,
        `warmup`, `init_scale`, `dropout` and `random_state`.
    """

    def __init__(self, known: str, alphabet: str, shape: Shape, settings: Mapping[str, Any]) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(settings["random_state"])
        self.ids = {c: i for i, (c, _) in enumerate(Counter(known + alphabet).most_common())}
        self.shape, self.settings = shape, settings
        self.network = Network(len(self.ids), settings["hidden_size"], shape, settings["init_scale"])
        self.dropout = nn.Dropout(settings.get("dropout", 0.0))
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, betas=(0.9, settings["beta_2"]), fused=True)

    def encode(self, text: str) -> Any:
        """Ids (N,)."""
        return torch.from_numpy(np.array([self.ids[c] for c in text], np.int64))

    def train(self, text: str, steps: int) -> None:
        """Take steps on chunks of a text, from its beginning and as often as needed."""
        B, T = int(self.settings["batch_size"]), int(self.settings["seq_length"])
        ids = self.encode(text)
        stride = (len(ids) - 1) // B
        streams = torch.stack([ids[b * stride : (b + 1) * stride + 1] for b in range(B)], dim=1)
        state, p = None, 0
        self.network.train()
        for n in range(steps):
            if p + T > stride:
                state, p = None, 0
            state = self._step(streams[p : p + T], streams[p + 1 : p + T + 1], state, self._rate(n, steps))
            p += T

    def _rate(self, n: int, steps: int) -> float:
        rise = min(1.0, (n + 1) / max(1.0, self.settings["warmup"] * steps))
        return float(self.settings["learning_rate"] * rise * 0.5 * (1 + math.cos(math.pi * n / steps)))

    def _step(self, x: Any, y: Any, state: Any, rate: float) -> Any:
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.shape.bfloat16):
            hidden, state = self.network.hidden(x, state)
            loss = self.network.nats(self.dropout(hidden).flatten(0, 1), y.flatten()) / x.shape[1]
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["clip_norm"])
        self.optimizer.step()
        return tuple(part.detach().float() for part in state)

    @torch.no_grad()
    def nats(self, text: str) -> float:
        """-ln P per symbol, in float32; the first symbol as the zero state predicts it."""
        self.network.eval()
        ids = self.encode(text)
        before = torch.zeros(1, int(self.settings["hidden_size"]))
        state, total = None, 0.0
        for part in ids.split(PIECE):
            hidden, state = self.network.hidden(part[:, None], state)
            hidden = torch.cat([before, hidden[:, 0]])
            total += self.network.nats(hidden[:-1], part).item()
            before = hidden[-1:]
        return total / len(ids)
