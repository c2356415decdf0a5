"""LanguageModel: writes text and says how likely a text is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Unpack, overload

from numpy.typing import NDArray

from .adaptation.adaptive_reading import Adapt, log_likelihood
from .errors import InvalidInputError
from .inference.network.context import Context
from .inference.sampling import beam_search, sampling
from .inference.sampling.label_mixture import Draw, log_prior, mixed_drawer
from .inference.sampling.sample_options import SampleOptions
from .inference.sampling.sampling_controls import SamplingControls, SamplingOptions, with_controls
from .inference.sampling.uniforms import root
from .inference.scoring import scoring
from .parameters.checks import MAX_SIZE, checked_int, checked_threads, generator
from .string_features import StringFeatures
from .text.sources.documents import n_given
from .text.sources.hashed_texts import HashedTexts
from .text.sources.input_checks import warn_caller
from .text.sources.lines import Lines
from .text.sources.sources import TextLike, documents_of, text_source
from .text.sources.stored_ids import TextIds
from .text.symbols.vocabulary import Vocabulary

Array = NDArray[Any]

MAX_EXPONENT = 709  # exp of more is beyond float64
LENGTH = 200  # default symbols of a sample
MAX_LENGTH = 1000  # default symbols of a document, at most


class LanguageModel(StringFeatures):
    """An estimator that samples and scores once it is fitted."""

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
        vocabulary, k = self._fitted("sample").vocabulary, checked_int("num_samples", num_samples, 1, MAX_SIZE)
        if label is not None:
            given: Any = {"n": n, "prime": prime, "num_samples": k, "max_length": max_length, "unique": unique,
                          "exclude": exclude, "random_state": random_state, **controls}  # fmt: skip
            return self.for_label(label).sample(**given)
        text: Any = {"n": n, "prime": prime, "max_length": max_length, "controls": controls}
        if vocabulary.labels:
            draw = self._any_label_drawer(prime, random_state, text)
        else:
            draw = self._drawer(**text, random_state=random_state, one_row=k == 1)
            if vocabulary.boundary is not None and n is not None and max_length is None and k == 1 and not len(prime):
                _warn_of_length(n)
        excluded = _excluded(exclude, vocabulary)
        if unique or len(excluded):
            texts = sampling.distinct(draw, k, unique=bool(unique), exclude=excluded)
        else:
            texts = draw(range(k))
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
        vocabulary = self._fitted("stream").vocabulary
        checked = SamplingControls.check(vocabulary, controls)
        network, bits = self._packed("stream", one_row=True), root(random_state)
        context = Context.after(network, self._encode_prime(prime))
        blocks = sampling.stream(network, context, n, controls=checked, bits=bits)
        return (vocabulary[int(i)] for block in blocks for i in block)

    def _drawer(
        self, n: Any, *, prime: Any, max_length: Any, controls: SamplingOptions, random_state: Any, one_row: bool
    ) -> Draw:
        """Return a function that draws samples by their numbers, with the weights of now; arguments as of `sample`."""
        vocabulary = self._fitted("sample").vocabulary
        checked = SamplingControls.check(vocabulary, controls)
        ids, head = self._encode_prime(prime), _head(prime, vocabulary)
        length = _length(vocabulary, n, max_length, len(head))
        bits, n_threads = root(random_state), checked_threads(self.n_threads)
        network = self._packed("sample", one_row=one_row)
        context = Context.after(network, ids)

        def draw(samples: range) -> list[Any]:
            drawn = sampling.sample(network, context, length, samples, controls=checked, bits=bits, n_threads=n_threads)
            return [head + text for text in drawn.decode(vocabulary)]

        return draw

    def _any_label_drawer(self, prime: Any, random_state: Any, text: dict[str, Any]) -> Draw:
        """Return what draws samples, each of a label drawn before it; the prime says something about the label."""
        state = self._fitted("sample")
        models = [self.for_label(label) for label in state.vocabulary.labels]
        weights = log_prior(state, bfloat16=self._bfloat16(state))
        if len(prime):
            weights = weights - [float(model.surprisal(prime).sum()) for model in models]

        def drawer(k: int, seed: int) -> Draw:
            return models[k]._drawer(**text, random_state=seed, one_row=False)

        return mixed_drawer(weights, drawer, int(generator(random_state).integers(2**62)))

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
        network = self._packed("beam_search", one_row=beams == 1)
        vocabulary = self.vocabulary_
        forbidden = () if vocabulary.unknown is None else (vocabulary.unknown,)
        state = Context.after(network, self._encode_prime(prime)).state
        found = beam_search.beam_search(network, state, n, beams, forbidden=forbidden, end=vocabulary.boundary)
        return [(vocabulary.decode(ids), log_prob) for ids, log_prob in found]

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
        adapt : bool or dict, default=False
            True: dynamic evaluation. The text is read in blocks; each is scored by the weights as they are, and then
            learned from, as by `CharRNN.adapt`. The model does not change. A dict has options of `CharRNN.adapt`, as
            ``{"learning_rate": 3e-4}``.

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
        if adapt is not False:
            return self._adaptive_score(X, labels, exact, adapt)
        if self._fitted("score").vocabulary.labels:
            texts = documents_of(X)
            total = float(self.score_samples(texts, labels=labels).sum())
            return total / (len(texts) + sum(map(len, texts)))
        self._refuse_labels(labels)
        network = self._packed("score", one_row=exact, scoring=True)
        ids, given = self._scored_ids(X)
        if exact:
            log_p = scoring.log_likelihood(network, ids, given)
        else:
            log_p = scoring.parallel_log_likelihood(network, ids, checked_threads(self.n_threads), given=given)
        return log_p / (len(ids) - given)

    def _adaptive_score(self, X: TextLike, labels: Any, exact: bool, adapt: Adapt) -> float:
        reading = self._adaptive_reading("score", adapt, scoring=True)
        self._refuse_labels(labels)
        if not exact:
            raise InvalidInputError(
                "exact=False reads parts of a text side by side, and adapt learns from its start: leave one of them out"
            )
        ids, given = self._scored_ids(X)
        return log_likelihood(reading, ids, given) / (len(ids) - given)

    def _scored_ids(self, X: TextLike) -> tuple[TextIds, int]:
        """Return the ids of a text, and how many of the first ones do not count."""
        ids = text_source(X).ids(self.vocabulary_)
        if not len(ids):
            raise InvalidInputError("X is empty; scoring needs at least 1 character")
        return ids, n_given(self.vocabulary_.boundary)

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


def _head(prime: str | bytes, vocabulary: Vocabulary) -> Any:
    """Return the text that a sample begins with: of a document the prime, otherwise none."""
    if vocabulary.boundary is None or not len(prime):
        return "" if vocabulary.kind == "characters" else b""
    return prime if isinstance(prime, str) else bytes(prime)  # as given: its ids may be of the unknown symbol


def _warn_of_length(n: Any) -> None:
    """Warn that `n` is the length of one document, where several of them could be meant."""
    if checked_int("n", n, 0, MAX_SIZE) > 1:
        warn_caller(
            f"sample({n}) of a model of documents draws one document of at most {n} characters: for {n} documents give "
            f"num_samples={n}, for one of this length max_length={n}"
        )


def _length(vocabulary: Vocabulary, n: Any, max_length: Any, head: int) -> int:
    """Return how many symbols to draw at most after `head` symbols of a document."""
    if vocabulary.boundary is None and max_length is not None:
        raise InvalidInputError("max_length is for a model of documents, and this model was fitted on one text: give n")
    limit = checked_int("max_length", max_length, 0, MAX_SIZE) if max_length is not None else MAX_LENGTH
    if n is not None:
        wanted = checked_int("n", n, 0, MAX_SIZE)
        return wanted if max_length is None else min(wanted, max(0, limit - head))
    return LENGTH if vocabulary.boundary is None else max(0, limit - head)


def _excluded(texts: Any, vocabulary: Vocabulary) -> frozenset[Any] | HashedTexts:
    """Return texts that are not to be drawn, checked to be of the model's kind."""
    if isinstance(texts, Lines):
        vocabulary.check_kind("" if texts.kind == "characters" else b"", "exclude")
        return HashedTexts(texts)
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InvalidInputError(f"exclude must be a list or a set of texts, not {type(texts).__name__}")
    found = set()
    for i, text in enumerate(texts):
        vocabulary.check_kind(text, f"exclude[{i}]")
        found.add(text if isinstance(text, str) else bytes(text))
    return frozenset(found)
