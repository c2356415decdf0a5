"""ExportMethods: a model to PyTorch and back, to ONNX, and as a web page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from .export.extras import needed
from .learned_attributes import LearnedAttributes
from .text.symbols.special import Special
from .text.symbols.vocabulary import Vocabulary

if TYPE_CHECKING:
    from .export.torch_module import TorchCharRNN

__all__ = ["ExportMethods"]


class ExportMethods(LearnedAttributes):
    """An estimator that other programs can take over, and that can take over PyTorch's weights."""

    def to_torch(self) -> TorchCharRNN:
        """Return the network as a PyTorch module with the same logits.

        Its parameters are copies of the weights, under the names of a model file: ``rnn.weight_ih_l0``, ...,
        ``decoder.bias``, and ``embedding.weight`` of a model with an embedding. Called with ids of shape (T, B), and
        the state if it is not zeros, it returns the logits after each symbol, (T, B, V), and the state after the last.
        As here, a stream that reads the boundary of documents reads it from zeros. ``module.start()`` gives the logits
        of a text's first symbol, and ``module.log_probabilities(module.encode(text))`` the logarithms that `surprisal`
        negates. PyTorch's cells have no table of bigrams: with `n_bigrams` they read R inputs more, one for each pair
        of symbols in the buffer ``pairs``, of which at most one is 1, and ``rnn.weight_ih_l0`` has R columns more.

        A model with ``cell="cifg"`` becomes a `torch.nn.LSTM` whose input gate has the forget gate's weights, negated.
        Training by PyTorch does not keep them so.

        Returns
        -------
        crnn.export.torch_module.TorchCharRNN
            A `torch.nn.Module`, of the model's dtype and in evaluation mode.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModuleNotFoundError
            If PyTorch is not installed: ``pip install "crnn[torch]"``.
        ValueError
            If a weight is not finite.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> module = model.to_torch()  # doctest: +SKIP
        >>> logits, state = module(module.encode("abcab"))  # doctest: +SKIP
        >>> logits.shape  # doctest: +SKIP
        torch.Size([5, 1, 3])
        """
        self._for_any_text("to_torch")
        needed("torch", "torch", "to_torch")
        from .export.torch_module import torch_module

        return torch_module(self)

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any] | str | os.PathLike[str] | Any,
        vocabulary: Vocabulary | str | bytes | Iterable[str | bytes | Special],
    ) -> Self:
        """Return a model with weights from PyTorch.

        The network is a `torch.nn.RNN` (tanh), `GRU` or `LSTM` named ``rnn`` that reads one-hot vectors, or those of a
        `torch.nn.Embedding` named ``embedding``, and a `torch.nn.Linear` named ``decoder`` from its last layer's output
        to logits. PyTorch's two biases of a gate are added, but for a GRU's gate n, where they are two. An LSTM whose
        input gate has the forget gate's weights, negated, is the cell "cifg". With ``pairs`` (R, 2), as in a module of
        `to_torch`, the last R columns of ``rnn.weight_ih_l0`` become the bigrams of these pairs of ids.

        Parameters
        ----------
        state_dict : mapping of str to tensors or arrays, a module, or a path
            Weights under those names. A path names a safetensors file or one that `torch.save` wrote; that is read
            with ``weights_only=True``, so that it runs no code.
        vocabulary : str, bytes or list
            The symbols in the order of the ids that the network was trained with, `crnn.UNKNOWN` and `crnn.BOUNDARY`
            among them where it has them. The model's own ids follow the sorted symbols, and the weights are moved to
            match.

        Returns
        -------
        CharRNN
            It samples, scores and can be trained further by `partial_fit`. `dtype` is float64 if all tensors are.

        Raises
        ------
        ValueError
            If a tensor is missing, left over, not finite or of another shape than the others say, or if the symbols
            are not as many as the logits.
        ModuleNotFoundError
            If PyTorch is not installed, and a file of its own is to be read.
        OSError
            If a file cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from crnn import CharRNN
        >>> state_dict = {
        ...     "rnn.weight_ih_l0": np.eye(2, 3), "rnn.weight_hh_l0": np.eye(2), "rnn.bias_ih_l0": np.ones(2),
        ...     "rnn.bias_hh_l0": np.ones(2), "decoder.weight": np.eye(3, 2), "decoder.bias": np.zeros(3),
        ... }
        >>> model = CharRNN.from_torch(state_dict, "bca")
        >>> model, model.vocabulary_
        (CharRNN(hidden_size=2, dtype='float64'), Vocabulary(3 characters: 'abc'))
        >>> model.params_["Wxh_l0"]  # a, which had id 2, has id 0
        array([[0., 1., 0.],
               [0., 0., 1.]])
        """
        from .export.torch_state import model_from_torch

        return cls._from_state(*model_from_torch(state_dict, vocabulary, cls().get_params()))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the network as an ONNX file, which any ONNX runtime reads.

        Inputs are ``ids`` (T, B) of int64 and the state, ``h0`` and for an LSTM ``c0`` (L, B, H); outputs are
        ``logits`` (T, B, V), of the symbol after each of ``ids``, and the state after the last, ``hn`` and ``cn``. T
        and B are whatever each call has. With `n_bigrams` the state has another part, ``symbol0`` and ``symboln``
        (1, B) of int64: the id of the symbol that was read last, plus 1; 0 before a text. All else is float32. The
        metadata ``vocabulary`` says, as JSON, which symbol has which id.

        The graph carries the state over all that it reads and does not zero it at a boundary: the caller gives zeros at
        the start of a text, and in a model of documents starts each document in a call of its own, the boundary first.

        Parameters
        ----------
        path : str or os.PathLike
            The file, as a rule with the suffix ``.onnx``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModuleNotFoundError
            If onnx is not installed: ``pip install "crnn[onnx]"``.
        ValueError
            If a weight is not finite.
        OSError
            If the file cannot be written; an older file is then as it was.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> model.export_onnx("abc.onnx")  # doctest: +SKIP
        """
        from .export.onnx_file import export_onnx

        self._for_any_text("export_onnx")
        export_onnx(self, path)

    def export_html(self, path: str | os.PathLike[str], *, float16: bool = False, title: str | None = None) -> None:
        """Write the model as one HTML page in which the network runs; see ``docs/report.md``.

        The page needs neither a network nor a server: it is opened from the disk. It reads what is typed and shows its
        surprisal, writes on with temperature, top-k and top-p, and shows the hidden units. The same seed gives the text
        that `sample` gives, but for the rounding of float32.

        Parameters
        ----------
        path : str or os.PathLike
            The file, as a rule with the suffix ``.html``.
        float16 : bool, default=False
            Whether weights are stored in 16 bits: half the size, and rounded weights.
        title : str or None, default=None
            The page's title. None: "A character model".

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a weight is not finite, or too large for 16 bits.
        OSError
            If the file cannot be written; an older file is then as it was.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_html(pathlib.Path(folder) / "abc.html")
        """
        from .export.html_file import export_html

        self._for_any_text("export_html")
        export_html(self, path, float16=float16, title=title)
