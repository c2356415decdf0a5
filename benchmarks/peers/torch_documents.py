"""What a PyTorch user would write to score and to sample many short strings, with a document model's weights."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crnn import CharRNN

BATCH = 256


class TorchDocuments:
    """An `nn.RNN`, `nn.GRU` or `nn.LSTM` and an `nn.Linear`, filled from a saved model of documents."""

    def __init__(self, model: CharRNN, n_threads: int) -> None:
        import torch
        from safetensors.torch import load_file

        torch.set_num_threads(n_threads)
        self.torch = torch
        layout, self.vocabulary = model._learned.layout, model.vocabulary_
        kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[layout.cell]
        self.rnn = kind(layout.vocab_size, layout.hidden_size, layout.num_layers)
        self.decoder = torch.nn.Linear(layout.hidden_size, layout.vocab_size)
        self.rows = torch.eye(layout.vocab_size)  # one-hot rows by lookup
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.crnn"
            model.save(path, training_state=False)
            tensors = load_file(path)
        for name, module in (("rnn.", self.rnn), ("decoder.", self.decoder)):
            module.load_state_dict({k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)})

    def score(self, documents: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities, ends counted: sorted by length, padded, in batches."""
        torch, end = self.torch, self.vocabulary.boundary
        encoded = [np.r_[end, self.vocabulary.encode(text).astype(np.int64), end] for text in documents]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        out = np.empty(len(encoded))
        with torch.inference_mode():
            for first in range(0, len(order), BATCH):
                batch = order[first : first + BATCH]
                ids = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(encoded[i]) for i in batch])
                y = self.decoder(self.rnn(self.rows[ids[:-1]])[0])
                log_p = torch.log_softmax(y, 2).gather(2, ids[1:, :, None])[..., 0]
                lengths = torch.tensor([len(encoded[i]) - 1 for i in batch])
                mask = torch.arange(len(ids) - 1)[:, None] < lengths
                out[batch] = (log_p * mask).sum(0).numpy()
        return out

    def sample(self, num_samples: int, max_length: int) -> list[NDArray[Any]]:
        """Documents drawn side by side until the last one has ended."""
        torch, end = self.torch, self.vocabulary.boundary
        x = torch.full((1, num_samples), end)
        state, drawn, ended = None, [], torch.zeros(num_samples, dtype=torch.bool)
        with torch.inference_mode():
            for _ in range(max_length):
                out, state = self.rnn(self.rows[x], state)
                x = torch.multinomial(torch.softmax(self.decoder(out[0]), 1), 1).T
                drawn.append(x[0])
                ended |= x[0] == end
                if ended.all():
                    break
        ids = torch.stack(drawn).numpy()
        return [column[: (column == end).argmax() if (column == end).any() else None] for column in ids.T]
