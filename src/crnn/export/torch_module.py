"""TorchCharRNN: the network as a PyTorch module with the same logits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..parameters.cells import CELLS
from ..text.symbols.codes import Text
from ..text.symbols.vocabulary import Vocabulary
from .weights import FittedModel, Weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    try:
        import torch
        from torch import nn
    except ModuleNotFoundError:  # for tools that import every module; `to_torch` checks before importing this module
        from types import SimpleNamespace

        nn = SimpleNamespace(Module=object)


def torch_module(model: FittedModel) -> TorchCharRNN:
    """Return a module with copies of a model's weights; see `crnn.CharRNN.to_torch`."""
    weights = Weights.of(model).for_torch()
    embedding_size = None if weights.embedding is None else weights.embedding.shape[1]
    module: TorchCharRNN = TorchCharRNN(
        model.vocabulary_,
        weights.hidden_size,
        cell=weights.cell,
        num_layers=len(weights.layers),
        embedding_size=embedding_size,
        pairs=weights.pairs,
    ).to(getattr(torch, weights.dtype.name))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.torch_named().items()})
    module.eval()
    return module


class TorchCharRNN(nn.Module):  # type: ignore[misc]
    """A recurrent network over symbols: a PyTorch recurrent layer `rnn` and a linear layer `decoder`.

    `rnn` reads one-hot vectors of the symbols, or with `embedding_size` the vectors of `embedding`. With `pairs`, a
    second one-hot vector is appended to each vector: the pair formed by the symbol and its predecessor, or zeros.

    As in PyTorch, time comes first: T symbols of B streams. A stream that reads the document boundary restarts from a
    state of zeros, and no gradient flows back past the boundary. `pairs` (R, 2) holds ids; a row of -1 is unused.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        hidden_size: int,
        *,
        cell: str = "rnn",
        num_layers: int = 1,
        embedding_size: int | None = None,
        pairs: Any = None,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = None if embedding_size is None else nn.Embedding(len(vocabulary), embedding_size)
        inputs = (embedding_size or len(vocabulary)) + (0 if pairs is None else len(pairs))
        self.rnn = getattr(nn, CELLS[cell].torch_class or "")(inputs, hidden_size, num_layers)
        self.decoder = nn.Linear(hidden_size, len(vocabulary))
        self.register_buffer("pairs", None if pairs is None else torch.tensor(pairs, dtype=torch.int64))

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the logits (T, B, V) of the symbol after each of `ids` (T, B), and the state after the last.

        The state is (L, B, H), for an LSTM a pair of these; None: zeros. With `pairs`, it is a tuple whose last element
        is an int64 tensor (1, B, 1): each stream's last symbol plus 1, or 0 at the start.
        """
        if ids.ndim != 2:
            raise InvalidInputError(
                f"ids has shape {tuple(ids.shape)}, but must have shape (T, B). For one stream, pass ids[:, None]."
            )
        state = self._zeros(ids.shape[1]) if state is None else state
        outputs = [self.decoder.weight.new_zeros((0, ids.shape[1], self.rnn.hidden_size))]
        for part in self._parts(ids):
            output, state = self._read(part, self._started(part[0], state))
            outputs.append(output)
        return self.decoder(torch.cat(outputs)), state

    def start(self, batch_size: int = 1) -> tuple[Tensor, Any]:
        """Return the logits of a text's first symbol, (B, V), and the state before it.

        The state is zeros or, for a model of documents, the state after the boundary.
        """
        if self.vocabulary.boundary is not None:
            logits, state = self(self._device_ids([[self.vocabulary.boundary] * batch_size]))
            return logits[0], state
        state = self._zeros(batch_size)
        return self.decoder(state[0][-1] if isinstance(state, tuple) else state[-1]), state

    def log_probabilities(self, ids: Tensor) -> Tensor:
        """Return the log probability of each symbol of texts (T, B) given the preceding symbols.

        The texts have no boundary before them. A boundary after a document adds the document's end.
        """
        first, state = self.start(ids.shape[1])
        logits, _ = self(ids, state)
        predicted = torch.cat([first[None], logits])[:-1]
        return predicted.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)

    def encode(self, text: Text) -> Tensor:
        """Return the ids of a text as a single stream, (T, 1)."""
        return self._device_ids(self.vocabulary.encode(text, name="text").astype("int64"))[:, None]

    def _read(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the last layer's output for ids (T, B), T > 0, and the state; streams start only at the first ids."""
        if self.pairs is None:
            output, state = self.rnn(self._vectors(ids), state)
            return output, state
        *inner, symbol = state
        before = torch.cat([symbol[..., 0] - 1, ids[:-1]])
        is_pair = (before[..., None] == self.pairs[:, 0]) & (ids[..., None] == self.pairs[:, 1])  # (T, B, R)
        vectors = self._vectors(ids)
        output, after = self.rnn(
            torch.cat([vectors, is_pair.to(vectors.dtype)], -1), tuple(inner) if len(inner) > 1 else inner[0]
        )
        return output, (*(after if isinstance(after, tuple) else (after,)), ids[-1:, :, None] + 1)

    def _vectors(self, ids: Tensor) -> Tensor:
        """Return the first layer's input for ids (T, B): embeddings (T, B, E) or one-hot vectors (T, B, V)."""
        if self.embedding is not None:
            vectors: Tensor = self.embedding(ids)
            return vectors
        return nn.functional.one_hot(ids, len(self.vocabulary)).to(self.decoder.weight.dtype)

    def _device_ids(self, ids: Any) -> Tensor:
        return torch.as_tensor(ids, dtype=torch.int64, device=self.decoder.weight.device)

    def _zeros(self, batch_size: int) -> Any:
        h = self.decoder.weight.new_zeros((self.rnn.num_layers, batch_size, self.rnn.hidden_size))
        state = (h, h.clone()) if self.rnn.mode == "LSTM" else (h,)
        if self.pairs is not None:
            state = (*state, self.pairs.new_zeros((1, batch_size, 1)))
        return state if len(state) > 1 else h

    def _parts(self, ids: Tensor) -> Iterator[Tensor]:
        """Split ids along time before each step at which a stream reads the boundary."""
        cuts: list[int] = []
        if self.vocabulary.boundary is not None:
            cuts = (ids == self.vocabulary.boundary).any(1).nonzero().flatten().tolist()
        for start, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            if end > start:
                yield ids[start:end]

    def _started(self, ids: Tensor, state: Any) -> Any:
        """Return the state with zeros for the streams that read the boundary next."""
        if self.vocabulary.boundary is None:
            return state
        starting = (ids == self.vocabulary.boundary)[None, :, None]
        if isinstance(state, tuple):
            return tuple(part.masked_fill(starting, 0) for part in state)
        return state.masked_fill(starting, 0)
