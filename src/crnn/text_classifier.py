"""TextClassifier: predicts the labels of short texts with language models trained with labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .char_rnn import CharRNN
from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .files import classifier_file
from .inference.scoring.class_probabilities import accuracy, log_posteriors
from .model.state import ModelState
from .parameters.checks import FilePath, checked_bool, checked_choice, checked_int, checked_threads
from .parameters.settings import checked_parameter, rounds_operands
from .text.symbols.codes import Text
from .text.symbols.vocabulary import Vocabulary
from .training.loop.exclusive import ExclusiveUse, begin_use
from .training.preparation.class_data import ClassData, class_prior
from .training.progress.notebook_summary import classifier_in_words, curves_of

Array = NDArray[Any]

OWN = ("class_weight", "min_steps")  # parameters that a file stores in addition to the estimator's
# Parameters that suit short texts, by measurement; they apply if `estimator` is None.
SHORT_TEXTS: dict[str, Any] = {
    "hidden_size": 128, "cell": "lstm", "seq_length": 24, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.03,
    "schedule": "cosine", "warmup": 0.02, "clip": None, "clip_norm": 1.0, "weight_decay": 0.02, "beta_2": 0.99,
    "dropout": 0.3, "epochs": 8, "init_scale": 0.2, "min_count": 2,
}  # fmt: skip


class TextClassifier(Estimator):
    """A classifier of short texts, such as names by language or domains by origin.

    It trains a copy of a language model to predict the probability of a text given its label, by reading the
    label's symbol first. A second copy reads the texts backward. Bayes' rule combines these probabilities with the
    frequencies of the labels into the probabilities of the labels. ``docs/measurements.md`` compares alternatives.
    Before `fit`, methods that need a fitted model raise `NotFittedError`.

    Parameters
    ----------
    estimator : CharRNN or None, default=None
        The language model, which stays unchanged. Its `epochs` and `max_steps` apply to each direction, `max_seconds`
        to both together. Its `validation_fraction` holds out documents drawn at random. None: a `CharRNN` with
        parameters that suit short texts, an LSTM of 128 units trained with Adam; change some of them with
        ``set_params(estimator__hidden_size=64)``. The defaults of `CharRNN` itself are min-char-rnn's and suit one
        long text.
    class_weight : "balanced", dict or None, default=None
        Factors for the classes' frequencies: a dict that maps labels to numbers; missing labels get 1.
        "balanced": all classes are equally probable before a text is read. None: the frequencies in `fit`.
    directions : {"both", "forward", "backward"}, default="both"
        The reading directions. A single direction takes half the time but was 2 points less accurate.
    min_steps : int, default=150
        If there are few texts, read them more often than the estimator's `epochs`, until each direction has taken this
        many steps. Ignored if the estimator has `max_steps` or `max_seconds`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    models_ : dict of str to CharRNN
        The trained language models, "forward" and "backward". ``models_["forward"].for_label(label)`` is a model of the
        texts with that label.
    vocabulary_ : Vocabulary
        The symbols and the labels.
    n_steps_ : int
        Training steps taken, over both directions.
    history_ : list of dict
        Training records as in `CharRNN`, each with its ``direction``.

    Examples
    --------
    >>> from crnn import TextClassifier
    >>> names = ["anna", "eva", "olga", "bob", "otto", "tom"]
    >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
    >>> model = model.fit(names, ["f", "f", "f", "m", "m", "m"])
    >>> model.predict(["hanna", "rob"])
    array(['f', 'm'], dtype='<U1')
    """

    _fit_methods = "fit"

    def __init__(
        self,
        estimator: CharRNN | None = None,
        *,
        class_weight: str | Mapping[Any, float] | None = None,
        directions: str = "both",
        min_steps: int = 150,
    ) -> None:
        self.estimator = estimator
        self.class_weight = class_weight
        self.directions = directions
        self.min_steps = min_steps

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; `fit` checks their values.

        Parameters
        ----------
        **params
            As for `CharRNN.set_params`. ``estimator__hidden_size`` sets a parameter of the language model; if
            `estimator` is None, it becomes the default model first.

        Raises
        ------
        ValueError
            If there is no such parameter. Nothing is changed in that case.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> TextClassifier().set_params(estimator__hidden_size=64).estimator.cell
        'lstm'
        """
        if any(name.startswith("estimator__") for name in params):
            params = {"estimator": self._base(), **params}
        return super().set_params(**params)

    # ---------------------------------------------------------------- training

    def fit(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the labels of texts.

        Parameters
        ----------
        X : iterable of str, or of bytes
            The texts.
        y : array-like of shape (n,)
            Their labels: all str, all integers, all floats or all bool; at least two distinct ones.
        sample_weight : array-like of shape (n,), default=None
            A factor of at least 0 for each text's loss, which also applies to the frequency of its class.

        Returns
        -------
        TextClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If a parameter, text or label is invalid. The classifier is then unchanged.
        DivergenceError, KeyboardInterrupt
            As for `CharRNN.fit`. The classifier is then unchanged.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=8, estimator__max_steps=5)
        >>> model.fit(["ab", "ba", "a"], [0, 1, 0]).classes_
        array([0, 1])
        """
        stop, start = ExclusiveUse(), time.perf_counter()
        with stop.running:
            begin_use(self, stop)
            directions, data = self._checked_directions(), ClassData.checked(X, y, sample_weight)
            prior, models = class_prior(data.labeled, self.class_weight, sample_weight), dict[str, CharRNN]()
            for k, direction in enumerate(directions):
                models[direction] = self._trained(data, direction, time.perf_counter() - start, len(directions) - k)
            self._models, self._prior = models, prior
        return self

    def _trained(self, data: ClassData, direction: str, seconds: float, left: int) -> CharRNN:
        """Return a copy of the estimator, trained in one direction, given the seconds used and the directions left."""
        base = self._base()
        parameters = base.get_params(deep=False)
        callbacks = checked_parameter("callbacks", base.callbacks)
        told = {"callbacks": [partial(_with_direction, callback, self, direction) for callback in callbacks]}
        limits = data.limits(parameters, checked_int("min_steps", self.min_steps, 0), seconds, left)
        model = type(base)(**{**parameters, **limits, **told})
        texts, labels, weights = data.in_direction(direction, shuffled=bool(parameters["validation_fraction"]))
        return model.fit(texts, labels=labels, sample_weight=weights).set_params(**parameters)

    def _base(self) -> CharRNN:
        """Return the language model, or the default model if `estimator` is None."""
        if self.estimator is None:
            return CharRNN(**SHORT_TEXTS)
        if not isinstance(self.estimator, CharRNN):
            raise InvalidInputError(
                f"estimator is of type {type(self.estimator).__name__}. Pass TextClassifier(CharRNN(...)), or "
                "change the default with set_params(estimator__hidden_size=...)."
            )
        return self.estimator

    def _checked_directions(self) -> tuple[str, ...]:
        directions = checked_choice("directions", self.directions, ("both", *classifier_file.DIRECTIONS))
        return classifier_file.DIRECTIONS if directions == "both" else (directions,)

    @classmethod
    def recommended(
        cls, X: Iterable[Text], y: ArrayLike, seconds: float, *, fit: bool = False, verbose: int = 1, **overrides: Any
    ) -> Self:
        """Return a classifier with parameters for texts, their labels and a time limit.

        The choice follows measurements recorded in ``docs/measurements.md``, the number of symbols, and the speed of
        this machine, measured by half a second of training. It is printed on standard error.

        Parameters
        ----------
        X : iterable of str, or of bytes
        y : array-like of shape (n,)
        seconds : float
            Time limit for `fit`.
        fit : bool, default=False
            Whether to fit the classifier to `X` and `y`.
        verbose : int, default=1
            0: print nothing. This is not the language model's own `verbose`.
        **overrides
            Parameters of the classifier or its language model to fix rather than choose.

        Returns
        -------
        TextClassifier

        Raises
        ------
        ValueError
            If an argument is invalid.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier.recommended(["ab", "cd"] * 50, [0, 1] * 50, seconds=2.0, verbose=0)
        >>> model.estimator.max_seconds
        2.0
        """
        from .training.recommend.recommended_classifier import recommended_parameters

        fit, verbose = checked_bool("fit", fit), checked_int("verbose", verbose, 0)
        own = {name: overrides.pop(name) for name in cls._defaults() if name in overrides}
        if "estimator" in own:
            raise InvalidInputError("estimator is chosen by recommended. Pass some of its parameters instead.")
        model, given = cls(CharRNN(**SHORT_TEXTS), **own), {f"estimator__{name}": overrides[name] for name in overrides}
        model.set_params(**given)  # refuses unknown parameters
        data, directions = ClassData.checked(X, y), model._checked_directions()
        chosen = recommended_parameters(data, seconds, model._base().get_params(), len(directions), verbose=verbose)
        model.set_params(**{f"estimator__{name}": value for name, value in chosen.items()} | given)
        return model.fit(data.texts, y) if fit else model

    # -------------------------------------------------------------- prediction

    def predict(self, X: Iterable[Text]) -> Array:
        """Return the most probable label of each text.

        Parameters
        ----------
        X : iterable of str, or of bytes

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        ValueError
            If an item of `X` is not a text of the model's kind.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"]).predict(["aaaa", "bbbb"])
        array(['a', 'b'], dtype='<U1')
        """
        likeliest = self.predict_log_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def predict_proba(self, X: Iterable[Text]) -> NDArray[np.float64]:
        """Return the probability of each label of each text, (n, K), in the order of `classes_`; rows sum to 1.

        For parameters and errors, see `predict`.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model = model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.predict_proba(["aaaa", "bbbb"]).round().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Iterable[Text]) -> NDArray[np.float64]:
        """Return the logarithm of `predict_proba`, (n, K).

        Texts are read in blocks, so that a generator of any number of texts needs little more memory than the result.

        For parameters and errors, see `predict`.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=8, estimator__max_steps=5)
        >>> model.fit(["ab", "ba"], [0, 1]).predict_log_proba(["ab", "x", ""]).shape
        (3, 2)
        """
        states, base = self._states("predict"), self._base()
        bfloat16 = rounds_operands(base.matmul_precision, next(iter(states.values())).layout.dtype)
        return log_posteriors(states, self._prior, X, checked_threads(base.n_threads), bfloat16=bfloat16)

    def score(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy, the share of texts whose most probable label is correct.

        Parameters
        ----------
        X : iterable of str, or of bytes
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), default=None
            The weight of each text.

        Returns
        -------
        float

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model = model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.score(["aaaa", "bbbb", "bbbb"], ["a", "b", "a"], sample_weight=[1, 2, 1])
        0.75
        """
        return accuracy(self.predict(X), y, sample_weight)

    # ---------------------------------------------------------------- learned

    _models: dict[str, CharRNN]
    _prior: NDArray[np.float64]

    def _fitted(self, what: str) -> dict[str, CharRNN]:
        """Return the trained models by direction; a NotFittedError names the requested method `what`."""
        if "_models" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__, fit=self._fit_methods)
        return self._models

    @property
    def models_(self) -> dict[str, CharRNN]:
        """The trained language models by direction.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=8, estimator__max_steps=5)
        >>> list(model.fit(["ab", "ba"], [0, 1]).models_)
        ['forward', 'backward']
        """
        return dict(self._fitted("reading models_"))

    @property
    def classes_(self) -> Array:
        """The labels, sorted, (K,)."""
        return np.array(self._first("reading classes_").vocabulary_.labels)

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols and the labels."""
        return self._first("reading vocabulary_").vocabulary_

    @property
    def n_steps_(self) -> int:
        """Training steps taken so far, over all directions."""
        return sum(model.n_steps_ for model in self._fitted("reading n_steps_").values())

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The training records, each with its direction."""
        models = self._fitted("reading history_")
        return [{**record, "direction": name} for name, model in models.items() for record in model.history_]

    def quantize(self) -> Self:
        """Return a classifier with 8-bit weights: smaller and faster; see `CharRNN.quantize`.

        Returns
        -------
        TextClassifier
            It predicts, saves and loads like any other.

        Raises
        ------
        NotFittedError, ValueError
            As for `CharRNN.quantize`.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"]).quantize().predict(["aaaa", "bbbb"])
        array(['a', 'b'], dtype='<U1')
        """
        models = {direction: model.quantize() for direction, model in self._fitted("quantize").items()}
        small = type(self)().set_params(**self.get_params(deep=False))
        small._models, small._prior = models, self._prior.copy()
        return small

    def _states(self, what: str) -> dict[str, ModelState]:
        return {direction: model._fitted(what) for direction, model in self._fitted(what).items()}

    def _first(self, what: str) -> CharRNN:
        return next(iter(self._fitted(what).values()))

    def _in_words(self) -> str:
        return classifier_in_words(self._states("its description"))

    def _as_picture(self) -> str:
        return curves_of(self._first("its picture").history_)

    # -------------------------------------------------------------- model file

    def save(self, path: FilePath | BinaryIO) -> None:
        """Write the classifier to a file, which can also be loaded as a `CharRNN` with labels (the first direction).

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file

        Raises
        ------
        NotFittedError, ModelFileError, OSError
            As for `CharRNN.save`.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from crnn import CharRNN, TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=8, estimator__max_steps=5)
        >>> model = model.fit(["ab", "ba"], ["x", "y"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "names.crnn"
        ...     model.save(path)
        ...     again, told = TextClassifier.load(path), CharRNN.load(path)
        >>> bool((again.predict_proba(["ab"]) == model.predict_proba(["ab"])).all()), told.labels_.tolist()
        (True, ['x', 'y'])
        """
        own = {name: getattr(self, name) for name in OWN}
        classifier_file.write(self._states("save"), self._prior, self._base().get_params(deep=False), own, path)

    @classmethod
    def load(cls, path: FilePath | BinaryIO) -> Self:
        """Read a classifier from a file.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            A file written by `save`.

        Returns
        -------
        TextClassifier

        Raises
        ------
        ModelFileError
            If the file is damaged, or does not contain a classifier.
        OSError
            If the file cannot be read.
        """
        found = classifier_file.read(path, CharRNN().get_params())
        model = cls(CharRNN(**found.parameters), **found.own)
        model._models = {name: CharRNN._from_state(found.parameters, state) for name, state in found.networks.items()}
        model._prior = found.prior
        return model

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn calls this."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags, tags.transformer_tags = "classifier", ClassifierTags(), None
        tags.target_tags.required, tags.non_deterministic = True, self._base().random_state is None
        return tags


def _with_direction(callback: Callable[[Any, Any], Any], classifier: object, direction: str, *given: Any) -> Any:
    """Call a callback with the classifier and a record of one direction."""
    return callback(classifier, {**given[-1], "direction": direction})
