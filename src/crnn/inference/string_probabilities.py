"""StringProbabilities: what a trained model says of given strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..model.learned_attributes import LearnedAttributes
from ..settings import threads, whole
from ..text.vocabulary import Text
from ..threads import readers
from . import guessing, sampling, scoring, string_scores
from .guessing import GuessNumbers
from .packed_network import PackedNetwork, State
from .string_scores import TextBlock, text_blocks
from .text_state import TextState
from .uniforms import root

Array = NDArray[Any]


class StringProbabilities(LearnedAttributes):
    """An estimator that has weights and a vocabulary once it is fitted: it says how probable strings are.

    A string starts from the zero state, which predicts its first symbol, and has no end. That is for a model of a
    running text. For a model of documents it starts after a boundary, and a boundary is its end.
    """

    n_threads: int | None

    # ------------------------------------------------------------ many strings

    def score_samples(self, texts: Iterable[Text], *, normalize: str | None = None) -> NDArray[np.float64]:
        """Return the log-probability of each of many strings, in nats.

        They are read side by side on `n_threads` threads, in blocks, so that a generator of any number of strings
        needs no more memory than its results. A result is the same to the bit whatever else is in the list.

        Parameters
        ----------
        texts : iterable of str, or of bytes for a model of bytes
            Strings of the model's symbols.
        normalize : {None, "char"}, default=None
            "char": the mean per symbol instead of the sum; the end of a document counts as one.

        Returns
        -------
        ndarray of float64, shape (n,)
            At most 0. For an empty string 0, or for a model of documents the log-probability of its end alone.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If one of them is no string of the model's symbols: it says which, and what to do.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> model.score_samples(["ab", "", "abcd"]).round(1).tolist()  # it has learned nothing: ln 1/4 a symbol
        [-2.8, 0.0, -5.5]
        >>> model.score_samples(iter(["ab", "dc"]), normalize="char").round(2).tolist()
        [-1.39, -1.39]
        """
        network = self._packed("score_samples", one_row=False, scoring=True)
        blocks = text_blocks(texts, self.vocabulary_, name="texts")
        return np.concatenate([np.empty(0), *self._score_blocks(network, blocks, normalize)])

    def predict_proba(self, prefixes: Iterable[Text]) -> NDArray[np.float64]:
        """Return the probability of each symbol to come next after each prefix.

        Parameters
        ----------
        prefixes : iterable of str, or of bytes for a model of bytes
            The empty one is where a string starts.

        Returns
        -------
        ndarray of float64, shape (n, V)
            In the order of `vocabulary_`; rows sum to 1.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.predict_proba(["ab", "aba"]).round().tolist(), list(model.vocabulary_)
        ([[1.0, 0.0], [0.0, 1.0]], ['a', 'b'])
        """
        network = self._packed("predict_proba", one_row=False, scoring=True)
        return string_scores.next_probabilities(network, self.vocabulary_, prefixes, threads(self.n_threads))

    def guess_number(
        self, strings: Iterable[Text], n: int = 10_000, random_state: Any = None, *, length: int | None = None
    ) -> GuessNumbers:
        """Estimate after how many guesses each string is found by who tries the most probable strings first.

        By the Monte Carlo method of Dell'Amico and Filippone (2015), which draws strings from the model. It needs
        strings that end: a model of documents, or strings that all have the same `length`.

        Parameters
        ----------
        strings : iterable of str, or of bytes for a model of bytes
        n : int, default=10000
            Strings to draw; a hundred times as many make the bounds ten times as narrow.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same numbers.
        length : int, default=None
            For a model of a running text: the length of all strings, which are guessed among those of this length.

        Returns
        -------
        GuessNumbers
            `estimate`, `lower` and `upper`, float64 arrays (k,): from 1 on; the bounds at 95 % confidence.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`; also if a string has another length, or the model does not end its strings.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> found = model.guess_number(["abab", "aaaa"], random_state=0, length=4)
        >>> bool(found.estimate[0] < found.estimate[1])
        True
        """
        network, end = self._packed("guess_number", one_row=False, scoring=True), self.vocabulary_.boundary
        n, most = whole("n", n, 2), guessing.checked_length(length, end)
        blocks, log_p = text_blocks(strings, self.vocabulary_, name="strings"), [np.empty(0)]
        n_threads, start = readers(threads(self.n_threads)), network.start()
        for block in blocks:
            guessing.check_lengths(block, length)
            encoded = string_scores.Strings.encode(block, self.vocabulary_, name="strings[{}]", ended=True)
            log_p.append(string_scores.log_likelihoods(network, encoded, start, n_threads))
        sampled = guessing.drawn_log_likelihoods(
            network, start, n, end=end, length=most, bits=root(random_state), n_threads=n_threads
        )
        return guessing.guess_numbers(np.concatenate(log_p), sampled)

    # -------------------------------------------------------------- one string

    def surprisal(self, text: Text) -> NDArray[np.float64]:
        """Return how surprising each character is: -log P given those before it, in nats.

        Parameters
        ----------
        text : str or bytes

        Returns
        -------
        ndarray of float64, shape (len(text),)
            The end of a document is not among them; `start` can tell it.

        Raises
        ------
        NotFittedError, ValueError
            Before `fit`; if the text holds a symbol that the model never saw.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.surprisal("abaab").argmax()  # the second a of aa
        np.int64(3)
        """
        network, ids, state = self._one("surprisal", text)
        return scoring.surprisal(network, ids, state)

    def rank(self, text: Text) -> NDArray[np.intp]:
        """Return the place of each character among all symbols, the most probable one's being 1.

        Parameters, errors: as `surprisal`.

        Returns
        -------
        ndarray of int, shape (len(text),)
            One more than there were more probable symbols.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.rank("abaa")[1:].tolist()  # the second a of aa
        [1, 1, 2]
        """
        network, ids, state = self._one("rank", text)
        return scoring.ranks(network, ids, state)

    def hidden_states(self, text: Text) -> Array:
        """Return the activations of all hidden units after each character.

        Parameters, errors: as `surprisal`.

        Returns
        -------
        ndarray of the model's dtype, shape (len(text), num_layers, hidden_size)
            Of an LSTM the outputs h, not the cells.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(hidden_size=16, num_layers=2, max_steps=0).fit("abcd").hidden_states("abc").shape
        (3, 2, 16)
        """
        network, ids, state = self._one("hidden_states", text)
        return scoring.hidden_states(network, ids, state)

    def start(self, prime: str | bytes = "") -> TextState:
        """Return a state that reads, predicts and draws text step by step.

        Parameters
        ----------
        prime : str or bytes, default=""
            Text that the state is led through first; it does not count in the state's `log_prob`.

        Returns
        -------
        TextState
            With `feed`, `predict_proba`, `sample`, `copy`, `log_prob`. It keeps the weights as they are now.

        Raises
        ------
        NotFittedError, ValueError
            As `surprisal`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> state = model.start("ab")
        >>> [likely] = state.predict_proba().argsort()[-1:]
        >>> model.vocabulary_[likely], state.feed("a").sample(2, temperature=0)
        ('a', 'ba')
        """
        network = self._packed("start", one_row=True)
        return TextState(network, self.vocabulary_, sampling.primed_state(network, self._encode_prime(prime)))

    # ----------------------------------------------------------------- helpers

    def _score_blocks(
        self, network: PackedNetwork, blocks: Iterable[TextBlock], normalize: str | None, name: str = "texts[{}]"
    ) -> Iterator[NDArray[np.float64]]:
        """Give what `score_samples` does, block by block; errors call a text by `name`, in which {} is its index."""
        if normalize not in (None, "char"):
            raise InvalidInputError(f"normalize must be None or 'char', not {normalize!r}")
        per_symbol, n_threads = normalize == "char", threads(self.n_threads)
        return string_scores.score_blocks(
            network, self.vocabulary_, blocks, n_threads, per_symbol=per_symbol, name=name
        )

    def _one(self, what: str, text: Text) -> tuple[PackedNetwork, Array, State]:
        network = self._packed(what, one_row=True, scoring=True)
        return network, self.vocabulary_.encode(text, name="text"), network.start()

    def _packed(self, what: str, *, one_row: bool, scoring: bool = False) -> PackedNetwork:
        state = self._fitted(what)
        boundary = state.vocabulary.boundary
        return PackedNetwork.pack(state.layout, state.params, one_row=one_row, scoring=scoring, boundary=boundary)

    def _encode_prime(self, prime: str | bytes) -> Array:
        boundary = self.vocabulary_.boundary
        ids: Array = np.zeros(0, np.int32)
        if prime or not isinstance(prime, str | bytes):  # the default "" serves a model of bytes too
            ids = self.vocabulary_.encode(prime, name="prime")
        return ids if boundary is None else np.append(np.int32(boundary), ids)
