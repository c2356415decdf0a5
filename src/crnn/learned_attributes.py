"""LearnedAttributes: the public attributes of a fitted model, as views of its `ModelState`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .model.labelled import of_label
from .model.state import ModelState
from .parameters.optimizers import OPTIMIZERS
from .text.sources.labels import label_number
from .text.symbols.vocabulary import Vocabulary

Array = NDArray[Any]


class LearnedAttributes(Estimator):
    """An estimator whose learned attributes are kept in one `ModelState`.

    The state is absent until `fit`, `partial_fit` or `load` sets it. Reading a learned attribute before that raises
    NotFittedError.
    """

    _learned: ModelState

    @classmethod
    def _from_state(cls, parameters: dict[str, Any], state: ModelState) -> Self:
        """Return a fitted model with these parameters."""
        model = cls().set_params(**parameters)
        model._learned = state
        return model

    def _fitted(self, what: str) -> ModelState:
        """Return the state; NotFittedError names `what` was asked for."""
        if not self._is_fitted:
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return self._learned

    @property
    def _is_fitted(self) -> bool:
        return "_learned" in vars(self)

    def _for_any_text(self, what: str) -> ModelState:
        """Return the state of a model without labels; an error names `what` was asked of one with labels."""
        state = self._fitted(what)
        if state.vocabulary.labels:
            first = state.vocabulary.labels[0]
            raise InvalidInputError(
                f"{what} needs to know the label, since the model was fitted with labels: use the model of one label, "
                f"such as model.for_label({first!r}).{what}"
            )
        return state

    def for_label(self, label: Any) -> Self:
        """Return a model of the texts with one label, from a model that was fitted with labels.

        It is a model of documents like any other, with weights of its own: it samples, scores, can be trained further,
        saved and exported. Its texts have the probabilities that they have here given the label.

        Parameters
        ----------
        label : str, int, float or bool
            One of `labels_`.

        Returns
        -------
        CharRNN
            It has no labels.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the model was fitted without labels, or with others.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(16, max_steps=1500, random_state=0)
        >>> model = model.fit(["anna", "bob"], labels=["girl", "boy"])
        >>> model.for_label("boy").beam_search(4, beams=1)[0][0]
        'bob'
        """
        state = self._fitted("for_label")
        return self._from_state(self.get_params(), of_label(state, self._label_number(label)))

    @property
    def labels_(self) -> Array:
        """The labels that the documents had, sorted, (K,); K = 0 for a model that was fitted without.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, max_steps=0).fit(["anna", "bob", "eva"], labels=["girl", "boy", "girl"]).labels_
        array(['boy', 'girl'], dtype='<U4')
        """
        return np.array(self._fitted("reading labels_").vocabulary.labels)

    def _label_number(self, label: Any) -> int:
        labels = self.labels_
        if not len(labels):
            raise InvalidInputError(f"label is {label!r}, but the model was fitted without labels: leave it out")
        return label_number(label, labels)

    @property
    def params_(self) -> dict[str, Array]:
        """Writable views of the weights, in min-char-rnn's shapes.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> {name: array.shape for name, array in model.params_.items()}
        {'Wxh_l0': (8, 3), 'Whh_l0': (8, 8), 'bh_l0': (8,), 'Why': (3, 8), 'by': (3,)}
        """
        state = self._fitted("reading params_")
        return state.layout.named(state.params)

    @property
    def bigrams_(self) -> list[tuple[Any, Any] | None]:
        """The pairs of symbols that have a row in ``params_["bigrams"]``, in its order; None for a row without a pair.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, n_bigrams=4, max_steps=0).fit("abac").bigrams_
        [('a', 'b'), ('a', 'c'), ('b', 'a')]
        """
        state = self._fitted("reading bigrams_")
        symbols, pairs = list(state.vocabulary), state.layout.pairs
        if pairs is None:
            return []
        return [None if before < 0 else (symbols[before], symbols[symbol]) for before, symbol in pairs.pairs.tolist()]

    @property
    def optimizer_state_(self) -> dict[str, Any]:
        """The optimizer's state under PyTorch's names, each with writable views like those of `params_`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, optimizer="adam", max_steps=100, random_state=0).fit("abc" * 100)
        >>> sorted(model.optimizer_state_), model.optimizer_state_["exp_avg"]["Whh_l0"].shape
        (['exp_avg', 'exp_avg_sq', 'step'], (8, 8))
        """
        state = self._fitted("reading optimizer_state_")
        views: dict[str, Any] = {name: state.layout.named(flat) for name, flat in state.optimizer_state.items()}
        counts_steps = OPTIMIZERS[state.optimizer].counts_steps
        return views | ({"step": state.n_steps - state.optimizer_start} if counts_steps else {})

    @property
    def state_(self) -> Array | tuple[Array, ...]:
        """The hidden state carried from the last chunk to the next, (L, B, H); of an LSTM the tuple (h, c).

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, cell="lstm", max_steps=100, random_state=0).fit("abc" * 100)
        >>> h, c = model.state_
        >>> h.shape
        (1, 1, 8)
        """
        hidden = self._fitted("reading state_").hidden
        return hidden[0] if len(hidden) == 1 else hidden

    @state_.setter
    def state_(self, value: Array | tuple[Array, ...]) -> None:
        self._fitted("setting state_").hidden = value if isinstance(value, tuple) else (value,)

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols in id order.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, max_steps=0).fit("abc").vocabulary_
        Vocabulary(3 characters: 'abc')
        """
        return self._fitted("reading vocabulary_").vocabulary

    @vocabulary_.setter
    def vocabulary_(self, value: Vocabulary) -> None:
        self._fitted("setting vocabulary_").vocabulary = value

    @property
    def n_steps_(self) -> int:
        """Training steps so far.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, max_steps=100).fit("abc").n_steps_
        100
        """
        return self._fitted("reading n_steps_").n_steps

    @n_steps_.setter
    def n_steps_(self, value: int) -> None:
        self._fitted("setting n_steps_").n_steps = value

    @property
    def smooth_loss_(self) -> float:
        """The smoothed loss, in nats per chunk of `seq_length` symbols.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> round(CharRNN(8, seq_length=2, max_steps=0).fit("abc").smooth_loss_, 2)  # 2 ln 3
        2.2
        """
        return self._fitted("reading smooth_loss_").smooth_loss

    @smooth_loss_.setter
    def smooth_loss_(self, value: float) -> None:
        self._fitted("setting smooth_loss_").smooth_loss = value

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The records of training.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, max_steps=100).fit("abc").history_[-1]["step"]
        100
        """
        return self._fitted("reading history_").history

    @history_.setter
    def history_(self, value: list[dict[str, Any]]) -> None:
        self._fitted("setting history_").history = value


def learned_state(model: LearnedAttributes, what: str) -> ModelState:
    """Return what a model has learned, or raise NotFittedError, which names `what` was asked for."""
    return model._fitted(what)
