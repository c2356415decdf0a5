"""LanguageModel: what a trained model is for, which is to write text and to say how likely a text is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import beam_search, corpus, sampling, scoring
from .corpus import Source
from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .inference import PackedNetwork
from .parameters import Layout
from .sampling_controls import SamplingControls
from .settings import threads, whole
from .vocabulary import Vocabulary

Array = NDArray[Any]


class LanguageModel(Estimator):
    """An estimator that has weights and a vocabulary once it is fitted: it samples and scores."""

    # Reading them earlier raises NotFittedError.
    vocabulary_: Vocabulary
    _layout: Layout
    _params: Array
    n_threads: int | None

    # ---------------------------------------------------------------- sampling

    def sample(
        self,
        n: int = 200,
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
        random_state: Any = None,
    ) -> Any:
        """Generate text.

        The controls are applied in this order, each to what the one before it leaves: `logit_bias`,
        `repetition_penalty`, `temperature`, `top_k`, `top_p`, `min_p`. Among symbols that are equally probable, the
        first one of the vocabulary counts as the more probable.

        Parameters
        ----------
        n : int, default=200
            Characters to generate, at most if there is a `stop`.
        prime : str or bytes, default=""
            Text that the state is led through first; not returned. Without one, the first character is drawn from
            what the zero state predicts.
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
            Numbers that are added to the logits of some characters; -inf forbids one.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different one each time.

        Returns
        -------
        str, bytes or list
            The text without the prime, bytes from a model of bytes; a list of them if `num_samples` is not 1.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If an argument is out of range, the prime or `logit_bias` holds a symbol that the model never saw, or all
            symbols are forbidden.

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
        """
        n, k = whole("n", n, 0), whole("num_samples", num_samples, 1)
        controls = SamplingControls.check(
            self._fitted_vocabulary("sample"),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            logit_bias=logit_bias,
        )
        ids = sampling.sample(
            self._packed("sample", one_row=k == 1),
            self._encode_prime(prime),
            n,
            k,
            controls=controls,
            random_state=random_state,
            n_threads=threads(self.n_threads),
        )
        texts = [self.vocabulary_.decode(row) for row in ids]
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
            self._fitted_vocabulary("stream"),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            logit_bias=logit_bias,
        )
        blocks = sampling.stream(
            self._packed("stream", one_row=True),
            self._encode_prime(prime),
            n,
            controls=controls,
            bits=sampling.root(random_state),
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
            Characters of a continuation.
        prime : str or bytes, default=""
            The text that is continued; not returned.
        beams : int, default=8
            Continuations that are kept and returned, or fewer if there are no more. With 1 it is what
            ``sample(n, prime=prime, temperature=0)`` gives.

        Returns
        -------
        list of (str or bytes, float)
            Continuations and log P of each, given the prime, in nats; the most probable first.

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
        found = beam_search.beam_search(network, self._encode_prime(prime), n, beams)
        return [(self.vocabulary_.decode(ids), log_prob) for ids, log_prob in found]

    # ----------------------------------------------------------------- scoring

    def score(self, X: Source, y: None = None, *, exact: bool = True) -> float:
        """Return the mean log-likelihood per symbol, in nats: higher is better, 0 is certainty.

        Every symbol counts, the first as predicted by the zero state.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            As in `fit`, of the model's symbols.
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
        """
        network = self._packed("score", one_row=exact)
        ids = corpus.encode(X, self.vocabulary_)
        if not len(ids):
            raise InvalidInputError("X is empty; scoring needs at least 1 character")
        if exact:
            return scoring.log_likelihood(network, ids) / len(ids)
        return scoring.parallel_log_likelihood(network, ids, threads(self.n_threads)) / len(ids)

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

    def _packed(self, what: str, *, one_row: bool) -> PackedNetwork:
        self._fitted_vocabulary(what)
        return PackedNetwork.pack(self._layout, self._params, one_row=one_row, scoring=what == "score")

    def _fitted_vocabulary(self, what: str) -> Vocabulary:
        if "vocabulary_" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return self.vocabulary_

    def _encode_prime(self, prime: str | bytes) -> Array:
        if not prime and isinstance(prime, str | bytes):
            return np.zeros(0, np.int32)  # the default "" serves a model of bytes too
        return self.vocabulary_.encode(prime, name="prime")
