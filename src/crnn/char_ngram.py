"""CharNGram, an n-gram language model and the baseline for all other models."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.reading import Adapt
from .display.progress import CountingProgress
from .errors import InvalidInputError, NotFittedError, short_repr
from .files import ngram_file
from .files.ngram_file import CountedText
from .inference.network import LabelNetworks, Use
from .language_model import LanguageModel
from .ngram.building import DEFAULT_MEMORY, Builder, Times, last_symbols, without
from .ngram.counts import Counts
from .ngram.counts_network import AdaptiveCounts, CountsNetwork, LabeledCounts
from .ngram.frozen import FrozenCounts
from .ngram.packed_counts import shorten_counts, without_text
from .ngram.pruning import frozen_whole, prune_counts, quantize_counts
from .ngram.settings import NGramSettings
from .ngram.stored_counts import growing
from .parameters.checks import FilePath, checked_int
from .scoring.labeled_scores import refuse_labels
from .text.labels import CountedSource, Numbers, checked_labels, documents_by_label, label_number, label_numbers
from .text.sources import TextLike, TextSource, text_source
from .text.vocabulary import Ids, Vocabulary
from .training.data import data_summary

if TYPE_CHECKING:
    from .export.models import ExportedCounts

LABELED_ORDER = 5  # of counts with labels, if none is given: the most accurate in `benchmarks.classify`


class CharNGram(LanguageModel):
    """A character-level language model that counts n-grams, with interpolated modified Kneser-Ney smoothing.

    An n-gram is a sequence of n symbols. The model counts all n-grams of up to `order` symbols and predicts a symbol
    from the ``order - 1`` symbols before it, interpolating longer, rarer contexts with shorter ones (Chen and Goodman
    1999). Counting takes about a second per million characters and needs no tuning, so fit a `CharNGram` first: it is
    the baseline that a network should beat. ``docs/mixtures.md`` compares the two.

    A `CharNGram` has the same sampling and scoring methods as a `CharRNN`. With ``adapt=True``, they also count the
    text they read, without changing the model; `adapt` returns a model that has counted it. `prune` and
    `quantize` make it small. Before `fit`, methods that need a fitted model raise `NotFittedError`.

    Samples may quote the training text (``docs/mixtures.md``). With an order above 10, a model without labels and
    weights keeps the whole text. Its file contains the text, and `load` counts it again. A higher order then takes
    little more memory: order 24 takes 42 bytes per character of English.

    Parameters
    ----------
    order : int or None, default=None
        The length of the longest n-gram, from 1 to 64: with ``order=8`` the context is seven symbols. Suitable orders
        are 6 to 8 for names and texts of a megabyte, 14 or more for program code, and up to 24 for log files. None: the
        order up to 24 that best predicts the last twentieth of the text from the rest and fits in `max_memory`. The
        last twentieth is then counted as well. For long texts, only the last 4 million symbols are used for the choice.
        With labels, None is 5, so that texts of all labels have the same order.
    max_memory : int, float or None, default=None
        The memory limit for counting, in bytes; the counts, with a text that they keep, get half of it. None: 2 GB.
    min_count : int, default=1
        Characters with fewer occurrences in the text of `fit` become a single unknown symbol. With 2 or more, the model
        accepts any text, and every new character is the unknown symbol. With 1, a new character is an error.
    vocabulary : str, bytes, list of characters or None, default=None
        The characters of the model, fixed in advance so that `partial_fit` can count a stream of texts block by block.
        Any other character is the unknown symbol if `min_count` is 2 or more, otherwise an error. The parameter is not
        saved, but `vocabulary_` is. None: the characters of the first text.
    n_threads : int or None, default=None
        Threads for sampling and for scoring many strings. None: a useful number. The results have the same bits
        for any number.
    verbose : int, default=0
        0: silent. 1: the size of the data, a progress bar and the size of the model, on standard error.

    Attributes
    ----------
    order_ : int
        The length of the longest counted n-gram.
    n_grams_ : list of int
        The numbers of distinct n-grams of 1, 2, …, `order_` symbols.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points or byte values.
    labels_ : ndarray of shape (K,)
        The labels of the counted documents, sorted, (K,); K = 0 for a model fitted without labels.

    Examples
    --------
    >>> from crnn import CharNGram
    >>> model = CharNGram(order=4).fit("to be or not to be, " * 50)
    >>> model.sample(13, prime="to be", temperature=0)
    ' or not to be'
    >>> model.bits_per_char("to be or not to be") < 1
    True
    """

    def __init__(
        self,
        order: int | None = None,
        *,
        max_memory: int | float | None = None,
        min_count: int = 1,
        vocabulary: str | bytes | Iterable[str] | Iterable[bytes] | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.order = order
        self.max_memory = max_memory
        self.min_count = min_count
        self.vocabulary = vocabulary
        self.n_threads = n_threads
        self.verbose = verbose

    # ---------------------------------------------------------------- counting

    def fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Count the n-grams of a text or of many documents, and return the model.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `CharRNN.fit`. Files larger than memory are read in blocks.
        y : array-like of shape (n,), default=None
            Only with documents: a label for each, text or number, such as the language of a name. The texts of each
            label are counted apart, with the same symbols: `sample`, `score_samples` and `for_label` take a label.
            None: the documents have no labels.
        sample_weight : array-like of shape (n,), default=None
            Only with documents: a whole number of at least 0 for each, such as its count in a list of counted names.
            The model is the same, to the bit, as if each document occurred that often in succession, and not at all
            with a weight of 0. Each document is read once. None: 1 for each.

        Raises
        ------
        ValueError
            If a parameter, text or label is invalid, or the n-grams do not fit in `max_memory`; the message then names
            the largest order that fits. The model is unchanged.
        UnicodeDecodeError, KeyboardInterrupt
            If a file is not UTF-8 (the error gives the offset), or on Ctrl-C. The model is unchanged.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> names = CharNGram().fit(["Anna", "Hanna", "Hannah", "Bob"] * 5)
        >>> names.order_, names.sample(temperature=0)
        (8, 'Hanna')
        >>> told = CharNGram(order=3).fit(["Anna", "Hanna", "Bob"], ["girl", "girl", "boy"])
        >>> told.sample(label="boy", temperature=0)
        'Bob'
        """
        return self._fit(X, y=y, sample_weight=sample_weight)

    def _fit(
        self,
        X: TextLike,
        *,
        last: int | None = None,
        longest: int | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Count a text, or only its last symbols, with the vocabulary of the whole text.

        If `order` is None, it is `longest`, or less in little memory; without `longest`, it is chosen.
        """
        settings = NGramSettings.check(self.get_params())
        source, times, y = _counted_source(X, sample_weight, y)
        vocabulary = source.vocabulary(settings.min_count, given=settings.vocabulary)
        ids = _ids(source, vocabulary)
        if y is not None:
            _require_documents(source)
            labeled = checked_labels(y, source.n_documents)
            vocabulary = vocabulary.with_labels(labeled.labels.tolist())
            order = LABELED_ORDER if settings.order is None else settings.order

            def count(builder: Builder, k: int, label_ids: Ids, times: Times | None) -> Counts:
                return builder.build(label_ids, order, times)

            return self._learn_labels(vocabulary, ids, labeled.numbers, np.zeros(len(labeled.labels)), count, times)
        ids = ids if last is None else last_symbols(ids, last, vocabulary.boundary)
        with CountingProgress(settings.verbose, data_summary(ids, None, vocabulary)) as progress:
            builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory, progress.show)
            if longest is not None and settings.order is None:
                counts = builder.build_longest(ids, longest, times)
            else:
                counts = builder.build(ids, settings.order, times)
            self._learned = CountedText(vocabulary, counts)
        if settings.verbose:
            progress.write(self._summary_line())
        return self

    def _shortened(self, order: int) -> Self:
        """Return a model without labels of the same text with an order of at most this one's."""
        vocabulary, counts, _ = self._growing("a choice of the order")
        counts = shorten_counts(counts, order) if order < counts.order else counts
        return self._with_attributes(_learned=CountedText(vocabulary, counts))

    def _fit_while(self, X: list[Any], order: int, more: Callable[[], bool]) -> int:
        """Count documents until `more` returns False or the memory is used up, and return how many were counted.

        The vocabulary is that of all documents.
        """
        settings = NGramSettings.check(self.get_params())
        source = text_source(X)
        vocabulary = source.vocabulary(settings.min_count, given=settings.vocabulary)
        ids = _ids(source, vocabulary)
        builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory, keeps_text=False)
        counts, n = builder.build_some(ids, order, more)
        self._learned = CountedText(vocabulary, counts)
        return int(np.count_nonzero(ids[1:n] == vocabulary.boundary))

    def _without(self, X: list[Any], times: NDArray[np.intp]) -> Self:
        """Return the model as if each of some counted documents had been counted fewer times, with the same symbols."""
        vocabulary, counts, _ = self._growing("subtracting")
        ids = _ids(text_source(X), vocabulary)
        return self._with_attributes(_learned=CountedText(vocabulary, without(counts, ids, times)))

    def partial_fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add the n-grams of another text to the counts.

        The counts do not depend on the order of the texts. Each text starts without context. The first call on an
        unfitted model is equivalent to `fit`. When counting a stream of texts, set `order`, because ``order=None``
        chooses an order from the first text alone. Errors are as in `fit`; also a ValueError if a symbol is unknown to
        the model.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`, with symbols and labels of the model. Pass documents only to a model fitted on documents; such
            a model treats a text as one document.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3, vocabulary="abcd")
        >>> for block in ("abcabc", "dabcd"):
        ...     _ = model.partial_fit(block)
        >>> model.n_grams_
        [4, 5, 5]
        """
        return self._partial_fit(X, y, sample_weight)

    def _partial_fit(
        self, X: TextLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None, *, prune: bool = False
    ) -> Self:
        """Add a text like `partial_fit`; with `prune`, drop long, rare n-grams to stay within `max_memory`."""
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, sample_weight=sample_weight)
        settings = NGramSettings.check(self.get_params())
        vocabulary, counts, parts = self._growing("partial_fit")
        if settings.order not in (None, counts.order):
            raise InvalidInputError(
                f"order is {settings.order}, but the fitted model has order {counts.order}. Set order to None or "
                f"{counts.order}, or call fit to start again."
            )
        source, times, y = _counted_source(X, sample_weight, y)
        ids = _ids(source, vocabulary.with_labels(()))
        labeled = self._learned.labeled
        if labeled is not None:
            if y is None:
                raise InvalidInputError("y is missing, but the model has labels. Pass one label per document.")
            _require_documents(source)
            numbers = label_numbers(y, np.array(vocabulary.labels), source.n_documents)

            def count(builder: Builder, k: int, label_ids: Ids, times: Times | None) -> Counts:
                return builder.add(parts[k], label_ids, times) if len(label_ids) > 1 else parts[k]

            return self._learn_labels(vocabulary, ids, numbers, labeled.frequencies, count, times)
        refuse_labels(y)
        with CountingProgress(settings.verbose, data_summary(ids, None, vocabulary)) as progress:
            builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory, progress.show)
            self._learned = CountedText(vocabulary, builder.add(counts, ids, times, prune=prune))
        if settings.verbose:
            progress.write(self._summary_line())
        return self

    def adapt(self, X: TextLike) -> Self:
        """Return a copy of the model that has also counted a text, as ``score(X, adapt=True)`` does while it reads.

        The copy keeps the discounts of the training text; `partial_fit` estimates them anew. `X` is as for `score`.
        Errors are as in `partial_fit`; also a ValueError if the model has labels (adapt ``model.for_label(label)``
        instead).

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=4).fit("to be or not to be, " * 50)
        >>> model.adapt("to bet, " * 9).bits_per_char("to bet, ") < model.bits_per_char("to bet, ")
        True
        """
        settings = NGramSettings.check(self.get_params())
        vocabulary, counts, _ = self._growing("adapt")
        self._require_no_labels("adapt", vocabulary)
        builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory)
        added = builder.add(counts, _ids(text_source(X), vocabulary))
        added.set_discounts(counts.discounts)
        return self._with_attributes(_learned=CountedText(vocabulary, added))

    # ---------------------------------------------------------- compact models

    def prune(self, max_bytes: int) -> Self:
        """Return a model whose file takes at most `max_bytes`: without the n-grams that lower the loss least.

        The n-grams to keep are chosen by relative entropy, for each byte that they take (Stolcke 1998). The
        other n-grams get the probabilities of shorter ones, so that all sum to one. The model samples and scores
        like any other, but its counts are gone: it cannot adapt, and neither `partial_fit` nor `prune` can change it.
        `quantize` makes it smaller still.

        Parameters
        ----------
        max_bytes : int
            The size of the file that `save` writes. If the file is small enough, the model is returned unchanged.
            Counts of an order above 10 keep the text, whose size does not matter, instead of all their n-grams: they
            are returned unchanged if a file of the n-grams is small enough. So exported files are small, too.

        Returns
        -------
        CharNGram
            A new model; ``order_`` is the length of the longest n-gram kept.

        Raises
        ------
        ValueError
            If `max_bytes` is too small even for the symbols alone, or the model was pruned or quantized before.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=4).fit(" ".join(map(str, range(3000))))
        >>> small = model.prune(4000)
        >>> sum(small.n_grams_) < sum(model.n_grams_)
        True
        """
        limit = checked_int("max_bytes", max_bytes, 1)
        learned = self._fitted("prune")
        parameters = self.get_params()
        vocabulary = learned.vocabulary

        def with_counts(found: list[FrozenCounts]) -> CountedText:
            labeled = learned.labeled
            new = None if labeled is None else LabeledCounts(found, labeled.frequencies)
            return CountedText(vocabulary, found[0], new)

        def size_of(found: list[FrozenCounts]) -> int:
            return len(ngram_file.to_bytes(with_counts(found), parameters))

        is_small = len(ngram_file.to_bytes(learned, parameters)) <= limit
        if is_small and learned.counts.keeps_text:  # with at least a byte for each n-gram
            is_small = sum(self.n_grams_) <= limit and size_of([frozen_whole(learned.counts)]) <= limit
        if is_small:
            return self._with_attributes()
        _, _, parts = self._growing("prune")
        found, size = prune_counts(parts, limit, size_of)
        if size > limit:
            raise InvalidInputError(
                f"max_bytes is {limit:,}, but the symbols alone take {size:,}. Pass at least {size:,}.",
                argument="max_bytes",
            )
        return self._with_attributes(_learned=with_counts(found))

    def quantize(self) -> Self:
        """Return a model that stores its probabilities in 8 bits each.

        Before, a pruned model stores 16 bits, and counts store whole numbers. All probabilities after a context still
        sum to one. As after `prune`, the counts are gone. Prune first for a small file: the file of counts that were
        not pruned usually becomes a little larger, since most of their whole numbers fit in 8 bits, too.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=4).fit("to be or not to be, " * 50)
        >>> abs(model.quantize().score("to be") - model.score("to be")) < 0.01
        True
        """
        vocabulary, counts, labeled = self._fitted("quantize")
        found = [quantize_counts(part) for part in ([counts] if labeled is None else labeled.parts)]
        new = None if labeled is None else LabeledCounts(found, labeled.frequencies)
        return self._with_attributes(_learned=CountedText(vocabulary, found[0], new))

    def _learn_labels(
        self,
        vocabulary: Vocabulary,
        ids: Ids,
        numbers: Numbers,
        frequencies: NDArray[np.float64],
        count: Callable[[Builder, int, Ids, Times | None], Counts],
        times: Times | None,
    ) -> Self:
        """Count the documents of each label with the function `count`.

        `numbers` are the numbers of the documents' labels, `frequencies` how many documents of each label there were
        before, and `times` how often each document counts.
        """
        settings = NGramSettings.check(self.get_params())
        plain = vocabulary.with_labels(())
        K = len(vocabulary.labels)
        memory = DEFAULT_MEMORY if settings.max_memory is None else settings.max_memory
        parts = list[Counts]()
        done = 0
        with CountingProgress(settings.verbose, data_summary(ids, None, plain)) as progress:
            for k, label_ids in enumerate(documents_by_label(ids, numbers, K, plain.boundary)):
                label_times = None if times is None else times[numbers == k]
                builder = Builder(len(plain), plain.boundary, memory, keeps_text=False)
                parts.append(count(builder, k, label_ids, label_times))
                memory = max(memory - 2 * parts[-1].nbytes, 1)  # counts get half of the limit
                done += len(label_ids) - 1
                progress.show(done, len(ids) - 1)
        frequencies = frequencies + np.bincount(numbers, times, K)
        self._learned = CountedText(vocabulary, parts[0], LabeledCounts(parts, frequencies))
        if settings.verbose:
            progress.write(self._summary_line())
        return self

    # -------------------------------------------------------------- model file

    def _file_content(self) -> bytes:
        return ngram_file.to_bytes(self._fitted("save"), self.get_params())

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        parameters, learned = ngram_file.read(path, cls._defaults())
        model = cls().set_params(**parameters)
        model._learned = learned
        return model

    def export_arpa(self, path: FilePath, *, space: str = "|") -> None:
        """Write the model as an ARPA file, which KenLM and the decoders of OCR, handwriting and speech read.

        Each symbol is a word of the file: a character itself, other white space as ``<U+000A>``, a byte as two
        hexadecimal digits, the unknown symbol as ``<unk>``, and a document's boundary as ``<s>`` and ``</s>``. For the
        text of a document with these words, ``kenlm.Model(path).score`` equals the log10 of its probability. A model of
        running text has no start and end: pass ``bos=False, eos=False``.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.arpa``.
        space : str, default="|"
            The word that represents the space character.

        Raises
        ------
        ValueError, OSError
            As for `CharRNN.export_c`; also if the model has another symbol that looks like `space`.

        Warns
        -----
        UserWarning
            If `order_` is not from 2 to 6, the orders that KenLM's usual build reads.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=2).fit(["a b", "b a"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_arpa(f"{folder}/names.arpa")
        """
        from .export.arpa_file import export_arpa

        learned = self._fitted("export_arpa")
        self._require_no_labels("export_arpa", learned.vocabulary)
        export_arpa(learned, path, space=space)

    def __getstate__(self) -> dict[str, Any]:
        """Return the pickled state: the attributes, and the counts in the model file's format."""
        state = dict(vars(self))
        if self.__sklearn_is_fitted__():
            state["_learned"] = ngram_file.to_bytes(self._learned, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `__getstate__`."""
        vars(self).update(state)
        if "_learned" in state:
            self._learned = ngram_file.read(io.BytesIO(state["_learned"]), self._defaults())[1]

    def __copy__(self) -> Self:
        """Return a model that shares the counts, which never change."""
        return self._with_attributes()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a model with its own parameters; the immutable counts are shared."""
        parameters = {name: value for name, value in vars(self).items() if name != "_learned"}
        return self._with_attributes(**copy.deepcopy(parameters, memo))

    # ---------------------------------------------------------------- learned

    _learned: CountedText  # absent before `fit`, `partial_fit` or `load`

    @property
    def order_(self) -> int:
        """The length of the longest counted n-gram."""
        return self._fitted("reading order_").counts.order

    @property
    def n_grams_(self) -> list[int]:
        """The numbers of distinct n-grams of 1, 2, …, `order_` symbols."""
        _, counts, labeled = self._fitted("reading n_grams_")
        parts = [counts] if labeled is None else labeled.parts
        return [sum(of_length) for of_length in zip(*(part.n_grams for part in parts), strict=True)]

    @property
    def labels_(self) -> NDArray[Any]:
        """The labels of the counted documents, sorted, (K,); K = 0 for a model fitted without labels."""
        return np.array(self._fitted("reading labels_").vocabulary.labels)

    def for_label(self, label: Any) -> Self:
        """Return a model of the texts with one label, which shares the counts; see `CharRNN.for_label`.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "bob"], ["girl", "boy"])
        >>> model.for_label("boy").sample(temperature=0)
        'bob'
        """
        vocabulary, _, labeled = self._fitted("for_label")
        if labeled is None:
            return super().for_label(label)  # raises
        counts = labeled.parts[label_number(label, np.array(vocabulary.labels))]
        return self._with_attributes(_learned=CountedText(vocabulary.with_labels(()), counts))

    def _without_text(self) -> Self:
        counts = self._learned.counts
        if not isinstance(counts, Counts):
            return self._with_attributes()
        return self._with_attributes(_learned=self._learned._replace(counts=without_text(counts)))

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether the model is fitted."""
        return "_learned" in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Raise AttributeError, with an explanation for attributes that only networks have."""
        if not name.startswith("_") and not hasattr(type(self), name):
            from .char_rnn import CharRNN

            if hasattr(CharRNN, name):
                raise AttributeError(f"CharNGram has no attribute {name}, which only networks have. Use a CharRNN.")
        return super().__getattr__(name)

    def _fitted(self, what: str) -> CountedText:
        """Return the fitted counts, or raise NotFittedError, which names the attempted operation `what`."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return self._learned

    def _growing(self, what: str) -> tuple[Vocabulary, Counts, list[Counts]]:
        """Return the vocabulary, the counts and those of each label; raise an error unless they can still grow."""
        vocabulary, counts, labeled = self._fitted(what)
        stored = [counts] if labeled is None else labeled.parts
        parts = [growing(part) for part in stored if not isinstance(part, FrozenCounts)]
        if not parts:
            raise InvalidInputError(
                f"{what} needs counts, but prune and quantize have replaced them by probabilities. Call it on the "
                "model before."
            )
        if parts[0] is not counts:  # they were loaded from a file; others may ask for them again
            grown = None if labeled is None else LabeledCounts(parts, labeled.frequencies)
            self._learned = CountedText(vocabulary, parts[0], grown)
        return vocabulary, parts[0], parts

    def _vocabulary(self, what: str) -> Vocabulary:
        return self._fitted(what).vocabulary

    def _network(self, what: str, use: Use) -> tuple[CountsNetwork, Vocabulary]:
        vocabulary, counts, _ = self._fitted(what)
        self._require_no_labels(what, vocabulary)
        return CountsNetwork(counts), vocabulary

    def _label_networks(self, what: str, use: Use = Use.MANY_STREAMS) -> tuple[LabelNetworks | None, Vocabulary]:
        vocabulary, _, labeled = self._fitted(what)
        if labeled is None:
            return None, vocabulary
        networks = [CountsNetwork(counts) for counts in labeled.parts]
        starts = [network.start() for network in networks]
        return LabelNetworks(networks, starts, labeled.log_prior), vocabulary

    def _compact(self, *, int8: bool) -> Self:
        vocabulary, counts, _ = self._fitted("export")
        found = quantize_counts(counts) if int8 else frozen_whole(counts)
        return self._with_attributes(_learned=CountedText(vocabulary, found))

    def _exported(self, what: str, *, int8: bool) -> ExportedCounts:
        from .export.models import ExportedCounts

        learned = self._fitted(what)
        self._require_no_labels(what, learned.vocabulary)
        return ExportedCounts.of(learned, int8=int8)

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> tuple[AdaptiveCounts, Vocabulary]:
        if adapt is not True:
            raise InvalidInputError(f"adapt is {short_repr(adapt)}, but must be True or False for a CharNGram")
        vocabulary, counts, _ = self._growing(what)
        self._require_no_labels(what, vocabulary)
        return AdaptiveCounts(counts), vocabulary

    def _has_counts(self) -> bool:
        return True

    def _summary_line(self) -> str:
        vocabulary, counts, _ = self._fitted("its description")
        labels = f", {len(vocabulary.labels)} labels" if vocabulary.labels else ""
        symbols = len(vocabulary) - len(vocabulary.labels)
        return f"{sum(self.n_grams_):,} n-grams of up to {counts.order} of {symbols} symbols{labels}"


def _counted_source(X: TextLike, sample_weight: ArrayLike | None, y: Any) -> tuple[TextSource, Times | None, Any]:
    """Return a text's source, how often each of its documents counts, and their labels."""
    if sample_weight is None:
        return text_source(X), None, y
    source = CountedSource(X, sample_weight)
    return source, source.times, None if y is None else source.labels(y)


def _require_documents(source: TextSource) -> None:
    """Raise InvalidInputError unless a source has documents, which may have labels."""
    if not source.holds_documents:
        raise InvalidInputError("y needs documents, but X is a single text. Pass a list of texts.")


def _ids(source: TextSource, vocabulary: Vocabulary) -> Ids:
    """Return the ids of a nonempty text."""
    ids = source.ids(vocabulary)
    if not len(ids):
        raise InvalidInputError(f"{source.name} is empty. Pass at least 1 character.", argument=source.name)
    return ids
