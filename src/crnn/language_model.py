"""LanguageModel: the methods of every next-symbol model, in terms of `InferenceNetwork` alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.reading import Adapt, adaptive_score, adaptive_surprisal, adaptive_text_state
from .errors import InvalidInputError, short_repr
from .estimator import Estimator
from .inference.network import Context, InferenceNetwork, LabelNetworks, Use
from .matching.prefix_tree import Trials
from .matching.samples import MatchingSamples, MatchProbability, match_probability
from .matching.trials import HasLookahead, LabelTrials, checked_controls, guide_of, trials_of
from .parameters.checks import (
    MAX_SIZE,
    FilePath,
    checked_bool,
    checked_choice,
    checked_int,
    checked_threads,
    has_items,
    is_int,
)
from .restoring.closed_list import restored_among, text_list
from .restoring.damage import Damage
from .restoring.restorer import Restored, RestoreOptions, Restorer
from .sampling.controls import GivenControls, SampleArguments, with_controls
from .sampling.excluded_texts import excluded_texts
from .sampling.guess_numbers import GuessNumbers, estimated_guess_numbers
from .sampling.lengths import match_length
from .sampling.samples import (
    SampleRequest,
    Samples,
    TextSamples,
    distinct_texts,
    labeled_samples,
    log_label_weights,
    symbol_stream,
    warn_of_length,
)
from .scoring import string_scores, text_scores
from .scoring.labeled_scores import labeled_scores, mean_score, refuse_labels
from .scoring.listed_texts import best_of_list
from .scoring.reductions import Reduce
from .scoring.string_scores import TextScorer
from .scoring.strings import checked_texts, error_handling
from .search.beam_search import best_completions, best_continuations
from .search.enumeration import EnumeratedDocuments, enumerated_documents
from .text.documents import Errors
from .text.primes import check_prime, encoded_prime
from .text.sources import TextLike, text_source
from .text.vocabulary import Text, Vocabulary
from .text_states.text_state import FixedReading, Reading, TextState
from .text_states.text_states import TextStates, start_sessions

if TYPE_CHECKING:
    from .export.guess_table import Table
    from .export.models import Exported

MAX_BEAMS = 1 << 16  # hypotheses of a text
MAX_EXPONENT = 709  # exp of a larger number exceeds float64


class LanguageModel(Estimator):
    """An estimator that generates text and computes probabilities of texts.

    For a model of running text, a string starts from the zero state, which predicts its first symbol, and has no end.
    For a model of documents, a string starts after a boundary and ends with a boundary.

    A subclass defines `_vocabulary`, `_network` and `_exported`, and also `for_label` and `_adaptive_reading` if it has
    labels or can adapt to the text it reads. Everything here builds on these.
    """

    n_threads: int | None

    # ---------------------------------------------------------- for subclasses

    def _vocabulary(self, what: str) -> Vocabulary:
        """Return the symbols; a NotFittedError names the requested method `what`."""
        raise NotImplementedError

    def _network(self, what: str, use: Use) -> tuple[InferenceNetwork, Vocabulary]:
        """Return a network with the current weights, unaffected by later changes, and its symbols.

        Both are read at once, since another thread may fit the model to other symbols in between. `what` is the method
        that needs the network, for the error of an unfitted model. The network is packed for a `use`, which changes
        the speed alone.
        """
        raise NotImplementedError

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> tuple[Reading, Vocabulary]:
        """Return a reading that will learn from a text, and its symbols; `adapt` is True or a dict of options."""
        raise InvalidInputError(
            f"adapt is {short_repr(adapt)}, but a {type(self).__name__} cannot adapt. Omit adapt from {what}."
        )

    def _has_counts(self) -> bool:
        """Return whether the model, or one of those it mixes, learns from a text by counting."""
        return False

    def _compact(self, *, int8: bool) -> Self:
        """Return the model whose predictions an exported file has; with `int8`, that of `quantize`."""
        raise NotImplementedError

    def _exported(self, what: str, *, int8: bool) -> Exported:
        """Return what an exported file contains of the model, which must have no labels."""
        raise InvalidInputError(f"a {type(self).__name__} cannot be exported. Use its networks and counts.")

    def _exported_expression(self, *, int8: bool) -> str:
        """Return the Python expression for the model that an exported page runs, which is ``model`` here."""
        return "model.quantize()" if int8 else "model"

    # ----------------------------------------- for estimators that fit copies of a model

    def _fitted_copy(self, X: Iterable[Text], changes: Mapping[str, Any] | None = None, **arguments: Any) -> Self:
        """Return a copy with the same parameters, fitted to texts so that it can read any other text, which keeps none.

        Even with a `min_count` of 1, it reserves the symbol for unknown characters, while no character of `X` is rare.
        `changes` are parameters for `fit` alone, which takes the `arguments`.
        """
        parameters = self.get_params(deep=False)
        fit_parameters = {**parameters, **(changes or {})}
        if is_int(parameters["min_count"]) and parameters["min_count"] == 1:
            fit_parameters["min_count"] = 2  # makes no character of a given vocabulary unknown
            if parameters["vocabulary"] is None:
                found = [symbol for symbol in text_source(X).vocabulary() if isinstance(symbol, str | bytes)]
                fit_parameters["vocabulary"] = found or None
        copy: Any = type(self)(**fit_parameters)
        fitted: Self = copy.fit(X, **arguments).set_params(**parameters)
        return fitted._without_text()

    def _without_text(self) -> Self:
        """Return a model with the same predictions that does not contain its training text."""
        return self

    # ---------------------------------------------------------------- learned

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols in id order: sorted code points or byte values."""
        return self._vocabulary("reading vocabulary_")

    def for_label(self, label: Any) -> Self:
        """Return a model of the texts with one label, from a model fitted with labels."""
        self._vocabulary("for_label")
        raise InvalidInputError(f"label is {short_repr(label)}, but the model was fitted without labels. Omit label.")

    # ---------------------------------------------------------------- sampling

    # A type checker cannot know to what a model was fitted, so it goes by the type of the prime.
    @overload
    def sample(  # type: ignore[overload-overlap]  # a number that is known to be 1 is an int too
        self,
        length: int | None = None,
        *,
        prime: str = "",
        n_samples: Literal[1] = 1,
        **options: Unpack[SampleArguments],
    ) -> str: ...
    @overload
    def sample(  # type: ignore[overload-overlap]
        self, length: int | None = None, *, prime: bytes, n_samples: Literal[1] = 1, **options: Unpack[SampleArguments]
    ) -> bytes: ...
    @overload
    def sample(
        self, length: int | None = None, *, prime: str = "", n_samples: int, **options: Unpack[SampleArguments]
    ) -> list[str]: ...
    @overload
    def sample(
        self, length: int | None = None, *, prime: bytes, n_samples: int, **options: Unpack[SampleArguments]
    ) -> list[bytes]: ...
    @with_controls
    def sample(
        self,
        length: int | None = None,
        *,
        prime: str | bytes = "",
        n_samples: int = 1,
        max_length: int | None = None,
        matching: Any = None,
        label: Any = None,
        unique: bool = False,
        exclude: Iterable[Any] = (),
        random_state: Any = None,
        **controls: Unpack[GivenControls],
    ) -> Any:
        """Generate text; for a model of documents, whole documents that end by themselves.

        The controls, from `logit_bias` to `min_p`, are applied in the order listed, each to the result of the previous
        one. Among equally probable symbols, the first in the vocabulary counts as the most probable. A symbol for
        unknown characters is never drawn.

        Parameters
        ----------
        length : int or None, default=None
            Characters to generate, or at most this many with a `stop`. None: 200, or a whole document. A model of
            documents warns if `n_samples` may be meant; `max_length` limits a document without a warning.
        prime : str or bytes, default=""
            The beginning of the text, which the model reads first and then continues. It is not returned, except by a
            model of documents, whose document starts with it. Without a prime, the zero state predicts the first
            character.
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
        n_samples : int, default=1
            The number of samples, drawn in parallel. Sample i depends only on `random_state` and i.
        max_length : int or None, default=None
            For a model of documents: cut a document off at this many characters, including the prime. None: 1000,
            unless `length` is given. For whole documents of at most 8 characters, use ``matching=".{0,8}"``; with
            `matching`, a document that would be cut off is drawn again.
        matching : str, bytes or re.Pattern, default=None
            A regular expression that the text must match: for a model of documents the whole document, including the
            prime, as in `re.fullmatch`; for running text, the text after the prime ends at its first match, within
            `length` characters. The samples have exactly the model's probabilities given a match; see
            ``docs/matching.md``. `repetition_penalty`, `top_k`, `top_p`, `min_p`, `stop` and a temperature of 0 are
            refused.
        label : str, int, float or bool, default=None
            For a model fitted with labels: the label of the text. None: draw a label for each sample from the learned
            probabilities.
        unique : bool, default=False
            Whether all samples must differ: duplicates are replaced by further samples.
        exclude : iterable of str or bytes, default=()
            Texts never to return, such as the training documents. For `Lines`, only 64-bit hashes are kept, 8 bytes per
            line: a new text is wrongly excluded with probability 5·10⁻¹² for 100 million lines.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different text each time.

        Returns
        -------
        str, bytes or list
            The text without the prime, or the document including it; bytes from a model of bytes; a list of them if
            `n_samples` is not 1. Type checkers go by `prime`: pass ``prime=b""`` to a model of bytes.

        Raises
        ------
        ValueError
            If an argument is out of range, the prime or `logit_bias` contains an unknown symbol, all symbols are
            forbidden, `unique` and `exclude` leave too few texts, or texts that match are too rare or too long.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> model.sample(6, prime="a", temperature=0)
        'bababa'
        >>> names = CharNGram(order=4).fit(["Anna", "Bob", "Eve"] * 9)
        >>> sorted(names.sample(n_samples=2, temperature=0.3, unique=True, exclude=["Bob"], random_state=0))
        ['Anna', 'Eve']
        """
        k = checked_int("n_samples", n_samples, 1, MAX_SIZE)
        vocabulary = self._vocabulary("sample")
        request = SampleRequest(length, prime, max_length, controls, matching)
        check_prime(prime, vocabulary)
        model = self if label is None else self.for_label(label)
        samples, symbols = model._sampler(request, random_state, Use.ONE_STREAM if k == 1 else Use.MANY_STREAMS)
        if not vocabulary.labels:
            warn_of_length(request, symbols, k)
        excluded = excluded_texts(exclude, symbols)
        unique = checked_bool("unique", unique)
        if unique or len(excluded):
            texts = distinct_texts(samples, k, unique=unique, exclude=excluded)
        else:
            texts = samples.texts(range(k))
        return texts[0] if k == 1 else texts

    @overload
    def stream(
        self,
        length: int | None = None,
        *,
        prime: str = "",
        random_state: Any = None,
        **controls: Unpack[GivenControls],
    ) -> Iterator[str]: ...
    @overload
    def stream(
        self, length: int | None = None, *, prime: bytes, random_state: Any = None, **controls: Unpack[GivenControls]
    ) -> Iterator[bytes]: ...
    @with_controls
    def stream(
        self,
        length: int | None = None,
        *,
        prime: str | bytes = "",
        label: Any = None,
        random_state: Any = None,
        **controls: Unpack[GivenControls],
    ) -> Iterator[Any]:
        """Generate text character by character, without end unless `length` is given or a `stop` occurs.

        A model of documents generates one document, from its start or after the prime to its end; a model of bytes
        yields bytes objects of length 1. The weights are those at the time of the call, which raises errors as
        `sample` does.

        Parameters
        ----------
        length : int, default=None
            Characters to generate; None: no limit.
        prime, label, logit_bias, repetition_penalty, temperature, top_k, top_p, min_p, stop, random_state
            As in `sample`; the same seed gives the same text. Characters that may begin a `stop` are withheld until
            later characters decide.

        Examples
        --------
        >>> from itertools import islice
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> list(islice(model.stream(prime="a", temperature=0), 3))
        ['b', 'a', 'b']
        """
        length = None if length is None else checked_int("length", length, 0)
        if label is not None:
            return self.for_label(label).stream(length, prime=prime, random_state=random_state, **controls)
        network, vocabulary = self._text_network("stream", Use.ONE_STREAM)
        return symbol_stream(network, vocabulary, length, prime, controls, random_state)

    @overload
    def beam_search(
        self,
        length: int = 20,
        *,
        prime: str = "",
        n_beams: int = 8,
        stop: Any = None,
        matching: Any = None,
        among: Any = None,
    ) -> list[tuple[str, float]]: ...
    @overload
    def beam_search(
        self,
        length: int = 20,
        *,
        prime: bytes,
        n_beams: int = 8,
        stop: Any = None,
        matching: Any = None,
        among: Any = None,
    ) -> list[tuple[bytes, float]]: ...
    def beam_search(
        self,
        length: int = 20,
        *,
        prime: str | bytes = "",
        n_beams: int = 8,
        stop: Any = None,
        matching: Any = None,
        among: Any = None,
    ) -> list[Any]:
        """Return the most probable continuations of a text, with their log-probabilities.

        After each character the `n_beams` most probable prefixes are kept. The search is certain to find the most
        probable continuations only if it keeps all prefixes; more beams find more probable ones. Errors are as for
        `sample`.

        Parameters
        ----------
        length : int, default=20
            Characters in a continuation; for a model of documents, the maximum, since documents end.
        prime : str or bytes, default=""
            The text to continue; not returned.
        n_beams : int, default=8
            Continuations to keep and return, fewer if there are no more. One beam finds the text of
            ``sample(length, prime=prime, temperature=0)``.
        stop : list of str, or of bytes, default=None
            Characters that end a continuation, such as ``[" ", ".", ","]``: it has 1 to `length` characters, none of
            them a stop, and log P is the probability that any stop (or the document's end) follows. This completes
            words.
        matching : str, bytes or re.Pattern, default=None
            A pattern that all continuations match within `length` characters, as in `sample`: a document together with
            the prime; running text ends at its first match.
        among : list of str, or of bytes, default=None
            The only texts to complete to: those that begin with the prime are ranked by the model, whatever their
            length, and the best `n_beams` of them are returned without the prime. Nothing is invented, and the ranking
            is exact. Texts that are wanted more often rank higher if `sample_weight` said so when the model was
            fitted. A text with a character that the model lacks raises a ValueError.

        Returns
        -------
        list of (str or bytes, float)
            Continuations and log P of each, given the prime, in nats; the most probable first. For a complete document,
            log P includes its end.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> words = CharNGram(order=4).fit("to be or not to be. " * 20)
        >>> words.beam_search(prime="to be or n", stop=[" ", "."])[0][0]
        'ot'
        >>> cities = CharNGram(4).fit(["Lima", "Lille", "London"], sample_weight=[9, 1, 5])
        >>> [rest for rest, _ in cities.beam_search(prime="Li", among=["Lima", "Lille", "London"])]
        ['ma', 'lle']
        """
        length = checked_int("length", length, 0)
        n_beams = checked_int("n_beams", n_beams, 1)
        network, vocabulary = self._text_network("beam_search", Use.ONE_STREAM if n_beams == 1 else Use.MANY_STREAMS)
        check_prime(prime, vocabulary)
        if stop is not None and matching is not None:
            raise InvalidInputError("stop cannot be combined with matching. Let the pattern end the continuation.")
        if among is not None and (stop is not None or matching is not None):
            raise InvalidInputError("among cannot be combined with stop or matching. Select the texts of among first.")
        guide = None if matching is None else guide_of(self, network, vocabulary, matching, prime)
        state = Context.after(network, encoded_prime(prime, vocabulary)).state
        if among is not None:
            return best_of_list(network, vocabulary, state, among, prime, n_beams, checked_threads(self.n_threads))
        if stop is not None:
            return best_completions(network, vocabulary, state, length, n_beams, stop)
        return best_continuations(network, vocabulary, state, length, n_beams, guide)

    def enumerate_documents(
        self, n_documents: int, *, matching: Any = None, max_prefixes: int = 100_000
    ) -> EnumeratedDocuments:
        """Return the `n_documents` most probable documents, the most probable first.

        The list is exact: best-first search misses no more probable document. It reads every prefix that is more
        probable than the last document, and keeps a state for each, so a model with many likely prefixes may reach the
        limit before the last document. The list is then shorter, and exact down to its `bound`. A ValueError is raised
        if an argument is out of range, or the model was fitted on one text and has no document ends.

        Parameters
        ----------
        n_documents : int
            The maximum number of documents to return, at least 1.
        matching : str, bytes or re.Pattern, default=None
            A pattern that all documents match, as in `sample`. The counts of a `CharNGram` know which prefixes lead to
            a match, so few are read.
        max_prefixes : int, default=100000
            The maximum number of prefixes to read (approximately: they are read in groups of 64).

        Returns
        -------
        EnumeratedDocuments
            `documents`; `log_probs`, the log-probability of each including its end, in nats; and `bound`: every
            document with a larger log-probability is in the list. None contains the symbol for unknown characters.
            With `matching`, this holds for documents that match, and `match_log_prob` is a pair of bounds of the
            log-probability that a document matches, which are equal for a `CharNGram`.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=4).fit(["Anna", "Anna", "Bob"])
        >>> found = model.enumerate_documents(2)
        >>> found.documents, bool(found.bound == found.log_probs[-1])
        (['Anna', 'Bob'], True)
        """
        n_documents = checked_int("n_documents", n_documents, 1)
        max_prefixes = checked_int("max_prefixes", max_prefixes, 1)
        network, vocabulary = self._text_network("enumerate_documents", Use.MANY_STREAMS)
        if matching is None or vocabulary.boundary is None:
            return enumerated_documents(network, vocabulary, n_documents, max_prefixes)
        guide = guide_of(self, network, vocabulary, matching, "")
        documents = enumerated_documents(network, vocabulary, n_documents, max_prefixes, guide)
        if isinstance(network, HasLookahead):
            request = SampleRequest(length=None, prime="", max_length=None, controls={}, matching=matching)
            exact = self._trials("enumerate_documents", request)[0].probability(None)
            return documents._replace(match_log_prob=(math.log(exact), math.log(exact))) if exact else documents
        return documents

    def match_probability(
        self, matching: Any, max_length: int | None = None, *, prime: str | bytes = ""
    ) -> MatchProbability:
        """Return the probability that a text of the model matches a pattern. Errors are as for `sample`.

        Parameters
        ----------
        matching : str, bytes or re.Pattern
            A pattern as in `sample`.
        max_length : int, default=None
            For a model of documents: the maximum length of a document, including the prime, as in `sample`; None: any
            length. For running text: the number of characters after the prime within which the text must match; None:
            200.
        prime : str or bytes, default=""
            The text to continue; a document that matches includes it.

        Returns
        -------
        MatchProbability
            `estimate`, `lower` and `upper`. The bounds are certain. For a `CharNGram` all three are equal, except with
            patterns that need very much memory; for other models the estimate counts successes in 16,384 trials with a
            fixed seed.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> names = CharNGram(order=3).fit(["anna", "hanna", "hannah", "bob"])
        >>> round(names.match_probability(".*nn.*").estimate, 2)
        0.31
        """
        request = SampleRequest(length=None, prime=prime, max_length=None, controls={}, matching=matching)
        self._require_no_labels("match_probability")
        trials, vocabulary = self._trials("match_probability", request)
        length = match_length(vocabulary, max_length, prime)
        return match_probability(trials, length, checked_threads(self.n_threads))

    @overload
    def restore(  # type: ignore[overload-overlap]  # a str is an iterable of str too
        self, X: str, *, changes: Literal[False] = False, **options: Unpack[RestoreOptions]
    ) -> str: ...
    @overload
    def restore(self, X: bytes, *, changes: Literal[False] = False, **options: Unpack[RestoreOptions]) -> bytes: ...
    @overload
    def restore(self, X: str | bytes, *, changes: Literal[True], **options: Unpack[RestoreOptions]) -> Restored: ...
    @overload
    def restore(
        self, X: Iterable[str], *, changes: Literal[False] = False, **options: Unpack[RestoreOptions]
    ) -> list[str]: ...
    @overload
    def restore(
        self, X: Iterable[bytes], *, changes: Literal[False] = False, **options: Unpack[RestoreOptions]
    ) -> list[bytes]: ...
    @overload
    def restore(
        self, X: Iterable[Any], *, changes: Literal[True], **options: Unpack[RestoreOptions]
    ) -> list[Restored]: ...
    @overload
    def restore(self, X: Any, *, changes: bool, **options: Unpack[RestoreOptions]) -> Any: ...
    def restore(
        self,
        X: Any,
        *,
        case: bool | float = False,
        accents: bool = False,
        spaces: bool | float = False,
        gaps: str | bytes | None = None,
        typos: float | None = None,
        confusions: Any = None,
        least: float | Mapping[str, float] | None = None,
        n_beams: int | None = None,
        among: Any = None,
        prime: str | bytes = "",
        label: Any = None,
        changes: bool = False,
    ) -> Any:
        r"""Return the most probable originals of damaged texts.

        A beam search considers, at each position, everything that the damage allows. At least one kind of damage must
        be given; several can be combined. Results are deterministic and do not depend on the other texts. A ValueError
        is raised if no kind of damage is given, an argument is invalid, or the prime has an unknown symbol.

        Parameters
        ----------
        X : str or bytes, or an iterable of them
            The damaged text, or several. A character that the model lacks may always stay as it is: the model does not
            read it, and it counts like an unknown one. If it is a letter, `case` and `accents` allow the same letter in
            another case or with another accent. With `typos` it may be a typo; with `confusions` it may be another
            character or excess, at a rate of 0.5, or 0.01 if it is a letter or digit. White space that the model lacks
            always stays.
        case : bool or float, default=False
            Whether upper and lower case may be wrong. True: the given case says nothing. A rate above 0 and below 1,
            such as 0.001: the share of letters in the wrong case.
        accents : bool, default=False
            Whether accents may be missing or wrong: any letter with the same base letter is allowed. Not for bytes.
        spaces : bool or float, default=False
            Whether spaces may be missing within the text. True: anywhere, at no cost; or a rate, such as 0.01.
        gaps : str or bytes of length 1, default=None
            The character that stands for one unknown character, such as ``"_"``.
        typos : float, default=None
            The share of letters with a typo, such as 0.05: a substituted, missing or excess letter, or two swapped
            letters, all equally frequent. A lower rate changes less.
        confusions : dict, "ocr" or a list of these, default=None
            What may have been mistaken for what: the keys are 1 to 3 symbols as they stand in the text, the values
            what these may have been, as a string, a list of strings or a dict with their rates. The rate is 0.01 if
            none is given; ``""`` means that nothing stood there. "ocr" has the confusions of scanned text
            (``docs/restore.md``). In a list, later rates replace earlier ones.
        least : float or dict, default=None
            The nats that each change must gain: the restored text has the largest log-probability, the damage's
            included, after `least` is subtracted for each change. Undoing one change therefore loses at least as
            much. A dict has numbers for "case", "spaces", "accents", "typos" and "confusions". Gaps are always filled.
            None: 3 with `typos` or `confusions`, a factor of 20, but 0 for ``case=True``, ``spaces=True`` and accents,
            where the text says nothing; 0 without both.
        n_beams : int, default=None
            The number of hypotheses to keep. None: 4, but 16 with `typos` or `confusions`; at a gap and the three
            symbols after it at least one for each symbol, and more if gaps adjoin; improbable hypotheses are dropped
            sooner. More beams find more probable originals, in as many times the time; a number that is large enough
            finds the most probable one.
        among : list of str, or of bytes, default=None
            The only possible originals, such as the names of a catalog. The search is exact, so `n_beams` must be None.
            The model keeps the probabilities of the last list, so using the same list again is fast. With `typos`,
            symbols other than letters may be typos, too, so that every text has an original in the list. Without
            `typos`, a text whose original cannot be in the list stays as it is. Texts with a larger `sample_weight`
            when the model was fitted are preferred.
        prime : str or bytes, default=""
            Text that precedes each of the texts, such as ``"\n"``; it is not returned.
        label : str, int, float or bool, default=None
            For a model fitted with labels: the label of the texts.
        changes : bool, default=False
            Whether to return what was changed, too, so that a program can ask before it accepts a change.

        Returns
        -------
        str or bytes, or a list
            The restored text, or a list of restored texts. With `changes`, a tuple ``(text, changes)`` for each text;
            each change is a tuple ``(start, stop, before, after, log_odds)``: the place and the text before, the text
            after, and how much more probable, in nats, the whole text is with the change than without it, whatever
            `least` is. For a gap, the comparison is with all other symbols. With `among`, a text has at most one
            change, from the first to the last difference; its log-odds compare the text with the next best of the
            list, both with `least` subtracted.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(5).fit("The function returns a list of strings. " * 3)
        >>> model.restore(["afunct_on", "list ofstrings"], spaces=True, gaps="_")
        ['a function', 'list of strings']
        >>> text, changes = model.restore("a list of strnigs", typos=0.05, changes=True)
        >>> text, [change[:4] for change in changes]
        ('a list of strings', [(13, 15, 'ni', 'in')])
        >>> cities = CharNGram(4).fit(["Lima", "Lille", "London"])
        >>> cities.restore(["Lodnon", "Lilma"], typos=0.05, among=["Lima", "Lille", "London"])
        ['London', 'Lima']
        """
        options: Any = {"case": case, "accents": accents, "spaces": spaces, "gaps": gaps, "typos": typos}
        options |= {"confusions": confusions, "least": least}
        if label is not None:
            rest: Any = {"n_beams": n_beams, "among": among, "prime": prime, "changes": changes}
            return self.for_label(label).restore(X, **rest, **options)
        network, vocabulary = self._text_network("restore", Use.MANY_STREAMS)
        damage = Damage.check(vocabulary, **options)
        n_beams = None if n_beams is None else checked_int("n_beams", n_beams, 1, MAX_BEAMS)
        changes = checked_bool("changes", changes)
        n_threads = checked_threads(self.n_threads)
        single = isinstance(X, str | bytes | bytearray | memoryview)
        if single:
            vocabulary.check_kind(X, "X")
        damaged = [X] if single else X
        if among is None:
            restorer = Restorer(network, vocabulary, damage, n_beams, prime, n_threads)
            originals = restorer.restore(damaged, changes=changes)
        elif n_beams is None:
            choices = text_list(self, network, vocabulary, among, prime)
            originals = restored_among(choices, damage, damaged, n_threads, changes=changes)
        else:
            raise InvalidInputError(
                f"n_beams is {n_beams}, but the search among the texts of a list is exact. Omit n_beams."
            )
        return originals[0] if single else originals

    def start(self, text: str | bytes = "", *, adapt: Adapt = False) -> TextState:
        """Return a state that reads, predicts and draws one text step by step; `start_many` returns many states.

        Parameters
        ----------
        text : str or bytes, default=""
            The beginning of the text, which is read first and does not count in the state's `log_prob`.
        adapt : bool, dict or "counts", default=False
            As for `score`: the state gets its own weights or counts, which learn from the text fed to it, but not from
            its beginning or from drawn symbols.

        Returns
        -------
        TextState
            A state with `feed`, `next_proba`, `sample`, `beam_search`, `end`, `copy` and `log_prob`; it keeps the
            current weights. Errors are as for `surprisal`.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> state = model.start("ab")
        >>> [likely] = state.next_proba().argsort()[-1:]
        >>> model.vocabulary_[likely], state.feed("a").sample(2, temperature=0)
        ('a', 'ba')
        """
        _refuse_many_texts(text)
        if adapt is not False:
            reading, vocabulary = self._adaptive_reading("start", adapt)
            return adaptive_text_state(vocabulary, reading, encoded_prime(text, vocabulary, name="text"))
        network, vocabulary = self._text_network("start", Use.ONE_STREAM)
        context = Context.after(network, encoded_prime(text, vocabulary, name="text"))
        return TextState(vocabulary, FixedReading(network, context.state), context.seen)

    def start_many(self, X: Iterable[str | bytes]) -> TextStates:
        """Return the states of many texts, which are read, predicted and drawn together.

        ``start_many([""] * 1000)`` reads 1,000 texts, several times as fast as 1,000 states of `start`. The states
        share the model, and so cannot adapt to what they read.

        Parameters
        ----------
        X : iterable of str, or of bytes for a model of bytes
            The beginning of each text, which is read first and does not count in `log_prob`; "" for none.

        Returns
        -------
        TextStates
            States with `feed`, `next_proba`, `sample`, `end`, `copy` and `log_prob`, which take or return an entry for
            each text; they keep the current weights. Errors are as for `score_samples`.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> model.start_many(["ab", "a"]).sample(2, temperature=0)
        ['ab', 'ba']
        """
        network, vocabulary = self._text_network("start_many", Use.MANY_STREAMS)
        return start_sessions(network, vocabulary, X, checked_threads(self.n_threads))

    # ----------------------------------------------------------------- scoring

    def score(self, X: TextLike, y: ArrayLike | None = None, *, exact: bool = True, adapt: Adapt = False) -> float:
        """Return the mean log-likelihood per symbol, in nats: higher is better, 0 is certainty.

        Every symbol counts; the zero state predicts the first. The end of a document counts as another symbol.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `fit`, with the model's symbols. Documents only for a model fitted on documents, for which a single
            text is one document.
        y : array-like of shape (n,), or one label, default=None
            As for `score_samples`.
        exact : bool, default=True
            True: carry one state through the whole text. False: cut a long text into parts that are read in parallel
            on several threads; each part's initial state comes from the 128 symbols before it. The result then
            differs slightly; it depends on the text but not on the number of threads.
        adapt : bool, dict or "counts", default=False
            True: dynamic evaluation. A network reads the text in blocks; each is scored with the current weights, and
            then learned, as in `CharRNN.adapt`. Counts learn each symbol after scoring it. The model itself does not
            change. A dict has options of `CharRNN.adapt`, such as ``{"learning_rate": 3e-4}``. "counts" is for a
            `Mixture`: only its counts learn, and its networks stay unchanged.

        Raises
        ------
        ValueError
            If the text is empty or contains an unknown symbol; with `adapt` also as for `CharRNN.adapt`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.score("dcba"), 2)  # untrained: about -ln 4
        -1.39
        """
        exact = checked_bool("exact", exact)
        if adapt is not False:
            refuse_labels(y)
            reading, vocabulary = self._adaptive_reading("score", adapt, scoring=True)
            return adaptive_score(reading, vocabulary, X, exact=exact)
        if self._vocabulary("score").labels:
            return mean_score(X, lambda texts: self.score_samples(texts, y), exact=exact)
        refuse_labels(y)
        network, vocabulary = self._text_network("score", Use.ONE_TEXT if exact else Use.MANY_STREAMS)
        n_threads = checked_threads(self.n_threads)
        return text_scores.mean_log_likelihood(network, vocabulary, X, exact=exact, n_threads=n_threads)

    def bits_per_char(self, X: TextLike, *, exact: bool = True, adapt: Adapt = False) -> float:
        """Return the mean of -log2 P per symbol: `score`, which has the same parameters, in bits; lower is better.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.bits_per_char("dcba"), 2)
        2.0
        """
        return -self.score(X, exact=exact, adapt=adapt) / math.log(2)

    def perplexity(self, X: TextLike, *, exact: bool = True, adapt: Adapt = False) -> float:
        """Return exp(-`score`), the effective number of equally likely symbols; infinite if it exceeds float64.

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
        self,
        X: Iterable[Text],
        y: ArrayLike | None = None,
        *,
        reduce: Reduce = "sum",
        errors: Errors = "strict",
    ) -> NDArray[np.float64]:
        """Return the log-probability of each of many strings, in nats.

        The strings are read in parallel on `n_threads` threads, in blocks: a generator of any number of strings, or
        `Lines`, takes no more memory than its results. The bits of a result do not depend on the other strings.
        Equal strings are scored once: those within a block of up to 32,768 strings, and those among the last 65,000 to
        130,000 distinct strings. Log lines with masked numbers are scored several times as fast that way.

        Parameters
        ----------
        X : iterable of str, or of bytes for a model of bytes
            Strings of the model's symbols: a list, a column of a table, an Arrow array, `Lines`, a generator.
        y : array-like of shape (n,), or one label, default=None
            For a model fitted with labels: the label of each string, or of all; the result is the probability given the
            label. None: the probability whatever the label, a sum over all labels, as slow as scoring each.
        reduce : {"sum", "mean", "min", "scaled", "joint"}, default="sum"
            How to combine the log-probabilities of a string's symbols, including the end of a document.
            "sum": their sum, the string's log-probability. "mean": their mean, which compares strings of different
            lengths. "min": their minimum, which finds a single anomaly in a long string. "scaled": their sum divided by
            the number of symbols to the power of 0.75, between "sum" and "mean". "joint": the minimum plus three times
            the mean, the score of an `AnomalyDetector`, which finds single odd places and strings odd as a whole.
        errors : {"strict", "replace", "skip"}, default="strict"
            How to handle missing values (None, NaN, NA), bytes passed to a model of characters, and unknown symbols, if
            the model has no symbol for them (`min_count`). "strict": raise an error. "replace": a missing value scores
            NaN; bytes are decoded, with U+FFFD for invalid UTF-8; a string with an unknown symbol, whose probability is
            0, scores -inf. "skip": all strings that cannot be scored score NaN. `Lines` have their own option, which
            applies if this is "strict".

        Returns
        -------
        ndarray of float64, shape (n,)
            Scores of at most 0. An empty string scores 0, or for a model of documents the log-probability of its end.

        Raises
        ------
        ValueError
            If an item is not a string of the model's symbols; the message names the item and the remedy.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> model.score_samples(["ab", "", "abcd"]).round(1).tolist()  # untrained: ln 1/4 per symbol
        [-2.8, 0.0, -5.5]
        >>> model.score_samples(["ab", None, "e"], errors="replace").round(1).tolist()
        [-2.8, nan, -inf]
        """
        if self._vocabulary("score_samples").labels:
            return self._labeled_scores(X, y, reduce, errors)
        refuse_labels(y)
        use = Use.ONE_TEXT if string_scores.is_single(X) else Use.MANY_STREAMS
        network, vocabulary = self._text_network("score_samples", use)
        n_threads = checked_threads(self.n_threads)
        return TextScorer(network, vocabulary, n_threads, reduce=reduce, errors=errors).scores(X)

    def score_batches(
        self, batches: Iterable[Iterable[Text]], *, reduce: Reduce = "sum", errors: Errors = "strict"
    ) -> Iterator[NDArray[np.float64]]:
        """Return the log-probabilities of strings batch by batch, each batch as soon as it is available.

        This is `score_samples` for strings that arrive through a pipe, or are too many to hold all results. A string
        has the same score, to the bit, in any batch. The index of a string in an error counts from the first string of
        the first batch. The weights are those at the time of the call.

        Parameters
        ----------
        batches : iterable of lists of str, or of bytes for a model of bytes
            The batches; the next is requested once the scores of the previous one have been consumed.
        reduce, errors
            As in `score_samples`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> for scores in model.score_batches([["ab", ""], ["abcd"]]):
        ...     print(scores.round(1))
        [-2.8  0. ]
        [-5.5]
        """
        network, vocabulary = self._text_network("score_batches", Use.MANY_STREAMS)
        string_scores.check_batches(batches)
        n_threads = checked_threads(self.n_threads)
        return TextScorer(network, vocabulary, n_threads, reduce=reduce, errors=errors).batches(batches)

    def next_proba(self, prefixes: Iterable[Text]) -> NDArray[np.float64]:
        """Return the probability of each symbol to come next after each prefix, float64 (n, V); rows sum to 1.

        Columns are in the order of `vocabulary_`. Errors are as for `score_samples`.

        Parameters
        ----------
        prefixes : iterable of str, or of bytes for a model of bytes
            The prefixes; the empty prefix is followed by the first symbol of a string.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> model.next_proba(["ab", "aba"]).round().tolist(), list(model.vocabulary_)
        ([[1.0, 0.0], [0.0, 1.0]], ['a', 'b'])
        """
        network, vocabulary = self._text_network("next_proba", Use.MANY_STREAMS)
        return string_scores.next_probabilities(network, vocabulary, prefixes, checked_threads(self.n_threads))

    def surprisal(self, text: Text, *, end: bool = False, adapt: Adapt = False) -> NDArray[np.float64]:
        """Return the surprisal of each character, float64 (len(text),): -log P given the previous ones, in nats.

        Parameters
        ----------
        text : str or bytes
        end : bool, default=False
            Whether to append the surprisal of the document's end, which shows if a text is incomplete.
        adapt : bool, dict or "counts", default=False
            As for `score`.

        Raises
        ------
        ValueError
            If the text contains an unknown symbol, or `end` is requested from a model of running text, which has no
            document ends.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> names = CharNGram(order=4).fit(["Anna", "Bob"])
        >>> names.surprisal("Ann", end=True).argmax()  # the end, since an a is missing
        np.int64(3)
        """
        return self._surprisal("surprisal", text, end=checked_bool("end", end), adapt=adapt)

    def _surprisal(self, method: str, text: Text, *, end: bool, adapt: Adapt) -> NDArray[np.float64]:
        """Return the surprisal of each character for a public method, which errors name."""
        if adapt is not False:
            reading, vocabulary = self._adaptive_reading(method, adapt, scoring=True)
            return adaptive_surprisal(reading, vocabulary, text_scores.text_ids(text, vocabulary, end=end))
        network, vocabulary = self._text_network(method, Use.ONE_TEXT)
        return text_scores.surprisal(network, text_scores.text_ids(text, vocabulary, end=end), network.start())

    def word_surprisal(
        self, text: Text, *, unit: Literal["bits", "nats"] = "bits", adapt: Adapt = False
    ) -> text_scores.WordSurprisal:
        """Return the words of a text and the surprisal of each, given everything before it.

        Words are what white space separates. A word's surprisal is the sum over its characters and the white space
        after it, since a word is complete only when the space is read; white space at the start of the text counts
        with the first word. The sum over all words is the text's surprisal.

        Parameters
        ----------
        text : str or bytes
        unit : "bits" or "nats", default="bits"
        adapt : bool, dict or "counts", default=False
            As for `score`.

        Returns
        -------
        WordSurprisal
            A tuple ``(words, surprisal)``: a list of n words without white space, and a float64 array (n,) in `unit`.

        Raises
        ------
        ValueError
            If the text contains an unknown symbol, or the unit is another one.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(4).fit("to be or not to be, " * 9)
        >>> words, bits = model.word_surprisal("to be or be")
        >>> words[bits.argmax()], len(bits)
        ('be', 4)
        """
        checked_choice("unit", unit, ("bits", "nats"))
        nats = self._surprisal("word_surprisal", text, end=False, adapt=adapt)
        return text_scores.surprisal_of_words(text, nats, unit)

    def rank(self, text: Text) -> NDArray[np.intp]:
        """Return the rank of each character of a text among all symbols, (len(text),): 1 for the most probable.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> model.rank("abaa")[1:].tolist()  # the second a of aa
        [1, 1, 2]
        """
        network, vocabulary = self._text_network("rank", Use.ONE_TEXT)
        return text_scores.ranks(network, vocabulary.encode(text, name="text"), network.start())

    def guess_number(
        self, X: Iterable[Text], n_samples: int = 10_000, random_state: Any = None, *, length: int | None = None
    ) -> GuessNumbers:
        """Estimate how many guesses it takes to find each string, guessing the most probable strings first.

        The Monte Carlo method of Dell'Amico and Filippone (2015) draws strings from the model. It needs a model of
        documents, whose strings end, or strings that all have the same `length`. Errors are as for `score_samples`;
        also a ValueError if a string has another length, or the model does not end its strings.

        Parameters
        ----------
        X : iterable of str, or of bytes for a model of bytes
            The strings to guess.
        n_samples : int, default=10000
            The number of strings to draw; a hundred times as many make the bounds ten times as narrow. They are the
            samples of `CharRNN.sample` with the same seed.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same numbers. The model keeps the last drawn strings' probabilities until it
            changes, so another call with the same `n_samples`, `length` and seed, or None, draws nothing.
        length : int, default=None
            For a model of running text: the length of all strings; only strings of this length are guessed.

        Returns
        -------
        GuessNumbers
            `estimate`, `lower` and `upper`, float64 arrays (k,) of at least 1; the bounds have 95 % confidence.
            `beyond_samples` (k,) is True for strings less probable than all drawn ones: the estimate then only means
            "very many".

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> found = model.guess_number(["abab", "aaaa"], random_state=0, length=4)
        >>> bool(found.estimate[0] < found.estimate[1])
        True
        """
        network, vocabulary = self._text_network("guess_number", Use.MANY_STREAMS)
        rest: Any = {"length": length, "random_state": random_state, "n_threads": checked_threads(self.n_threads)}
        return estimated_guess_numbers(self, network, vocabulary, X, n_samples, **rest)

    # ---------------------------------------------------------------- exports

    def export_c(
        self, path: FilePath, *, int8: bool = False, n_guess_samples: int = 0, random_state: Any = None
    ) -> None:
        """Write the model as one C99 file without dependencies; see ``docs/export.md``.

        The comment at the start of the file documents its functions and how to compile it; they allocate no memory. The
        file gives the same scores as the model, and with a seed the same texts, up to rounding. Without arguments the
        program writes ``model.sample(200, random_state=0)``, or one document per line for a model of documents.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.c``. Weights of float64 are rounded to float32. Counts that were
            not pruned keep all their n-grams.
        int8 : bool, default=False
            Whether to store the 8-bit numbers of `quantize`. A quantized model always does.
        n_guess_samples : int, default=0
            For a password meter: the number of documents to draw for `guess_number`, such as 10,000, which take 8 bytes
            each. The file then has a function ``crnn_guess_number`` that returns log10 of the estimate. 0: no function.
        random_state : int, SeedSequence, Generator or None, default=None
            The seed of these documents; with the same seed, `guess_number` of the exported model has the same table.

        Raises
        ------
        ValueError
            If the model has labels (export ``model.for_label(label)``), a weight is not finite, or a parameter is
            invalid.
        OSError
            If the file cannot be written; an existing file then stays.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hanna"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_c(f"{folder}/names.c")
        """
        from .export.c_file import export_c

        exported, guesses = self._for_export("export_c", int8, n_guess_samples, random_state)
        export_c(exported, path, guesses=guesses)

    def export_js(
        self,
        path: FilePath,
        *,
        float16: bool = False,
        int8: bool = False,
        n_guess_samples: int = 0,
        random_state: Any = None,
    ) -> None:
        """Write the model as a JavaScript module for browsers, Node.js and games; see ``docs/export.md``.

        The module has no dependencies and exports the functions ``nextProba``, ``score``, ``sample`` and ``complete``.
        A seed gives the same text as in `sample`, except for rounding. Errors are as for `export_c`; also a ValueError
        if a weight is too large for 16 bits, or `float16` is requested with 8-bit weights or without a network.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.js``.
        float16 : bool, default=False
            Whether to store the weights of networks in 16 bits: half the size, with rounded weights.
        int8, n_guess_samples, random_state
            As in `export_c`; the function is ``guessNumber``.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hanna"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_js(f"{folder}/names.js")
        """
        from .export.js_file import export_js

        exported, guesses = self._for_export("export_js", int8, n_guess_samples, random_state)
        export_js(exported, path, float16=float16, guesses=guesses)

    def export_html(
        self,
        path: FilePath,
        *,
        float16: bool = False,
        int8: bool = False,
        title: str | None = None,
        exclude: Iterable[Any] = (),
        n_guess_samples: int = 0,
        random_state: Any = None,
    ) -> None:
        """Write the model as one HTML page that runs it; see ``docs/export.md``.

        The page of a model of documents shows twenty new ones, more of them, and those with a given beginning. Every
        page writes and completes texts, and colors them by surprisal. A page needs neither network access nor a server:
        open it from the disk. A seed gives the same text as in `sample`, except for rounding. Errors are as for
        `export_js`.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.html``.
        float16 : bool, default=False
            Whether to store the weights of networks in 16 bits: half the size, with rounded weights.
        int8 : bool, default=False
            Whether to store the 8-bit numbers of `quantize`: a quarter of the size of a network. A quantized model
            always does.
        title : str or None, default=None
            The page's title. None: "A character model".
        exclude : iterable of str or bytes, default=()
            For a model of documents: texts that the page does not show, such as the training documents. It recognizes
            them by hashes, two bytes a text, which also exclude 1 of 1,000 other texts. The hashes of a list can show
            whether it contains a text, but not which texts it contains.
        n_guess_samples, random_state
            As in `export_c`: with samples, the page is a password meter instead, which shows about how many guesses
            find a typed password, and its characters colored by surprisal.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram
        >>> names = ["Anna", "Hannah", "Otto"]
        >>> model = CharNGram(order=3).fit(names)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_html(f"{folder}/names.html", title="Names", exclude=names)
        """
        from .export.page import export_model_html

        exported, guesses = self._for_export("export_html", int8, n_guess_samples, random_state)
        export_model_html(
            exported,
            path,
            sample=self.sample,
            exclude=exclude,
            guesses=guesses,
            float16=float16,
            title=title,
            python=self._exported_expression(int8=int8),
        )

    def _for_export(
        self, what: str, int8: bool, n_guess_samples: int, random_state: Any
    ) -> tuple[Exported, Table | None]:
        """Return what a file contains of the model, and the table of a password meter, if any."""
        from .export.guess_table import guess_table

        exported = self._exported(what, int8=int8)

        def network() -> InferenceNetwork:
            return self._compact(int8=int8)._network(what, Use.MANY_STREAMS)[0]

        return exported, guess_table(network, n_guess_samples, random_state)

    def _text_network(self, what: str, use: Use) -> tuple[InferenceNetwork, Vocabulary]:
        """Return the `_network` of a model without labels; otherwise an error names the requested method `what`."""
        found = self._network(what, use)
        self._require_no_labels(what, found[1])
        return found

    def _require_no_labels(self, what: str, vocabulary: Vocabulary | None = None) -> None:
        """Raise an error that names the requested method `what` if the symbols, by default the model's, have labels."""
        labels = (self._vocabulary(what) if vocabulary is None else vocabulary).labels
        if labels:
            raise InvalidInputError(
                f"{what} needs a label, because the model was fitted with labels. Use the model of one label, "
                f"such as model.for_label({labels[0]!r}).{what}."
            )

    def _label_networks(self, what: str, use: Use = Use.MANY_STREAMS) -> tuple[LabelNetworks | None, Vocabulary]:
        """Return the networks of the texts with each label, None without labels, and the model's symbols."""
        return None, self._vocabulary(what)

    def _labeled_scores(
        self, texts: Iterable[Text], y: ArrayLike | None, reduce: Reduce, errors: Errors
    ) -> NDArray[np.float64]:
        """Return the scores of a model with labels."""
        use = Use.ONE_TEXT if string_scores.is_single(texts) else Use.MANY_STREAMS
        networks, vocabulary = self._label_networks("score_samples", use)
        if networks is None:  # another thread has fitted the model
            return self.score_samples(texts, y, reduce=reduce, errors=errors)
        errors = error_handling(texts, errors)
        symbols = vocabulary.with_labels(())
        checked = checked_texts(texts, vocabulary, errors)
        n_threads = checked_threads(self.n_threads)

        def score(k: int, label_texts: list[Any], reduce: Reduce) -> NDArray[np.float64]:
            network = networks.networks[k]
            start = networks.starts[k]
            scorer = TextScorer(network, symbols, n_threads, reduce=reduce, errors=errors, start=start)
            return scorer.scores(label_texts)

        prior = networks.log_prior
        return labeled_scores(checked, y, vocabulary.labels, score, prior, reduce=reduce)

    def _sampler(self, request: SampleRequest, random_state: Any, use: Use) -> tuple[Samples, Vocabulary]:
        """Return a sequence of samples with the current weights, and their symbols."""
        n_threads = checked_threads(self.n_threads)
        if request.matching is not None:
            trials, vocabulary = self._trials("sample", request, any_length=False)
            return MatchingSamples(trials, vocabulary, request, random_state, n_threads), vocabulary
        networks, vocabulary = self._label_networks("sample")
        if networks is not None:
            return labeled_samples(networks, vocabulary, request, random_state, n_threads), vocabulary
        network, vocabulary = self._text_network("sample", use)
        return TextSamples.of(network, vocabulary, request, random_state, n_threads), vocabulary

    def _trials(self, what: str, request: SampleRequest, *, any_length: bool = True) -> tuple[Trials, Vocabulary]:
        """Return a sampler of texts that match the request's pattern, and the symbols; see `trials_of`."""
        networks, vocabulary = self._label_networks(what)
        check_prime(request.prime, vocabulary)
        if networks is not None:
            models = [self.for_label(label) for label in vocabulary.labels]
            members = [model._trials(what, request, any_length=any_length)[0] for model in models]
            return LabelTrials(log_label_weights(networks, vocabulary, request.prime), members), vocabulary
        network, vocabulary = self._text_network(what, Use.MANY_STREAMS)
        controls = checked_controls(vocabulary, request.controls)
        return trials_of(self, network, vocabulary, request, controls, any_length=any_length), vocabulary


def _refuse_many_texts(text: object) -> None:
    """Raise an error for a list, or another collection, passed to `start`."""
    if not isinstance(text, str | bytes | bytearray | memoryview) and has_items(text):
        raise InvalidInputError(
            f"text is of type {type(text).__name__}, but start reads one text. For the states of many texts, use "
            "start_many(X)."
        )
