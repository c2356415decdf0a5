"""Mixture: several fitted models as one language model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.mixed_reading import FixedReading, MixedReading
from .adaptation.options import AdaptationOptions
from .adaptation.reading import Adapt, Reading
from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .errors import InvalidInputError, ModelFileError, short_repr
from .files import mixture_file
from .inference.network.mixed_network import MixedNetwork
from .inference.network.network import InferenceNetwork
from .inference.network.packed_network import PackedNetwork
from .inference.scoring.mixture_weights import fitted_weights
from .inference.scoring.scoring import scored_ids
from .language_model import OF_NETWORKS, LanguageModel
from .parameters.checks import FilePath, checked_float, checked_floats, checked_threads, has_items
from .text.sources.sources import TextLike
from .text.symbols.vocabulary import Vocabulary

__all__ = ["Mixture", "SharedTime"]

COUNTED_PER_SECOND = 250_000  # symbols at most, of which counting takes a second of one core in the worst case
OF_COUNTS = ("order", "max_memory", "min_count", "vocabulary", "n_threads")  # what counts have of the overrides
MIN_SHARE = 0.1  # of the time, for the network, however long the counts take


class SharedTime:
    """The seconds in which a mixture counts a text and trains a network, from now on.

    Examples
    --------
    >>> shared_time = SharedTime(20)
    >>> shared_time.counted("to be or not to be", order=3)
    CharNGram(order=3)
    >>> 19 < shared_time.left() < 20
    True
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._start = checked_float("seconds", seconds, above=0.0), time.perf_counter()

    def counted(self, X: TextLike, **parameters: Any) -> CharNGram:
        """Return the counts of a text, or of its end if it is long for this time: of the same symbols in every run."""
        return CharNGram(**parameters)._fit(X, last=max(1, int(COUNTED_PER_SECOND * self._seconds)))

    def left(self) -> float:
        """Return the seconds that are left for the network."""
        return max(self._seconds - (time.perf_counter() - self._start), MIN_SHARE * self._seconds)


class Mixture(LanguageModel):
    """Several fitted models as one: the product of their probabilities, each to the power of its weight.

    A network and counts of n-grams know different things, so a mixture of both predicts better than either: the counts
    remember what stood in the text, the network has learned what is alike (``docs/mixtures.md``). Networks that differ
    in their seeds can be mixed, too. A mixture samples and scores by the same methods as its models; what belongs to
    one network, such as `params_` and `export_onnx`, that model has: ``mixture.models[0]``.

    With ``adapt=True`` every model learns from the text that it scores. With ``adapt="counts"`` networks stay as they
    are, and only counts follow the text, which costs little.

    Parameters
    ----------
    models : list of CharRNN, CharNGram or other language models
        At least one, fitted, over the same symbols. They may differ in everything else.
    weights : array-like of float, shape (k,), default=None
        The exponent of each model, at least 0. None: 1/k each, which serves well unless one model is much worse.
    n_threads : int or None, default=None
        As of `CharRNN`.

    Attributes
    ----------
    weights_ : ndarray of float64, shape (k,)
        The weights in use: those given, equal ones, or those that `fit_weights` found.

    Raises
    ------
    ValueError
        If there is no model, a model has other symbols than the first one, or the weights do not fit.
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
            raise InvalidInputError(f"models must be a list of fitted models, not {type(models).__name__}")
        self.models: list[LanguageModel] = models if isinstance(models, list) else list(models)
        if not self.models:
            raise InvalidInputError("models is an empty list; pass at least 1 fitted model")
        for i, model in enumerate(self.models):
            if not isinstance(model, LanguageModel):
                raise InvalidInputError(f"models[{i}] must be a fitted language model, not {type(model).__name__}")
            if model.vocabulary_.labels:
                raise InvalidInputError(f"models[{i}] has labels: choose one, models[{i}].for_label(label)")
            if model.vocabulary_ != self.models[0].vocabulary_:
                raise InvalidInputError(_difference(i, model.vocabulary_, self.models[0].vocabulary_))
        self.weights, self.n_threads = weights, n_threads
        self.weights_ = _checked_weights(weights, len(self.models))

    def fit_weights(self, X: TextLike) -> Self:
        """Choose the weights that predict a held-out text best.

        The problem is convex, so the same text gives the same weights; of a long text the first 130,000 symbols or
        fewer are read. The text must be one that the models have not seen: on their own text counts seem far too good.
        It is rarely worth holding text back from the models for this, as equal weights cost little.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As for `score`.

        Returns
        -------
        Mixture
            The mixture itself, with new `weights_`, each at least 0, of any sum.

        Raises
        ------
        ValueError
            If the text is empty or has a symbol that the models do not know. Nothing has changed then.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharNGram(order=order).fit(text) for order in (1, 4)])
        >>> mixture.fit_weights("not to be").weights_.argmax()
        np.int64(1)
        """
        ids, given = scored_ids(X, self.vocabulary_)
        self.weights_ = fitted_weights(self._network("fit_weights", one_row=True, scoring=True), ids, given)
        return self

    @classmethod
    def recommended(
        cls,
        X: TextLike,
        seconds: float,
        *,
        fit: bool = True,
        validation: TextLike | None = None,
        verbose: int = 1,
        **overrides: Any,
    ) -> Self:
        """Return a mixture of a network and counts, fitted to a text within a time.

        `CharNGram` counts the text first, in 0.5 to 4 µs a character; the network, `CharRNN.recommended`, trains for
        the time that is left. If the text has more than 250,000 characters for each of the `seconds`, only its end is
        counted.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As for `CharRNN.fit`. Both models have all of its symbols.
        seconds : float
            The time for both models.
        fit : bool, default=True
            Must be True: a mixture is of fitted models.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            A held-out text for `fit_weights`. None: weights of one half each.
        verbose : int, default=1
            As of `CharRNN.recommended`.
        **overrides
            Parameters of `CharRNN` that are given, not chosen, and `order` and `max_memory` of `CharNGram`.

        Returns
        -------
        Mixture
            ``models[0]`` is the network, ``models[1]`` the counts.

        Raises
        ------
        ValueError
            If an argument is not usable.

        Examples
        --------
        >>> from crnn import Mixture
        >>> mixture = Mixture.recommended("to be or not to be, " * 200, seconds=0.5, verbose=0, random_state=0)
        >>> [type(model).__name__ for model in mixture.models]
        ['CharRNN', 'CharNGram']
        """
        if fit is not True:
            raise InvalidInputError(f"fit must be True, not {short_repr(fit)}: a mixture is of fitted models")
        shared_time = SharedTime(seconds)
        X = list(X) if isinstance(X, Iterator) else X  # which is read twice
        of_counts = {name: value for name, value in overrides.items() if name in OF_COUNTS}
        of_network = {name: value for name, value in overrides.items() if name not in ("order", "max_memory")}
        CharRNN().set_params(**of_network)  # refuses what is no parameter, before the text is counted
        counts = shared_time.counted(X, **of_counts)
        network = CharRNN.recommended(X, shared_time.left(), verbose=verbose, **of_network)
        if "max_seconds" not in overrides:
            network.set_params(max_seconds=shared_time.left())  # the machine was measured meanwhile
        network.fit(X)
        mixture = cls([network, counts], n_threads=network.n_threads)
        return mixture if validation is None else mixture.fit_weights(validation)

    def save(self, path: FilePath | BinaryIO) -> None:
        """Write the mixture to one file, which holds the files of its models.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file

        Raises
        ------
        ValueError
            If a model is neither a `CharRNN` nor a `CharNGram`, or there are more than 64.
        OSError
            If the file cannot be written; an older file of that name is then as it was.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram, Mixture
        >>> mixture = Mixture([CharNGram(order=2).fit("abab" * 9), CharNGram(order=3).fit("abba" * 9)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mixture.save(f"{folder}/two.crnn")
        ...     Mixture.load(f"{folder}/two.crnn").score("ab") == mixture.score("ab")
        True
        """
        mixture_file.write(path, [_file_of(model, i) for i, model in enumerate(self.models)], self.weights_)

    @classmethod
    def load(cls, path: FilePath | BinaryIO, *, n_threads: int | None = None) -> Self:
        """Read a mixture from a file.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
        n_threads : int or None, default=None
            As of the constructor.

        Raises
        ------
        ModelFileError
            If the file is damaged, or holds no mixture.
        OSError
            If the file cannot be read.
        """
        return cls._of_parts(*mixture_file.read(path), n_threads)

    @classmethod
    def _of_parts(
        cls, parts: Iterable[tuple[str, bytes]], weights: NDArray[np.float64], n_threads: int | None
    ) -> Self:
        kinds: dict[str, Any] = {"CharRNN": CharRNN, "CharNGram": CharNGram}
        try:
            mixture = cls([kinds[kind].from_bytes(content) for kind, content in parts], n_threads=n_threads)
        except InvalidInputError as error:
            raise ModelFileError(f"the models in the file do not fit each other: {error}") from error
        mixture.weights_ = weights
        return mixture

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; the weights stay unless `models` or `weights` is given.

        Parameters
        ----------
        **params
            Names of the constructor's parameters, and their new values.

        Raises
        ------
        ValueError
            As the constructor, or if there is no such parameter; nothing is changed then.
        """
        own = self._defaults()
        if params.keys() - own.keys():
            return super().set_params(**params)  # raises, or sets a parameter of a model
        given: dict[str, Any] = {**{name: getattr(self, name) for name in own}, **params}
        changed = type(self)(**given)
        if not params.keys() & {"models", "weights"}:
            changed.weights_ = self.weights_
        vars(self).update(vars(changed))
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Say that there is nothing to fit."""
        return True

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the models and their weights."""
        shown = zip(self.models, self.weights_.tolist(), strict=True)
        rows = "".join(f"<li>weight {weight:.3f}: {model._repr_html_()}</li>" for model, weight in shown)
        return f"<div><b>Mixture</b> of {len(self.models)} models<ol>{rows}</ol></div>"

    def __getattr__(self, name: str) -> Any:
        """Raise an error that says where the attributes of a single network are."""
        if name in OF_NETWORKS:
            networks = (i for i, model in enumerate(self.models) if isinstance(model, CharRNN))
            message = f"{name} is of one network, not of a Mixture: use mixture.models[{next(networks, 0)}].{name}"
            raise AttributeError(message, name=name, obj=None)
        return super().__getattr__(name)

    def _vocabulary(self, what: str) -> Vocabulary:
        return self.models[0]._vocabulary(what)

    def _network(self, what: str, *, one_row: bool, scoring: bool = False) -> MixedNetwork:
        members = [self._member(model, what, one_row=one_row, scoring=scoring) for model in self.models]
        return MixedNetwork(members, self.weights_.copy())

    def _member(self, model: LanguageModel, what: str, *, one_row: bool, scoring: bool) -> InferenceNetwork:
        """Return the network of a model, with the mixture's number of threads if it has one."""
        network = model._network(what, one_row=one_row, scoring=scoring)
        if self.n_threads is not None and isinstance(network, PackedNetwork):
            return network._replace(n_threads=checked_threads(self.n_threads))
        return network

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> Reading:
        counts_alone = isinstance(adapt, str) and adapt == "counts"
        if not counts_alone:
            AdaptationOptions.of(adapt)  # even if no model has a use for the options
        elif not any(isinstance(model, CharNGram) for model in self.models):
            raise InvalidInputError("adapt is 'counts', but the mixture has no counts: give True, or add a CharNGram")
        readings: list[Reading | FixedReading] = []
        for model in self.models:
            if counts_alone and isinstance(model, CharRNN):
                network = self._member(model, what, one_row=True, scoring=True)
                readings.append(FixedReading(network, network.zero_state(1)))
            else:
                of_counts = True if isinstance(model, CharNGram) else adapt
                readings.append(model._adaptive_reading(what, of_counts, scoring=scoring))
        return MixedReading(readings, self.weights_.copy())


def _file_of(model: LanguageModel, i: int) -> tuple[str, bytes]:
    """Return a model's class and the bytes of its file."""
    if not isinstance(model, CharRNN | CharNGram) or i >= mixture_file.MAX_MODELS:
        raise InvalidInputError(
            f"models[{i}] is a {type(model).__name__}: a file holds up to {mixture_file.MAX_MODELS} models, each a "
            "CharRNN or a CharNGram"
        )
    return ("CharRNN" if isinstance(model, CharRNN) else "CharNGram"), model.to_bytes()


def _checked_weights(weights: Any, n: int) -> NDArray[np.float64]:
    """Return the weights of n models."""
    if weights is None:
        return np.full(n, 1 / n)
    own = checked_floats("weights", weights, n, "model")
    if not own.any():
        raise InvalidInputError("weights are all 0: give at least one above 0")
    return np.array(own)


def _difference(i: int, found: Vocabulary, wanted: Vocabulary) -> str:
    """Return an error that names what differs between two vocabularies."""
    more = [symbol for symbol in found if symbol not in set(wanted)]
    less = [symbol for symbol in wanted if symbol not in set(found)]
    parts = [f"it has {more[:5]!r}" if more else "", f"it lacks {less[:5]!r}" if less else ""]
    differs = " and ".join(part for part in parts if part) or f"{found}, not {wanted}"
    return f"models[{i}] has other symbols than models[0]: {differs}; fit all models on texts with the same symbols"
