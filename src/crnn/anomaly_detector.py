"""AnomalyDetector finds texts unlike a language model's training texts, at a given false-positive rate."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .detection.calibration import Calibration, calibrate
from .detection.clean_texts import CleanTexts, Held, Split, iterable_of_texts, newest_held_out
from .detection.explanation import Explanation, explain
from .errors import InvalidInputError, NotFittedError, short_repr
from .estimator import Estimator
from .files import model_file
from .files.entries import DETECTOR_PARAMETERS
from .inference.string_scores import Reduce
from .language_model import LanguageModel
from .loading import load_model
from .mixture import Mixture
from .parameters.checks import FilePath, checked_int, generator, is_int
from .runtime.machine import available_bytes
from .text.documents import Errors, python_values, warn_caller
from .text.sources import rereadable
from .text.text_files import Lines
from .text.vocabulary import Text, immutable

SAVED = (CharRNN, CharNGram, Mixture)  # the models that can be saved
ORDER = 12  # of the default model's n-grams: on log lines, longer ones did not find more anomalies
MAX_MEMORY = 10**9  # bytes for the n-grams
COST_TEXTS = 4096  # texts scored to measure the time per character
CHOICE_TEXTS = 4096  # that choose the reduction
HELD = 20  # held-out texts kept, times contamination: twice the number that sets a threshold without a warning
NEW_SHARE = 0.01  # of texts with unknown characters above which `partial_fit` warns
# Texts of at most this many symbols, with more nats per symbol, are scored by their scaled sum. Domain names have 0.8
# to 1.8 nats, log lines 0.1 to 0.2 if masked and 1.0 if not, but then more than 100 symbols.
SHORT, UNPREDICTABLE = 64, 0.7


class Options(NamedTuple):
    """The detector's checked parameters, except the estimator."""

    contamination: float
    reduce: Reduce | None
    calibration_fraction: float
    max_seconds: float
    keep_texts: bool
    verbose: int


class Learned(NamedTuple):
    """A fitted model, and the threshold for its scores."""

    model: LanguageModel
    reduce: Reduce  # the reduction of the threshold
    calibration: Calibration
    origin: Any  # the parameter `estimator` at that time
    held: Held = ()  # held-out texts, the newest first

    def scores(self, X: Iterable[Text], errors: Errors) -> NDArray[np.float64]:
        """Return the score of each text."""
        return self.model.score_samples(iterable_of_texts(X), reduce=self.reduce, errors=errors)

    def decisions(self, X: Iterable[Text], errors: Errors) -> NDArray[np.float64]:
        """Return the scores minus the threshold."""
        return self.scores(X, errors) - self.calibration.offset


class AnomalyDetector(Estimator):
    """An outlier detector for short texts, such as log lines, host names or identifiers.

    A language model learns clean texts. A text is an anomaly if its score is lower than the scores of all but a
    fraction `contamination` of held-out clean texts. This fraction is the expected false-positive rate on new clean
    texts. The detector follows scikit-learn's outlier protocol: `predict` returns 1 for normal texts and -1 for
    anomalies.

    Anomalies among the texts of `fit` do no harm if they are rarer than `contamination`.

    Parameters
    ----------
    estimator : CharRNN, CharNGram, Mixture or None, default=None
        The language model. `fit` trains a copy of a `CharRNN` or `CharNGram`; `calibrate` takes a fitted model of any
        kind as it is. None: a `CharNGram`, which in measurements found more anomalies than networks trained for a
        minute, and scored texts three to five times as fast (``docs/anomalies.md``). Even with a `min_count` of 1, a
        model fitted by `fit` has a symbol for unknown characters, so it scores any text.
    contamination : float, default=0.001
        The fraction of clean texts that may count as anomalies, above 0 and at most 0.5.
    reduce : {"min", "sum", "mean", "scaled"} or None, default=None
        How to combine the log-probabilities of a text's symbols and end into a score. "min": the least probable
        symbol, which finds a single anomalous place in a long text. "sum": the text's total, which finds rare
        texts, especially long ones. "mean": the mean per symbol, which finds texts that are unusual throughout,
        especially short ones. "scaled": the sum divided by the number of symbols to the power of 0.75, a compromise.
        None: "scaled" if half of the held-out texts have at most 64 symbols, with at least 0.7 nats per symbol, such as
        names of domains; otherwise "min", as for log lines. `reduce_` is the choice.
    calibration_fraction : float, default=0.1
        The fraction of the texts of `fit` held out of training to set the threshold.
    max_seconds : float, default=60
        The time limit for counting if `estimator` is None. If all texts would take longer, a random part is counted.
        An estimator has its own limits.
    keep_texts : bool, default=True
        Whether to keep the newest held-out texts, at most ``20 / contamination`` of them and two million characters, so
        that `partial_fit` can score them again. A file of the detector then contains these texts. Only with True does
        `calibrate` leave a model its training text, which counts of an order above 10 keep.
    random_state : int, SeedSequence, Generator or None, default=None
        The seed for choosing the held-out texts.
    verbose : int, default=0
        0: silent. 1: the chosen model, the cost of scoring, and the threshold, on standard error.

    Attributes
    ----------
    estimator_ : CharRNN, CharNGram, Mixture or other language model
        The fitted model.
    offset_ : float
        The threshold: a text with a lower score is an anomaly.
    reduce_ : {"min", "sum", "mean", "scaled"}
        The reduction used by the threshold: the parameter `reduce`, or the choice if it was None.
    n_calibration_ : int
        The number of texts that set the threshold.
    rate_interval_ : tuple of float
        The bounds of the false-positive rate on similar texts, at 95 % confidence.

    Examples
    --------
    >>> from crnn import AnomalyDetector, CharNGram
    >>> lines = [f"user {name} logged {way}" for name in ("anna", "bob", "eve") for way in ("in", "out")] * 50
    >>> lines += [f"job {i} done" for i in range(300)]
    >>> detector = AnomalyDetector(CharNGram(order=4), contamination=0.2, random_state=0).fit(lines)
    >>> detector.predict(["user eve logged in", "user eve logged into"])
    array([ 1, -1])
    """

    _fit_methods = "fit or calibrate"

    def __init__(
        self,
        estimator: LanguageModel | None = None,
        contamination: float = 0.001,
        reduce: Reduce | None = None,
        calibration_fraction: float = 0.1,
        *,
        max_seconds: float = 60,
        keep_texts: bool = True,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.reduce = reduce
        self.calibration_fraction = calibration_fraction
        self.max_seconds = max_seconds
        self.keep_texts = keep_texts
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Train the model on one part of clean texts and set the threshold with the other part.

        A random part of the texts is held out of training, and sets the threshold. If a text occurs several times,
        each occurrence counts by itself: like new texts, some held-out texts equal texts that the model has read. If
        nearly all repeated texts occur the same number of times, they are taken for accidental copies, and count once.

        Parameters
        ----------
        X : iterable of str, or of bytes
            A list, a column of a table, an Arrow array, `Lines` or a generator. Beyond about 130 million characters, a
            random sample is used.
        y : None
            Ignored; present for compatibility with scikit-learn.

        Returns
        -------
        AnomalyDetector
            The detector itself.

        Raises
        ------
        ValueError
            If a parameter or a text is invalid. The detector is unchanged.
        DivergenceError, KeyboardInterrupt
            As in `CharRNN.fit`. The detector is then unchanged.

        Warns
        -----
        UserWarning
            If fewer than ``10 / contamination`` texts set the threshold, so that the false-positive rate is uncertain;
            the warning gives its bounds. If fewer than ``2 / contamination``, the lowest score is the threshold, and
            the warning says that no alarm is likely if even one of the held-out texts is odd.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharRNN
        >>> names = [a + b for a in ("an", "ha", "bo", "ev", "ol") for b in ("na", "nna", "bby", "eline", "ga")]
        >>> model = CharRNN(16, optimizer="adam", max_steps=300, min_count=2, random_state=0)
        >>> detector = AnomalyDetector(model, contamination=0.5, calibration_fraction=0.8, random_state=0).fit(names)
        >>> detector.predict(["banna", "zzz"])
        array([ 1, -1])
        """
        options, model, rng = self._options(), self._trainable(), generator(self.random_state)
        texts = CleanTexts(iterable_of_texts(X), rng)
        split = texts.split(options.calibration_fraction, rng)
        fitted = _counts_of(split.train, options) if model is None else model._fitted_copy(split.train)
        again = np.repeat(np.arange(len(split.weights)), split.weights.astype(np.intp))
        part = [split.calibration[i] for i in again[:: -(-len(again) // CHOICE_TEXTS)].tolist()]
        reduce = _choose_reduction(options.reduce, fitted, part)
        scores = fitted.score_samples(split.calibration, reduce=reduce, errors="replace")
        calibration = calibrate(scores, options.contamination, split.weights)
        if split.all_repeated:
            warn_caller(
                "every text occurs more than once, so new texts are expected to equal these. If they do, look them up "
                "in a set. If not, calibrate with texts that the model has not read."
            )
        remedy = "Fit more texts, or set a larger contamination or calibration_fraction."
        return self._keep(Learned(fitted, reduce, calibration, self.estimator, _held(split, options)), options, remedy)

    def partial_fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Learn more clean texts and move the threshold, as after a change of what is normal.

        A random part of the texts is held out of training, as in `fit`. The newest held-out texts, of this and earlier
        calls, set the threshold for the new model, with the same reduction as before. Characters new since `fit` stay
        unknown. If n-gram counts exceed their memory, the longest n-grams that occurred once go first. The first call
        on an unfitted detector is equivalent to `fit`.

        To forget old texts, fit a new detector on the texts of the last days.

        Parameters
        ----------
        X : iterable of str, or of bytes
            As in `fit`, texts that have not been learned yet.
        y : None
            Ignored.

        Returns
        -------
        AnomalyDetector
            The detector itself.

        Raises
        ------
        ValueError
            If the model is neither a `CharNGram` nor a `CharRNN`, or a parameter or a text is invalid. The detector is
            unchanged.
        DivergenceError, KeyboardInterrupt
            As in `CharRNN.fit`. The detector is then unchanged.

        Warns
        -----
        UserWarning
            As in `fit`; if more than one text in a hundred has an unknown character; and if n-grams were dropped.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> numbers = [f"job {i} done" for i in range(300)]
        >>> model = CharNGram(order=4, min_count=2)
        >>> detector = AnomalyDetector(model, contamination=0.2, calibration_fraction=0.5, random_state=0).fit(numbers)
        >>> ended = [f"node {i} on job {i}" for i in range(200)]
        >>> (detector.predict(ended) == -1).mean()
        np.float64(1.0)
        >>> (detector.partial_fit(ended).predict(ended) == -1).mean() < 0.5
        np.True_
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        options, model, rng = self._options(), self._fitted_model(), generator(self.random_state)
        if not isinstance(model, CharRNN | CharNGram):
            raise InvalidInputError(
                f"estimator is a {type(model).__name__}, which partial_fit cannot train. Train its models and call "
                "calibrate(X), or pass a CharRNN or a CharNGram."
            )
        texts = CleanTexts(iterable_of_texts(X), rng)
        split = texts.split(options.calibration_fraction, rng)
        _warn_of_new_symbols(model, texts)
        model = copy.deepcopy(model)
        if isinstance(model, CharNGram):
            before = model.n_grams_
            model._partial_fit(split.train, prune=True)
            model.set_params(order=model.order_)
            if len(model.n_grams_) < len(before) or model.n_grams_[-1] < before[-1]:
                warn_caller(
                    f"the n-grams exceeded max_memory, so rare, long ones were dropped: {len(before)} orders and "
                    f"{sum(before):,} n-grams before this call, {len(model.n_grams_)} and {sum(model.n_grams_):,} now. "
                    "Fit a new detector on recent texts to forget old ones."
                )
        else:
            model.partial_fit(split.train)
        held, reduce = _held(split, options, self._learned.held), self._learned.reduce
        pairs = held or tuple(zip(split.calibration, split.weights, strict=True))
        scores = model.score_samples([text for text, _ in pairs], reduce=reduce, errors="replace")
        calibration = calibrate(scores, options.contamination, np.array([float(n) for _, n in pairs]))
        remedy = "Learn more texts, or set a larger contamination or calibration_fraction."
        return self._keep(Learned(model, reduce, calibration, self.estimator, held), options, remedy)

    def calibrate(self, X: Iterable[Text]) -> Self:
        """Set the threshold with held-out clean texts, without changing the model.

        Call `calibrate` for a fitted `estimator`, and again after the texts have changed or `partial_fit` has updated
        the model: the old threshold's false-positive rate may then be several times too high or too low.

        Parameters
        ----------
        X : iterable of str, or of bytes
            Clean texts, each as often as it occurs. The false-positive rate holds for texts like these.

        Returns
        -------
        AnomalyDetector
            The detector itself.

        Raises
        ------
        ValueError
            If the model is not fitted, or a parameter or a text is invalid. The detector is unchanged.

        Warns
        -----
        UserWarning
            As in `fit`.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3, min_count=2).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.predict(["nana", "bob"])
        array([ 1, -1])
        """
        options, model = self._options(), self._fitted_model()
        texts, part = _beginning(iterable_of_texts(X)) if options.reduce is None else (iterable_of_texts(X), [])
        reduce = _choose_reduction(options.reduce, model, part) if part or options.reduce else "min"
        scores = _clean_scores(model, texts, reduce)
        calibration = calibrate(scores, options.contamination)
        remedy = "Calibrate with more texts, or set a larger contamination."
        return self._keep(Learned(model, reduce, calibration, self.estimator), options, remedy)

    # --------------------------------------------------------------- detection

    def score_samples(self, X: Iterable[Text], *, errors: Errors = "replace") -> NDArray[np.float64]:
        """Return the score of each text, in nats; lower scores are more anomalous.

        Texts are read in blocks, so any number of texts from a generator or `Lines` takes little more memory than the
        result. Equal texts of a block are scored once (`LanguageModel.score_samples`).

        Parameters
        ----------
        X : iterable of str, or of bytes
        errors : {"replace", "skip", "strict"}, default="replace"
            As in `LanguageModel.score_samples`: a missing value has a score of NaN. A text with a symbol that the model
            never saw has a score of -inf if a model without an unknown symbol was calibrated.

        Returns
        -------
        ndarray of float64, shape (n,)
            The scores, at most 0.

        Raises
        ------
        NotFittedError
            Before `fit` or `calibrate`.
        ValueError
            If a text is not of the model's kind.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.score_samples(["nana", "bob", None]).round(1).tolist()
        [-1.5, -inf, nan]
        """
        return self._fitted("score_samples").scores(X, errors)

    def decision_function(self, X: Iterable[Text], *, errors: Errors = "replace") -> NDArray[np.float64]:
        """Return `score_samples` minus `offset_`: below 0 for anomalies.

        The parameters and errors are as in `score_samples`.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.decision_function(["nana", "bob"]) < 0
        array([False,  True])
        """
        return self._fitted("decision_function").decisions(X, errors)

    def predict(self, X: Iterable[Text], *, errors: Errors = "replace") -> NDArray[np.int64]:
        """Return 1 for each normal text and -1 for each anomaly.

        Parameters
        ----------
        X, errors
            As in `score_samples`. A text without a score counts as an anomaly.

        Returns
        -------
        ndarray of int, shape (n,)

        Raises
        ------
        NotFittedError, ValueError
            As in `score_samples`.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.predict(["nana", "bob", None])
        array([ 1, -1, -1])
        """
        return np.where(self._fitted("predict").decisions(X, errors) >= 0, 1, -1)

    def fit_predict(self, X: Iterable[Text], y: Any = None) -> NDArray[np.int64]:
        """Fit the detector and return `predict` for the same texts.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> lines = [f"job {i} done" for i in range(100)]
        >>> detector = AnomalyDetector(CharNGram(order=4), contamination=0.3, calibration_fraction=0.5, random_state=0)
        >>> int((detector.fit_predict(lines) == -1).sum()) < 40
        True
        """
        X = rereadable(X)
        return self.fit(X).predict(X)

    def explain(self, text: Text, *, n_alternatives: int = 2) -> Explanation:
        """Return the surprisal of each character of a text, and the most probable alternatives.

        Parameters
        ----------
        text : str or bytes
        n_alternatives : int, default=2
            The number of most probable symbols listed for each position.

        Returns
        -------
        Explanation
            `score`, `is_anomaly`, `symbols`, `surprisal` and `alternatives`; printing it shows the three most
            surprising positions.

        Raises
        ------
        NotFittedError, ValueError
            As in `score_samples`.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=4, min_count=2).fit([f"job {i} done" for i in range(100)])
        >>> detector = AnomalyDetector(model, contamination=0.2).calibrate([f"job {i} done" for i in range(100, 200)])
        >>> print(str(detector.explain("job 7 gone")).partition(";")[0])
        anomaly, score -3.00, the scaled sum of 11 symbols of 1.6 nats on average
        job 7 gone
              ^
        at 6: 'g' has 8.4 nats
        """
        learned, n = self._fitted("explain"), checked_int("n_alternatives", n_alternatives, 0)
        model = learned.model
        reading = explain(model.vocabulary_, model.start(), text, n)
        text = immutable(text)
        (score,) = learned.scores([text], "replace").tolist()
        return Explanation(text, score, not score >= learned.calibration.offset, *reading, learned.reduce)

    # ---------------------------------------------------------------- learned

    _learned: Learned

    def _keep(self, learned: Learned, options: Options, remedy: str) -> Self:
        """Keep a model and its threshold; warn if few texts set it, and report the threshold if verbose."""
        learned.calibration.warn_of_few_texts(options.contamination, remedy)
        self._learned = learned if options.keep_texts else learned._replace(model=learned.model._without_text())
        if options.verbose:
            print(self._summary_line(), file=sys.stderr)
        return self

    def _fitted(self, what: str) -> Learned:
        """Return the model and the threshold, or raise NotFittedError, which names the attempted operation `what`."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError.before(what, estimator=type(self).__name__, fit=self._fit_methods)
        return self._learned

    @property
    def estimator_(self) -> LanguageModel:
        """The fitted model."""
        return self._fitted("reading estimator_").model

    @property
    def offset_(self) -> float:
        """The threshold."""
        return self._fitted("reading offset_").calibration.offset

    @property
    def reduce_(self) -> Reduce:
        """The threshold's reduction."""
        return self._fitted("reading reduce_").reduce

    @property
    def n_calibration_(self) -> int:
        """The number of texts that set the threshold."""
        return round(self._fitted("reading n_calibration_").calibration.n_texts)

    @property
    def rate_interval_(self) -> tuple[float, float]:
        """The bounds of the false-positive rate on similar texts, at 95 % confidence."""
        return self._fitted("reading rate_interval_").calibration.interval

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there are a model and a threshold."""
        return "_learned" in vars(self)

    # -------------------------------------------------------------- model file

    def _file_content(self) -> bytes:
        learned, options = self._fitted("save"), self._options()
        if not isinstance(learned.model, SAVED):
            kind = type(learned.model).__name__
            raise InvalidInputError(f"estimator_ is a {kind}, which cannot be saved. Use pickle.")
        as_text = learned.model.vocabulary_.kind == "characters"
        held = [[text if as_text else text.decode("latin-1"), n] for text, n in learned.held]
        entry = {
            **options._asdict(),
            "random_state": int(self.random_state) if is_int(self.random_state) else None,  # not a generator's state
            "chosen": self.estimator is None,
            "scored_by": learned.reduce,
            "held": held if options.keep_texts else [],
            **learned.calibration._asdict(),
        }
        return model_file.detector_bytes(learned.model._file_content(), entry)

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        content, entry = model_file.read_detector(path)
        calibration = Calibration(*(entry.pop(name) for name in Calibration._fields))
        model: Any = load_model(content)
        origin, reduce = None if entry.pop("chosen") else model, entry.pop("scored_by")
        as_text = model.vocabulary_.kind == "characters"
        held = tuple((text if as_text else text.encode("latin-1", "replace"), n) for text, n in entry.pop("held"))
        detector = cls(origin, **entry)
        detector._learned = Learned(model, reduce, calibration, origin, held)
        return detector

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator."""
        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.transformer_tags = "outlier_detector", None
        return tags

    def _summary_line(self) -> str:
        learned = self._learned
        low, high = learned.calibration.interval
        return (
            f"scores ({learned.reduce}) below {learned.calibration.offset:.3f} are anomalies: between {low:.2g} and "
            f"{high:.2g} of clean texts, as {self.n_calibration_:,} texts show"
        )

    # ------------------------------------------------------------------- checks

    def _options(self) -> Options:
        """Return the checked parameters, after checking `random_state` as well."""
        generator(self.random_state)
        return Options(**{name: check(name, getattr(self, name)) for name, check in DETECTOR_PARAMETERS.items()})

    def _trainable(self) -> CharRNN | CharNGram | None:
        """Return the estimator, of which `fit` trains a copy, or None for the default model."""
        if self.estimator is None or isinstance(self.estimator, CharRNN | CharNGram):
            return self.estimator
        if isinstance(self.estimator, LanguageModel):
            raise InvalidInputError(
                f"estimator is a {type(self.estimator).__name__}, which fit cannot train. Call calibrate(X), "
                "which does not train it, or pass a CharRNN or a CharNGram."
            )
        raise _wrong_kind(self.estimator)

    def _fitted_model(self) -> LanguageModel:
        """Return the calibrated model, or the parameter `estimator` if it was set later."""
        if self.__sklearn_is_fitted__() and self._learned.origin is self.estimator:
            return self._learned.model
        model = self.estimator
        if model is None:
            raise NotFittedError("estimator is None. Call fit, or give a fitted model, before calibrate.")
        if not isinstance(model, LanguageModel):
            raise _wrong_kind(model)
        if model.vocabulary_.labels:  # raises NotFittedError without a vocabulary
            label = model.vocabulary_.labels[0]
            raise InvalidInputError(f"estimator was fitted with labels. Pass estimator.for_label({label!r}).")
        return model


def _wrong_kind(estimator: object) -> InvalidInputError:
    return InvalidInputError(
        f"estimator must be None, a CharRNN, a CharNGram or another language model, not {short_repr(estimator)}"
    )


def _held(split: Split, options: Options, older: Held = ()) -> Held:
    """Return the newest held-out texts, which the detector keeps."""
    n = math.ceil(min(HELD / options.contamination, sys.maxsize))  # the quotient may be infinite
    return newest_held_out(split, older, n) if options.keep_texts else ()


def _warn_of_new_symbols(model: CharRNN | CharNGram, texts: CleanTexts) -> None:
    """Issue a UserWarning if many texts have a symbol that the model does not know."""
    symbols = [symbol for symbol in model.vocabulary_ if isinstance(symbol, str | bytes)]
    known = {symbol if isinstance(symbol, str) else symbol[0] for symbol in symbols}
    new = {text: n for text, n in texts.counts.items() if not known.issuperset(text)}
    share = sum(new.values()) / texts.n_texts
    if share > NEW_SHARE:
        warn_caller(
            f"a fraction of {share:.2g} of the texts has characters that the model does not know, such as "
            f"{short_repr(next(iter(new)))}. They stay unknown. Fit a new detector that includes recent texts."
        )


def _beginning(X: Iterable[Text]) -> tuple[Iterable[Text], list[Any]]:
    """Return the same texts, and the first of them, without missing values."""
    if isinstance(X, Lines) and X.is_read_once:
        X = (line for line in X if line is not None)
    first: list[Any] = list(islice(iter(X if isinstance(X, Lines) else python_values(X)), CHOICE_TEXTS))
    texts = chain(first, X) if isinstance(X, Iterator) else X
    return texts, [text for text in first if isinstance(text, str | bytes | bytearray | memoryview)]


def _clean_scores(model: LanguageModel, X: Iterable[Text], reduce: Reduce) -> NDArray[np.float64]:
    """Return the scores of clean texts, without the lines skipped by `Lines`."""
    scores = model.score_samples(X, reduce=reduce, errors="replace")
    missing = np.flatnonzero(np.isnan(scores))
    if len(missing) and not (isinstance(X, Lines) and X.errors == "skip"):
        raise InvalidInputError(f"X[{missing[0]}] is a missing value. Leave it out of the texts to calibrate with.")
    if len(missing) == len(scores):
        raise InvalidInputError("X is empty. Pass at least 1 text, or better 10 / contamination texts.", argument="X")
    return np.delete(scores, missing)


def _counts_of(texts: list[Any], options: Options) -> CharNGram:
    """Return the n-gram counts of randomly ordered texts, of all texts if time and memory permit."""
    free, start = available_bytes(), time.perf_counter()
    memory = MAX_MEMORY if free is None else min(MAX_MEMORY, free // 2)
    n = sum(map(len, texts))
    if n <= sys.maxunicode and len(set[Any]().union(*texts)) == n:  # longer texts repeat a character in any case
        raise InvalidInputError("no character of X occurs twice. Pass more texts.", argument="X")
    model = CharNGram(ORDER, min_count=2, max_memory=memory)
    n = model._fit_while(texts, ORDER, lambda: time.perf_counter() - start < options.max_seconds)
    if options.verbose:
        counted, part = time.perf_counter(), texts[:COST_TEXTS]
        model.score_samples(part)
        cost = (time.perf_counter() - counted) / (sum(map(len, part)) + len(part))
        print(
            f"CharNGram of {n:,} of {len(texts):,} texts in {counted - start:.1f} s: {model._summary_line()}; "
            f"{1e6 * cost:.2g} µs a character to score",
            file=sys.stderr,
        )
    return model


def _choose_reduction(reduce: Reduce | None, model: LanguageModel, texts: list[Any]) -> Reduce:
    """Return the given reduction, or the one that suits texts of a model.

    One odd place in a long or predictable text is lost in a sum, and stands out as the minimum. Each symbol of a short
    text such as a name surprises by itself, so the minimum is noise.
    """
    if reduce is not None:
        return reduce
    nats = -np.median(model.score_samples(texts, reduce="mean", errors="replace"))
    return "scaled" if np.median([*map(len, texts)]) <= SHORT and nats > UNPREDICTABLE else "min"
