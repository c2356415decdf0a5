"""TextState: a text that goes on, as a model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..settings import whole
from ..text.vocabulary import Text, Vocabulary
from . import sampling, scoring
from .packed_network import PackedNetwork, State
from .sampling_controls import SamplingControls
from .uniforms import Uniforms, root

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
        self._arrays = network.start() if arrays is None else arrays
        self._log_prob = log_prob

    @property
    def log_prob(self) -> float:
        """The log-probability, in nats, of all that was fed and drawn since the start, given the prime.

        Of a text fed whole or in pieces it is what `CharRNN.score_samples` says, to the bit.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> bool(model.start().feed("ab").feed("ca").log_prob == model.score_samples(["abca"])[0])
        True
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

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit(["abc", "ab"] * 50)
        >>> bool(model.start().feed("abc").end().log_prob == model.score_samples(["abc"])[0])
        True
        """
        boundary = self._vocabulary.boundary
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

    def sample(
        self,
        n: int = 1,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        logit_bias: Mapping[Any, float] | None = None,
        random_state: Any = None,
    ) -> str | bytes:
        """Draw the next characters and read them.

        Parameters
        ----------
        n : int, default=1
            Characters to draw. A document may end sooner: its end counts in `log_prob`, and the state is that of a
            new document's beginning.
        temperature, top_k, top_p, min_p, logit_bias, random_state
            As of `CharRNN.sample`. With the same seed, n characters are the same in one call of either.

        Returns
        -------
        str or bytes

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> state = model.start("ab")
        >>> state.sample(2, temperature=0), state.sample(3, top_k=1)
        ('ab', 'aba')
        """
        vocabulary, n = self._vocabulary, whole("n", n, 0)
        controls = SamplingControls.check(
            vocabulary,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            logit_bias=logit_bias,
            forbidden=[] if vocabulary.unknown is None else [vocabulary.unknown],
        )
        ids = self._drawn(n, controls, Uniforms(root(random_state), range(1)))
        self._advance(ids)  # what was drawn past an end is drawn in vain; this also says how probable it was
        return vocabulary.decode(ids[:-1] if len(ids) and ids[-1] == vocabulary.boundary else ids)

    def _drawn(self, n: int, controls: SamplingControls, uniforms: Uniforms) -> Ids:
        """Return n symbols, or those up to the first end."""
        arrays, drawn, block = self._copied(), [np.zeros(0, np.int32)], 1
        end = -1 if self._vocabulary.boundary is None else self._vocabulary.boundary
        while n:
            u = uniforms.draw(min(block, n))
            ids = self._network.sample(u, controls.temperature, arrays, controls)[:, 0]
            ends = np.flatnonzero(ids == end)
            if len(ends):
                drawn.append(ids[: ends[0] + 1])
                break
            drawn.append(ids)
            n, block = n - len(ids), min(2 * block, sampling.BLOCK)
        return np.concatenate(drawn)

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
