"""CharRNNClassifier: tells the labels of short texts by two language models that are told the label."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .class_prediction import ClassPrediction
from .errors import InvalidInputError
from .files import classifier_file
from .model.state import ModelState
from .parameters.checks import checked_float, checked_threads
from .parameters.settings import Settings, checked_parameter
from .text.sources.input_checks import refuse_other_collections
from .text.sources.labels import Labelled, checked_labels
from .text.sources.sources import text_source
from .text.symbols.vocabulary import Text
from .training.loop.exclusive import StopRequest, begin_training
from .training.preparation.class_weights import class_prior
from .training.preparation.preparation import Call, Hooks, prepared_run

__all__ = ["CharRNNClassifier"]

OWN_PARAMETERS = ("class_weight", "directions")  # all others are those of CharRNN
EPOCHS, MIN_STEPS = 8, 150  # by default


class CharRNNClassifier(ClassPrediction):
    """A classifier of short texts, such as names by language or domains by origin.

    It learns how probable a text is given its label, with an LSTM that reads the label's symbol first, and a second one
    that reads the texts from their last character to their first. Bayes' rule turns these probabilities, and the
    frequencies of the labels, into those of the labels. ``docs/measurements.md`` compares this with other ways.

    Parameters
    ----------
    hidden_size : int, default=128
        H, the number of hidden units of each layer.
    class_weight : "balanced", dict or None, default=None
        What the frequency of each class is multiplied by: a dict from labels to numbers, in which a missing label has
        1. "balanced": all classes are equally probable until a text is read. None: as frequent as in `fit`.
    directions : {"both", "forward", "backward"}, default="both"
        One direction takes half the time, and was 2 points less accurate.
    epochs : int or None, default=None
        None: 8, or as many as make 150 steps.
    min_count : int, default=2
        With 1 a text with a character that `fit` did not see is an error.
    **others
        As of `CharRNN`; several defaults differ. `epochs` and `max_steps` are those of each direction, `max_seconds` is
        the time of both. `validation_fraction` holds back documents that are drawn at random.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    vocabulary_ : Vocabulary
        The symbols, and the labels.
    n_steps_ : int
        Steps taken, in both directions.
    history_ : list of dict
        Records of training, as of `CharRNN`, each with its ``direction``.

    Examples
    --------
    >>> from crnn import CharRNNClassifier
    >>> names = ["anna", "eva", "olga", "bob", "otto", "tom"]
    >>> model = CharRNNClassifier(16, random_state=0).fit(names, ["f", "f", "f", "m", "m", "m"])
    >>> model.predict(["hanna", "rob"])
    array(['f', 'm'], dtype='<U1')
    """

    def __init__(
        self,
        hidden_size: int = 128,
        *,
        class_weight: str | Mapping[Any, float] | None = None,
        directions: str = "both",
        num_layers: int = 1,
        cell: str = "lstm",
        embedding_size: int | None = None,
        n_bigrams: int | None = None,
        seq_length: int = 24,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float | None = 0.03,
        schedule: str = "cosine",
        warmup: int | float = 0.02,
        clip: float | None = None,
        clip_norm: float | None = 1.0,
        weight_decay: float = 0.02,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        dropout: float = 0.3,
        weight_dropout: float = 0.0,
        state_reset: float = 0.0,
        sampled_softmax: int | None = None,
        weight_average: float = 0.0,
        epochs: int | None = None,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        validation_fraction: float = 0.0,
        eval_every: int | float | None = None,
        patience: int | None = None,
        restore_best: bool = True,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        init_scale: float | None = 0.2,
        vocabulary: str | bytes | Iterable[str] | Iterable[bytes] | None = None,
        min_count: int = 2,
        dtype: Any = "float32",
        matmul_precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.class_weight = class_weight
        self.directions = directions
        self.num_layers = num_layers
        self.cell = cell
        self.embedding_size = embedding_size
        self.n_bigrams = n_bigrams
        self.seq_length = seq_length
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.clip = clip
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.dropout = dropout
        self.weight_dropout = weight_dropout
        self.state_reset = state_reset
        self.sampled_softmax = sampled_softmax
        self.weight_average = weight_average
        self.epochs = epochs
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.validation_fraction = validation_fraction
        self.eval_every = eval_every
        self.patience = patience
        self.restore_best = restore_best
        self.callbacks = callbacks
        self.init_scale = init_scale
        self.vocabulary = vocabulary
        self.min_count = min_count
        self.dtype = dtype
        self.matmul_precision = matmul_precision
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the labels of texts.

        Parameters
        ----------
        X : iterable of str, or of bytes
            The texts.
        y : array-like of shape (n,)
            Their labels: all str, all whole numbers, all floats or all bool; at least two different ones.
        sample_weight : array-like of shape (n,), default=None
            A factor of the loss of each text, at least 0, which also counts in the frequency of its class.

        Returns
        -------
        CharRNNClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If a parameter, a text or a label cannot be used. The classifier is unchanged.
        DivergenceError, KeyboardInterrupt
            As by `CharRNN.fit`; the classifier is then unchanged.

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> CharRNNClassifier(8, max_steps=5, random_state=0).fit(["ab", "ba", "a"], [0, 1, 0]).classes_
        array([0, 1])
        """
        stop = StopRequest()
        with stop.running:
            begin_training(self, stop)
            start = time.perf_counter()
            directions = self._checked_directions()
            texts = _listed(X)
            source = text_source(texts)
            labelled = checked_labels(y, source.n_documents, name="y")
            if len(labelled.labels) < 2:
                (label,) = labelled.labels.tolist()
                raise InvalidInputError(f"y has one class only, {label!r}: at least two are needed")
            prior = class_prior(labelled, self.class_weight, sample_weight)
            settings = self._settings(source.max_length + source.n_documents)
            if settings.max_seconds is not None:
                settings = replace(settings, max_seconds=settings.max_seconds / len(directions))
            networks: dict[str, ModelState] = {}
            for direction in directions:
                call = self._call(texts, labelled, sample_weight, direction, settings)
                callbacks = [partial(_with_direction, callback, self, direction) for callback in settings.callbacks]
                hooks = Hooks(callbacks, list, stop, None)
                run = prepared_run(call, settings, None, start if not networks else time.perf_counter(), hooks)
                run.run()
                networks[direction] = run.final_state
            self._networks, self._prior = networks, prior
        return self

    def _call(
        self, texts: list[Text], labelled: Labelled, sample_weight: ArrayLike | None, direction: str, settings: Settings
    ) -> Call:
        """Return the call of training in one direction."""
        order = np.arange(len(labelled.numbers))
        if settings.validation_fraction:
            order = np.random.default_rng(0).permutation(order)  # the last documents are held back
        turned = [texts[i] if direction == "forward" else texts[i][::-1] for i in order.tolist()]
        weights = None if sample_weight is None else np.asarray(sample_weight)[order]
        limited = settings.max_steps is not None or settings.max_seconds is not None
        epochs = None if limited else settings.epochs
        return Call(turned, None, weights, labelled.labels[labelled.numbers[order]], None, epochs)

    def _checked_directions(self) -> tuple[str, ...]:
        if self.directions not in (*classifier_file.DIRECTIONS, "both"):
            raise InvalidInputError(f"directions must be 'both', 'forward' or 'backward', not {self.directions!r}")
        return classifier_file.DIRECTIONS if self.directions == "both" else (self.directions,)

    def _settings(self, n_symbols: int) -> Settings:
        """Return the settings of the networks, checked; epochs that are not given follow from the number of symbols."""
        epochs = self.epochs
        if epochs is None:
            B, T = checked_parameter("batch_size", self.batch_size), checked_parameter("seq_length", self.seq_length)
            per_epoch = -(-n_symbols // (B * min(T, max(n_symbols // B, 1))))
            epochs = max(EPOCHS, -(-MIN_STEPS // per_epoch))
        return Settings.check({**self._network_parameters(), "epochs": epochs})

    def _network_parameters(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_params().items() if name not in OWN_PARAMETERS}

    @classmethod
    def recommended(
        cls, X: Iterable[Text], y: ArrayLike, seconds: float, *, fit: bool = False, verbose: int = 1, **overrides: Any
    ) -> Self:
        """Return a classifier with parameters that suit texts, their labels and a training time.

        The choice follows measurements recorded in ``docs/measurements.md``, the number of symbols, and the speed of
        this machine, which is measured by half a second of training. It is printed on standard error.

        Parameters
        ----------
        X : iterable of str, or of bytes
        y : array-like of shape (n,)
        seconds : float
            Time that `fit` may take.
        fit : bool, default=False
            Whether the classifier is fitted to `X` and `y`.
        verbose : int, default=1
            0: nothing is printed. It is not the classifier's own `verbose`.
        **overrides
            Parameters of the constructor that are given, not chosen.

        Returns
        -------
        CharRNNClassifier

        Raises
        ------
        ValueError
            If an argument is not usable.

        Examples
        --------
        >>> from crnn import CharRNNClassifier
        >>> model = CharRNNClassifier.recommended(["ab", "cd"] * 50, [0, 1] * 50, seconds=2.0, verbose=0)
        >>> model.max_seconds
        2.0
        """
        from .training.recommend import machine_speed, recommended_classifier

        seconds = checked_float("seconds", seconds, above=0.0)
        model = cls().set_params(**overrides)  # refuses what is no parameter
        texts = _listed(X)
        source = text_source(texts)
        checked_labels(y, source.n_documents, name="y")
        directions = len(model._checked_directions())
        n_threads, precisions = checked_threads(model.n_threads), (model.matmul_precision,)
        speed = machine_speed.measured_speed(n_threads, precisions=precisions).operations
        n_symbols = source.max_length + source.n_documents
        parameters = recommended_classifier.recommend(n_symbols, seconds, speed=speed, n_directions=directions)
        if verbose:
            print(recommended_classifier.described(parameters, speed), file=sys.stderr)
        model.set_params(**{**parameters, **overrides})
        return model.fit(texts, y) if fit else model

    # -------------------------------------------------------------- model file

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a file; the file also loads as a `CharRNN`, with labels, of the first direction.

        Parameters
        ----------
        path : str or os.PathLike

        Raises
        ------
        NotFittedError, ModelFileError, OSError
            As by `CharRNN.save`.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from crnn import CharRNN, CharRNNClassifier
        >>> model = CharRNNClassifier(8, max_steps=5, random_state=0).fit(["ab", "ba"], ["x", "y"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "names.crnn"
        ...     model.save(path)
        ...     again, told = CharRNNClassifier.load(path), CharRNN.load(path)
        >>> bool((again.predict_proba(["ab"]) == model.predict_proba(["ab"])).all()), told.labels_.tolist()
        (True, ['x', 'y'])
        """
        own = {name: getattr(self, name) for name in (*OWN_PARAMETERS, "epochs")}
        others = {**self._network_parameters(), "epochs": self.epochs or EPOCHS}
        classifier_file.write(self._fitted("save"), self._prior, others, own, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a classifier from a file.

        Parameters
        ----------
        path : str or os.PathLike
            A file that `save` wrote.

        Returns
        -------
        CharRNNClassifier

        Raises
        ------
        ModelFileError
            If the file is damaged, or holds no classifier.
        OSError
            If it cannot be read.
        """
        defaults = {name: value for name, value in cls._defaults().items() if name not in OWN_PARAMETERS}
        found = classifier_file.read(path, {**defaults, "epochs": EPOCHS})
        model = cls().set_params(**{**found.parameters, **found.own})
        model._networks, model._prior = found.networks, found.prior
        return model

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn asks for it."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags, tags.transformer_tags = "classifier", ClassifierTags(), None
        tags.target_tags.required = True
        return tags


def _listed(X: Iterable[Text]) -> list[Text]:
    """Return texts as a list, or raise an error that says what to pass."""
    if isinstance(X, os.PathLike):
        raise InvalidInputError("X is a path: pass crnn.Lines(X)")
    if isinstance(X, str | bytes):
        raise InvalidInputError("X is one text: pass a list of texts")
    if not isinstance(X, Iterable):
        raise InvalidInputError(f"X must be a list of texts, not {type(X).__name__}")
    refuse_other_collections(X, "X")
    return list(X)


def _with_direction(callback: Callable[[Any, Any], Any], model: object, direction: str, record: dict[str, Any]) -> Any:
    """Call a callback with the classifier and the record of one direction."""
    return callback(model, {**record, "direction": direction})
