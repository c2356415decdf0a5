"""TextState: a text that goes on, as a model sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import sampling, scoring
from .errors import InvalidInputError
from .inference import PackedNetwork, State
from .settings import whole
from .string_scores import boundary_of
from .vocabulary import Text, Vocabulary

Ids = NDArray[Any]


class TextState:
    """Where a model stands in a text: it can be read on, drawn from, copied and pickled.

    `CharRNN.start` makes them. A state keeps the weights that it was started with, whatever becomes of the model;
    copies share them. It has no scratch, so that states can be used on several threads, each on one at a time.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> state = model.start("a")
    >>> likely = state.copy().feed("b").log_prob
    >>> likely > state.copy().feed("a").log_prob
    True
    >>> state.sample(3, temperature=0)
    'bab'
    """

    __slots__ = ("_arrays", "_log_prob", "_network", "_vocabulary")

    def __init__(
        self, network: PackedNetwork, vocabulary: Vocabulary, arrays: State | None = None, log_prob: float = 0.0
    ) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._arrays = network.start(boundary_of(vocabulary)) if arrays is None else arrays
        self._log_prob = log_prob

    @property
    def log_prob(self) -> float:
        """The log-probability, in nats, of all that was fed and drawn since the start, given the prime.

        Of a text fed whole or in pieces it is what `CharRNN.score_samples` says, to the bit.
        """
        return self._log_prob

    def feed(self, text: Text) -> TextState:
        """Read on.

        Parameters
        ----------
        text : str or bytes
            Of the model's symbols; with one that it does not have, the state stays as it was.

        Returns
        -------
        TextState
            This one.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.start().feed("ab").feed("cd").log_prob, 1)  # it has learned nothing: 4 ln 1/4
        -5.5
        """
        return self._advance(self._vocabulary.encode(text, name="text"))

    def end(self) -> TextState:
        """End the document: its end counts in `log_prob`, and the state is that of a new document's beginning.

        Only of a model of documents; the texts of others have no end, and it raises.
        """
        boundary = boundary_of(self._vocabulary)
        if boundary is None:
            raise InvalidInputError("a text of this model has no end: only a model fitted on documents knows of ends")
        return self._advance(np.array([boundary]))

    def predict_proba(self) -> NDArray[np.float64]:
        """Return the probability of each symbol to come next, (V,), in the order of `vocabulary_`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> model.start().predict_proba().round(2).tolist()
        [0.25, 0.25, 0.25, 0.25]
        """
        (p,) = self._network.probabilities(self._arrays[0][-1])
        return np.asarray(p)

    def sample(self, n: int = 1, *, temperature: float = 1.0, random_state: Any = None) -> str | bytes:
        """Draw the next characters and read them.

        Parameters
        ----------
        n : int, default=1
            Characters to draw. A document may end sooner: its end counts in `log_prob`, and the state is that of a
            new document's beginning.
        temperature, random_state
            As of `CharRNN.sample`. With the same seed, n characters are the same in one call of either.

        Returns
        -------
        str or bytes

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> state = model.start("ab")
        >>> state.sample(2, temperature=0), state.sample(3, temperature=0)
        ('ab', 'aba')
        """
        n, temperature = whole("n", n, 0), sampling.checked_temperature(temperature)
        uniforms = sampling.Uniforms(sampling.root(random_state), range(1))
        boundary = boundary_of(self._vocabulary)
        arrays, drawn, block = self._copied(), [np.zeros(0, np.int32)], 1
        ended = False
        while n and not ended:
            ids = self._network.sample(uniforms.draw(min(block, n)), temperature, arrays)[:, 0]
            ends = np.flatnonzero(ids == boundary) if boundary is not None else ids[:0]
            ended = len(ends) > 0
            drawn.append(ids[: ends[0] + 1] if ended else ids)
            n, block = n - len(ids), min(2 * block, sampling.BLOCK)
        ids = np.concatenate(drawn)
        self._advance(ids)  # what was drawn past an end is drawn in vain; this also says how probable it was
        return self._vocabulary.decode(ids[:-1] if ended else ids)

    def copy(self) -> TextState:
        """Return a state that goes its own way from here.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> state = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd").start()
        >>> state.copy().feed("abc").log_prob == state.log_prob
        False
        """
        return TextState(self._network, self._vocabulary, self._copied(), self._log_prob)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return TextState, (self._network, self._vocabulary, self._arrays, self._log_prob)

    def __repr__(self) -> str:
        return f"TextState(log_prob={self._log_prob:.6g})"

    def _copied(self) -> State:
        return tuple(part.copy() for part in self._arrays)

    def _advance(self, ids: Ids) -> TextState:
        """Read ids; Ctrl-C on the way leaves all as it was."""
        arrays = self._copied()
        surprisal = scoring.surprisal(self._network, ids, arrays)
        # Added up one after the other as in a score: np.sum would add in pairs.
        log_prob = float(np.subtract.accumulate(np.concatenate([[self._log_prob], surprisal]))[-1])
        self._arrays, self._log_prob = arrays, log_prob
        return self


def started(network: PackedNetwork, vocabulary: Vocabulary, prime: Ids) -> TextState:
    """Return the state after a prime, which does not count in `log_prob`."""
    arrays = network.start(boundary_of(vocabulary))
    network.feed(prime.astype(np.int32).reshape(-1, 1), arrays)
    return TextState(network, vocabulary, arrays)
