"""TextState: reads a text piece by piece, predicts the next symbol and draws it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import Context, InferenceNetwork, State, seen_after
from ..parameters.checks import checked_bool, checked_int
from ..sampling.controls import CheckedControls, GivenControls, Uniforms, root, with_controls
from ..sampling.text_sampler import text_sampler
from ..scoring import text_scores
from ..search.beam_search import best_completions, best_continuations
from ..text.vocabulary import Text, Vocabulary

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


class Reading(Protocol):
    """The position in a text being read, picklable. A reading never changes: reading more returns a new one.

    `AdaptiveReading` learns by updating weights, `AdaptiveCounts` by counting. The bits do not depend on how the text
    is cut into calls. A new reading may take over what this one has learned, which must then be learned again if this
    one is read further.
    """

    @property
    def network(self) -> InferenceNetwork:
        """The network that predicts the next symbol."""

    @property
    def state(self) -> State:
        """The network's state after the text so far, for one stream; it must not be changed."""

    @property
    def learns(self) -> bool:
        """Whether the network can learn from the text."""

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[Self, NDArray[np.float64]]:
        """Read symbols (n,); return the new reading and log P of each symbol, in nats."""

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[Self, NDArray[Any]]:
        """Read symbols (n,); return the new reading and the logits (n, V) that predict each symbol."""

    def copy(self) -> Self:
        """Return a reading that continues independently."""


class FixedReading:
    """A `Reading` by a network that does not learn."""

    learns = False  # a plain class, since each piece of a text makes one: a named tuple takes longer

    def __init__(self, network: InferenceNetwork, state: State) -> None:
        self.network = network
        self.state = state

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[FixedReading, NDArray[np.float64]]:
        """Read symbols; see `Reading.read`."""
        state = self.network.copy(self.state)
        log_p = text_scores.log_probabilities(self.network, ids, state)
        return FixedReading(self.network, state), log_p

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[FixedReading, NDArray[Any]]:
        """Read symbols; see `Reading.read_rows`."""
        state = self.network.copy(self.state)
        rows = self.network.logits_before(ids.astype(np.int32)[:, None], state)[:, 0]
        return FixedReading(self.network, state), rows

    def copy(self) -> FixedReading:
        """Return the reading itself, because it never changes."""
        return self


class TextState:
    """The state of a model within a text: it reads, predicts and draws, and can be copied and pickled.

    `CharRNN.start` creates it. A state keeps the model's weights at that time; copies share them. States can be used
    on several threads, each state on one thread at a time.

    Attributes
    ----------
    log_prob : float
        The log-probability, in nats, of everything fed and drawn since the start, given the prime.
    min_log_prob : float
        The log-probability, in nats, of the least probable symbol fed and drawn since the start; 0 before the first.

    Examples
    --------
    >>> from crnn import CharNGram
    >>> model = CharNGram(order=3).fit("ab" * 100)
    >>> state = model.start("a")
    >>> likely = state.copy().feed("b").log_prob
    >>> likely > state.copy().feed("a").log_prob
    True
    >>> state.sample(3, temperature=0)
    'bab'
    """

    __slots__ = ("_reading", "_seen", "_sums", "_vocabulary")

    def __init__(self, vocabulary: Vocabulary, reading: Reading, seen: NDArray[np.bool_], sums: Sums = NO_SUMS) -> None:
        self._vocabulary = vocabulary
        self._reading = reading
        self._seen = seen
        self._sums = sums

    @property
    def log_prob(self) -> float:
        """The log-probability, in nats, of everything fed and drawn since the start, given the prime.

        A text has the same bits as in `CharRNN.score_samples`, whether fed whole or in pieces.
        """
        return self._sums.log_prob

    @property
    def min_log_prob(self) -> float:
        """The log-probability, in nats, of the least probable symbol fed and drawn since the start; 0 before the first.

        It is the score of `CharRNN.score_samples` with ``reduce="min"``.
        """
        return self._sums.min_log_prob

    def feed(self, text: Text, *, adapt: bool | None = None) -> TextState:
        """Read a piece of text, and return the state itself.

        Parameters
        ----------
        text : str or bytes
            Text of the model's symbols; if it contains an unknown symbol, the state is unchanged.
        adapt : bool or None, default=None
            Whether to learn from the text; None: as chosen in `CharRNN.start`. False only reads, as `sample`
            does with drawn symbols.

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

    def next_proba(self) -> NDArray[np.float64]:
        """Return the probability of each symbol to come next, (V,), in the order of `vocabulary_`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> model.start().next_proba().round(2).tolist()
        [0.25, 0.25, 0.25, 0.25]
        """
        (p,) = self._reading.network.probabilities_after(self._reading.state)
        return np.asarray(p)

    @with_controls
    def sample(self, length: int = 1, *, random_state: Any = None, **controls: Unpack[GivenControls]) -> str | bytes:
        """Draw the next characters, read them and return them.

        With the same seed, one call draws the characters that `CharRNN.sample` draws with the text read so far as its
        prime.

        Parameters
        ----------
        length : int, default=1
            Characters to draw. A `stop` ends the text earlier: it is neither returned nor read. A document may also end
            by itself: its end counts in `log_prob`, and the state starts a new document.
        logit_bias : dict, default=None
            Numbers to add to the logits of some characters, or of `crnn.BOUNDARY`, the end of a document; -inf forbids
            a character, even one that the model lacks.
        repetition_penalty : float, default=1.0
            Divides the logit of each character that occurs in the prime or the text so far, or multiplies it if
            negative. Above 1, these characters become less likely; below 1, more likely.
        temperature : float, default=1.0
            Divides the logits: below 1, likely characters become more likely; 0 always takes the most likely one.
        top_k : int, default=None
            Draw only from this many of the most probable characters. None: from all.
        top_p : float, default=None
            Draw from the smallest set of most probable characters whose probabilities add up to this (the nucleus), at
            least one. None or 1: from all.
        min_p : float, default=None
            Never draw a character whose probability is below this fraction of the largest. None or 0: no limit.
        stop : list of str, or of bytes, default=None
            Texts that end the sample: it ends before the first of them to occur, or before the longest if several end
            at the same character. The prime does not count. A stop with an unknown character never occurs.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different text each time.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> state = model.start("ab")
        >>> state.sample(2, temperature=0), state.sample(3, top_k=1)
        ('ab', 'aba')
        >>> state.sample(9, temperature=0, stop=["ba"]), state.sample(2, temperature=0)
        ('', 'ba')
        """
        vocabulary = self._vocabulary
        length = checked_int("length", length, 0)
        checked = CheckedControls.check(vocabulary, controls)
        network = self._reading.network
        context = Context(self._reading.state, self._seen)
        sampler = text_sampler(network, context, length, Uniforms(root(random_state), range(1)), checked)
        ids = sampler.run().ids
        boundary = vocabulary.boundary
        ended = boundary is not None and sampler.ended_by(boundary)[0]
        self._advance(np.append(ids, np.int32(boundary or 0)) if ended else ids, drawn=True)  # also adds to log_prob
        return vocabulary.decode(ids)

    def beam_search(self, length: int = 20, *, n_beams: int = 8, stop: Any = None) -> list[tuple[Any, float]]:
        """Return the most probable continuations, as `CharRNN.beam_search` does; the state stays as it is.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=4).fit("to be or not to be. " * 20)
        >>> model.start("to be or n").beam_search(stop=[" ", "."])[0][0]
        'ot'
        """
        length = checked_int("length", length, 0)
        n_beams = checked_int("n_beams", n_beams, 1)
        network = self._reading.network
        state = self._reading.network.copy(self._reading.state)
        if stop is not None:
            return best_completions(network, self._vocabulary, state, length, n_beams, stop)
        return best_continuations(network, self._vocabulary, state, length, n_beams)

    def copy(self) -> TextState:
        """Return a state that changes independently of this one.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> state = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd").start()
        >>> state.copy().feed("abc").log_prob == state.log_prob
        False
        """
        return TextState(self._vocabulary, self._reading.copy(), self._seen, self._sums)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return TextState, (self._vocabulary, self._reading, self._seen, self._sums)

    def __repr__(self) -> str:
        return f"TextState(log_prob={self.log_prob:.6g})"

    def _advance(self, ids: Ids, *, learn: bool | None = None, drawn: bool = False) -> TextState:
        """Read ids, which may have been `drawn` here; an interruption leaves the state unchanged."""
        if learn and not self._reading.learns:
            raise InvalidInputError(
                "adapt=True, but this state was started without adaptation. Use model.start(text, adapt=True)."
            )
        reading, log_p = self._reading.read(ids, learn=not drawn and learn is not False)
        sums = self._sums.after(log_p)
        seen = seen_after(self._seen, ids, self._vocabulary.boundary)
        self._reading = reading
        self._seen = seen
        self._sums = sums
        return self
