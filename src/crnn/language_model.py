"""LanguageModel: what every model that predicts the next symbol can do, written against `InferenceNetwork` alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from .adaptation.adaptive_text_state import AdaptiveTextState
from .adaptation.reading import Adapt, Reading, adaptive_score, adaptive_surprisal
from .errors import InvalidInputError, short_repr
from .estimator import Estimator
from .inference.network.context import Context
from .inference.network.network import InferenceNetwork
from .inference.network.text_state import TextState
from .inference.sampling.beam_search import best_continuations
from .inference.sampling.enumeration import EnumeratedDocuments, enumerated_documents
from .inference.sampling.label_mixture import log_prior, mixed_drawer
from .inference.sampling.sampling_controls import SampleOptions, SamplingOptions, with_controls
from .inference.sampling.text_drawing import (
    Draw,
    TextRequest,
    check_prime,
    drawer,
    drawn_texts,
    encoded_prime,
    streamed,
    warn_of_length,
)
from .inference.scoring import scoring, string_scores
from .inference.scoring.guessing import GuessNumbers, estimated_guess_numbers
from .inference.scoring.labelled_scores import labelled_scores, refuse_labels
from .inference.scoring.string_scores import Reduce
from .parameters.checks import MAX_SIZE, checked_bool, checked_int, checked_threads, generator
from .text.sources.input_checks import Errors
from .text.sources.sources import TextLike, documents_of
from .text.symbols.vocabulary import Text, Vocabulary

__all__ = ["OF_NETWORKS", "LanguageModel"]

# The public attributes that only a `CharRNN` has: other models' errors say so.
OF_NETWORKS = frozenset({
    "adapt", "bigrams_", "cell_", "editing", "export_c", "export_html", "export_onnx", "from_torch",
    "get_feature_names_out", "gradient", "hidden_states", "history_", "labels_", "n_steps_", "optimizer_state_",
    "params_", "quantize", "resume", "scales_", "smooth_loss_", "state_", "stop", "to_torch", "transform",
})  # fmt: skip
MAX_EXPONENT = 709  # exp of more is beyond float64


class LanguageModel(Estimator):
    """An estimator that writes text and says how probable texts are.

    For a model of running text a string starts from the zero state, which predicts its first symbol, and has no end.
    For a model of documents it starts after a boundary and ends with a boundary.

    A subclass defines `_vocabulary` and `_network`; and `for_label` and `_adaptive_reading` if it has labels, or adapts
    to what it reads. Everything here follows from these.
    """

    n_threads: int | None

    # ---------------------------------------------------------- for subclasses

    def _vocabulary(self, what: str) -> Vocabulary:
        """Return the symbols; NotFittedError names `what` was asked for."""
        raise NotImplementedError

    def _network(self, what: str, *, one_row: bool, scoring: bool = False) -> InferenceNetwork:
        """Return the network with the weights of this moment, which later changes don't reach.

        Parameters
        ----------
        what : str
            The method that needs the network, for the error of a model that is not fitted.
        one_row : bool
            Whether to prepare for one stream rather than many; the results have the same bits.
        scoring : bool, default=False
            Whether the network scores texts rather than draws.
        """
        raise NotImplementedError

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> Reading:
        """Return a reading that learns from a text, before its start; `adapt` is True or a dict of options."""
        raise InvalidInputError(
            f"adapt is {short_repr(adapt)}, but a {type(self).__name__} does not adapt: leave adapt out of {what}"
        )

    # ---------------------------------------------------------------- learned

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols in id order.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(8, max_steps=0).fit("abc").vocabulary_
        Vocabulary(3 characters: 'abc')
        """
        return self._vocabulary("reading vocabulary_")

    def for_label(self, label: Any) -> Self:
        """Return a model of the texts with one label, from a model that was fitted with labels."""
        self._vocabulary("for_label")
        raise InvalidInputError(f"label is {short_repr(label)}, but the model was fitted without labels: leave it out")

    # ---------------------------------------------------------------- sampling

    # A type checker does not know what a model was fitted to: for it the texts are of the type of the prime.
    @overload
    def sample(  # type: ignore[overload-overlap]  # a number that is known to be 1 is an int too
        self, n: int | None = None, *, prime: str = "", num_samples: Literal[1] = 1, **options: Unpack[SampleOptions]
    ) -> str: ...
    @overload
    def sample(  # type: ignore[overload-overlap]
        self, n: int | None = None, *, prime: bytes, num_samples: Literal[1] = 1, **options: Unpack[SampleOptions]
    ) -> bytes: ...
    @overload
    def sample(
        self, n: int | None = None, *, prime: str = "", num_samples: int, **options: Unpack[SampleOptions]
    ) -> list[str]: ...
    @overload
    def sample(
        self, n: int | None = None, *, prime: bytes, num_samples: int, **options: Unpack[SampleOptions]
    ) -> list[bytes]: ...
    @with_controls
    def sample(
        self,
        n: int | None = None,
        *,
        prime: str | bytes = "",
        num_samples: int = 1,
        max_length: int | None = None,
        label: Any = None,
        unique: bool = False,
        exclude: Iterable[Any] = (),
        random_state: Any = None,
        **controls: Unpack[SamplingOptions],
    ) -> Any:
        """Generate text; from a model of documents, whole documents that end by themselves.

        The controls, from `logit_bias` to `min_p`, are applied in the order in which they are listed below, each to the
        result of the one before it. Among symbols that are equally probable, the first one of the vocabulary counts as
        the more probable. A symbol for unknown characters is never drawn.

        Parameters
        ----------
        n : int or None, default=None
            Characters to generate, at most if there is a `stop`. None: 200; of a document as many as it has. A model of
            documents warns where `num_samples` may be meant; `max_length` limits a document without a warning.
        prime : str or bytes, default=""
            Text that the model reads first. It is not returned, except from a model of documents, whose document begins
            with it. Without a prime, the zero state predicts the first character.
        {controls}
        num_samples : int, default=1
            Samples to draw side by side. Sample i depends on `random_state` and on i alone.
        max_length : int or None, default=None
            For a model of documents: a document of this many characters, the prime included, ends there. None: 1000 if
            `n` is not given either.
        label : str, int, float or bool, default=None
            With a model that was fitted with labels: the label of the text. None: each sample has a label drawn by the
            probabilities that the model has learned.
        unique : bool, default=False
            Whether all samples must differ: of equal ones the first counts, and others are drawn.
        exclude : iterable of str or bytes, default=()
            Texts that are not to be returned, such as the documents of the training. Of `Lines` only hashes of 64 bits
            are held, 8 bytes a line: one text in 10¹¹ that is none of 100 million lines is left out as if it were.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different one each time.

        Returns
        -------
        str, bytes or list
            The text without the prime, or the document with it; bytes from a model of bytes; a list of them if
            `num_samples` is not 1. Type checkers go by `prime`: give ``prime=b""`` to a model of bytes.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If an argument is out of range, the prime or `logit_bias` holds a symbol that the model never saw, all
            symbols are forbidden, or `unique` and `exclude` leave too few texts.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.sample(6, prime="a", temperature=0)
        'bababa'
        >>> model.sample(4, num_samples=2, top_k=1, prime="ab")
        ['abab', 'abab']
        >>> model.sample(6, temperature=0, prime="a", stop=["aa", "aba"])
        'b'
        >>> model.sample(6, logit_bias={"a": float("-inf")})
        'bbbbbb'
        >>> names = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit(["Anna", "Bob", "Eve"])
        >>> sorted(names.sample(num_samples=2, temperature=0.3, unique=True, exclude=["Bob"], random_state=0))
        ['Anna', 'Eve']
        """
        k = checked_int("num_samples", num_samples, 1, MAX_SIZE)
        vocabulary, request = self._vocabulary("sample"), TextRequest(n, prime, max_length, controls)
        check_prime(prime, vocabulary)
        model = self if label is None else self.for_label(label)
        draw = model._drawer(request, random_state, one_row=k == 1)
        if not vocabulary.labels:
            warn_of_length(request, vocabulary, k)
        texts = drawn_texts(draw, k, vocabulary, unique=checked_bool("unique", unique), exclude=exclude)
        return texts[0] if k == 1 else texts

    @overload
    def stream(
        self, n: int | None = None, *, prime: str = "", random_state: Any = None, **controls: Unpack[SamplingOptions]
    ) -> Iterator[str]: ...
    @overload
    def stream(
        self, n: int | None = None, *, prime: bytes, random_state: Any = None, **controls: Unpack[SamplingOptions]
    ) -> Iterator[bytes]: ...
    @with_controls
    def stream(
        self,
        n: int | None = None,
        *,
        prime: str | bytes = "",
        label: Any = None,
        random_state: Any = None,
        **controls: Unpack[SamplingOptions],
    ) -> Iterator[Any]:
        """Generate text character by character, without end unless `n` is given or a `stop` occurs.

        A model of documents writes one document, from its start or after the prime to its end.

        Parameters
        ----------
        n : int, default=None
            Characters to generate; None: no end.
        prime, label, {control_names}, random_state
            As in `sample`; the same seed gives the same text as there. Characters that may be the beginning of a
            `stop` come once the characters after them have decided it.

        Returns
        -------
        iterator of str or bytes
            Characters, or bytes objects of length 1 from a model of bytes. The weights are those at the call of
            `stream`.

        Raises
        ------
        NotFittedError, ValueError
            As `sample`, at the call.

        Examples
        --------
        >>> from itertools import islice
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> list(islice(model.stream(prime="a", temperature=0), 3))
        ['b', 'a', 'b']
        >>> list(model.stream(prime="a", temperature=0, stop="bab"))
        []
        """
        n = None if n is None else checked_int("n", n, 0)
        if label is not None:
            return self.for_label(label).stream(n, prime=prime, random_state=random_state, **controls)
        network = self._text_network("stream", one_row=True)
        return streamed(network, self.vocabulary_, n, prime, controls, random_state)

    @overload
    def beam_search(self, n: int = 20, *, prime: str = "", beams: int = 8) -> list[tuple[str, float]]: ...
    @overload
    def beam_search(self, n: int = 20, *, prime: bytes, beams: int = 8) -> list[tuple[bytes, float]]: ...
    def beam_search(self, n: int = 20, *, prime: str | bytes = "", beams: int = 8) -> list[Any]:
        """Return the most probable continuations of a text, with the logarithms of their probabilities.

        After each character the `beams` most probable beginnings are kept. The search is certain to find the most
        probable continuations only if it keeps all beginnings; more beams find more probable ones.

        Parameters
        ----------
        n : int, default=20
            Characters of a continuation; at most, in a model of documents, whose documents end.
        prime : str or bytes, default=""
            The text that is continued; not returned.
        beams : int, default=8
            Continuations that are kept and returned, or fewer if there are no more. One beam finds the text of
            ``sample(n, prime=prime, temperature=0)``.

        Returns
        -------
        list of (str or bytes, float)
            Continuations and log P of each, given the prime, in nats; the most probable first. Log P of a document that
            has ended includes its end.

        Raises
        ------
        NotFittedError, ValueError
            As `sample`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> (best, log_prob), *others = model.beam_search(3, prime="a", beams=4)
        >>> best, len(others)
        ('bab', 3)
        """
        n, beams = checked_int("n", n, 0), checked_int("beams", beams, 1)
        network = self._text_network("beam_search", one_row=beams == 1)
        return best_continuations(network, self.vocabulary_, n, prime, beams)

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
        network = self._text_network("enumerate_documents", one_row=False)
        return enumerated_documents(network, self.vocabulary_, n, max_beginnings)

    def start(self, prime: str | bytes = "", *, adapt: Adapt = False) -> TextState:
        """Return a state that reads, predicts and draws text step by step.

        Parameters
        ----------
        prime : str or bytes, default=""
            Text that is read first; it does not count in the state's `log_prob`.
        adapt : bool, dict or "counts", default=False
            True: the state has weights or counts of its own, which learn from what it is fed: weights from each block,
            once the block is complete, counts from each symbol. They do not learn from the prime, nor from what is
            drawn. A dict has options of `CharRNN.adapt`, as ``{"learning_rate": 3e-4}``. "counts" is for a `Mixture`:
            only its counts learn.

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
            return AdaptiveTextState.after(self.vocabulary_, reading, encoded_prime(prime, self.vocabulary_))
        network, vocabulary = self._text_network("start", one_row=True), self._vocabulary("start")
        return TextState(network, vocabulary, Context.after(network, encoded_prime(prime, vocabulary)))

    # ----------------------------------------------------------------- scoring

    def score(
        self, X: TextLike, y: None = None, *, labels: Any = None, exact: bool = True, adapt: Adapt = False
    ) -> float:
        """Return the mean log-likelihood per symbol, in nats: higher is better, 0 is certainty.

        Every symbol counts, the first as predicted by the zero state. Of a document its end counts as well, as one
        symbol more.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `fit`, of the model's symbols. Documents only for a model that was fitted on documents, for which a
            text is one document.
        y : None
            Not used.
        labels : array-like of shape (n,), or one label, default=None
            As of `score_samples`.
        exact : bool, default=True
            True: one state is carried through the whole text. False: a long text is cut in parts that are read side
            by side on several threads; the first state of a part comes from the 128 symbols before it. The result then
            differs slightly; it depends on the text but not on the number of threads.
        adapt : bool, dict or "counts", default=False
            True: dynamic evaluation. A network reads the text in blocks; each is scored by the weights as they are, and
            then learned from, as by `CharRNN.adapt`. Counts learn from each symbol once it is scored. The model does
            not change. A dict has options of `CharRNN.adapt`, as ``{"learning_rate": 3e-4}``. "counts" is for a
            `Mixture`: its networks stay as they are, and only its counts learn.

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the text is empty or holds a symbol that the model never saw; with `adapt` also as `CharRNN.adapt`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.score("dcba"), 2)  # it has learned nothing: about -ln 4
        -1.39
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit(["abcd", "dcba"])
        >>> round(model.score(["a", ""]), 2)  # a, its end, and an end: about -ln 5
        -1.61
        """
        exact = checked_bool("exact", exact)
        if adapt is not False:
            refuse_labels(labels)
            reading = self._adaptive_reading("score", adapt, scoring=True)
            return adaptive_score(reading, self.vocabulary_, X, exact=exact)
        if self._vocabulary("score").labels:
            if not exact:
                raise InvalidInputError(
                    "exact is False, which cuts one text in parts, but texts with labels are scored one by one. "
                    "Leave exact out."
                )
            texts = documents_of(X)
            return float(self.score_samples(texts, labels=labels).sum()) / (len(texts) + sum(map(len, texts)))
        refuse_labels(labels)
        network, n_threads = self._network("score", one_row=exact, scoring=True), checked_threads(self.n_threads)
        return scoring.mean_log_likelihood(network, self.vocabulary_, X, exact=exact, n_threads=n_threads)

    def bits_per_char(self, X: TextLike, *, exact: bool = True, adapt: Adapt = False) -> float:
        """Return the mean of -log2 P per symbol: `score` in bits, lower is better.

        Parameters
        ----------
        X, exact, adapt
            As for `score`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.bits_per_char("dcba"), 2)
        2.0
        """
        return -self.score(X, exact=exact, adapt=adapt) / math.log(2)

    def perplexity(self, X: TextLike, *, exact: bool = True, adapt: Adapt = False) -> float:
        """Return exp(-`score`): a choice among this many equally probable symbols is as uncertain.

        Infinite if it is beyond float64.

        Parameters
        ----------
        X, exact, adapt
            As for `score`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.perplexity("dcba"), 1)
        4.0
        """
        nats = -self.score(X, exact=exact, adapt=adapt)
        return math.exp(nats) if nats < MAX_EXPONENT else math.inf

    def score_samples(
        self, texts: Iterable[Text], *, labels: Any = None, reduce: Reduce = "sum", errors: Errors = "strict"
    ) -> NDArray[np.float64]:
        """Return the log-probability of each of many strings, in nats.

        The strings are read in parallel on `n_threads` threads, in blocks: a generator of any number of strings, or
        `Lines`, takes no more memory than its results. The bits of a result do not depend on the other strings.
        Equal strings are scored once: those of a block of up to 32,768 strings, and those among about 65,000 to 130,000
        different strings before it. Log lines whose numbers are masked are scored several times as fast that way.

        Parameters
        ----------
        texts : iterable of str, or of bytes for a model of bytes
            Strings of the model's symbols: a list, a column of a table, an Arrow array, `Lines`, a generator.
        labels : array-like of shape (n,), or one label, default=None
            With a model that was fitted with labels: the label of each string, or of all, which the probability is
            given. None: the probability whatever the label, a sum over all labels, which takes as many times as long.
        reduce : {"sum", "mean", "min"}, default="sum"
            How a score follows from the log-probabilities of a string's symbols, the end of a document among them.
            "sum": their sum, the string's log-probability. "mean": their mean, which compares strings of different
            lengths. "min": the least of them, which finds a single odd place in a long string.
        errors : {"strict", "replace", "skip"}, default="strict"
            What to do with missing values (None, NaN, NA), with bytes given to a model of characters, and with symbols
            that the model never saw, if it has no symbol for unknown ones (`min_count`). "strict": raise an error.
            "replace": a missing value has a score of NaN; bytes are decoded, with U+FFFD for what is not UTF-8; a
            string with an unseen symbol, whose probability is 0, has a score of -inf. "skip": all strings that cannot
            be scored have a score of NaN. `Lines` have an option of their own, which counts if this is "strict".

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
        >>> model.score_samples(iter(["ab", "dc"]), reduce="mean").round(2).tolist()
        [-1.39, -1.39]
        >>> model.score_samples(["ab", None, "e"], errors="replace").round(1).tolist()
        [-2.8, nan, -inf]
        """
        if self._vocabulary("score_samples").labels:
            return self._labelled_scores(texts, labels, reduce, errors)
        refuse_labels(labels)
        network = self._network("score_samples", one_row=string_scores.is_single(texts), scoring=True)
        n_threads = checked_threads(self.n_threads)
        return string_scores.score_texts(network, self.vocabulary_, texts, n_threads, reduce=reduce, errors=errors)

    def score_batches(
        self, batches: Iterable[Iterable[Text]], *, reduce: Reduce = "sum", errors: Errors = "strict"
    ) -> Iterator[NDArray[np.float64]]:
        """Return the log-probabilities of strings batch by batch, each batch as soon as it is there.

        This is `score_samples` for strings that come from a pipe, or are too many for all results to be held. A string
        has the same score, to the bit, in whatever batch it comes.

        Parameters
        ----------
        batches : iterable of lists of str, or of bytes for a model of bytes
            The next batch is asked for when the scores of the one before it have been used.
        reduce, errors
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
        network = self._text_network("score_batches", one_row=False, scoring=True)
        options: Any = {"reduce": reduce, "errors": errors}
        return string_scores.score_batches(
            network, self.vocabulary_, batches, checked_threads(self.n_threads), **options
        )

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
        network = self._text_network("predict_proba", one_row=False, scoring=True)
        return string_scores.next_probabilities(network, self.vocabulary_, prefixes, checked_threads(self.n_threads))

    def surprisal(self, text: Text, *, end: bool = False, adapt: Adapt = False) -> NDArray[np.float64]:
        """Return how surprising each character is: -log P given those before it, in nats.

        Parameters
        ----------
        text : str or bytes
        end : bool, default=False
            Whether to add the surprisal of the document's end, which shows that a text was cut off.
        adapt : bool, dict or "counts", default=False
            As of `score`.

        Returns
        -------
        ndarray of float64, shape (len(text),), or (len(text) + 1,) with the end

        Raises
        ------
        NotFittedError, ValueError
            Before `fit`; if the text holds a symbol that the model never saw; `end` of a model fitted on one text,
            whose end it does not know.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.surprisal("abaab").argmax()  # the second a of aa
        np.int64(3)
        >>> names = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit(["Anna", "Bob"])
        >>> names.surprisal("Ann", end=True).argmax()  # the end: an a is missing
        np.int64(3)
        """
        end = checked_bool("end", end)
        if adapt is not False:
            reading = self._adaptive_reading("surprisal", adapt, scoring=True)
            return adaptive_surprisal(reading, self.vocabulary_, scoring.text_ids(text, self.vocabulary_, end=end))
        network = self._text_network("surprisal", one_row=True, scoring=True)
        return scoring.surprisal(network, scoring.text_ids(text, self.vocabulary_, end=end), network.start())

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
        network = self._text_network("rank", one_row=True, scoring=True)
        return scoring.ranks(network, self.vocabulary_.encode(text, name="text"), network.start())

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
        network = self._text_network("guess_number", one_row=False, scoring=True)
        rest: Any = {"length": length, "random_state": random_state, "n_threads": checked_threads(self.n_threads)}
        return estimated_guess_numbers(network, self.vocabulary_, strings, n, **rest)

    # ------------------------------------------------------------------ labels

    def _text_network(self, what: str, *, one_row: bool, scoring: bool = False) -> InferenceNetwork:
        """Return the network of a model without labels; an error names `what` was asked of a model with labels."""
        self._require_no_labels(what)
        return self._network(what, one_row=one_row, scoring=scoring)

    def _require_no_labels(self, what: str) -> None:
        labels = self._vocabulary(what).labels
        if labels:
            raise InvalidInputError(
                f"{what} needs to know the label, since the model was fitted with labels: use the model of one label, "
                f"such as model.for_label({labels[0]!r}).{what}"
            )

    def _log_prior(self, what: str) -> NDArray[np.float64]:
        """Return log P of each label, (K,), in nats, before a text is read."""
        return log_prior(self._network(what, one_row=True), len(self.vocabulary_.labels))

    def _labelled_scores(
        self, texts: Iterable[Text], labels: Any, reduce: Reduce, errors: Errors
    ) -> NDArray[np.float64]:
        """Return the scores of a model with labels."""
        vocabulary, errors = self.vocabulary_, string_scores.errors_of(texts, errors)
        checked = string_scores.checked_texts(texts, vocabulary, errors)

        def score(label: Any, of_label: list[Any], reduce: Reduce) -> NDArray[np.float64]:
            return self.for_label(label).score_samples(of_label, reduce=reduce, errors=errors)

        def prior() -> NDArray[np.float64]:
            return self._log_prior("score_samples")

        return labelled_scores(checked, labels, vocabulary.labels, score, prior, reduce=reduce)

    def _drawer(self, request: TextRequest, random_state: Any, *, one_row: bool) -> Draw:
        """Return a function that draws samples by their numbers, with the weights of now.

        With labels each sample has a label, drawn before it; the prime says something about the label.
        """
        vocabulary = self._vocabulary("sample")
        if not vocabulary.labels:
            network = self._network("sample", one_row=one_row)
            return drawer(network, vocabulary, request, random_state, checked_threads(self.n_threads))
        models, log_weights = [self.for_label(label) for label in vocabulary.labels], self._log_prior("sample")
        if len(request.prime):
            log_weights = log_weights - [float(model.surprisal(request.prime).sum()) for model in models]

        def drawer_of(k: int, seed: int) -> Draw:
            return models[k]._drawer(request, seed, one_row=False)

        return mixed_drawer(log_weights, drawer_of, int(generator(random_state).integers(2**62)))
