"""Mixture combines several fitted models into one language model."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.reading import Adapt, AdaptationOptions, MixedReading
from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .errors import InvalidInputError, ModelFileError
from .files import model_file
from .files.entries import MAX_MODELS
from .files.sealed_file import NamedBytes, path_name
from .inference.mixed_network import CLASSES, HeldOutText, MixedNetwork, letters_of
from .inference.network import InferenceNetwork
from .inference.packed_network import PackedNetwork
from .inference.text_scores import scored_ids, source_ids
from .inference.text_state import FixedReading, Reading
from .language_model import LanguageModel
from .parameters.checks import (
    MAX_SIZE,
    FilePath,
    checked_float,
    checked_floats,
    checked_int,
    checked_threads,
    has_items,
)
from .text.sources import IN_MEMORY, TextLike, TextSource, documents_of, rereadable, text_source
from .text.vocabulary import Ids, Vocabulary

COUNTED_PER_SECOND = 250_000  # symbols counted per second of the budget, which take at most a second on one core
OF_COUNTS = ("order", "max_memory", "min_count", "vocabulary", "n_threads")  # overrides that apply to the counts
MAX_MEMORY = 10**9  # default memory limit in bytes, for files of at most about 80 MB
SHORT_DOCUMENTS = 20  # mean symbols per document
# A text of at least MIN_LENGTH_FOR_WEIGHTS symbols has a part held out for the weights: every HELD_OUT_EVERY-th
# document, or that fraction of the symbols in HELD_OUT_PASSAGES passages, but at most MAX_HELD_OUT symbols. On names,
# 2,500 symbols gain 0.003 nats; on War and Peace after one minute of training, 16,384 gain 0.005.
MIN_LENGTH_FOR_WEIGHTS = 200_000
HELD_OUT_EVERY = 100
HELD_OUT_PASSAGES = 8
MAX_HELD_OUT = 16_384
# The order of the counts, unless given: `LONGEST`, or as much as fits in the memory; then fitted to the held-out part.
LONGEST = 24
SHORTER = (10, 8, 7, 6, 5, 4, 3, 2)  # tried in turn
CHOICE = 2.0  # times as long as counting: the choice of the order, for which time is reserved
TOLERANCE = 0.0005  # nats by which shorter counts, in a smaller file, may be worse
MIN_SHARE = 0.1  # minimum fraction of the time for the network, however long counting takes


class SharedTime:
    """The time budget for counting a text and training a network, starting now."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._start = checked_float("seconds", seconds, above=0.0), time.perf_counter()
        self._reserved = 0.0

    def count(self, X: TextLike, *, held_out: bool, **parameters: Any) -> CharNGram:
        """Return the counts of a text, or of its end if it is long for this budget; reproducible across runs.

        Without a given order, the counts are the longest, from which a held-out part chooses. Where there is none, the
        order for documents as short as names is the best of the counts alone.
        """
        source, last = text_source(X), max(1, int(min(COUNTED_PER_SECOND * self._seconds, MAX_SIZE)))
        short = source.holds_documents and source.max_length < SHORT_DOCUMENTS * source.n_documents
        counts = CharNGram(**{"max_memory": MAX_MEMORY, **parameters})
        counts._fit(X, last=last, longest=LONGEST if held_out or not short else None)
        if held_out and counts.order is None:
            self._reserved = CHOICE * (time.perf_counter() - self._start)
        return counts

    def network(self, X: TextLike, *, verbose: int, **parameters: Any) -> CharRNN:
        """Return the network that `CharRNN.recommended` chooses for the time left, untrained."""
        network = CharRNN.recommended(X, self.left(), verbose=verbose, **parameters)
        if "max_seconds" not in parameters:
            network.set_params(max_seconds=self.left())  # measuring the machine took time
        return network

    def left(self) -> float:
        """Return the seconds left for the network."""
        left = self._seconds - (time.perf_counter() - self._start) - self._reserved
        return max(left, MIN_SHARE * self._seconds)


class Mixture(LanguageModel):
    """A combination of fitted models: the product of their probabilities, each raised to the power of its weight.

    A mixture of a network and n-gram counts predicts better than either model, since counts memorize the text's exact
    wording while networks generalize (``docs/mixtures.md``). You can also mix networks with different seeds. A
    mixture has its models' sampling and scoring methods. For what only a network has, such as `params_`, use the
    network itself: ``mixture.models[0]``. A mixture cannot be exported, but a network trained on its samples can.

    With ``adapt=True``, every model learns from the text it scores, as in ``mixture.start(adapt=True).feed(text)``.
    With ``adapt="counts"``, only counts do, which is cheap; networks stay unchanged.

    Parameters
    ----------
    models : list of CharRNN, CharNGram or other language models
        1 to 64 fitted models. All must have the same symbols, which `vocabulary` fixes for models of different texts,
        but may differ otherwise.
    weights : array-like of float, shape (k,) or (4, k), default=None
        The exponent of each model, at least 0; or four rows, as in `weights_`. None: 1/k each, which works well unless
        one model is much worse.
    n_threads : int or None, default=None
        As in `CharRNN`.

    Attributes
    ----------
    weights_ : ndarray of float64, shape (k,) or (4, k)
        The current weights: given, equal, or found by `fit_weights`. Row c of four predicts symbols after c letters of
        a word, c = 0, 1, 2, and 3 or more. A letter is a letter, digit, underscore, or any character above 127.

    Raises
    ------
    ValueError
        Without a model or with more than 64, the models' symbols differ, or the weights are invalid.
    NotFittedError
        If a model is not fitted.

    Examples
    --------
    >>> from crnn import CharNGram, CharRNN, Mixture
    >>> text = "to be or not to be, " * 50
    >>> mixture = Mixture([CharRNN(16, max_steps=300, random_state=0).fit(text), CharNGram(order=4).fit(text)])
    >>> mixture.sample(10, prime="to be or", temperature=0)
    ' not to be'
    >>> mixture.weights_
    array([0.5, 0.5])
    """

    def __init__(
        self, models: Iterable[LanguageModel], weights: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> None:
        if isinstance(models, LanguageModel) or not has_items(models):
            raise InvalidInputError(f"models is of type {type(models).__name__}. Pass a list of fitted models.")
        self.models: list[LanguageModel] = models if isinstance(models, list) else list(models)
        _check_models(self.models)
        checked_threads(n_threads)
        self.weights, self.n_threads = weights, n_threads
        self.weights_ = _checked_weights(weights, len(self.models))

    def fit_weights(self, X: TextLike) -> Self:
        """Find the weights that best predict a held-out text.

        The problem is convex, so the same text always gives the same weights. At most the first 130,000 symbols are
        read. Use a text that the models were not trained on: counts look far too good on their own training text. If
        the text is empty or contains a symbol unknown to the models, a ValueError leaves the mixture unchanged.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `score`.

        Returns
        -------
        Mixture
            The mixture itself, with new `weights_`, each at least 0; they need not sum to 1. There are four rows of
            weights if the text has at least 500 symbols for one of them; a row with fewer has the whole text's weights.

        Examples
        --------
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharNGram(order=order).fit(text) for order in (1, 4)])
        >>> mixture.fit_weights("not to be").weights_.argmax()
        np.int64(1)
        """
        network, vocabulary = self._network("fit_weights", one_row=True, scoring=True)
        text = HeldOutText(*scored_ids(X, vocabulary), network)
        self.weights_, _ = text.fit([text.rows(member) for member in network.members])
        return self

    def adapt(self, X: TextLike, **options: Any) -> Self:
        """Return a mixture whose models have adapted to a text; see `CharRNN.adapt` and `CharNGram.adapt`.

        `X` and errors are as for these; `options` are those of `CharRNN.adapt`, for the networks. The weights are the
        same. This mixture and its models stay unchanged.

        Examples
        --------
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharRNN(16, max_steps=300, random_state=0).fit(text), CharNGram(order=4).fit(text)])
        >>> adapted = mixture.adapt("to bet, " * 9, learning_rate=3e-4)
        >>> bool(adapted.score("to bet, ") > mixture.score("to bet, "))
        True
        """
        AdaptationOptions.of(options)  # checked even if no model uses them
        X = rereadable(X)
        adapted = [
            model.adapt(X) if isinstance(model, CharNGram) else model.adapt(X, **options) for model in self.models
        ]
        return self._with_attributes(models=adapted, weights_=self.weights_.copy())

    def fit(self, X: TextLike, y: None = None) -> Self:
        """Find the weights, as `fit_weights` does, for scikit-learn's tools; the models stay as they are.

        ``sklearn.base.clone`` returns a mixture with the same fitted models. `y` is ignored.
        """
        return self.fit_weights(X)

    def __sklearn_clone__(self) -> Self:
        """Return a mixture of the same models, which copies without their counts or weights could not form."""
        return type(self)(list(self.models), self.weights, n_threads=self.n_threads)

    @classmethod
    def recommended(
        cls,
        X: TextLike,
        seconds: float,
        *,
        validation: TextLike | None = None,
        verbose: int = 1,
        **overrides: Any,
    ) -> Self:
        """Return a mixture of a network, ``models[0]``, and counts, fitted to a text within a time budget.

        `CharNGram` first counts the text, in about 1 µs per character. The network, `CharRNN.recommended`, trains for
        the remaining time. If the text has more than 250,000 characters per second of the budget, only its end is
        counted. The weights, and the order of the counts up to 24, are those that best predict a small part of the text
        that neither model has seen.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `CharRNN.fit`. Both models know all symbols of the text.
        seconds : float
            The time budget for both models.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            A held-out text for the order and `fit_weights`, checked before the network is trained; the models then
            learn from all of `X`. None: a text of at least 200,000 symbols and 64 MB at most is its own held-out text:
            eight passages, or every hundredth document, with 1 % of its symbols or 16,384, whichever is less. These
            weights sum to 1. Other texts have equal weights and order 24, or if they are documents of fewer than 20
            symbols on average, the order that `CharNGram` would choose.
        verbose : int, default=1
            As in `CharRNN.recommended`.
        **overrides
            Fixed parameters of `CharRNN`, and `order` and `max_memory` (by default 1 GB here, which limits the order)
            of `CharNGram`.

        Examples
        --------
        >>> mixture = Mixture.recommended("to be or not to be, " * 200, seconds=0.5, verbose=0, random_state=0)
        >>> [type(model).__name__ for model in mixture.models]
        ['CharRNN', 'CharNGram']
        """
        shared_time, verbose = SharedTime(seconds), checked_int("verbose", verbose, 0)
        X, source = split_held_out(rereadable(X), validation)
        of_counts = {name: value for name, value in overrides.items() if name in OF_COUNTS}
        of_network = {name: value for name, value in overrides.items() if name not in ("order", "max_memory")}
        CharRNN().set_params(**of_network)  # rejects unknown parameters before counting starts
        counts = shared_time.count(X, held_out=source is not None, **of_counts)
        held_out = None if source is None else source_ids(source, counts.vocabulary_)
        network = shared_time.network(X, verbose=verbose, **of_network).fit(X)
        mixture = cls([network, counts], n_threads=network.n_threads)
        if held_out is not None:
            fit_to_held_out(mixture, *held_out, sum_to_one=validation is None)
        return mixture

    @classmethod
    def load(cls, path: FilePath | BinaryIO, *, n_threads: int | None = None) -> Self:
        """Read a mixture from a file, as `CharRNN.load` reads a network; `n_threads` is as in the constructor."""
        checked_threads(n_threads)
        mixture = cls._from_file(path)
        mixture.n_threads = n_threads
        return mixture

    def _without_text(self) -> Self:
        return self._with_attributes(models=[model._without_text() for model in self.models])

    def _file_content(self) -> bytes:
        _check_models(self.models)  # which may have been changed or fitted again
        weights = _checked_rows("weights_", self.weights_, len(self.models))
        return model_file.mixture_bytes([file_of(model, i) for i, model in enumerate(self.models)], weights)

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        parts, weights = model_file.read_mixture(path)
        models = models_of(parts, path)
        try:
            mixture = cls(models)
        except InvalidInputError as error:
            raise ModelFileError(f"model file {path_name(path)}: its models do not fit together: {error}") from error
        mixture.weights_ = weights
        return mixture

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; the weights are kept unless `models` or `weights` is given.

        If a parameter is unknown or invalid, as in the constructor, a ValueError leaves the mixture unchanged.
        """
        names = self._defaults().keys()
        if params.keys() - names:
            return super().set_params(**params)  # raises, or sets a parameter of a model
        parameters: dict[str, Any] = {**{name: getattr(self, name) for name in names}, **params}
        changed = type(self)(**parameters)
        if not params.keys() & {"models", "weights"}:
            changed.weights_ = self.weights_
        vars(self).update(vars(changed))
        return self

    def _repr_html_(self) -> str:
        """Return the notebook display: the models and their weights."""
        shown = zip(self.models, shown_weights(self), strict=True)
        rows = "".join(f"<li>weight {weight}: {model._repr_html_()}</li>" for model, weight in shown)
        return f"<div><b>Mixture</b> of {len(self.models)} models<ol>{rows}</ol></div>"

    def __getattr__(self, name: str) -> Any:
        """Raise AttributeError, which for a network's attribute says what to do instead."""
        if not name.startswith("_") and hasattr(CharRNN, name) and not hasattr(type(self), name):
            networks = (i for i, model in enumerate(self.models) if isinstance(model, CharRNN))
            member = f"mixture.models[{next(networks, 0)}].{name}"
            if name.startswith("export_"):
                advice = (
                    f"A Mixture cannot be exported. Export one of its networks, {member}, or train a small network on "
                    "texts drawn from the mixture, and export that."
                )
            else:
                advice = f"Use a single network's: {member}."
            raise AttributeError(f"a Mixture has no {name}. {advice}", name=name, obj=None)
        return super().__getattr__(name)

    def _vocabulary(self, what: str) -> Vocabulary:
        return self.models[0]._vocabulary(what)

    def _network(self, what: str, *, one_row: bool, scoring: bool = False) -> tuple[MixedNetwork, Vocabulary]:
        members = [self._member(model, what, one_row=one_row, scoring=scoring) for model in self.models]
        vocabulary = _shared_vocabulary([vocabulary for _, vocabulary in members])
        return MixedNetwork([network for network, _ in members], self.weights_, letters_of(vocabulary)), vocabulary

    def _member(
        self, model: LanguageModel, what: str, *, one_row: bool, scoring: bool
    ) -> tuple[InferenceNetwork, Vocabulary]:
        """Return a model's network, with the mixture's number of threads if set, and its symbols."""
        network, vocabulary = model._network(what, one_row=one_row, scoring=scoring)
        if self.n_threads is not None and isinstance(network, PackedNetwork):
            network = network._replace(n_threads=checked_threads(self.n_threads))
        return network, vocabulary

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> tuple[Reading, Vocabulary]:
        counts_alone = isinstance(adapt, str) and adapt == "counts"
        if not counts_alone:
            AdaptationOptions.of(adapt)  # checked even if no model uses the options
        elif not any(map(_has_counts, self.models)):
            raise InvalidInputError("adapt is 'counts', but the mixture has no CharNGram. Pass True, or add one.")
        members: list[tuple[Reading, Vocabulary]] = []
        for model in self.models:
            if counts_alone and not _has_counts(model):
                network, vocabulary = self._member(model, what, one_row=True, scoring=True)
                members.append((FixedReading(network, network.zero_state(1)), vocabulary))
            else:
                of_counts = True if isinstance(model, CharNGram) else adapt
                members.append(model._adaptive_reading(what, of_counts, scoring=scoring))
        vocabulary = _shared_vocabulary([vocabulary for _, vocabulary in members])
        return MixedReading([reading for reading, _ in members], self.weights_, letters_of(vocabulary)), vocabulary


def split_held_out(X: TextLike, validation: TextLike | None) -> tuple[TextLike, TextSource | None]:
    """Return the text to learn from and the one for the weights, which is a part of `X` if there is no other.

    The part has no symbols of its own, since the models must know all symbols of the text.
    """
    if validation is not None:
        return X, text_source(validation, "validation")
    source = text_source(X)
    if not MIN_LENGTH_FOR_WEIGHTS <= source.max_length <= IN_MEMORY:
        return X, None
    texts: list[Any] = documents_of(X)
    if not source.holds_documents:  # cut the text before and after each passage, so that passages have odd places
        (text,) = texts
        length = min(len(text) // HELD_OUT_EVERY, MAX_HELD_OUT) // HELD_OUT_PASSAGES
        starts = [(2 * i + 1) * len(text) // (2 * HELD_OUT_PASSAGES) for i in range(HELD_OUT_PASSAGES)]
        cuts = [0, *(cut for start in starts for cut in (start, start + length)), len(text)]
        texts = [text[i:j] for i, j in itertools.pairwise(cuts)]
    every, first = (HELD_OUT_EVERY, HELD_OUT_EVERY // 2) if source.holds_documents else (2, 1)
    empty = texts[0][:0]
    characters = set(empty.join(text for i, text in enumerate(texts) if i % every != first))
    chosen = {i for i in range(first, len(texts), every) if characters.issuperset(texts[i])}
    rest = [text for i, text in enumerate(texts) if i not in chosen]
    held_out = [texts[i] for i in sorted(chosen)]
    if not any(held_out):
        return X, None
    if not source.holds_documents:
        return empty.join(rest), text_source(empty.join(held_out))
    return rest, text_source(held_out)


def fit_to_held_out(mixture: Mixture, ids: Ids, given: int, *, sum_to_one: bool) -> CharNGram:
    """Fit the weights of a mixture of a network and counts to held-out ids, and return its counts.

    The first `given` ids are not predicted. The counts become shorter, unless their order was given, as long as the
    loss with newly fitted weights stays within `TOLERANCE` of the best. A sum of 1 is for a part of the training text:
    it is more like the rest of that text than a new text is, and larger weights, which make the predictions surer,
    would fit it alone.
    """
    members, _ = mixture._network("fit_weights", one_row=True, scoring=True)
    text, best, counts = HeldOutText(ids, given, members), np.inf, mixture.models[1]
    assert isinstance(counts, CharNGram)
    chosen = counts
    of_network = text.rows(members.members[0])
    shorter = [order for order in SHORTER if order < counts.order_] if counts.order is None else []
    for order in (counts.order_, *shorter):
        counts = counts._shortened(order)
        of_counts = text.rows(counts._network("fit_weights", one_row=True)[0])
        weights, loss = text.fit([of_network, of_counts], sum_to_one=sum_to_one)
        if loss > best + TOLERANCE:
            break
        best = min(best, loss)
        chosen, mixture.weights_ = counts, weights
    mixture.models[1] = chosen
    return chosen


def _has_counts(model: LanguageModel) -> bool:
    """Return whether a model is a `CharNGram`, or a mixture with one."""
    return isinstance(model, CharNGram) or (isinstance(model, Mixture) and any(map(_has_counts, model.models)))


def file_of(model: LanguageModel, i: int, *, training_state: bool = True) -> tuple[str, bytes]:
    """Return the class and the file of models[i], of a mixture or a classifier."""
    if isinstance(model, CharRNN):
        return "CharRNN", model._file_content(training_state=training_state)
    if isinstance(model, CharNGram):
        return "CharNGram", model._file_content()
    raise InvalidInputError(
        f"models[{i}] is of type {type(model).__name__}, but a file contains only CharRNN and CharNGram models"
    )


def models_of(parts: model_file.Parts, path: FilePath | BinaryIO) -> list[CharRNN | CharNGram]:
    """Return the models of a file, the reverse of `file_of`; errors name the file and the model."""
    models, name = list[CharRNN | CharNGram](), path_name(path)
    for i, (kind, content) in enumerate(parts):
        stream = NamedBytes(content, f"{name}, models[{i}]")
        models.append(CharRNN.load(stream) if kind == "CharRNN" else CharNGram.load(stream))
    return models


def _checked_weights(weights: Any, n: int) -> NDArray[np.float64]:
    """Return the checked weights of n models."""
    if weights is None:
        return np.full(n, 1 / n)
    checked = _checked_rows("weights", weights, n)
    if not checked.any(axis=-1).all():
        raise InvalidInputError("weights are all 0. Pass at least one positive weight.")
    return checked


def _checked_rows(name: str, weights: Any, n: int) -> NDArray[np.float64]:
    """Return checked weights of n models, or a row of them for each class."""
    if isinstance(weights, (list, tuple, np.ndarray)) and len(weights) == CLASSES and np.ndim(weights[0]):
        return np.array([checked_floats(f"{name}[{c}]", row, n, "model") for c, row in enumerate(weights)])
    return np.array(checked_floats(name, weights, n, "model"))


def shown_weights(mixture: Mixture) -> list[str]:
    """Return each model's weight as text, or its weights for the classes."""
    return ["/".join(f"{weight:.3f}" for weight in of_model) for of_model in np.atleast_2d(mixture.weights_).T]


def _check_models(models: list[LanguageModel]) -> None:
    """Raise an error unless a mixture can have these models."""
    if not models:
        raise InvalidInputError("models is an empty list. Pass at least 1 fitted model.")
    if len(models) > MAX_MODELS:
        raise InvalidInputError(f"models contains {len(models)} models. Pass at most {MAX_MODELS}.")
    for i, model in enumerate(models):
        if not isinstance(model, LanguageModel):
            raise InvalidInputError(f"models[{i}] is of type {type(model).__name__}. Pass a fitted language model.")
    _shared_vocabulary([model.vocabulary_ for model in models])


def _shared_vocabulary(vocabularies: list[Vocabulary]) -> Vocabulary:
    """Return the symbols of all models; they are checked at each call, since a model may have been fitted again."""
    first = vocabularies[0]
    for i, vocabulary in enumerate(vocabularies):
        if vocabulary.labels:
            raise InvalidInputError(f"models[{i}] has labels. Choose one label: models[{i}].for_label(label).")
        if vocabulary != first:
            raise InvalidInputError(_difference(i, vocabulary, first))
    return first


def _difference(i: int, found: Vocabulary, wanted: Vocabulary) -> str:
    """Return an error message with the difference between two vocabularies."""
    more = [symbol for symbol in found if symbol not in set(wanted)]
    less = [symbol for symbol in wanted if symbol not in set(found)]
    parts = [f"it has {more[:5]!r}" if more else "", f"it lacks {less[:5]!r}" if less else ""]
    differs = " and ".join(part for part in parts if part) or f"{found}, not {wanted}"
    return (
        f"models[{i}] has different symbols from models[0]: {differs}. Fit all models on the same symbols: construct "
        "each with the same vocabulary=, a string of the characters of all texts."
    )
