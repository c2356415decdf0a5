"""The classifier of PyTorch's tutorial on names: a tanh network reads a name, its last state tells the language.

The architecture and the training are the tutorial's (one layer of 128 units over one-hot letters, a linear layer,
log-softmax, plain SGD at 0.15 with batches of 64 names, the gradient's norm clipped to 3, 27 epochs), written anew:
names of a batch are read side by side where the tutorial reads one after another, which gives it the better time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

HIDDEN_SIZE, EPOCHS, BATCH_SIZE, LEARNING_RATE, MAX_NORM = 128, 27, 64, 0.15, 3.0


class TorchCharClassifier(nn.Module):
    """A tanh network over one-hot characters with a linear layer on its last state."""

    def fit(self, texts: Sequence[str], y: Sequence[str]) -> TorchCharClassifier:
        """Learn the labels of texts."""
        torch.manual_seed(0)
        self.ids = {symbol: i + 1 for i, symbol in enumerate(sorted(set("".join(texts))))}  # 0 is any other
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        targets = torch.from_numpy(numbers)
        self.rnn = nn.RNN(len(self.ids) + 1, HIDDEN_SIZE)
        self.output = nn.Linear(HIDDEN_SIZE, len(self.classes_))
        optimizer, encoded = torch.optim.SGD(self.parameters(), LEARNING_RATE), self._encoded(texts)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(encoded)).split(BATCH_SIZE):
                loss = nn.functional.nll_loss(self([encoded[i] for i in batch]), targets[batch])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.parameters(), MAX_NORM)
                optimizer.step()
        return self

    def forward(self, encoded: list[torch.Tensor]) -> torch.Tensor:
        """Return log-probabilities of the classes (n, K)."""
        lengths = torch.tensor([*map(len, encoded)])
        one_hot = nn.functional.one_hot(pad_sequence(encoded), len(self.ids) + 1).float()
        _, last = self.rnn(pack_padded_sequence(one_hot, lengths, enforce_sorted=False))
        return nn.functional.log_softmax(self.output(last[0]), dim=1)

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of the classes (n, K)."""
        with torch.inference_mode():
            return self(self._encoded(texts)).exp().double().numpy()

    def _encoded(self, texts: Sequence[str]) -> list[torch.Tensor]:
        return [torch.tensor([self.ids.get(symbol, 0) for symbol in text] or [0]) for text in texts]
