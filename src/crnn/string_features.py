"""StringFeatures: the hidden states of a trained model, symbol by symbol or as features of whole strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInputError
from .inference.network.packed_network import PackedNetwork
from .inference.scoring import string_states
from .inference.scoring.string_scores import Strings, text_blocks
from .parameters.checks import checked_threads
from .parameters.suggestion import did_you_mean
from .runtime.threads import inference_threads
from .string_probabilities import StringProbabilities
from .text.symbols.vocabulary import Text

Array = NDArray[Any]

POOLING = {"last": string_states.last_states, "mean": string_states.mean_states}


class StringFeatures(StringProbabilities):
    """An estimator that shows its hidden states once it is fitted."""

    @overload
    def hidden_states(self, text: Text, *, cells: bool = False) -> Array: ...  # type: ignore[overload-overlap]
    @overload
    def hidden_states(self, text: Iterable[Text], *, cells: bool = False) -> list[Array]: ...
    def hidden_states(self, text: Text | Iterable[Text], *, cells: bool = False) -> Array | list[Array]:
        """Return the activations of all hidden units after each character of a text, or of each of many texts.

        Parameters
        ----------
        text : str, bytes or iterable of str or bytes
            Of the model's symbols. Many texts are read side by side, each from the start, on `n_threads` threads.
        cells : bool, default=False
            Whether to return the cells c of an LSTM instead of its outputs h.

        Returns
        -------
        ndarray of the model's dtype, shape (len(text), num_layers, hidden_size)
            Of many texts a list of such arrays, each with the bits that it has alone.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a text holds a symbol that the model never saw, or `cells` is True and the model has none.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, num_layers=2, cell="lstm", max_steps=0).fit("abcd")
        >>> model.hidden_states("abc").shape
        (3, 2, 16)
        >>> [cells.shape for cells in model.hidden_states(["abc", "d"], cells=True)]
        [(3, 2, 16), (1, 2, 16)]
        """
        layout = self._fitted("hidden_states").layout
        if cells and "c" not in layout.kind.states:
            raise InvalidInputError(f"cells=True is for a model of LSTM layers, and this one has cell={layout.cell!r}")
        vocabulary = self.vocabulary_
        if isinstance(text, str | bytes | bytearray | memoryview) or not isinstance(text, Iterable):
            network, ids, start = self._one("hidden_states", text)
            assert isinstance(network, PackedNetwork)
            return string_states.all_states(network, Strings.join([ids]), start, 1, part=int(cells))[0]
        network = self._packed("hidden_states", one_row=False, scoring=True)
        assert isinstance(network, PackedNetwork)
        start, n_threads, found = network.start(), inference_threads(checked_threads(self.n_threads)), list[Array]()
        for block in text_blocks(text, vocabulary, name="text"):
            strings = Strings.encode(block, vocabulary, name="text[{}]", ended=False)
            found += string_states.all_states(network, strings, start, n_threads, part=int(cells))
        return found

    def transform(self, texts: Iterable[Text], *, pooling: str = "last") -> Array:
        """Return features of many strings: the hidden states of all layers after each of them.

        A classifier or a regressor can learn from them, in a pipeline of scikit-learn as well.

        Parameters
        ----------
        texts : iterable of str, or of bytes for a model of bytes
            They are read side by side on `n_threads` threads.
        pooling : {"last", "mean"}, default="last"
            The state after the last character, or the mean of the states after all characters. An empty string has
            the state that it starts from.

        Returns
        -------
        ndarray of the model's dtype, shape (n, num_layers * hidden_size)
            Layer after layer. The bits of a row do not depend on the other strings.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=3, num_layers=2, max_steps=0).fit(["Anna", "Bob", "Eve"])
        >>> model.transform(["Ann", "Bo"]).shape
        (2, 6)
        >>> model.get_feature_names_out().tolist()
        ['h_l0_0', 'h_l0_1', 'h_l0_2', 'h_l1_0', 'h_l1_1', 'h_l1_2']
        """
        layout = self._fitted("transform").layout
        if pooling not in POOLING:
            known = ", ".join(map(repr, POOLING))
            raise InvalidInputError(f"pooling must be one of {known}, not {pooling!r}{did_you_mean(pooling, POOLING)}")
        network = self._packed("transform", one_row=False, scoring=True)
        assert isinstance(network, PackedNetwork)
        start, n_threads = network.start(), inference_threads(checked_threads(self.n_threads))
        found = [np.empty((0, layout.num_layers * layout.hidden_size), layout.dtype)]
        for block in text_blocks(texts, self.vocabulary_, name="texts"):
            strings = Strings.encode(block, self.vocabulary_, name="texts[{}]", ended=False)
            states = POOLING[pooling](network, strings, start, n_threads)
            found.append(states.reshape(len(states), -1))
        return np.concatenate(found)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features that `transform` gives: ``h_l0_0`` is unit 0 of layer 0.

        Parameters
        ----------
        input_features : None
            Not used; there for the convention.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(hidden_size=2, max_steps=0).fit("abcd").get_feature_names_out().tolist()
        ['h_l0_0', 'h_l0_1']
        """
        layout = self._fitted("get_feature_names_out").layout
        names = [f"h_l{k}_{i}" for k in range(layout.num_layers) for i in range(layout.hidden_size)]
        return np.array(names, object)
