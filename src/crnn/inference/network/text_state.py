"""TextState: reads a text piece by piece, predicts the next symbol and draws it."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...parameters.checks import checked_bool, checked_int
from ...text.symbols.codes import Text
from ...text.symbols.vocabulary import Vocabulary
from ..sampling.sampling_controls import SamplingControls, SamplingOptions, with_controls
from ..sampling.symbol_sampler import text_sampler
from ..sampling.uniforms import Uniforms, root
from ..scoring import scoring
from .context import Context, seen_after
from .protocol import InferenceNetwork

Ids = NDArray[Any]


class Sums(NamedTuple):
    """The sum and the minimum of symbols' log-probabilities."""

    log_prob: float = 0.0
    min_log_prob: float = 0.0

    def after(self, log_p: NDArray[np.float64]) -> Sums:
        """Return the sums after further symbols with these log-probabilities.

        Terms are added in order, as in a score: np.sum would add in pairs and round differently.
        """
        if len(log_p) == 1:  # NumPy's functions take longer than reading a character
            x = log_p.item()
            return Sums(self.log_prob + x, min(self.min_log_prob, x))
        log_prob = np.add.accumulate(np.concatenate([[self.log_prob], log_p]))[-1]
        return Sums(float(log_prob), min(self.min_log_prob, float(log_p.min(initial=0.0))))


NO_SUMS = Sums()


class TextState:
    """The state of a model within a text: it reads, predicts and draws, and can be copied and pickled.

    `CharRNN.start` creates it. A state keeps the model's weights at that time; copies share them. States can be used
    on several threads, each state on one thread at a time.

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

    __slots__ = ("_context", "_network", "_sums", "_vocabulary")

    def __init__(
        self, network: InferenceNetwork, vocabulary: Vocabulary, context: Context, sums: Sums | None = None
    ) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._context = context
        self._sums = sums or NO_SUMS

    @property
    def log_prob(self) -> float:
        """The log-probability, in nats, of everything fed and drawn since the start, given the prime.

        A text has the same bits as in `CharRNN.score_samples`, whether fed whole or in pieces.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> bool(model.start().feed("ab").feed("ca").log_prob == model.score_samples(["abca"])[0])
        True
        """
        return self._sums.log_prob

    @property
    def min_log_prob(self) -> float:
        """The log-probability, in nats, of the least probable symbol fed and drawn since the start; 0 before the first.

        It is the score of `CharRNN.score_samples` with ``reduce="min"``.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> bool(model.start().feed("ab").feed("ca").min_log_prob == -model.surprisal("abca").max())
        True
        """
        return self._sums.min_log_prob

    def feed(self, text: Text, *, adapt: bool | None = None) -> TextState:
        """Read a piece of text.

        Parameters
        ----------
        text : str or bytes
            Text of the model's symbols; if it contains an unknown symbol, the state is unchanged.
        adapt : bool or None, default=None
            Whether to learn from the text; None: as chosen in `CharRNN.start`. False only reads, as `sample`
            does with drawn symbols.

        Returns
        -------
        TextState
            The state itself.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.start().feed("ab").feed("cd").log_prob, 1)  # untrained: 4 ln 1/4
        -5.5
        """
        learn = None if adapt is None else checked_bool("adapt", adapt)
        return self._advance(self._vocabulary.encode(text, name="text"), learn=learn)

    def end(self) -> TextState:
        """End the document: its end counts in `log_prob`, and the state starts a new document.

        Raises a ValueError for a model fitted on running text, which has no end.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit(["abc", "ab"] * 50)
        >>> bool(model.start().feed("abc").end().log_prob == model.score_samples(["abc"])[0])
        True
        """
        boundary = self._vocabulary.boundary
        if boundary is None:
            raise InvalidInputError("the model was fitted on running text, which has no end. Fit it on documents.")
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
        (p,) = self._network.probabilities_after(self._context.state)
        return np.asarray(p)

    @with_controls
    def sample(
        self, n: int = 1, *, random_state: Any = None, **controls: Unpack[SamplingOptions]
    ) -> str | bytes:
        """Draw the next characters and read them.

        With the same seed, one call draws the characters that `CharRNN.sample` draws with the text read so far as its
        prime.

        Parameters
        ----------
        n : int, default=1
            Characters to draw. A `stop` ends the text earlier: it is neither returned nor read. A document may also end
            by itself: its end counts in `log_prob`, and the state starts a new document.
        {controls}
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different text each time.

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
        >>> state.sample(9, temperature=0, stop="ba"), state.sample(2, temperature=0)
        ('', 'ba')
        """
        vocabulary, n = self._vocabulary, checked_int("n", n, 0)
        checked = SamplingControls.check(vocabulary, controls)
        sampler = text_sampler(self._network, self._context, n, Uniforms(root(random_state), range(1)), checked)
        ids, boundary = sampler.run().ids, vocabulary.boundary
        ended = boundary is not None and sampler.ended_by(boundary)[0]
        self._advance(np.append(ids, np.int32(boundary or 0)) if ended else ids, drawn=True)  # also adds to log_prob
        return vocabulary.decode(ids)

    def copy(self) -> TextState:
        """Return a state that changes independently of this one.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> state = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd").start()
        >>> state.copy().feed("abc").log_prob == state.log_prob
        False
        """
        return TextState(self._network, self._vocabulary, self._context, self._sums)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return TextState, (self._network, self._vocabulary, self._context, self._sums)

    def __repr__(self) -> str:
        return f"TextState(log_prob={self.log_prob:.6g})"

    def _advance(self, ids: Ids, *, learn: bool | None = None, drawn: bool = False) -> TextState:
        """Read ids, which may have been `drawn` here; an interruption leaves the state unchanged."""
        if learn:
            raise InvalidInputError(
                "adapt=True, but this state was started without adaptation. Use model.start(prime, adapt=True)."
            )
        state = self._network.copy(self._context.state)
        sums = self._sums.after(scoring.log_probabilities(self._network, ids, state))
        seen = seen_after(self._context.seen, ids, self._vocabulary.boundary)
        self._context, self._sums = Context(state, seen), sums
        return self
