"""LanguageModel: what a trained model is for, which is to write text and to say how likely a text is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import corpus, sampling, scoring
from .corpus import Source
from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .inference import PackedNetwork
from .parameters import Layout
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
        num_samples: int = 1,
        random_state: Any = None,
    ) -> Any:
        """Generate text.

        Parameters
        ----------
        n : int, default=200
            Characters to generate.
        prime : str or bytes, default=""
            Text that the state is led through first; not returned. Without one, the first character is drawn from
            what the zero state predicts.
        temperature : float, default=1.0
            Divides the logits: below 1 the likely becomes likelier, 0 always takes the likeliest.
        num_samples : int, default=1
            Samples to draw side by side. Sample i depends on `random_state` and on i alone.
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
            If an argument is out of range, or the prime holds a symbol that the model never saw.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.sample(6, prime="a", temperature=0)
        'bababa'
        >>> model.sample(4, num_samples=2, temperature=0, prime="ab")
        ['abab', 'abab']
        """
        n, k = whole("n", n, 0), whole("num_samples", num_samples, 1)
        temperature = sampling.checked_temperature(temperature)
        ids = sampling.sample(
            self._packed("sample", one_row=k == 1),
            self._encode_prime(prime),
            n,
            k,
            temperature=temperature,
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
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Generate text character by character, without end unless `n` is given.

        Parameters
        ----------
        n : int, default=None
            Characters to generate; None: no end.
        prime, temperature, random_state
            As in `sample`; the same seed gives the same text as there.

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
        """
        n = None if n is None else whole("n", n, 0)
        temperature = sampling.checked_temperature(temperature)
        blocks = sampling.stream(
            self._packed("stream", one_row=True),
            self._encode_prime(prime),
            n,
            temperature=temperature,
            bits=sampling.root(random_state),
        )
        symbols = self.vocabulary_
        return (symbols[int(i)] for block in blocks for i in block)

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
        network = self._packed("score", one_row=exact)
        ids = corpus.encode(X, self.vocabulary_)
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

    def _packed(self, what: str, *, one_row: bool) -> PackedNetwork:
        if "vocabulary_" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return PackedNetwork.pack(
            self._layout,
            self._params,
            one_row=one_row,
            scoring=what == "score",
            boundary=self.vocabulary_.boundary,
        )

    def _encode_prime(self, prime: str | bytes) -> Array:
        if not prime and isinstance(prime, str | bytes):
            return np.zeros(0, np.int32)  # the default "" serves a model of bytes too
        return self.vocabulary_.encode(prime, name="prime")
