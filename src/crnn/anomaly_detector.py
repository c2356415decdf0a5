"""AnomalyDetector finds texts unlike a language model's training texts, at a given false-positive rate."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .detection.calibration import change_message
from .detection.clean_texts import batches
from .detection.detector_file import entry_of, learned_from
from .detection.detector_training import (
    CALIBRATION_FRACTION,
    clean_texts,
    judge_by_networks,
    learn,
    learn_more,
    learn_threshold,
)
from .detection.explanation import Explanation, explain
from .detection.learned import DetectorOptions, Learned
from .detection.verdicts import flag_lowest, scores_in_order
from .errors import InvalidInputError, NotFittedError, short_repr
from .estimator import Estimator
from .files import model_file
from .files.entries import DETECTOR_PARAMETERS
from .language_model import LanguageModel
from .loading import load_model
from .mixture import Mixture
from .parameters.checks import FilePath, checked_int, generator, is_int
from .scoring.reductions import Reduce
from .text.documents import Errors, warn_caller
from .text.mask import Rule, mask_of, masked_texts
from .text.sources import rereadable
from .text.vocabulary import Text, immutable

if TYPE_CHECKING:
    from .export.models import ExportedDetector

SAVED_MODELS = (CharRNN, CharNGram, Mixture)  # the models that can be saved


class AnomalyDetector(Estimator):
    """An outlier detector for short texts, such as log lines, host names or identifiers.

    A language model learns clean texts. A text is an anomaly if its score is lower than the scores of all but a
    fraction `contamination` of clean texts, each judged by a model that has not read it. This fraction is the expected
    false-positive rate on new clean texts. The detector follows scikit-learn's outlier protocol: `predict` returns 1
    for normal texts and -1 for anomalies.

    Anomalies among the texts of `fit` do no harm if they are rarer than `contamination`. To find them, call
    `fit_predict`: for `predict`, a text that the model has read is normal.

    Parameters
    ----------
    estimator : CharRNN, CharNGram, Mixture or None, default=None
        The language model. `fit` trains a copy of a `CharRNN` or `CharNGram`; `calibrate` takes a fitted model of any
        kind as it is. None: a `CharNGram` of order 12, which found more anomalies than networks
        (``docs/anomalies.md``). Even with a `min_count` of 1, a model fitted by `fit` has a symbol for unknown
        characters, so it scores any text.
    contamination : float or "auto", default="auto"
        The fraction of clean texts that may count as anomalies, above 0 and at most 0.5. "auto": 0.001, or 3 divided by
        the number of texts that set the threshold if these are fewer than 3,000. A warning names the rate if fewer than
        10 texts are below the threshold, and `contamination_` has it.
    reduce : {"joint", "min", "sum", "mean", "scaled"}, default="joint"
        How to combine the log-probabilities of a text's symbols and end into a score, as in
        `LanguageModel.score_samples`. "joint" finds both single odd places, as "min" does, and texts that are odd as a
        whole, as "mean" does; ``docs/anomalies.md`` compares them.
    calibration_fraction : float, default=0.1
        The fraction of the texts held out of training to set the threshold: in `fit` if the model is a network, and in
        `partial_fit`. With counts, all texts of `fit` set the threshold, and `fit` warns if this is not the default.
    mask : list of str and of (str, str), or None, default=None
        What to replace in every text before it is read, such as numbers that carry no information. A pair is a regular
        expression and its replacement. A name is a built-in rule, which writes ``0`` for each "digits" (a run of
        digits), "hex" (a number with 0x, or 6 or more hexadecimal digits with both a letter and a digit among them),
        "uuid", "ip" or "time". Pairs are applied first. The file contains the mask. A pattern that may take forever on
        some text is refused.
    folds : int, default=10
        The number of parts into which the texts are split. With counts, the texts of each part are scored by the counts
        of the other parts. With a network, `fit_predict` trains one network for each part, on the other parts.
    unique : bool, default=False
        Whether equal texts count once, so that a text is not normal just because it occurs again. The false-positive
        rate then holds for different texts.
    max_seconds : float, default=60
        The time limit for counting if `estimator` is None. If all texts would take longer, a random part is counted.
        An estimator has its own limits.
    keep_texts : bool, default=True
        Whether to keep the newest texts that set the threshold, with their scores, for `partial_fit`: the fraction
        `calibration_fraction` of the texts of `fit`, but at most ``20 / contamination`` texts and two million
        characters. The detector's file then contains these texts. With False, `calibrate` also removes the training
        text from counts that keep it (an order above 10).
    random_state : int, SeedSequence, Generator or None, default=None
        The seed for the parts of the texts.
    verbose : int, default=0
        0: silent. 1: the chosen model, the cost of scoring, and the threshold, on standard error.

    Attributes
    ----------
    estimator_ : CharRNN, CharNGram or Mixture
        The fitted model.
    offset_ : float
        The threshold: a text with a lower score is an anomaly.
    contamination_ : float
        The contamination of the threshold: the parameter, or the rate chosen if it was "auto".
    mask_ : tuple of str and of (str, str), or None
        The mask of the texts that set the threshold: the parameter `mask` at that time.
    reduce_ : str
        The reduction used by the threshold: the parameter `reduce` at that time.
    n_calibration_ : int
        The number of texts that set the threshold.
    rate_interval_ : tuple of two floats
        The bounds of the false-positive rate on similar texts, at 95 % confidence.
    outlier_scores_ : ndarray of float64 and shape (n,)
        The scores of the texts of `fit_predict`, each by a model without the text, (n,); NaN for a missing value.

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
        contamination: float | Literal["auto"] = "auto",
        reduce: Reduce = "joint",
        calibration_fraction: float = CALIBRATION_FRACTION,
        *,
        mask: Any = None,
        folds: int = 10,
        unique: bool = False,
        max_seconds: float = 60,
        keep_texts: bool = True,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.reduce = reduce
        self.calibration_fraction = calibration_fraction
        self.mask = mask
        self.folds = folds
        self.unique = unique
        self.max_seconds = max_seconds
        self.keep_texts = keep_texts
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Train the model on clean texts, set the threshold with texts that it has not read, and return the detector.

        Counts read all texts, and all texts set the threshold: each fold's texts are scored by the other folds' counts.
        A network's threshold is set by a random part, held out of training. If a text occurs several times, each
        occurrence is scored by itself. Most of the others have then been read, as they would have been if the text were
        new. If nearly all repeated texts occur the same number of times, they are taken for accidental copies, and
        count once.

        Parameters
        ----------
        X : iterable of str, or of bytes
            A list, a column of a table, an Arrow array, `Lines` or a generator. Missing values (None, NaN, NA) are left
            out; with ``verbose=1``, their number is printed. Beyond about 130 million characters, a random sample is
            used.
        y : None
            Ignored; present for compatibility with scikit-learn.

        Raises
        ------
        ValueError, DivergenceError, KeyboardInterrupt
            If a parameter or a text is invalid, or as in `CharRNN.fit`. The detector is then unchanged.

        Warns
        -----
        UserWarning
            If fewer than ``10 / contamination`` texts set the threshold, so that the false-positive rate is uncertain;
            the warning gives its bounds, and with "auto" the rate. With fewer than ``2 / contamination`` texts and a
            rate of your own, the threshold is the lowest score of these texts. A single odd text among them then hides
            all anomalies that are less odd, and the warning suggests a rate. Also if `calibration_fraction` is set for
            counts.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> names = [a + b for a in ("an", "ha", "bo", "ev", "ol") for b in ("na", "nna", "bby", "eline", "ga")]
        >>> detector = AnomalyDetector(CharNGram(order=3), contamination=0.5, random_state=0).fit(names)
        >>> detector.predict(["hana", "zzz"])
        array([ 1, -1])
        """
        options = self._options()
        rng = generator(self.random_state)
        texts = clean_texts(X, options, rng)
        learned, _ = learn(self._trainable(), texts, options, rng)
        return self._keep(learned, options)

    def partial_fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Learn more clean texts and move the threshold, as after a change of what is normal.

        A random part of the texts, `calibration_fraction`, is held out of training. The newest texts held out, now and
        in earlier calls, set the threshold for the new model, with the same reduction as before. The texts of `fit`
        that counts have learned contribute the same share, each with the score that it had without itself. Characters
        new since `fit` stay unknown. If n-gram counts exceed their memory, the longest n-grams that occurred
        once go first. The first call on an unfitted detector is equivalent to `fit`.

        To forget old texts, fit a new detector on the texts of the last days. Errors and warnings are as in `fit`; also
        a ValueError if the model is neither a `CharNGram` nor a `CharRNN`, and a UserWarning if more than one text in a
        hundred has an unknown character, or if n-grams were dropped.

        Parameters
        ----------
        X, y
            As in `fit`, texts that have not been learned yet.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> numbers = [f"job {i} done" for i in range(300)]
        >>> model = CharNGram(order=4, min_count=2)
        >>> detector = AnomalyDetector(model, contamination=0.2, random_state=0).fit(numbers)
        >>> ended = [f"node {i} on job {i}" for i in range(200)]
        >>> (detector.decision_function(ended) < 0).mean()
        np.float64(1.0)
        >>> (detector.partial_fit(ended).predict(ended) == -1).mean() < 0.5
        np.True_
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        options = self._options()
        model = self._trainable_further()
        rng = generator(self.random_state)
        texts = clean_texts(X, options, rng)
        learned = learn_more(model, self._learned, texts, options, rng)
        return self._keep(learned._replace(origin=self.estimator), options, "Learn more texts")

    def calibrate(self, X: Iterable[Text]) -> Self:
        """Set the threshold with held-out clean texts, without changing the model.

        Call `calibrate` for a fitted `estimator`, and again after the texts have changed or `partial_fit` has updated
        the model: the old threshold's false-positive rate may then be several times too high or too low. Warnings are
        as in `fit`. If the model is not fitted, or a parameter or a text is invalid, a ValueError is raised, and the
        detector is unchanged.

        Parameters
        ----------
        X : iterable of str, or of bytes
            Clean texts, each as often as it occurs. The false-positive rate holds for texts like these. Missing values
            are left out.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3, min_count=2).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.predict(["nana", "bob"])
        array([ 1, -1])
        """
        options = self._options()
        model = self._fitted_model()
        learned = learn_threshold(model, X, options, self.estimator)
        return self._keep(learned, options, "Calibrate with more texts")

    # --------------------------------------------------------------- detection

    def score_samples(self, X: Iterable[Text], *, errors: Errors = "replace") -> NDArray[np.float64]:
        """Return the score of each text, float64 (n,), in nats: at most 0, and lower for more anomalous texts.

        Texts are read in blocks, so any number of texts from a generator or `Lines` takes little more memory than the
        result. Equal texts of a block are scored once (`LanguageModel.score_samples`). A NotFittedError is raised
        before `fit` or `calibrate`, and a ValueError if a text is not of the model's kind.

        Parameters
        ----------
        X : iterable of str, or of bytes
        errors : {"replace", "skip", "strict"}, default="replace"
            As in `LanguageModel.score_samples`: a missing value has a score of NaN. A text with a symbol that the model
            never saw has a score of -inf if a model without an unknown symbol was calibrated.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.score_samples(["nana", "bob", None]).round(1).tolist()
        [-4.5, -inf, nan]
        """
        return self._fitted("score_samples").scores(X, errors)

    def decision_function(self, X: Iterable[Text], *, errors: Errors = "replace") -> NDArray[np.float64]:
        """Return `score_samples`, which has the same parameters and errors, minus `offset_`: below 0 for anomalies.

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
        """Return 1 for each normal text and -1 for each anomaly, ndarray of int (n,).

        The parameters and errors are as in `score_samples`. A text without a score counts as an anomaly. If far more
        texts are anomalies than chance allows for texts like those that set the threshold (exact binomial test at the
        upper bound of `rate_interval_`, p < 1e-6), the first such call issues a UserWarning: the texts have changed.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=3).fit(["anna", "hannah", "nana", "ann", "hanna"])
        >>> detector = AnomalyDetector(model, contamination=0.1).calibrate(["ana", "nana", "hana"] * 40)
        >>> detector.predict(["nana", "bob", None])
        array([ 1, -1, -1])
        """
        learned = self._fitted("predict")
        verdicts = np.where(learned.decisions(X, errors) >= 0, 1, -1)
        n_flagged = int(np.count_nonzero(verdicts == -1))
        message = change_message(learned.calibration.interval, n_flagged, len(verdicts))
        if message and not self._change_was_told:
            self._change_was_told = True
            warn_caller(message)
        return verdicts

    def fit_predict(self, X: Iterable[Text], y: Any = None) -> NDArray[np.int64]:
        """Find the anomalies among the texts themselves, and fit the detector on all of them.

        Each text is judged without itself: by the counts of all others but some, see `fit`, or by a network trained on
        the other folds, so a network is trained ``folds + 1`` times. The share `contamination` of the texts, those
        with the lowest scores, is flagged; texts with equal scores are flagged all or none. If a text occurs several
        times, it is judged by its other occurrences, too, unless `unique` is True. Afterwards, `predict` judges new
        texts. The parameters, errors and warnings are as in `fit`.

        Returns
        -------
        ndarray of int, shape (n,)
            -1 for anomalies and for missing values, which are not part of the share, and 1 for other texts. The scores
            are in `outlier_scores_`.

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> lines = [f"job {i} done" for i in range(200)] + ["job 7 gone", None]
        >>> detector = AnomalyDetector(CharNGram(order=4), contamination=0.05, random_state=0)
        >>> verdicts = detector.fit_predict(lines)
        >>> int((verdicts[:-1] == -1).sum()), int(detector.outlier_scores_[:-1].argmin()), verdicts[-1]
        (10, 200, np.int64(-1))
        """
        X = rereadable(X)
        options = self._options()
        rng = generator(self.random_state)
        model = self._trainable()
        texts = clean_texts(X, options, rng)
        learned, judged = learn(model, texts, options, rng)
        if isinstance(model, CharRNN):
            judged = judge_by_networks(model, texts, options, rng)
        scores = scores_in_order(batches(masked_texts(X, options.mask)), judged, learned)
        learned = learned._replace(outlier_scores=scores)
        self._keep(learned, options, but="these texts have been judged by each other, but for new ones, ")
        return flag_lowest(self.outlier_scores_, self.contamination_)

    def explain(self, text: Text, *, n_alternatives: int = 2) -> Explanation:
        """Return the surprisal of each character of a text, and the most probable alternatives.

        Errors are as in `score_samples`.

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

        Examples
        --------
        >>> from crnn import AnomalyDetector, CharNGram
        >>> model = CharNGram(order=4, min_count=2).fit([f"job {i} done" for i in range(100)])
        >>> detector = AnomalyDetector(model, contamination=0.2).calibrate([f"job {i} done" for i in range(100, 200)])
        >>> print(str(detector.explain("job 7 gone")).partition(";")[0])
        anomaly, score -13.35: -8.4 for the least probable symbol, and 3 times the mean, -1.65
        job 7 gone
              ^
        at 6: 'g' has 8.4 nats
        """
        learned = self._fitted("explain")
        n = checked_int("n_alternatives", n_alternatives, 0)
        model = learned.model
        model.vocabulary_.check_kind(text, "text")
        text = immutable(text)
        masked, places = mask_of(learned.mask or ()).read(text)
        reading = explain(model.vocabulary_, model.start(), masked, n)
        (score,) = learned.scores([text], "replace").tolist()
        return Explanation(text, score, not score >= learned.calibration.offset, *reading, learned.reduce, places)

    # ---------------------------------------------------------------- learned

    _learned: Learned
    _change_was_told = False  # by a warning of `predict`

    def _keep(self, learned: Learned, options: DetectorOptions, remedy: str = "Fit more texts", but: str = "") -> Self:
        """Keep a model and its threshold; warn if few texts set it, and report the threshold if verbose."""
        held_out = isinstance(learned.model, CharRNN) and not remedy.startswith("Calibrate")
        other = ", or set a larger contamination" + (" or calibration_fraction." if held_out else ".")
        automatic = options.contamination == "auto"
        learned.calibration.warn_of_few_texts(remedy + other, but, automatic=automatic)
        self._change_was_told = False
        learned = learned._replace(mask=options.mask)
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
        """The threshold: a text with a lower score is an anomaly."""
        return self._fitted("reading offset_").calibration.offset

    @property
    def contamination_(self) -> float:
        """The contamination of the threshold: the parameter, or the rate chosen if it was "auto"."""
        return self._fitted("reading contamination_").calibration.rate

    @property
    def mask_(self) -> tuple[Rule, ...] | None:
        """The mask of the texts that set the threshold: the parameter `mask` at that time."""
        return self._fitted("reading mask_").mask

    @property
    def reduce_(self) -> Reduce:
        """The reduction used by the threshold: the parameter `reduce` at that time."""
        return self._fitted("reading reduce_").reduce

    @property
    def n_calibration_(self) -> int:
        """The number of texts that set the threshold."""
        return round(self._fitted("reading n_calibration_").calibration.n_texts)

    @property
    def rate_interval_(self) -> tuple[float, float]:
        """The bounds of the false-positive rate on similar texts, at 95 % confidence."""
        return self._fitted("reading rate_interval_").calibration.interval

    @property
    def outlier_scores_(self) -> NDArray[np.float64]:
        """The scores of the texts of `fit_predict`, each by a model without the text, (n,); NaN for a missing value."""
        scores = self._fitted("reading outlier_scores_").outlier_scores
        if scores is None:
            raise AttributeError  # `__getattr__` explains it
        return scores

    def __getattr__(self, name: str) -> Any:
        """Raise NotFittedError for an attribute set by training, AttributeError for any other."""
        if name == "outlier_scores_" and self.__sklearn_is_fitted__():
            raise NotFittedError("outlier_scores_ exist only after fit_predict(X). Call it for the texts to judge.")
        return super().__getattr__(name)

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there are a model and a threshold."""
        return "_learned" in vars(self)

    # -------------------------------------------------------------- model file

    def _file_content(self) -> bytes:
        """Return the bytes of the model's file, with an entry that has everything else that the detector needs."""
        learned = self._fitted("save")
        options = self._options()
        if not isinstance(learned.model, SAVED_MODELS):
            kind = type(learned.model).__name__
            raise InvalidInputError(f"estimator_ is a {kind}, which cannot be saved. Use pickle.")
        random_state = int(self.random_state) if is_int(self.random_state) else None  # not a generator's state
        entry = entry_of(learned, options, random_state=random_state, chosen=self.estimator is None)
        return model_file.detector_bytes(learned.model._file_content(), entry)

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        """Read a detector: its model, and from the entry its parameters, threshold and kept texts."""
        content, entry = model_file.read_detector(path)
        model: Any = load_model(content)
        learned, parameters = learned_from(entry, model)
        detector = cls(**parameters)
        detector._learned = learned
        return detector

    def export_c(self, path: FilePath, *, int8: bool = False) -> None:
        """Write the detector as one C99 file without dependencies; see ``docs/export.md``.

        Its function ``crnn_detect`` gives a text's score and verdict, and the place of its least probable character; it
        allocates no memory. The program judges the lines of standard input. The file applies the same mask, which may
        only have built-in rules, and the same threshold. Verdicts are as for `export_js`.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.c``.
        int8 : bool, default=False
            Whether to store the model's numbers in 8 bits, like its `quantize`.

        Raises
        ------
        ValueError
            If a parameter is invalid, or the mask has a pattern of your own, since C has no regular expressions.
        OSError
            If the file cannot be written; an existing file then stays.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import AnomalyDetector, CharNGram
        >>> detector = AnomalyDetector(CharNGram(order=3), contamination=0.1).fit([f"job {i} done" for i in range(200)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.export_c(f"{folder}/jobs.c")
        """
        from .export.c_file import export_detector_c

        export_detector_c(self._exported("export_c", int8=int8), path)

    def export_js(self, path: FilePath, *, float16: bool = False, int8: bool = False) -> None:
        """Write the detector as a JavaScript module for browsers and Node.js; see ``docs/export.md``.

        The module has no dependencies and exports the function ``detect``, which gives a text's score and verdict, and
        the place of its least probable character. It applies the same mask and threshold. It judges as
        `predict` does unless the model is rounded: for a network with `int8` or `float16`, or counts that were neither
        pruned nor quantized, a text just at the threshold may be judged differently. To avoid that, `calibrate` a
        detector with a model that is already compact, such as ``AnomalyDetector(counts.prune(400_000))``.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.js``.
        float16 : bool, default=False
            Whether to store the weights of networks in 16 bits.
        int8 : bool, default=False
            Whether to store the model's numbers in 8 bits, like its `quantize`.

        Raises
        ------
        ValueError
            If a parameter or a weight is invalid, or a pattern of the mask has no equal in JavaScript.
        OSError
            If the file cannot be written; an existing file then stays.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import AnomalyDetector, CharNGram
        >>> detector = AnomalyDetector(CharNGram(order=3), contamination=0.1).fit([f"job {i} done" for i in range(200)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.export_js(f"{folder}/jobs.js")
        """
        from .export.js_file import export_detector_js

        export_detector_js(self._exported("export_js", int8=int8), path, float16=float16)

    def export_html(
        self, path: FilePath, *, float16: bool = False, int8: bool = False, title: str | None = None
    ) -> None:
        """Write the detector as one HTML page with a field for lines; see ``docs/export.md``.

        The page shows the verdict on each line, its characters colored by surprisal, and the threshold, which a reader
        can change. It needs neither network access nor a server. Verdicts and errors are as for `export_js`.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.html``.
        float16, int8
            As for `export_js`.
        title : str or None, default=None
            The page's title. None: "A detector".

        Examples
        --------
        >>> import tempfile
        >>> from crnn import AnomalyDetector, CharNGram
        >>> detector = AnomalyDetector(CharNGram(order=3), contamination=0.1).fit([f"job {i} done" for i in range(200)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.export_html(f"{folder}/jobs.html", title="Is this line normal?")
        """
        from .export.page import export_detector_html

        rate = self._fitted("export_html").calibration.rate
        export_detector_html(self._exported("export_html", int8=int8), rate, path, float16=float16, title=title)

    def _exported(self, what: str, *, int8: bool) -> ExportedDetector:
        """Return what an exported file contains of the detector."""
        from .export.models import ExportedDetector

        learned = self._fitted(what)
        model = learned.model._exported(what, int8=int8)
        return ExportedDetector(model, learned.calibration.offset, learned.reduce, learned.mask or ())

    # ------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator."""
        tags = super().__sklearn_tags__()
        tags.estimator_type = "outlier_detector"
        tags.transformer_tags = None
        return tags

    def _summary_line(self) -> str:
        learned = self._learned
        low, high = learned.calibration.interval
        return (
            f"scores ({learned.reduce}) below {learned.calibration.offset:.3f} are anomalies: between {low:.2g} and "
            f"{high:.2g} of clean texts, as {self.n_calibration_:,} texts show"
        )

    # ------------------------------------------------------------------- checks

    def _options(self) -> DetectorOptions:
        """Return the checked parameters, after checking `random_state` as well."""
        generator(self.random_state)
        return DetectorOptions(
            **{name: check(name, getattr(self, name)) for name, check in DETECTOR_PARAMETERS.items()}
        )

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

    def _trainable_further(self) -> CharRNN | CharNGram:
        """Return the fitted model, of which `partial_fit` trains a copy."""
        model = self._fitted_model()
        if isinstance(model, CharRNN | CharNGram):
            return model
        raise InvalidInputError(
            f"estimator is a {type(model).__name__}, which partial_fit cannot train. Train its models and call "
            "calibrate(X), or pass a CharRNN or a CharNGram."
        )

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
