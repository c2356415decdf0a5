"""Mixture combines several models into one language model; `train` makes the best one for a text and a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.reading import Adapt, AdaptationOptions
from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .inference.mixed_network import MixedNetwork
from .inference.network import LabelNetworks, Use
from .language_model import LanguageModel
from .mixing.member_files import (
    mixture_file_parts,
    read_members,
)
from .mixing.member_training import MixtureSettings, TrainingCall, train_members, train_members_further
from .mixing.members import (
    Members,
    check_members,
    checked_models,
    checked_weights,
    member_names,
    quantized,
)
from .mixing.networks import mixed_label_networks, mixed_network, mixed_reading
from .mixing.recommendation import recommended_models
from .mixing.resuming import InterruptedTraining
from .mixing.shared_time import now
from .mixing.weights_fit import (
    TriedWords,
    fit_to_held_out,
    held_out_documents,
)
from .ngram.words_network import MixedWords
from .parameters.checks import (
    FilePath,
    checked_float,
    checked_int,
    checked_path,
    checked_threads,
)
from .text.sources import TextLike, rereadable
from .text.vocabulary import Vocabulary
from .text_states.text_state import Reading

if TYPE_CHECKING:
    from .export.models import ExportedMixture


class Mixture(LanguageModel):
    """A combination of models: the product of their probabilities, each raised to the power of its weight.

    A mixture of a network and n-gram counts predicts better than either model, since counts memorize the text's exact
    wording while networks generalize (``docs/mixtures.md``). `crnn.train` makes the best mixture for a text and a time.
    You can also mix networks with different seeds, or models that are already fitted, with `from_fitted`.

    A mixture has its models' sampling and scoring methods. For what only a network has, such as `params_`, use the
    network itself: ``mixture.models_[0]``.

    With ``adapt=True``, every model learns from the text it scores, as in ``mixture.start(adapt=True).feed(text)``.
    With ``adapt="counts"``, only counts do, which is cheap; networks stay unchanged. Either way, the weights move from
    `weights_` toward the members that predict the text best, and counts of nothing but the text read join with a weight
    that starts from 0.

    Parameters
    ----------
    models : list of CharRNN, CharNGram or other language models
        1 to 64 models. `fit` trains copies of them.
    weights : array-like of float, shape (k,) or (4, k), default=None
        The exponent of each model, at least 0; or four rows, as in `weights_`. None: `fit` finds the weights that best
        predict a part of the text that the models have not seen.
    words : bool or "auto", default="auto"
        Whether `fit` makes another member: counts of the next character after the letters of a word so far and the two
        words before. They need a `CharNGram`, whose predictions tell lower case from upper case. "auto": if they lower
        the loss on the held-out part by at least 0.001 nats. They are not tried if this part has fewer than 8,000
        symbols, if the text has no spaces or documents of a single word, or with labels, `sample_weight` or given
        `weights`.
    max_seconds : float or None, default=None
        The time limit of `fit` and `partial_fit`: counts come first, networks share the rest. If a text has more
        than 250,000 characters per second, only its end is counted. None: each model's own limits.
    n_threads : int or None, default=None
        As in `CharRNN`; None: each network's own number.
    verbose : int, default=0
        0: silent. 1 or 2: at least this `verbose` for each model in `fit`, and at the end the loss of each model and of
        the mixture on the held-out part.

    Attributes
    ----------
    models_ : list of CharRNN, CharNGram or other language models
        The fitted models. All have the same symbols.
    weights_ : ndarray of float64 and shape (k,) or (4, k)
        The current weights of the members: given, equal, or found by `fit` or `fit_weights`. With counts of words, the
        last column is theirs, and k is one more than the number of models. Row c of four predicts symbols after c
        letters of a word, c = 0, 1, 2, and 3 or more. A letter is a letter, digit, underscore, or any character above
        127.
    members_ : list of str
        The names of the columns of `weights_`: network, counts, mixture or words, numbered if there are several.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points or byte values. They are the same in all models.
    labels_ : ndarray of shape (K,)
        The labels of the training documents, sorted, (K,); K = 0 for models fitted without labels.

    Examples
    --------
    >>> from crnn import CharNGram, CharRNN, Mixture
    >>> text = "to be or not to be, " * 50
    >>> mixture = Mixture([CharRNN(16, max_steps=300, random_state=0), CharNGram(order=4)]).fit(text)
    >>> mixture.sample(10, prime="to be or", temperature=0)
    ' not to be'
    >>> mixture.weights_
    array([0.5, 0.5])
    """

    def __init__(
        self,
        models: Iterable[LanguageModel],
        weights: ArrayLike | None = None,
        *,
        words: bool | Literal["auto"] = "auto",
        max_seconds: float | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.models = models
        self.weights = weights
        self.words = words
        self.max_seconds = max_seconds
        self.n_threads = n_threads
        self.verbose = verbose

    # Missing before `fit`, `partial_fit`, `from_fitted` or `load`:
    models_: list[LanguageModel]
    weights_: NDArray[np.float64]
    _words: MixedWords | None = None

    @classmethod
    def from_fitted(
        cls,
        models: Iterable[LanguageModel],
        weights: ArrayLike | None = None,
        *,
        max_seconds: float | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> Self:
        """Return a fitted mixture of models that are already fitted, which it shares.

        Parameters
        ----------
        models : list of CharRNN, CharNGram or other language models
            1 to 64 fitted models. All must have the same symbols, which `vocabulary` fixes for models of different
            texts, but may differ otherwise.
        weights : array-like of float, shape (k,) or (4, k), default=None
            The weights, as in the constructor. None: 1/k each, which works well unless one model is much worse;
            `fit_weights` finds better ones.
        max_seconds, n_threads, verbose
            As in the constructor.

        Raises
        ------
        ValueError
            Without a model or with more than 64, the models' symbols differ, or the weights are invalid.
        NotFittedError
            If a model is not fitted.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> text = "to be or not to be, " * 50
        >>> models = [CharNGram(order=2).fit(text), CharNGram(order=5).fit(text)]
        >>> Mixture.from_fitted(models, weights=[0.2, 0.8]).sample(6, prime="to be", temperature=0)
        ' or no'
        """
        members = checked_models(models)
        check_members(members)
        mixture = cls(members, weights, max_seconds=max_seconds, n_threads=n_threads, verbose=verbose)
        mixture._settings()
        mixture._keep(Members([*members], checked_weights(weights, len(members))))
        return mixture

    def fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Any = None,
        sample_weight: ArrayLike | None = None,
        checkpoint: FilePath | None = None,
        checkpoint_every: int | None = None,
        checkpoint_seconds: float | None = None,
    ) -> Self:
        """Train copies of the models on a text, find their weights, and return the mixture.

        Counts are made first, in about 2 µs per character; networks train for the remaining time. The weights, and the
        order of a `CharNGram` with ``order=None`` (up to 24), are those that best predict a part of the text that the
        models have not seen: eight passages, or every hundredth document, with 1 % of the symbols or 16,384, whichever
        is less. These weights sum to 1. A text of fewer than 200,000 symbols, or of more than 64 MB, has no such part:
        the weights are then equal and the order is 24, or for documents of fewer than 20 symbols on average, the order
        that `CharNGram` would choose.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `CharRNN.fit`. All models know all symbols of the text.
        y : array-like of shape (n,), default=None
            Only with documents: a label for each, which all models learn, as in `CharRNN.fit`.
        validation : str, bytes, os.PathLike or iterable of str or bytes, or pair, default=None
            A held-out text for the weights and the order; the models then learn from all of `X`. With `y`, a pair of
            documents and their labels.
        sample_weight : array-like of shape (n,), default=None
            Only with documents: as in the `fit` of the models. It does not affect the weights.
        checkpoint : str, bytes, os.PathLike or None, default=None
            A file for saving the mixture while its network trains, for mixtures of one `CharRNN` and any number of
            `CharNGram`. `resume` finishes the call from this file, and `load` reads the mixture as an interruption
            would have left it, or at the end the final mixture.
        checkpoint_every, checkpoint_seconds : default=None
            Steps or seconds between checkpoints, as in `CharRNN.fit`.

        Raises
        ------
        ValueError
            If a parameter, text or label is invalid. The mixture is unchanged.
        KeyboardInterrupt, DivergenceError
            On Ctrl-C, or if the training of a network diverges. Unless a model is still unfitted, the mixture then has
            the models as they are, with equal weights; otherwise it is unchanged.

        Examples
        --------
        >>> from crnn import CharNGram, CharRNN, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharRNN(8, max_steps=100, random_state=0), CharNGram(order=4)])
        >>> mixture.fit(text, validation="not to be, to be").members_
        ['network', 'counts']
        """
        call = TrainingCall(X, y, validation, sample_weight, checkpoint, checkpoint_every, checkpoint_seconds)
        return self._fit_since(None, call)

    def _fit_since(self, start: float | None, call: TrainingCall) -> Self:
        """Fit like `fit`, in a time that began at the `start`; None: now."""
        train_members(self._settings(), call, self._keep, start)
        return self

    def partial_fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Any = None,
        sample_weight: ArrayLike | None = None,
        epochs: int | None = None,
        checkpoint: FilePath | None = None,
        checkpoint_every: int | None = None,
        checkpoint_seconds: float | None = None,
    ) -> Self:
        """Train all models further on another text; their weights and counts of words stay as they are.

        Networks continue and counts add the text, as in `CharRNN.partial_fit` and `CharNGram.partial_fit`, which also
        raise the same errors. The first call on an unfitted mixture is equivalent to `fit`. After an error or Ctrl-C
        the mixture is unchanged.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`, with symbols and labels of the models.
        validation : str, bytes, os.PathLike or iterable of str or bytes, or pair, default=None
            A held-out text, to which the weights are then fitted anew. None: the weights stay the same.
        epochs : int or None, default=None
            How often networks read the text, as in `CharRNN.partial_fit`.
        checkpoint, checkpoint_every, checkpoint_seconds
            As in `fit`.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> mixture = Mixture([CharNGram(order=3, vocabulary="abcd"), CharNGram(order=2, vocabulary="abcd")])
        >>> for block in ("abcabc", "dabcd"):
        ...     _ = mixture.partial_fit(block)
        >>> [model.n_grams_[0] for model in mixture.models_]
        [4, 4]
        """
        call = TrainingCall(X, y, validation, sample_weight, checkpoint, checkpoint_every, checkpoint_seconds)
        if not self.__sklearn_is_fitted__():
            return self._fit_since(None, call)
        train_members_further(self._settings(), self._members("partial_fit"), call, self._keep, epochs=epochs)
        return self

    @classmethod
    def resume(
        cls,
        path: FilePath,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> Self:
        """Finish an interrupted call of `fit` or `partial_fit` from its checkpoint.

        The network is the same, to the bit, as if the call had not been interrupted, as in `CharRNN.resume`, and the
        counts are equal. If the call had ended, the mixture is returned unchanged.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The file passed to the interrupted call as `checkpoint`.
        X, y, validation
            As passed to the call.
        n_threads, verbose
            As in the constructor.

        Raises
        ------
        ValueError
            If the file holds no run, or an argument is not what was passed to the call.
        ModelFileError, OSError
            As for `load`.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram, CharRNN, Mixture
        >>> text = "to be or not to be, " * 200
        >>> def interrupt(model, record):
        ...     if record["step"] == 60:
        ...         raise KeyboardInterrupt
        >>> network = CharRNN(8, max_steps=100, callbacks=[interrupt], random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         Mixture([network, CharNGram(order=4)]).fit(text, checkpoint=f"{folder}/run.crnn")
        ...     except KeyboardInterrupt:
        ...         mixture = Mixture.resume(f"{folder}/run.crnn", text)
        >>> mixture.models_[0].n_steps_
        100
        """
        interrupted = InterruptedTraining.read(checked_path("path", path))
        checked_threads(n_threads)
        verbose = checked_int("verbose", verbose, 0)
        split = interrupted.split(X, y, validation)
        mixture = cls(**interrupted.parameters(), n_threads=n_threads)
        mixture._keep(interrupted.finish(split, verbose=verbose))
        return mixture

    def _settings(self) -> MixtureSettings:
        """Return the parameters after checking them."""
        return MixtureSettings.check(
            models=self.models,
            weights=self.weights,
            words=self.words,
            max_seconds=self.max_seconds,
            n_threads=self.n_threads,
            verbose=self.verbose,
        )

    def _keep(self, members: Members) -> None:
        """Make the members the mixture's own, all at once."""
        vars(self).update(models_=members.models, weights_=members.weights, _words=members.words)

    def fit_weights(self, X: TextLike, y: ArrayLike | None = None) -> Self:
        """Find the weights that best predict a held-out text.

        The problem is convex, so the same text always gives the same weights. At most the first 130,000 symbols are
        read. Use a text that the models were not trained on: counts look far too good on their own training text. If
        the text is empty or contains a symbol unknown to the models, a ValueError leaves the mixture unchanged.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `score`.
        y : array-like of shape (n,), default=None
            The labels of documents, for models fitted with labels.

        Returns
        -------
        Mixture
            The mixture itself, with new `weights_`, each at least 0; they need not sum to 1. There are four rows of
            weights if the text has at least 500 symbols for one of them; a row with fewer has the whole text's weights.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture.from_fitted([CharNGram(order=order).fit(text) for order in (1, 4)])
        >>> mixture.fit_weights("not to be").weights_.argmax()
        np.int64(1)
        """
        models = self._fitted("fit_weights")
        check_members(models)
        held_out = held_out_documents(X, y, models[0].vocabulary_)
        words = None if self._words is None else TriedWords(self._words.counts, required=True)
        found = fit_to_held_out(models, held_out, sum_to_one=False, words=words)
        self._keep(found.members)
        return self

    def adapt(self, X: TextLike, **options: Any) -> Self:
        """Return a mixture whose models have adapted to a text; see `CharRNN.adapt` and `CharNGram.adapt`.

        `X` and errors are as for these; networks get the `options`, as in `CharRNN.adapt`. The weights and the
        counts of words are the same. This mixture and its models stay unchanged.

        Examples
        --------
        >>> from crnn import CharNGram, CharRNN, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharRNN(16, max_steps=300, random_state=0), CharNGram(order=4)]).fit(text)
        >>> adapted = mixture.adapt("to bet, " * 9, learning_rate=3e-4)
        >>> bool(adapted.score("to bet, ") > mixture.score("to bet, "))
        True
        """
        AdaptationOptions.of(options)  # checked even if no model uses them
        X = rereadable(X)
        adapted = [
            model.adapt(X) if isinstance(model, CharNGram) else model.adapt(X, **options)
            for model in self._fitted("adapt")
        ]
        return self._with_attributes(models_=adapted, weights_=self.weights_.copy())

    @classmethod
    def recommended(cls, X: TextLike, seconds: float, *, verbose: int = 1, **overrides: Any) -> Self:
        """Return an unfitted mixture of a network and counts for a text and a time limit.

        `CharRNN.recommended` chooses the network, for the time left after counting. The choice is printed
        on standard error. `crnn.train` makes this choice and fits the mixture within the time.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text to which the mixture will be fitted.
        seconds : float
            Time limit for `fit`.
        verbose : int, default=1
            0: print nothing. This is not the mixture's own `verbose`.
        **overrides
            Parameters to fix rather than choose: the mixture's, `CharRNN`'s, and `CharNGram`'s `order` and `max_memory`
            (by default 1 GB here, which limits the order).

        Examples
        --------
        >>> from crnn import Mixture
        >>> mixture = Mixture.recommended("to be or not to be, " * 200, seconds=0.5, verbose=0, random_state=0)
        >>> [type(model).__name__ for model in mixture.models], mixture.max_seconds
        (['CharRNN', 'CharNGram'], 0.5)
        """
        seconds = checked_float("seconds", seconds, above=0.0)
        verbose = checked_int("verbose", verbose, 0)
        models, parameters = recommended_models(X, seconds, overrides, verbose=verbose)
        return cls(models, **parameters)

    @classmethod
    def load(cls, path: FilePath | BinaryIO, *, n_threads: int | None = None) -> Self:
        """Read a mixture from a file, as `CharRNN.load` reads a network; `n_threads` is as in the constructor."""
        checked_threads(n_threads)
        mixture = cls._from_file(path)
        mixture.n_threads = n_threads
        return mixture

    def for_label(self, label: Any) -> Self:
        """Return a mixture for the texts with one label, from one whose models were fitted with labels.

        The weights are the same; see `CharRNN.for_label`.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> models = [CharNGram(order=3), CharNGram(order=2)]
        >>> mixture = Mixture(models).fit(["anna", "bob"], ["girl", "boy"])
        >>> mixture.for_label("boy").sample(temperature=0)
        'bob'
        """
        vocabulary = self._vocabulary("for_label")
        if not vocabulary.labels:
            return super().for_label(label)  # raises
        models = [model.for_label(label) for model in self.models_]
        return self._with_attributes(models_=models, weights_=self.weights_.copy())

    @property
    def labels_(self) -> NDArray[Any]:
        """The labels of the training documents, sorted, (K,); K = 0 for models fitted without labels."""
        return np.array(self._vocabulary("reading labels_").labels)

    @property
    def members_(self) -> list[str]:
        """The names of the columns of `weights_`: network, counts, mixture or words, numbered if there are several."""
        return member_names(self._fitted("reading members_"), has_words=self._words is not None)

    def _without_text(self) -> Self:
        return self._with_attributes(models_=[model._without_text() for model in self._fitted("_without_text")])

    def _file_content(self) -> bytes:
        return b"".join(self._file_parts())

    def _file_parts(self) -> list[memoryview]:
        return mixture_file_parts(self._members("save"))

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        members = read_members(path)
        mixture = cls([*members.models])
        mixture._keep(members)
        return mixture

    # ------------------------------------------------------------- scikit-learn

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the models, such as ``models__0__hidden_size``.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> Mixture([CharNGram(order=3)]).get_params()["models__0__order"]
        3
        """
        params = super().get_params(deep)
        if deep and isinstance(self.models, list | tuple):
            for i, model in enumerate(self.models):
                if isinstance(model, Estimator):
                    params |= {f"models__{i}__{name}": value for name, value in model.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; `fit` checks their values.

        An unknown name raises a ValueError, and nothing is changed.

        Parameters
        ----------
        **params
            Names of the constructor's parameters, and their new values; ``models__0__hidden_size`` means the parameter
            ``hidden_size`` of ``models[0]``.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> Mixture([CharNGram(order=3)]).set_params(models__0__order=5)
        Mixture(models=[CharNGram(order=5)])
        """
        for name in params:
            self._require_parameter(name, params)
        of_models = {name: value for name, value in params.items() if name.startswith("models__")}
        super().set_params(**{name: value for name, value in params.items() if name not in of_models})
        for name, value in of_models.items():
            _, number, key = name.split("__", 2)
            models: Any = self.models
            models[int(number)].set_params(**{key: value})
        return self

    def _require_parameter(self, name: str, params: dict[str, Any]) -> None:
        parts = name.split("__", 2)
        models = params.get("models", self.models)
        if parts[0] != "models" or len(parts) < 3 or not isinstance(models, list | tuple):
            super()._require_parameter(name, params)
            return
        _, number, key = parts
        if not number.isdecimal() or int(number) >= len(models) or not isinstance(models[int(number)], Estimator):
            raise InvalidInputError(f"{name} is of models[{number}], but there are {len(models)} models.")
        models[int(number)]._require_parameter(key, {})

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether the mixture is fitted."""
        return "models_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn calls this."""
        tags = super().__sklearn_tags__()
        states = [model.get_params(deep=False).get("random_state", 0) for model in self.models]
        tags.non_deterministic = any(state is None for state in states)
        return tags

    def _repr_html_(self) -> str:
        """Return the notebook display: the models and their weights."""
        if not self.__sklearn_is_fitted__():
            return super()._repr_html_()
        members = [model._repr_html_() for model in self.models_]
        words = shown_words(self)
        if words is not None:
            members.append(words)
        shown = zip(members, shown_weights(self), strict=True)
        rows = "".join(f"<li>weight {weight}: {member}</li>" for member, weight in shown)
        return f"<div><b>Mixture</b> of {len(members)} models<ol>{rows}</ol></div>"

    def __getattr__(self, name: str) -> Any:
        """Raise AttributeError, which for a network's attribute says what to do instead."""
        if not name.startswith("_") and hasattr(CharRNN, name) and not hasattr(type(self), name):
            fitted: list[LanguageModel] = vars(self).get("models_", [])
            networks = (i for i, model in enumerate(fitted) if isinstance(model, CharRNN))
            member = f"mixture.models_[{next(networks, 0)}].{name}"
            if name.startswith("export_"):
                advice = (
                    f"Export the mixture with export_js, one of its networks with {member}, or train a small network "
                    "on texts drawn from the mixture, and export that."
                )
            else:
                advice = f"Use a single network's: {member}."
            raise AttributeError(f"a Mixture has no {name}. {advice}", name=name, obj=None)
        return super().__getattr__(name)

    # ---------------------------------------------------------------- networks

    def _fitted(self, what: str) -> list[LanguageModel]:
        """Return the fitted models; a NotFittedError names the requested method `what`."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return self.models_

    def _members(self, what: str) -> Members:
        return Members(self._fitted(what), self.weights_, self._words)

    def _vocabulary(self, what: str) -> Vocabulary:
        return self._fitted(what)[0]._vocabulary(what)

    def _label_networks(self, what: str, use: Use = Use.MANY_STREAMS) -> tuple[LabelNetworks | None, Vocabulary]:
        return mixed_label_networks(self._members(what), what, use)

    def _network(self, what: str, use: Use) -> tuple[MixedNetwork, Vocabulary]:
        members = self._members(what)
        self._require_no_labels(what)
        return mixed_network(members, what, use, n_threads=self.n_threads)

    def without_words(self) -> Self:
        """Return a mixture of the same models without the counts of words, with the weights found for it.

        Its files are smaller. The models are shared.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharNGram(order=2), CharNGram(order=4)], words=True).fit(text, validation=text[:40])
        >>> mixture.members_, mixture.without_words().members_
        (['counts 1', 'counts 2', 'words'], ['counts 1', 'counts 2'])
        """
        models = [*self._fitted("without_words")]
        words = self._words
        weights = self.weights_ if words is None else words.weights_without
        return self._with_attributes(models_=models, weights_=weights.copy(), _words=None)

    def quantize(self) -> Self:
        """Return a mixture whose models have 8-bit numbers: see `CharRNN.quantize` and `CharNGram.quantize`.

        Models that already have 8-bit numbers are shared. The weights and the counts of words, which have 8-bit numbers
        anyway, are the same.

        Examples
        --------
        >>> from crnn import CharNGram, Mixture
        >>> text = "to be or not to be, " * 50
        >>> mixture = Mixture([CharNGram(order=2), CharNGram(order=4)]).fit(text)
        >>> mixture.quantize().sample(6, prime="to be", temperature=0)
        ' or no'
        """
        models = [quantized(model) for model in self._fitted("quantize")]
        return self._with_attributes(models_=models, weights_=self.weights_.copy())

    def _exported_expression(self, *, int8: bool) -> str:
        return "model.quantize()" if int8 else "model"

    def _compact(self, *, int8: bool) -> Self:
        models = [model._compact(int8=int8) for model in self._fitted("export")]
        return self._with_attributes(models_=models)

    def _exported(self, what: str, *, int8: bool) -> ExportedMixture:
        from .export.models import ExportedMixture

        self._vocabulary(what)
        self._require_no_labels(what)
        models = self._fitted(what)
        check_members(models)
        exported = [model._exported(what, int8=int8) for model in models]
        words = self._words
        if words is None:
            return ExportedMixture.of(exported, None, self.weights_)
        self._network(what, Use.ONE_STREAM)  # raises unless the models fit the words
        return ExportedMixture.of(exported, words.counts, self.weights_)

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> tuple[Reading, Vocabulary]:
        return mixed_reading(self._members(what), what, adapt, scoring=scoring, n_threads=self.n_threads)

    def _has_counts(self) -> bool:
        return any(model._has_counts() for model in self._fitted("adapting"))


def train(
    X: TextLike,
    seconds: float = 60.0,
    *,
    y: ArrayLike | None = None,
    validation: Any = None,
    verbose: int = 1,
    **overrides: Any,
) -> Mixture:
    """Return the best model for a text and a time: a mixture of a network and n-gram counts, fitted to the text.

    It is the mixture of `Mixture.recommended`, fitted with `Mixture.fit`, all within the time.

    Parameters
    ----------
    X : str, bytes, os.PathLike or iterable of str or bytes
        The text itself; bytes for a model of bytes; the path of a UTF-8 file; or documents, such as names or lines, as
        a list or `Lines`.
    seconds : float, default=60.0
        The time limit. More time makes a better model: try 600 for a few megabytes.
    y : array-like of shape (n,), default=None
        Only with documents: a label for each, which the models learn.
    validation : str, bytes, os.PathLike or iterable of str or bytes, or pair, default=None
        A held-out text for the weights, as in `Mixture.fit`.
    verbose : int, default=1
        0: silent. 1: the choice of the network, progress bars, and at the end the losses on the held-out part.
    **overrides
        Parameters to fix rather than choose, as in `Mixture.recommended`.

    Returns
    -------
    Mixture
        The fitted mixture: `Mixture.sample`, `Mixture.score` and `Mixture.save` are the usual next steps.

    Raises
    ------
    ValueError, KeyboardInterrupt, DivergenceError
        As in `Mixture.fit`.

    Examples
    --------
    >>> import crnn
    >>> model = crnn.train("to be or not to be, " * 200, seconds=0.5, verbose=0, random_state=0)
    >>> model.sample(10, prime="to be or", temperature=0)
    ' not to be'
    """
    start = now()
    X = rereadable(X)
    mixture = Mixture.recommended(X, seconds, verbose=verbose, **overrides)
    try:
        return mixture.set_params(verbose=verbose)._fit_since(start, TrainingCall(X, y, validation))
    finally:
        mixture.set_params(verbose=0)


def fit_since(start: float, mixture: Mixture, X: TextLike, y: ArrayLike | None = None, **arguments: Any) -> Mixture:
    """Fit a mixture like `Mixture.fit`, by a clock that was started before, such as to measure the machine."""
    return mixture._fit_since(start, TrainingCall(X, y, **arguments))


def shown_weights(mixture: Mixture) -> list[str]:
    """Return each model's weight as text, or its weights for the classes."""
    return ["/".join(f"{weight:.3f}" for weight in of_model) for of_model in np.atleast_2d(mixture.weights_).T]


def shown_words(mixture: Mixture) -> str | None:
    """Return a description of a mixture's counts of words, if it has some."""
    words = mixture._words
    return None if words is None else f"counts of words, {words.counts.n_grams:,} n-grams"
