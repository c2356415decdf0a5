"""TextClassifier: predicts the labels of short texts with language models trained with labels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Array
from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .display.loss_curve import curves_of
from .errors import InvalidInputError, ModelFileError, NotFittedError
from .estimator import Estimator
from .files import model_file
from .files.entries import DIRECTIONS
from .files.model_file import StoredClassifier
from .files.sealed_file import DAMAGED_REMEDY, path_name
from .mixing.member_files import file_of, models_of
from .model.draft import ExclusiveUse, begin_use
from .parameters.checks import FilePath, checked_choice, checked_float, checked_int, checked_threads
from .parameters.settings import checked_parameter
from .scoring import class_probabilities
from .scoring.strings import TextBlock
from .text.labels import NumberedLabels
from .text.vocabulary import Text, Vocabulary
from .training.data import ClassData, class_prior

if TYPE_CHECKING:
    from .export.models import ExportedClassifier

Model = CharRNN | CharNGram

STORED_PARAMETERS = ("class_weight", "min_steps")  # parameters that a file stores in addition to the estimators
# Parameters that suit short texts, by measurement; they apply if `estimator` is None.
COUNTS: dict[str, Any] = {"order": 5, "min_count": 2}
SHORT_TEXTS: dict[str, Any] = {
    "hidden_size": 128, "cell": "lstm", "seq_length": 24, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.03,
    "schedule": "cosine", "warmup_fraction": 0.02, "clip": None, "clip_norm": 1.0, "weight_decay": 0.02, "beta_2": 0.99,
    "dropout": 0.3, "epochs": 8, "init_scale": 0.2, "min_count": 2,
}  # fmt: skip
MIN_NETWORK_SECONDS = 2.0  # `recommended` only counts in less, since measuring the machine takes half a second
MAX_ESTIMATORS = 32  # in a file
NESTED = "estimator__"  # the beginning of the names of the models' parameters


def _checked_parameters(classes: NDArray[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a file stores in addition to the estimators, after checking them."""
    class_prior(NumberedLabels(classes, np.arange(len(classes))), stored["class_weight"])
    return {**stored, "min_steps": checked_int("min_steps", stored["min_steps"], 0)}


class TextClassifier(Estimator):
    """A classifier of short texts, such as names by language or domains by origin.

    It fits language models that give the probability of a text given its label, one model for each reading direction.
    Bayes' rule combines these probabilities with the frequencies of the labels into the probabilities of the labels.
    ``docs/labels.md`` compares counts, networks and both. Before `fit`, methods that need a fitted model raise
    `NotFittedError`.

    The probabilities compare the labels with each other. A text unlike all classes gets a label, too, often with a
    probability near 1: see "Texts unlike all classes" there.

    Parameters
    ----------
    estimator : CharNGram, CharRNN, list of both, or None, default=None
        The language models, which stay unchanged; the classifier fits copies of them. A `CharNGram` counts the texts of
        each label apart, with the same symbols. A `CharRNN` reads the label's symbol before a text. Its `epochs` and
        `max_steps` apply to each direction, `max_seconds` to counting and both directions together, and its
        `validation_fraction` holds out documents drawn at random. The models of a list are combined with weights, see
        `weights_`. None: a list of ``CharNGram(order=5, min_count=2)`` and a `CharRNN` that suits short texts, an LSTM
        of 128 units trained with Adam. The defaults of `CharRNN` itself are min-char-rnn's and suit one long text.
        Even with a `min_count` of 1, the copies have a symbol for unknown characters, so any text can be labeled.
        ``set_params(estimator__hidden_size=64)`` changes the parameter in every model of a list that has it. If
        `estimator` is None, it becomes the list of default models, with this change.
    class_weight : "balanced", dict or None, default=None
        Factors for the classes' frequencies: a dict that maps labels to numbers; missing labels get 1.
        "balanced": all classes are equally probable before a text is read. None: the frequencies in `fit`.
    directions : {"both", "forward", "backward"}, default="both"
        The reading directions of every model; the log-probabilities of both are averaged. A single direction takes half
        the time but was up to 2 points less accurate for networks, and up to 0.5 points for counts.
    min_steps : int, default=150
        If there are few texts, networks read them more often than their `epochs`, until each direction has taken this
        many steps. Ignored if the network has `max_steps` or `max_seconds`; counts read each text once.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted, (K,).
    models_ : list of dict of str to CharRNN or CharNGram
        For each estimator the fitted language models, "forward" and "backward".
    weights_ : ndarray of float64 and shape (M,)
        The weight of each estimator's log-probabilities, (M,): 1 for a single estimator.
    vocabulary_ : Vocabulary
        The symbols of the first model, and the labels.
    n_steps_ : int
        Training steps taken by networks, over both directions.
    history_ : list of dict
        Networks' training records as in `CharRNN`, each with its ``direction``.

    Examples
    --------
    >>> from crnn import CharNGram, TextClassifier
    >>> names = ["anna", "eva", "olga", "bob", "otto", "tom"]
    >>> model = TextClassifier(CharNGram(order=3, min_count=2)).fit(names, ["f", "f", "f", "m", "m", "m"])
    >>> model.predict(["hanna", "rob"])
    array(['f', 'm'], dtype='<U1')
    """

    _fit_methods = "fit"

    def __init__(
        self,
        estimator: Model | list[Model] | None = None,
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
        """Change parameters by name, as in `CharRNN.set_params`; `fit` checks their values.

        ``estimator__hidden_size`` sets a parameter of the language model, and of every model in a list that has it. If
        `estimator` is None, it becomes the list of the default models first.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> TextClassifier().set_params(estimator__hidden_size=64).estimator[1].cell
        'lstm'
        """
        inner = {name.removeprefix(NESTED): value for name, value in params.items() if name.startswith(NESTED)}
        outer = {name: value for name, value in params.items() if not name.startswith(NESTED)}
        models = outer.get("estimator", self.estimator)
        models = _default_models() if models is None else models
        if not inner or not isinstance(models, list) or not all(isinstance(model, Estimator) for model in models):
            return super().set_params(**params)
        for name in outer:
            self._require_parameter(name, outer)
        for key in inner:
            if not any(key in model.get_params() for model in models):
                kinds = " or ".join(dict.fromkeys(type(model).__name__ for model in models))
                raise InvalidInputError(f"no model of estimator has a parameter {key!r}. Name one of a {kinds}.")
        super().set_params(**{**outer, "estimator": models})
        for model in models:
            model.set_params(**{key: value for key, value in inner.items() if key in model.get_params()})
        return self

    # ---------------------------------------------------------------- training

    def fit(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the labels of texts, and return the classifier.

        Parameters
        ----------
        X : iterable of str, or of bytes
            The texts.
        y : array-like of shape (n,)
            Their labels: all str, all integers, all floats or all bool; at least two distinct ones.
        sample_weight : array-like of shape (n,), default=None
            A factor of at least 0 for each text's loss, which also applies to the frequency of its class. Counts read
            each text once, whatever its weight.

        Raises
        ------
        ValueError, DivergenceError, KeyboardInterrupt
            If a parameter, text or label is invalid, or as for `CharRNN.fit`. The classifier is then unchanged.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=8, estimator__max_steps=5)
        >>> model.fit(["ab", "ba", "a"], [0, 1, 0]).classes_
        array([0, 1])
        """
        stop = ExclusiveUse()
        start = time.perf_counter()
        with stop.running:
            begin_use(self, stop)
            bases = self._bases()
            directions = self._checked_directions()
            data = ClassData.checked(X, y, sample_weight)
            prior = class_prior(data.labeled, self.class_weight, sample_weight)
            parts = data.held_out() if len(bases) > 1 else None
            training_part = data if parts is None else parts[0]
            models = [dict[str, Model]() for _ in bases]
            weights = np.full(len(bases), 1 / len(bases))
            counts = [(base, models[i]) for i, base in enumerate(bases) if isinstance(base, CharNGram)]
            networks = [(base, models[i]) for i, base in enumerate(bases) if isinstance(base, CharRNN)]
            for n_grams, by_direction in counts:
                by_direction.update({name: _count(n_grams, training_part, name) for name in directions})
            runs_left = len(networks) * len(directions)
            for network, by_direction in networks:  # in the time that counts leave
                for name in directions:
                    seconds = time.perf_counter() - start
                    by_direction[name] = self._train(network, training_part, name, seconds, runs_left)
                    runs_left -= 1
            if parts is not None:
                block = TextBlock(0, parts[1].texts)
                log_p = class_probabilities.log_likelihoods([_readers(by_direction) for by_direction in models], block)
                log_prior = np.log(class_prior(data.labeled, None))
                weights = class_probabilities.estimator_weights(log_p, log_prior, parts[1].labeled.numbers)
                for n_grams, by_direction in counts:
                    by_direction.update({name: _count(n_grams, data, name) for name in directions})
            self._models = models
            self._weights = weights
            self._prior = prior
        return self

    def _train(self, base: CharRNN, data: ClassData, direction: str, seconds: float, runs_left: int) -> CharRNN:
        """Return a copy of a network, trained in one direction, given the seconds used and the training runs left."""
        parameters = base.get_params(deep=False)
        callbacks = checked_parameter("callbacks", base.callbacks)
        changes = data.limits(parameters, checked_int("min_steps", self.min_steps, 0), seconds, runs_left)
        changes["callbacks"] = [partial(_with_direction, callback, self, direction) for callback in callbacks]
        texts, labels, weights = data.in_direction(direction, shuffled=bool(parameters["validation_fraction"]))
        return base._fitted_copy(texts, changes, y=labels, sample_weight=weights)

    def _bases(self) -> list[Model]:
        """Return the language models to copy: the estimators, or the default ones if `estimator` is None."""
        if self.estimator is None:
            return _default_models()
        estimator: Any = self.estimator
        models = estimator if isinstance(estimator, list) else [estimator]
        for i, model in enumerate(models):
            if not isinstance(model, CharRNN | CharNGram):
                name = f"estimator[{i}]" if models is estimator else "estimator"
                raise InvalidInputError(
                    f"{name} is of type {type(model).__name__}. Pass a CharNGram, a CharRNN, a list of both, or None."
                )
        if not 1 <= len(models) <= MAX_ESTIMATORS:
            raise InvalidInputError(f"estimator has {len(models)} models. Pass from 1 to {MAX_ESTIMATORS}.")
        return models

    def _checked_directions(self) -> tuple[str, ...]:
        directions = checked_choice("directions", self.directions, ("both", *DIRECTIONS))
        return DIRECTIONS if directions == "both" else (directions,)

    @classmethod
    def recommended(
        cls, X: Iterable[Text], y: ArrayLike, seconds: float, *, verbose: int = 1, **overrides: Any
    ) -> Self:
        """Return an unfitted classifier with parameters for texts, their labels and a time limit.

        Counts come first, and a network trains for the rest of the time; below 2 seconds there are counts alone. The
        network's size is chosen as by `CharRNN.recommended`, which has the same errors.

        Parameters
        ----------
        X, y
            As in `fit`.
        seconds, verbose
            As in `CharRNN.recommended`.
        **overrides
            Parameters of the classifier or its language models to fix rather than choose.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> TextClassifier.recommended(["ab", "cd"] * 50, [0, 1] * 50, seconds=1.0, verbose=0)
        TextClassifier(estimator=CharNGram(order=5, min_count=2))
        """
        from .training.recommended import recommended_classifier_parameters

        verbose = checked_int("verbose", verbose, 0)
        seconds = checked_float("seconds", seconds, above=0.0)
        fixed = {name: overrides.pop(name) for name in cls._defaults() if name in overrides}
        if "estimator" in fixed:
            raise InvalidInputError("estimator is chosen by recommended. Pass some of its parameters instead.")
        nested = {f"{NESTED}{name}": overrides[name] for name in overrides}
        model = cls(_default_models(), **fixed).set_params(**nested)  # refuses unknown parameters
        data = ClassData.checked(X, y)
        directions = model._checked_directions()
        counts, network = model._bases()
        if seconds < MIN_NETWORK_SECONDS:
            model.estimator = counts
            if verbose:
                print(f"n-grams of up to {counts.get_params()['order']} alone, for {seconds:g} s", file=sys.stderr)
        else:
            given_to_network = network.get_params()
            chosen = recommended_classifier_parameters(
                data, seconds, given_to_network, len(directions), verbose=verbose
            )
            network.set_params(**{name: value for name, value in chosen.items() if name not in overrides})
        return model

    # -------------------------------------------------------------- prediction

    def predict(self, X: Iterable[Text]) -> Array:
        """Return the most probable label of each text, (n,).

        An item that is not a text of the model's kind raises a ValueError.

        Parameters
        ----------
        X : iterable of str, or of bytes

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

        A probability near 1 means "this label rather than the others". It does not mean that the text is like the
        training texts: see `TextClassifier`. For parameters and errors, see `predict`.

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
        readers = [_readers(by_direction) for by_direction in self._fitted("predict")]
        return class_probabilities.log_posteriors(readers, self._weights, self._prior, X)

    def score(self, X: Iterable[Text], y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy, the share of texts whose most probable label is correct.

        Parameters
        ----------
        X : iterable of str, or of bytes
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), default=None
            The weight of each text.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model = model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"])
        >>> model.score(["aaaa", "bbbb", "bbbb"], ["a", "b", "a"], sample_weight=[1, 2, 1])
        0.75
        """
        return class_probabilities.accuracy(self.predict(X), y, sample_weight)

    # ---------------------------------------------------------------- learned

    _models: list[dict[str, Model]]
    _weights: NDArray[np.float64]
    _prior: NDArray[np.float64]

    def _fitted(self, what: str) -> list[dict[str, Model]]:
        """Return each estimator's models by direction; a NotFittedError names the requested method `what`."""
        if "_models" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__, fit=self._fit_methods)
        return self._models

    @property
    def models_(self) -> list[dict[str, Model]]:
        """For each estimator the fitted language models, "forward" and "backward".

        ``models_[0]["forward"].for_label(label)`` is a model of the texts with that label. Prediction uses their
        `n_threads` and `matmul_precision`; the values of `estimator` count in `fit`.
        """
        return [dict(by_direction) for by_direction in self._fitted("reading models_")]

    @property
    def weights_(self) -> NDArray[np.float64]:
        """The weight of each estimator's log-probabilities, (M,): 1 for a single estimator.

        With several, those that best predict the labels of held-out texts, a tenth of each class or about 500 in all,
        which networks do not learn; counts learn all texts afterwards. If no class has ten texts, weights are equal.
        """
        self._fitted("reading weights_")
        return self._weights.copy()

    @property
    def classes_(self) -> Array:
        """The labels, sorted, (K,)."""
        return np.array(self._first("reading classes_").vocabulary_.labels)

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols of the first model, and the labels."""
        return self._first("reading vocabulary_").vocabulary_

    @property
    def n_steps_(self) -> int:
        """Training steps taken by networks, over both directions."""
        return sum(model.n_steps_ for _, model in self._networks("reading n_steps_"))

    @property
    def history_(self) -> list[dict[str, Any]]:
        """Networks' training records as in `CharRNN`, each with its ``direction``."""
        networks = self._networks("reading history_")
        return [{**record, "direction": name} for name, model in networks for record in model.history_]

    def quantize(self) -> Self:
        """Return a classifier whose models have 8-bit numbers: see `CharRNN.quantize` and `CharNGram.quantize`.

        It predicts, saves, loads and exports like any other. A classifier whose networks already have 8-bit weights
        raises a ValueError.

        Examples
        --------
        >>> from crnn import TextClassifier
        >>> model = TextClassifier().set_params(estimator__hidden_size=16, estimator__random_state=0)
        >>> model.fit(["aaa", "aa", "bb", "bbb"], ["a", "a", "b", "b"]).quantize().predict(["aaaa", "bbbb"])
        array(['a', 'b'], dtype='<U1')
        """
        models = self._fitted("quantize")
        small = type(self)().set_params(**self.get_params(deep=False))
        small._models = [{name: model.quantize() for name, model in by_direction.items()} for by_direction in models]
        small._weights = self._weights.copy()
        small._prior = self._prior.copy()
        return small

    def export_c(self, path: FilePath, *, int8: bool = False) -> None:
        """Write the classifier as one C99 file without dependencies; see ``docs/export.md``.

        Its function ``crnn_classify`` gives the labels and probabilities of `predict_proba`, up to rounding, and
        allocates no memory. The program writes the label of each line of standard input.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.c``.
        int8 : bool, default=False
            Whether to store the 8-bit numbers of `quantize`. A quantized classifier always does.

        Raises
        ------
        ValueError
            If a parameter is invalid, or a label contains a NUL character.
        OSError
            If the file cannot be written; an existing file then stays.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram, TextClassifier
        >>> model = TextClassifier(CharNGram(order=3)).fit(["anna", "eva", "bob", "tom"], ["f", "f", "m", "m"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_c(f"{folder}/names.c")
        """
        from .export.c_file import export_classifier_c

        export_classifier_c(self._exported("export_c", int8=int8), path)

    def export_js(self, path: FilePath, *, float16: bool = False, int8: bool = False) -> None:
        """Write the classifier as a JavaScript module for browsers and Node.js; see ``docs/export.md``.

        The module has no dependencies and exports the function ``classify``, which gives the labels and probabilities
        of `predict_proba`, up to rounding.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.js``.
        float16 : bool, default=False
            Whether to store the weights of networks in 16 bits.
        int8 : bool, default=False
            Whether to store the 8-bit numbers of `quantize`. A quantized classifier always does.

        Raises
        ------
        ValueError
            If a parameter or a weight is invalid, or a label is an integer beyond 2**53.
        OSError
            If the file cannot be written; an existing file then stays.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram, TextClassifier
        >>> model = TextClassifier(CharNGram(order=3)).fit(["anna", "eva", "bob", "tom"], ["f", "f", "m", "m"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_js(f"{folder}/names.js")
        """
        from .export.js_file import export_classifier_js

        export_classifier_js(self._exported("export_js", int8=int8), path, float16=float16)

    def export_html(
        self, path: FilePath, *, float16: bool = False, int8: bool = False, title: str | None = None
    ) -> None:
        """Write the classifier as one HTML page with a field to type in; see ``docs/export.md``.

        The page shows the probabilities of `predict_proba`, up to rounding, as bars, or the label of each pasted line.
        It needs neither network access nor a server. Errors are as for `export_js`.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.html``.
        float16, int8
            As for `export_js`.
        title : str or None, default=None
            The page's title. None: "A classifier".

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram, TextClassifier
        >>> model = TextClassifier(CharNGram(order=3)).fit(["anna", "eva", "bob", "tom"], ["f", "f", "m", "m"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_html(f"{folder}/names.html", title="Which name is it?")
        """
        from .export.page import export_classifier_html

        export_classifier_html(self._exported("export_html", int8=int8), path, float16=float16, title=title)

    def _exported(self, what: str, *, int8: bool) -> ExportedClassifier:
        """Return what an exported file contains of the classifier."""
        from .export.models import ExportedClassifier, ExportedReader

        readers = []
        for by_direction in self._fitted(what):
            of_estimator = []
            for name, model in by_direction.items():
                is_backward = name == "backward"
                if isinstance(model, CharRNN):
                    reader = ExportedReader.of_network(model, is_backward=is_backward, int8=int8)
                else:
                    reader = ExportedReader.of_counts(model._fitted(what), is_backward=is_backward, int8=int8)
                of_estimator.append(reader)
            readers.append(of_estimator)
        return ExportedClassifier(self.classes_.tolist(), self._prior, self._weights, readers)

    def _networks(self, what: str) -> list[tuple[str, CharRNN]]:
        """Return the networks with their directions."""
        models = [pair for by_direction in self._fitted(what) for pair in by_direction.items()]
        return [(name, model) for name, model in models if isinstance(model, CharRNN)]

    def _first(self, what: str) -> Model:
        return next(iter(self._fitted(what)[0].values()))

    def _summary_line(self) -> str:
        firsts = [next(iter(by_direction.values())) for by_direction in self._fitted("its description")]
        models = zip(firsts, self._weights.tolist(), strict=True)
        kinds = [f"{type(model).__name__} with weight {weight:.3f}" for model, weight in models]
        return f"{len(self.classes_)} classes, read {' and '.join(self._models[0])}: {', '.join(kinds)}"

    def _curves_svg(self) -> str:
        networks = self._networks("its picture")
        return curves_of(networks[0][1].history_) if networks else ""

    # -------------------------------------------------------------- model file

    def _file_content(self) -> bytes:
        """Return the bytes of a file with the parameters and, one after another, the models of all members."""
        models = self._fitted("save")
        parameters = _checked_parameters(self.classes_, {name: getattr(self, name) for name in STORED_PARAMETERS})
        members = [model for by_direction in models for model in by_direction.values()]
        parts = [file_of(model, i, training_state=False) for i, model in enumerate(members)]
        listed = self.estimator is None or isinstance(self.estimator, list)
        stored = StoredClassifier(parts, self._weights, self._prior, tuple(models[0]), listed, parameters)
        return model_file.classifier_bytes(stored)

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        """Read a classifier: its models in groups, one group for each estimator, and their weights."""
        stored = model_file.read_classifier(path)
        models = models_of(stored.parts, path)
        labels = [model.labels_.tolist() for model in models]
        if labels != labels[:1] * len(models) or len(labels[0]) != len(stored.prior):
            raise ModelFileError(
                f"model file {path_name(path)}: its models have different labels", remedy=DAMAGED_REMEDY
            )
        try:
            parameters = _checked_parameters(models[0].labels_, stored.parameters)
        except InvalidInputError as error:
            raise ModelFileError(f"model file {path_name(path)}: {error}", remedy=DAMAGED_REMEDY) from None
        n = len(stored.directions)
        bases = [type(model)(**model.get_params()) for model in models[::n]]
        directions = "both" if n == 2 else stored.directions[0]
        classifier = cls(bases if stored.listed else bases[0], directions=directions, **parameters)
        groups = [models[i : i + n] for i in range(0, len(models), n)]
        classifier._models = [dict(zip(stored.directions, group, strict=True)) for group in groups]
        classifier._weights = stored.weights
        classifier._prior = stored.prior
        return classifier

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn calls this."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.transformer_tags = None
        networks = [base for base in self._bases() if isinstance(base, CharRNN)]
        tags.target_tags.required = True
        tags.non_deterministic = any(network.random_state is None for network in networks)
        return tags


def _default_models() -> list[Model]:
    """Return the language models of a classifier without an `estimator`."""
    return [CharNGram(**COUNTS), CharRNN(**SHORT_TEXTS)]


def _count(base: CharNGram, data: ClassData, direction: str) -> CharNGram:
    """Return a copy of counts, fitted to texts read in one direction."""
    texts, labels, _ = data.in_direction(direction, shuffled=False)
    return base._fitted_copy(texts, y=labels)


def _readers(models: Mapping[str, Model]) -> list[class_probabilities.LabelReader]:
    """Make a scorer of texts by label for each of an estimator's directions, for `log_posteriors`."""
    found = []
    for direction, model in models.items():
        if isinstance(model, CharRNN):
            networks, _ = model._label_networks("predict")
            assert networks is not None
            read = class_probabilities.network_reader(networks, checked_threads(model.n_threads))
        else:
            labeled = model._fitted("predict").labeled
            assert labeled is not None
            read = labeled.log_likelihoods
        found.append(class_probabilities.LabelReader(model.vocabulary_.with_labels(()), direction == "backward", read))
    return found


def _with_direction(callback: Callable[[Any, Any], Any], classifier: object, direction: str, *given: Any) -> Any:
    """Call a callback with the classifier and a record of one direction."""
    return callback(classifier, {**given[-1], "direction": direction})
