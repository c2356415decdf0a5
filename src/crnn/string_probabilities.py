"""StringProbabilities: the methods of a trained model that take strings: their probabilities and ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adaptation.adaptive_reading import Adapt, AdaptiveReading
from .adaptation.adaptive_text_state import AdaptiveTextState
from .errors import InvalidInputError
from .inference.network.context import Context
from .inference.network.network import InferenceNetwork
from .inference.network.packed_network import PackedNetwork, State
from .inference.network.text_state import TextState
from .inference.sampling.enumeration import EnumeratedDocuments, most_probable
from .inference.sampling.label_mixture import log_prior, mixed
from .inference.sampling.uniforms import root
from .inference.scoring import guessing, scoring, string_scores
from .inference.scoring.guessing import GuessNumbers
from .inference.scoring.string_scores import text_blocks
from .learned_attributes import LearnedAttributes
from .model.state import ModelState
from .parameters.checks import checked_int, checked_threads
from .parameters.settings import rounds_operands
from .runtime.threads import inference_threads
from .text.sources.labels import label_numbers
from .text.sources.lines import Lines
from .text.symbols.vocabulary import Text

Array = NDArray[Any]


class StringProbabilities(LearnedAttributes):
    """An estimator that says how probable strings are once it is fitted.

    For a model of running text a string starts from the zero state, which predicts its first symbol, and has no end.
    For a model of documents it starts after a boundary and ends with a boundary.
    """

    n_threads: int | None
    matmul_precision: str

    # ------------------------------------------------------------ many strings

    def score_samples(
        self, texts: Iterable[Text], *, labels: Any = None, normalize: str | None = None
    ) -> NDArray[np.float64]:
        """Return the log-probability of each of many strings, in nats.

        The strings are read side by side on `n_threads` threads, in blocks: a generator of any number of strings, or
        `Lines`, takes no more memory than its results. The bits of a result do not depend on the other strings.

        Parameters
        ----------
        texts : iterable of str, or of bytes for a model of bytes
            Strings of the model's symbols.
        labels : array-like of shape (n,), or one label, default=None
            With a model that was fitted with labels: the label of each string, or of all, which the probability is
            given. None: the probability whatever the label, a sum over all labels, which takes as many times as long.
        normalize : {None, "char"}, default=None
            "char": the mean per symbol instead of the sum; the end of a document counts as one.

        Returns
        -------
        ndarray of float64, shape (n,)
            At most 0. An empty string has 0, or in a model of documents the log-probability of its end.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If one of them is not a string of the model's symbols: which one, and the remedy.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> model.score_samples(["ab", "", "abcd"]).round(1).tolist()  # it has learned nothing: ln 1/4 a symbol
        [-2.8, 0.0, -5.5]
        >>> model.score_samples(iter(["ab", "dc"]), normalize="char").round(2).tolist()
        [-1.39, -1.39]
        """
        if self._fitted("score_samples").vocabulary.labels:
            return self._labelled_scores(list(texts), labels, normalize)
        self._refuse_labels(labels)
        if not isinstance(texts, Lines):
            return np.concatenate([np.empty(0), *self.score_batches([texts], normalize=normalize)])
        scores, n = np.empty(len(texts)), 0  # joining the scores of batches would hold all of them twice
        for of_batch in self.score_batches(texts.batches(), normalize=normalize):
            scores[n : n + len(of_batch)] = of_batch
            n += len(of_batch)
        return scores

    def score_batches(
        self, batches: Iterable[Iterable[Text]], *, normalize: str | None = None
    ) -> Iterator[NDArray[np.float64]]:
        """Return the log-probabilities of strings batch by batch, each batch as soon as it is there.

        This is `score_samples` for strings that come from a pipe, or are too many for all results to be held. A string
        has the same score, to the bit, in whatever batch it comes.

        Parameters
        ----------
        batches : iterable of lists of str, or of bytes for a model of bytes
            The next batch is asked for when the scores of the one before it have been used.
        normalize : {None, "char"}, default=None
            As in `score_samples`.

        Returns
        -------
        iterator of ndarray of float64
            For each batch its scores. The weights are those at the call.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`; the index of a string in an error counts from the first string of the first batch.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> for scores in model.score_batches([["ab", ""], ["abcd"]]):
        ...     print(scores.round(1))
        [-2.8  0. ]
        [-5.5]
        """
        network = self._packed("score_batches", one_row=False, scoring=True)
        if normalize not in (None, "char"):
            raise InvalidInputError(f"normalize must be None or 'char', not {normalize!r}")
        return self._score_batches(network, batches, checked_threads(self.n_threads), per_symbol=normalize == "char")

    def predict_proba(self, prefixes: Iterable[Text]) -> NDArray[np.float64]:
        """Return the probability that each symbol comes next after each prefix.

        Parameters
        ----------
        prefixes : iterable of str, or of bytes for a model of bytes
            After the empty prefix comes the first symbol of a string.

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
        return string_scores.next_probabilities(network, self.vocabulary_, prefixes, checked_threads(self.n_threads))

    def guess_number(
        self, strings: Iterable[Text], n: int = 10_000, random_state: Any = None, *, length: int | None = None
    ) -> GuessNumbers:
        """Estimate after how many guesses each string is found if the most probable strings are guessed first.

        The Monte Carlo method of Dell'Amico and Filippone (2015) draws strings from the model. It needs a model of
        documents, whose strings end, or strings that all have the same `length`.

        Parameters
        ----------
        strings : iterable of str, or of bytes for a model of bytes
        n : int, default=10000
            Strings to draw; a hundred times as many make the bounds ten times as narrow. They are those that
            `CharRNN.sample` draws with the same seed.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same numbers.
        length : int, default=None
            For a model of running text: the length of all strings; only strings of this length are guessed.

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
        n, drawn_length = checked_int("n", n, 2), guessing.checked_length(length, end)
        blocks, log_p = text_blocks(strings, self.vocabulary_, name="strings"), [np.empty(0)]
        n_threads, start = inference_threads(checked_threads(self.n_threads)), network.start()
        for block in blocks:
            guessing.check_lengths(block, length)
            encoded = string_scores.Strings.encode(block, self.vocabulary_, name="strings[{}]", ended=True)
            log_p.append(string_scores.log_likelihoods(network, encoded, start, n_threads))
        sampled = guessing.sampled_log_likelihoods(
            network, n, end=end, length=drawn_length, bits=root(random_state), n_threads=n_threads
        )
        return guessing.guess_numbers(np.concatenate(log_p), sampled)

    def enumerate_documents(self, n: int, *, max_beginnings: int = 100_000) -> EnumeratedDocuments:
        """Return the n most probable documents, the most probable first.

        The list is exact: best-first search leaves no more probable document out. It reads every beginning that is more
        probable than the last document, and keeps a state of each, so a model with many likely beginnings may reach the
        limit before the n-th document. The list is then shorter, and exact down to its `bound`.

        Parameters
        ----------
        n : int
            Documents to return, at most; at least 1.
        max_beginnings : int, default=100000
            Beginnings that are read, at most (about: they are read in groups of 64).

        Returns
        -------
        EnumeratedDocuments
            `documents`; `log_probs`, the log-probability of each with its end, in nats; and `bound`: every document
            with a larger log-probability is in the list. A symbol for unknown characters occurs in none.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If an argument is out of range, or the model was fitted on one text, whose end it does not know.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit(["Anna", "Anna", "Bob"])
        >>> found = model.enumerate_documents(2)
        >>> found.documents, bool(found.bound == found.log_probs[-1])
        (['Anna', 'Bob'], True)
        """
        n, max_beginnings = checked_int("n", n, 1), checked_int("max_beginnings", max_beginnings, 1)
        network, vocabulary = self._packed("enumerate_documents", one_row=False), self.vocabulary_
        if vocabulary.boundary is None:
            raise InvalidInputError(
                "enumerate_documents is for a model of documents, and this one was fitted on one text, whose end it "
                "does not know: use beam_search(n), or fit on a list"
            )
        forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
        found, bound = most_probable(network, n, max_beginnings, end=vocabulary.boundary, forbidden=forbidden)
        documents = [vocabulary.decode(np.array(ids, np.intp)) for ids, _ in found]
        return EnumeratedDocuments(documents, np.array([log_p for _, log_p in found]), bound)

    # -------------------------------------------------------------- one string

    def surprisal(self, text: Text, *, adapt: Adapt = False) -> NDArray[np.float64]:
        """Return how surprising each character is: -log P given those before it, in nats.

        Parameters
        ----------
        text : str or bytes
        adapt : bool or dict, default=False
            As of `CharRNN.score`.

        Returns
        -------
        ndarray of float64, shape (len(text),)
            The end of a document is not included; `start` gives it.

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
        if adapt is not False:
            reading = self._adaptive_reading("surprisal", adapt, scoring=True)
            ids, prime = self.vocabulary_.encode(text, name="text"), self._encode_prime("")
            return reading.read(prime)[0].read(ids)[1]
        network, ids, state = self._one("surprisal", text)
        return scoring.surprisal(network, ids, state)

    def rank(self, text: Text) -> NDArray[np.intp]:
        """Return the rank of each character among all symbols: 1 for the most probable.

        Parameters
        ----------
        text
            As for `surprisal`.

        Returns
        -------
        ndarray of int, shape (len(text),)
            1 plus the number of symbols that were more probable.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.rank("abaa")[1:].tolist()  # the second a of aa
        [1, 1, 2]
        """
        network, ids, state = self._one("rank", text)
        return scoring.ranks(network, ids, state)

    def start(self, prime: str | bytes = "", *, adapt: Adapt = False) -> TextState:
        """Return a state that reads, predicts and draws text step by step.

        Parameters
        ----------
        prime : str or bytes, default=""
            Text that is read first; it does not count in the state's `log_prob`.
        adapt : bool or dict, default=False
            True: the state has weights of its own, which learn from each block of what it is fed, once the block is
            complete. They do not learn from the prime, nor from what is drawn. A dict has options of
            `CharRNN.adapt`, as ``{"learning_rate": 3e-4}``.

        Returns
        -------
        TextState
            It has `feed`, `predict_proba`, `sample`, `end`, `copy`, `log_prob`, and keeps the weights of this moment.

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
        >>> state = model.start(adapt=True)
        >>> first = state.feed("b" * 300).log_prob
        >>> bool(state.feed("b" * 300).log_prob - first > first)  # it has learned from the first ones
        True
        """
        if adapt is not False:
            reading = self._adaptive_reading("start", adapt)
            return AdaptiveTextState.after(self.vocabulary_, reading, self._encode_prime(prime))
        network = self._packed("start", one_row=True)
        return TextState(network, self.vocabulary_, Context.after(network, self._encode_prime(prime)))

    # ----------------------------------------------------------------- helpers

    def _labelled_scores(self, texts: list[Text], labels: Any, normalize: str | None) -> NDArray[np.float64]:
        """Return the scores of a model with labels."""
        state = self._fitted("score_samples")
        if labels is None:
            found = [self.for_label(label).score_samples(texts) for label in state.vocabulary.labels]
            log_p = mixed(log_prior(state, bfloat16=self._bfloat16(state)), np.array(found))
            return log_p / np.array([len(text) + 1 for text in texts]) if normalize == "char" else log_p
        if isinstance(labels, str | int | float | np.generic):  # one for all
            return self.for_label(labels).score_samples(texts, normalize=normalize)
        numbers, out = label_numbers(labels, self.labels_, len(texts)), np.empty(len(texts))
        for k in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == k)
            of_label = self.for_label(self.labels_[k])
            out[places] = of_label.score_samples([texts[i] for i in places], normalize=normalize)
        return out

    def _refuse_labels(self, labels: Any, name: str = "labels") -> None:
        if labels is not None:
            raise InvalidInputError(f"{name} is given, but the model was fitted without labels: leave it out")

    def _score_batches(
        self, network: InferenceNetwork, batches: Iterable[Iterable[Text]], n_threads: int | None, *, per_symbol: bool
    ) -> Iterator[NDArray[np.float64]]:
        vocabulary, start, first = self.vocabulary_, network.start(), 0
        for batch in batches:
            blocks = string_scores.text_blocks(batch, vocabulary, name="texts", first=first)
            scored = string_scores.score_blocks(network, start, vocabulary, blocks, n_threads, per_symbol=per_symbol)
            scores = np.concatenate([np.empty(0), *scored])
            first += len(scores)
            yield scores

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> AdaptiveReading:
        """Return the reading of a text by weights that follow it; `adapt` is True or a dict of options."""
        raise InvalidInputError(
            f"{what} with adapt is for one model: adapt those of an ensemble, "
            f"Ensemble([model.adapt(text) for model in ensemble.models])"
        )

    def _one(self, what: str, text: Text) -> tuple[InferenceNetwork, Array, State]:
        network = self._packed(what, one_row=True, scoring=True)
        return network, self.vocabulary_.encode(text, name="text"), network.start()

    def _packed(self, what: str, *, one_row: bool, scoring: bool = False) -> InferenceNetwork:
        state = self._for_any_text(what)
        state.check_finite(what)
        boundary = state.vocabulary.boundary
        return PackedNetwork.pack(
            state.layout,
            state.params,
            one_row=one_row,
            scoring=scoring,
            boundary=boundary,
            bfloat16=self._bfloat16(state),
            n_threads=checked_threads(self.n_threads),
        )

    def _bfloat16(self, state: ModelState) -> bool:
        """Return whether operands of products are rounded."""
        return rounds_operands(self.matmul_precision, state.layout.dtype)

    def _encode_prime(self, prime: str | bytes) -> Array:
        boundary = self.vocabulary_.boundary
        ids: Array = np.zeros(0, np.int32)
        if prime or not isinstance(prime, str | bytes):  # the default "" serves a model of bytes too
            ids = self.vocabulary_.encode(prime, name="prime")
        return ids if boundary is None else np.append(np.int32(boundary), ids)


def packed(model: StringProbabilities, what: str, *, one_row: bool, scoring: bool) -> InferenceNetwork:
    """Return the network of a model, as its own methods use it; `what` is asked for, in the error of one not fitted."""
    return model._packed(what, one_row=one_row, scoring=scoring)
