"""LanguageModel: what a trained model is for, which is to write text and to say how likely a text is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..settings import MOST, threads, whole
from ..text.corpus import Source
from ..text.sources import text_source
from ..text.vocabulary import Vocabulary
from . import beam_search, sampling, scoring
from .sampling_controls import SamplingControls
from .string_probabilities import StringProbabilities
from .string_scores import Strings
from .uniforms import root

Array = NDArray[Any]

LARGEST_EXPONENT = 709  # of a number below 1.8e308
LENGTH = 200  # symbols of a sample, where nothing else is said
MAX_LENGTH = 1000  # of a document


class LanguageModel(StringProbabilities):
    """An estimator that has weights and a vocabulary once it is fitted: it samples and scores."""

    # ---------------------------------------------------------------- sampling

    def sample(
        self,
        n: int | None = None,
        *,
        prime: str | bytes = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        stop: Any = None,
        num_samples: int = 1,
        logit_bias: Mapping[Any, float] | None = None,
        max_length: int | None = None,
        unique: bool = False,
        exclude: Iterable[Any] = (),
        random_state: Any = None,
    ) -> Any:
        """Generate text; from a model of documents, whole documents that end by themselves.

        The controls are applied in this order, each to what the one before it leaves: `logit_bias`,
        `repetition_penalty`, `temperature`, `top_k`, `top_p`, `min_p`. Among symbols that are equally probable, the
        first one of the vocabulary counts as the more probable. A symbol for unknown characters is never drawn.

        Parameters
        ----------
        n : int or None, default=None
            Characters to generate, at most if there is a `stop`. None: 200; of a document as many as it has.
        prime : str or bytes, default=""
            Text that the state is led through first; not returned, but at the head of a document, which begins with
            it. Without one, the first character is drawn from what the zero state predicts.
        temperature : float, default=1.0
            Divides the logits: below 1 the likely becomes likelier, 0 always takes the likeliest.
        top_k : int, default=None
            Draw among the so many most probable characters only. None: among all.
        top_p : float, default=None
            Draw among the fewest most probable characters whose probabilities add up to this (the nucleus), and at
            least one. None or 1: among all.
        min_p : float, default=None
            Draw no character whose probability is below this share of the largest. None or 0: no limit.
        repetition_penalty : float, default=1.0
            Divides the logit of a character that the prime or the text so far holds, or multiplies it where it is
            negative: above 1 such a character becomes less likely, below 1 likelier.
        stop : str, bytes or list, default=None
            The text ends before the first of these: the one that is complete first, and of those the longest. The
            prime does not count. One that holds a character that the model never saw is never met.
        num_samples : int, default=1
            Samples to draw side by side. Sample i depends on `random_state` and on i alone.
        logit_bias : dict, default=None
            Numbers that are added to the logits of some characters, or of `crnn.BOUNDARY`, the end of a document;
            -inf forbids one.
        max_length : int or None, default=None
            For a model of documents: a document that has so many characters, the prime included, ends there. None:
            1000 if `n` is not given either.
        unique : bool, default=False
            Whether all samples must differ: of those that are equal the first one counts, and others are drawn.
        exclude : iterable of str or bytes, default=()
            Texts that are not to be returned, such as the documents of the training.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different one each time.

        Returns
        -------
        str, bytes or list
            The text without the prime, or the document with it; bytes from a model of bytes; a list of them if
            `num_samples` is not 1.

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
        vocabulary, k = self._fitted("sample").vocabulary, whole("num_samples", num_samples, 1, MOST)
        controls = SamplingControls.check(
            vocabulary,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            logit_bias=logit_bias,
            **_specials(vocabulary),
        )
        ids = self._encode_prime(prime)
        head: Any = vocabulary.decode(ids[:0])
        if vocabulary.boundary is not None and len(prime):
            head = prime if isinstance(prime, str) else bytes(prime)  # as it was given: the ids may be of the unknown

        def texts_of(samples: Strings) -> list[Any]:
            """Decoded together, since a call takes a while, each with the head before it."""
            together = vocabulary.decode(samples.ids)
            places = zip(samples.starts.tolist(), samples.lengths.tolist(), strict=True)
            return [head + together[start : start + length] for start, length in places]

        options = {"controls": controls, "random_state": random_state, "n_threads": threads(self.n_threads)}
        network, n = self._packed("sample", one_row=k == 1), _length(vocabulary, n, max_length, len(head))
        excluded = _texts("exclude", exclude, vocabulary)
        if unique or excluded:
            texts = sampling.distinct(
                network, ids, n, k, texts_of=texts_of, unique=bool(unique), exclude=excluded, **options
            )
        else:
            texts = texts_of(sampling.sample(network, ids, n, k, **options))
        return texts[0] if k == 1 else texts

    def stream(
        self,
        n: int | None = None,
        *,
        prime: str | bytes = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        stop: Any = None,
        logit_bias: Mapping[Any, float] | None = None,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Generate text character by character, without end unless `n` is given or a `stop` is met.

        A model of documents writes one document, from its start or after the prime to its end.

        Parameters
        ----------
        n : int, default=None
            Characters to generate; None: no end.
        prime, temperature, top_k, top_p, min_p, repetition_penalty, stop, logit_bias, random_state
            As in `sample`; the same seed gives the same text as there. Characters that may be the beginning of a
            `stop` come once it is certain that they are none.

        Returns
        -------
        iterator of str or bytes
            Characters, or bytes objects of length 1 from a model of bytes. They come from the weights as they were
            when `stream` was called.

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
        n = None if n is None else whole("n", n, 0)
        controls = SamplingControls.check(
            self._fitted("stream").vocabulary,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            logit_bias=logit_bias,
            **_specials(self.vocabulary_),
        )
        blocks = sampling.stream(
            self._packed("stream", one_row=True),
            self._encode_prime(prime),
            n,
            controls=controls,
            bits=root(random_state),
        )
        symbols = self.vocabulary_
        return (symbols[int(i)] for block in blocks for i in block)

    def beam_search(self, n: int = 20, *, prime: str | bytes = "", beams: int = 8) -> list[tuple[Any, float]]:
        """Return the most probable continuations of a text, with the logarithms of their probabilities.

        After each character the `beams` most probable beginnings are kept. The search finds the most probable
        continuations for certain only where it keeps all of them; the more beams, the more probable what it finds.

        Parameters
        ----------
        n : int, default=20
            Characters of a continuation; at most, in a model of documents, whose documents end.
        prime : str or bytes, default=""
            The text that is continued; not returned.
        beams : int, default=8
            Continuations that are kept and returned, or fewer if there are no more. With 1 it is what
            ``sample(n, prime=prime, temperature=0)`` gives.

        Returns
        -------
        list of (str or bytes, float)
            Continuations and log P of each, given the prime, in nats; the most probable first. That of a document
            counts its end, if it has come to it.

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
        n, beams = whole("n", n, 0), whole("beams", beams, 1)
        network = self._packed("beam_search", one_row=beams == 1)
        specials = _specials(self.vocabulary_)
        found = beam_search.beam_search(network, self._encode_prime(prime), n, beams, **specials)
        return [(self.vocabulary_.decode(ids), log_prob) for ids, log_prob in found]

    # ----------------------------------------------------------------- scoring

    def score(self, X: Source, y: None = None, *, exact: bool = True) -> float:
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
        exact : bool, default=True
            True: one state is carried through the whole text. False: a long text is cut in parts that are read side
            by side on several threads; each part finds its state from the 128 symbols before it. The result then
            differs by a little, and depends on the text alone, not on the threads.

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the text is empty or holds a symbol that the model never saw.

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
        network = self._packed("score", one_row=exact, scoring=True)
        ids = text_source(X).ids(self.vocabulary_)
        given = 0 if self.vocabulary_.boundary is None else 1  # the start of the first document
        if not len(ids):
            raise InvalidInputError("X is empty; scoring needs at least 1 character")
        if exact:
            log_p = scoring.log_likelihood(network, ids, given)
        else:
            log_p = scoring.parallel_log_likelihood(network, ids, threads(self.n_threads), given=given)
        return log_p / (len(ids) - given)

    def bits_per_char(self, X: Source, *, exact: bool = True) -> float:
        """Return the mean of -log2 P per symbol: `score` in bits, lower is better.

        Parameters, errors: as `score`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.bits_per_char("dcba"), 2)
        2.0
        """
        return -self.score(X, exact=exact) / math.log(2)

    def perplexity(self, X: Source, *, exact: bool = True) -> float:
        """Return exp(-`score`): among how many equally probable symbols the model is as uncertain as it is here.

        Parameters, errors: as `score`. Infinite if it is beyond float64.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.perplexity("dcba"), 1)
        4.0
        """
        nats = -self.score(X, exact=exact)
        return math.exp(nats) if nats < LARGEST_EXPONENT else math.inf


def _specials(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what a draw does with the symbols that are no characters: one ends a text, one is no text."""
    return {"end": vocabulary.boundary, "forbidden": () if vocabulary.unknown is None else (vocabulary.unknown,)}


def _length(vocabulary: Vocabulary, n: Any, max_length: Any, primed: int) -> int:
    """Return how many symbols are drawn at most."""
    if vocabulary.boundary is None and max_length is not None:
        raise InvalidInputError("max_length is for a model of documents, and this model was fitted on one text: give n")
    most = whole("max_length", max_length, 0, MOST) if max_length is not None else MAX_LENGTH
    if n is not None:
        wanted = whole("n", n, 0, MOST)
        return wanted if max_length is None else min(wanted, max(0, most - primed))
    return LENGTH if vocabulary.boundary is None else max(0, most - primed)


def _texts(name: str, texts: Any, vocabulary: Vocabulary) -> frozenset[Any]:
    """Return a collection of texts, all of the kind that the model writes, as a set."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InvalidInputError(f"{name} must be a list or a set of texts, not {type(texts).__name__}")
    found = set()
    for i, text in enumerate(texts):
        vocabulary.check_kind(text, f"{name}[{i}]")
        found.add(text if isinstance(text, str) else bytes(text))
    return frozenset(found)
