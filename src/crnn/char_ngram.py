"""CharNGram: counts of n-grams as a language model, the baseline for every other one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, BinaryIO, Self

from .adaptation.reading import Adapt
from .errors import InvalidInputError, NotFittedError, short_repr
from .files import ngram_file
from .files.ngram_file import CountedText
from .language_model import OF_NETWORKS, LanguageModel
from .ngram.adaptive_counts import AdaptiveCounts
from .ngram.building import Builder, last_symbols
from .ngram.counts_network import CountsNetwork
from .ngram.settings import NGramSettings
from .parameters.checks import FilePath
from .text.sources.sources import TextLike, TextSource, text_source
from .text.sources.stored_ids import TextIds
from .text.symbols.vocabulary import Vocabulary
from .training.preparation.data_summary import data_summary
from .training.progress.counting_progress import CountingProgress

__all__ = ["CharNGram"]


class CharNGram(LanguageModel):
    """A character-level language model that counts n-grams: interpolated modified Kneser-Ney smoothing.

    An n-gram is a sequence of n symbols. The model counts all n-grams of up to `order` symbols and predicts a symbol
    from the ``order - 1`` symbols before it, with longer and rarer contexts interpolated with shorter ones (Chen and
    Goodman 1999). Counting takes about a second for a million characters and has nothing to tune, so a `CharNGram` is
    the baseline that every network should beat: fit one first. ``docs/tasks.md`` compares the two.

    It samples and scores by the same methods as a `CharRNN`: `sample`, `stream`, `beam_search`, `score`,
    `bits_per_char`, `score_samples`, `predict_proba`, `surprisal`, `rank`, `guess_number`, `enumerate_documents` and
    `start`. With ``adapt=True`` these methods count what they read, on top of the model, which does not change. Labels
    and exports belong to networks.

    Long n-grams hold the training text nearly word for word: samples may quote it.

    Parameters
    ----------
    order : int or None, default=None
        The length of the longest n-gram, from 1 to 64: with ``order=8`` the model sees seven symbols of context. 6 to 8
        suit names and texts of a megabyte, 14 or more program code, up to 24 log files. None: the order up to 24 that
        predicts the last twentieth of the text best after the rest of the text, among the orders that fit in
        `max_memory`. The last twentieth is then counted as well. The last million symbols of a longer text choose the
        order for all of it.
    max_memory : int, float or None, default=None
        The bytes that counting may use, of which the counts get half. None: 2 GB.
    min_count : int, default=1
        Characters that occur less often in the text of `fit` become one unknown symbol. With 2 or more the model
        accepts any text: every other character is the unknown symbol. With 1 any other character is an error.
    vocabulary : str, bytes, list of characters or None, default=None
        The characters of a new model, fixed before any text, so that `partial_fit` can count a stream of texts block by
        block. Any other character is the unknown symbol if `min_count` is 2 or more, otherwise an error. The parameter
        is not saved; `vocabulary_` is. None: the characters of the first text.
    n_threads : int or None, default=None
        Threads for sampling and for scoring many strings. None: as many as are of use. Every number gives the same
        bits.
    verbose : int, default=0
        0: silent. 1: the size of the data, a progress bar and the size of the model, on standard error.

    Attributes
    ----------
    order_ : int
        The length of the longest n-gram that is counted.
    n_grams_ : list of int
        How many different n-grams of 1, 2, …, `order_` symbols there are.
    vocabulary_ : Vocabulary
        The symbols in id order.

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

    def fit(self, X: TextLike, y: None = None, *, labels: None = None) -> Self:
        """Count the n-grams of a text, or of many short ones.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text itself; bytes for a model of bytes; or the path of a UTF-8 file, whose newlines are kept. A list,
            or any other iterable of texts, holds documents, such as names, lines or molecules. The model counts where
            a document starts and ends. Files larger than memory are read in blocks.
        y : None
            Not used, present for scikit-learn's convention.
        labels : None
            Only a `CharRNN` learns labels.

        Returns
        -------
        CharNGram
            The model itself.

        Raises
        ------
        ValueError
            If a parameter or a text cannot be used, or the n-grams do not fit in `max_memory`; the message then names
            the largest order that does. The model is unchanged.
        UnicodeDecodeError
            If a file is not UTF-8; the error gives the offset.
        KeyboardInterrupt
            On Ctrl-C. The model is unchanged.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> CharNGram(order=3).fit("hello world").n_grams_
        [8, 10, 9]
        >>> names = CharNGram().fit(["Anna", "Hanna", "Hannah", "Bob"] * 5)
        >>> names.order_, names.sample(temperature=0)
        (8, 'Hanna')
        """
        _refuse_labels(labels)
        return self._fit(X)

    def _fit(self, X: TextLike, last: int | None = None) -> Self:
        """Count a text, or only so many of its last symbols; the vocabulary is that of all of it."""
        settings, source = NGramSettings.check(self.get_params()), text_source(X)
        vocabulary = source.vocabulary(settings.min_count, given=settings.vocabulary)
        ids = _ids(source, vocabulary)
        ids = ids if last is None else last_symbols(ids, last, vocabulary.boundary)
        with CountingProgress(settings.verbose, data_summary(ids, None, vocabulary)) as progress:
            builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory, progress.show)
            self._learned = CountedText(vocabulary, builder.build(ids, settings.order))
        if settings.verbose:
            progress.write(self._in_words())
        return self

    def partial_fit(self, X: TextLike, y: None = None, *, labels: None = None) -> Self:
        """Add the n-grams of another text to the counts.

        The counts do not depend on the order in which texts are added. A text begins without context, wherever the last
        text ended. A model that is not fitted starts anew, as by `fit`; of a stream of texts the `order` should then be
        given, since ``order=None`` is chosen by the first text alone.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `fit`, of the model's symbols; documents only for a model that was fitted on documents, for which a
            text is one document.
        y : None
            Not used.
        labels : None
            Only a `CharRNN` learns labels.

        Returns
        -------
        CharNGram
            The model itself.

        Raises
        ------
        ValueError, UnicodeDecodeError, KeyboardInterrupt
            As in `fit`; also a ValueError if the model does not know a symbol. The model is unchanged.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3, vocabulary="abcd")
        >>> for block in ("abcabc", "dabcd"):
        ...     _ = model.partial_fit(block)
        >>> model.n_grams_
        [4, 5, 5]
        """
        _refuse_labels(labels)
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        settings, (vocabulary, counts) = NGramSettings.check(self.get_params()), self._fitted("partial_fit")
        if settings.order not in (None, counts.order):
            raise InvalidInputError(
                f"order is {settings.order}, but the model counts n-grams of up to {counts.order} symbols: set order "
                f"to None or {counts.order}, or call fit to start anew"
            )
        ids = _ids(text_source(X), vocabulary)
        with CountingProgress(settings.verbose, data_summary(ids, None, vocabulary)) as progress:
            builder = Builder(len(vocabulary), vocabulary.boundary, settings.max_memory, progress.show)
            self._learned = CountedText(vocabulary, builder.add(counts, ids))
        if settings.verbose:
            progress.write(self._in_words())
        return self

    # -------------------------------------------------------------- model file

    def save(self, path: FilePath | BinaryIO) -> None:
        """Write the model to a file.

        The file is a safetensors file with a checksum and holds the n-grams, sorted and packed: about 5 bytes a
        character of training text. It is written next to the target and renamed when it is complete, so that an older
        file is never half overwritten.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            The file.

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            If the file cannot be written; an older file is then as it was.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=5).fit("hello world, " * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(pathlib.Path(folder) / "hello.crnn")
        ...     again = CharNGram.load(pathlib.Path(folder) / "hello.crnn")
        >>> again.score("hello") == model.score("hello")
        True
        """
        ngram_file.write(path, self._fitted("save"), self.get_params())

    @classmethod
    def load(cls, path: FilePath | BinaryIO) -> Self:
        """Read a model from a file.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            A file that `save` wrote.

        Returns
        -------
        CharNGram

        Raises
        ------
        ModelFileError
            If the file is damaged, of another kind, or of a newer format.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from crnn import CharNGram
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     CharNGram(order=5).fit("abc" * 100).save(pathlib.Path(folder) / "abc.crnn")
        ...     again = CharNGram.load(pathlib.Path(folder) / "abc.crnn")
        >>> again, again.n_grams_
        (CharNGram(order=5), [3, 3, 3, 3, 3])
        """
        return cls._from_file(*ngram_file.read(path, cls._defaults()))

    def to_bytes(self) -> bytes:
        """Return what `save` would write to a file.

        Raises
        ------
        NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("abc" * 100)
        >>> CharNGram.from_bytes(model.to_bytes()).score("abc") == model.score("abc")
        True
        """
        return ngram_file.to_bytes(self._fitted("to_bytes"), self.get_params())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the model that `to_bytes` wrote, or the content of a file that `save` wrote.

        Parameters
        ----------
        content : bytes

        Raises
        ------
        ModelFileError
            As of `load`.
        """
        return cls._from_file(*ngram_file.from_bytes(content, cls._defaults()))

    @classmethod
    def _from_file(cls, parameters: dict[str, Any], learned: CountedText) -> Self:
        model = cls().set_params(**parameters)
        model._learned = learned
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the attributes, with the counts as the bytes of a model file."""
        state = dict(vars(self))
        if self.__sklearn_is_fitted__():
            state["_learned"] = ngram_file.to_bytes(self._learned, {})
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what `__getstate__` returned."""
        vars(self).update(state)
        if "_learned" in state:
            self._learned = ngram_file.from_bytes(state["_learned"], self._defaults())[1]

    def __copy__(self) -> Self:
        """Return a model that shares the counts, which never change."""
        model = object.__new__(type(self))
        vars(model).update(vars(self))
        return model

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a model with parameters of its own; the counts, which never change, are shared."""
        model = self.__copy__()
        own = {name: value for name, value in vars(self).items() if name != "_learned"}
        vars(model).update(copy.deepcopy(own, memo))
        return model

    # ---------------------------------------------------------------- learned

    _learned: CountedText  # absent before `fit`, `partial_fit` or `load`

    @property
    def order_(self) -> int:
        """The length of the longest n-gram that is counted; the context has one symbol less.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> CharNGram(order=5).fit("abc" * 10).order_
        5
        """
        return self._fitted("reading order_").counts.order

    @property
    def n_grams_(self) -> list[int]:
        """How many different n-grams of 1, 2, …, `order_` symbols there are.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> CharNGram(order=3).fit("abcabd").n_grams_
        [4, 4, 4]
        """
        return self._fitted("reading n_grams_").counts.n_grams

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether there are counts."""
        return "_learned" in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Raise the error of a missing attribute; for what only networks have, it says so."""
        if name in OF_NETWORKS:
            raise AttributeError(
                f"CharNGram has no {name}: it counts n-grams, and {name} is for networks; train a CharRNN"
            )
        return super().__getattr__(name)

    def _fitted(self, what: str) -> CountedText:
        """Return what was learned; NotFittedError names `what` was asked for."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return self._learned

    def _vocabulary(self, what: str) -> Vocabulary:
        return self._fitted(what).vocabulary

    def _network(self, what: str, *, one_row: bool, scoring: bool = False) -> CountsNetwork:
        return CountsNetwork(self._fitted(what).counts)

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> AdaptiveCounts:
        if adapt is not True:
            raise InvalidInputError(f"adapt must be True or False, not {short_repr(adapt)}: counting has no options")
        return AdaptiveCounts(self._fitted(what).counts)

    def _in_words(self) -> str:
        vocabulary, counts = self._fitted("its description")
        return f"{sum(counts.n_grams):,} n-grams of up to {counts.order} of {len(vocabulary)} symbols"


def _refuse_labels(labels: Any) -> None:
    """Raise InvalidInputError if there are labels."""
    if labels is not None:
        raise InvalidInputError(
            "CharNGram learns no labels: fit one model for the texts of each label, or CharRNN().fit(X, labels=labels)"
        )


def _ids(source: TextSource, vocabulary: Vocabulary) -> TextIds:
    """Return the ids of a text that is not empty."""
    ids = source.ids(vocabulary)
    if not len(ids):
        raise InvalidInputError(f"{source.name} is empty; counting needs at least 1 character")
    return ids
