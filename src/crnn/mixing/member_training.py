"""The training of a mixture: copies of its models learn a text within a shared time, then their weights are found."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import DivergenceError, InvalidInputError, short_repr
from ..files import model_file
from ..files.entries import MAX_MODELS
from ..files.run_file import unfinished_run
from ..files.sealed_file import NamedBytes
from ..inference.mixture_weights import import_minimizer
from ..language_model import LanguageModel
from ..ngram.word_counts import WordCounts, has_words
from ..ngram.words_network import MixedWords
from ..parameters.checks import FilePath, checked_int, checked_threads, is_int
from ..parameters.intervals import Interval
from ..scoring.text_scores import source_ids
from ..text.held_out import Split, split_held_out
from ..text.sources import TextLike, rereadable, text_source
from ..training.checkpoints import checkpoint_interval
from ..training.fit import FitArguments
from .checkpoint import MixtureCheckpoint
from .members import Members, check_members, checked_models, checked_weights, member_names, unfitted_copy
from .shared_time import SharedTime, checked_seconds
from .weights_fit import FittedWeights, HeldOutDocuments, TriedWords, encode_held_out, fit_to_held_out

MAX_MEMORY = 10**9  # default memory limit in bytes, for files of at most about 80 MB
SHORT_DOCUMENTS = 20  # mean symbols per document
# The order of the counts, unless given: as much as fits in the memory, and less if shorter counts are as good.
LONGEST = 24
CHOICE = 2.0  # times as long as counting: the choice of the order, for which time is reserved
MIN_HELD_OUT_OF_WORDS = 8000  # held-out symbols; fewer tell too little about the weights of a third member


class MixtureSettings(NamedTuple):
    """The parameters of a mixture, checked."""

    models: list[LanguageModel]
    weights: NDArray[np.float64] | None
    words: bool | Literal["auto"]
    max_seconds: float | None
    n_threads: int | None
    verbose: int

    @classmethod
    def check(cls, *, models: Any, weights: Any, words: Any, max_seconds: Any, n_threads: Any, verbose: Any) -> Self:
        """Return the settings after all parameters are checked."""
        models = checked_models(models)
        weights = None if weights is None else checked_weights(weights, len(models))
        max_seconds = checked_seconds(max_seconds)
        checked_threads(n_threads)
        verbose = checked_int("verbose", verbose, 0)
        if not isinstance(words, bool) and words != "auto":
            raise InvalidInputError(f"words is {short_repr(words)}. Pass True, False or 'auto'.")
        return cls(models, weights, words, max_seconds, n_threads, verbose)

    def wanted_words(self, y: Any, sample_weight: Any) -> bool | Literal["auto"]:
        """Return whether to count words: as the parameter says, but never if another argument rules it out."""
        if self.words is False:
            return False
        reason = None
        if self.weights is not None:
            reason = "weights is given"
        elif y is not None:
            reason = "y is given"
        elif sample_weight is not None:
            reason = "sample_weight is given"
        elif not any(isinstance(model, CharNGram) for model in self.models):
            reason = "models has no CharNGram"
        elif len(self.models) == MAX_MODELS:
            reason = f"models has {MAX_MODELS} models already"
        if reason is None:
            return self.words
        if self.words is True:
            raise InvalidInputError(f"words is True, but {reason}. Pass words=False, or change the other argument.")
        return False


class TrainingCall(NamedTuple):
    """The arguments of a call of `Mixture.fit` or `Mixture.partial_fit`."""

    X: TextLike
    y: ArrayLike | None = None
    validation: Any = None
    sample_weight: ArrayLike | None = None
    checkpoint: FilePath | None = None
    checkpoint_every: int | None = None
    checkpoint_seconds: float | None = None

    def checkpoint_of(
        self,
        members: Members,
        *,
        fits_weights: bool,
        words: bool | Literal["auto"],
        max_seconds: float | None,
    ) -> MixtureCheckpoint | None:
        """Return the call's checkpoint, if it has one: the file says how to go on from these members."""
        document = {
            "finished": False,
            "fits_weights": fits_weights,
            "has_validation": self.validation is not None,
            "words": words,
            "max_seconds": max_seconds,
        }
        interval = checkpoint_interval(self.checkpoint_every, self.checkpoint_seconds)
        return MixtureCheckpoint.of(self.checkpoint, interval, members, document)


def train_members(
    settings: MixtureSettings, call: TrainingCall, keep: Callable[[Members], None], start: float | None = None
) -> None:
    """Train copies of a mixture's models from the beginning, and find their weights and words, as `Mixture.fit` says.

    The mixture keeps the members that it is given: those found, or after an interruption the models as they are. The
    shared time began at the `start`.
    """
    shared_time = SharedTime(settings.max_seconds, start)
    weights = settings.weights
    if weights is not None and call.validation is not None:
        raise InvalidInputError("validation is for the weights, but weights is given. Omit one of them.")
    X = rereadable(call.X)
    if weights is None:
        split = split_held_out(X, call.validation, y=call.y, sample_weight=call.sample_weight)
    else:
        split = Split(X, call.y, call.sample_weight, held_out=None)
    models = [unfitted_copy(model) for model in settings.models]
    wanted_words = settings.wanted_words(call.y, call.sample_weight)
    before = Members(models, checked_weights(weights, len(models)))
    checkpoint = call.checkpoint_of(
        before, fits_weights=weights is None, words=wanted_words, max_seconds=settings.max_seconds
    )
    training = MemberTraining(models, split, shared_time, checkpoint, verbose=settings.verbose)
    try:
        training.count()
        training.count_words(wanted_words)
        training.train_networks()
        found = training.find_weights(weights, sum_to_one=call.validation is None)
    except (KeyboardInterrupt, DivergenceError):
        if all(model.__sklearn_is_fitted__() for model in models):
            keep(before)
        raise
    finally:
        training.restore_parameters()
    keep(found)
    if checkpoint is not None:
        checkpoint.write_last(found)


def train_members_further(
    settings: MixtureSettings,
    members: Members,
    call: TrainingCall,
    keep: Callable[[Members], None],
    *,
    epochs: int | None,
) -> None:
    """Train copies of a mixture's fitted models on another text, as `Mixture.partial_fit` says.

    The mixture keeps the members that it is given: those found, or after an interruption the models, if all of them
    have learned.
    """
    shared_time = SharedTime(settings.max_seconds)
    X = rereadable(call.X)
    held_out = None if call.validation is None else split_held_out(X, call.validation, y=call.y).held_out
    models = [copy.deepcopy(model) for model in members.models]
    before = members._replace(models=models)
    checkpoint = call.checkpoint_of(
        before,
        fits_weights=held_out is not None,
        words=members.words is not None,
        max_seconds=settings.max_seconds,
    )
    split = Split(X, call.y, call.sample_weight, held_out)
    training = MemberTraining(models, split, shared_time, checkpoint, verbose=settings.verbose)
    training.keep_words(members.words)
    try:
        training.count(anew=False)
        training.train_networks(anew=False, epochs=epochs)
        found = training.find_weights(members.weights if held_out is None else None, sum_to_one=False)
    except (KeyboardInterrupt, DivergenceError):
        if training.all_have_learned:
            keep(before)
        raise
    finally:
        training.restore_parameters()
    keep(found)
    if checkpoint is not None:
        checkpoint.write_last(found)


class MemberTraining:
    """The training of a mixture's `models` on a text within a time; then it finds their weights.

    The models are changed in place: the caller hands over copies.
    """

    def __init__(
        self,
        models: list[LanguageModel],
        split: Split,
        shared_time: SharedTime,
        checkpoint: MixtureCheckpoint | None,
        *,
        verbose: int,
    ) -> None:
        self._models = models
        self._checkpoint = checkpoint
        self._steps_before = [model.n_steps_ if _has_steps(model) else 0 for model in models]
        self._split = split
        self._time = shared_time
        self._verbose = verbose
        self._held_out: HeldOutDocuments | None = None
        self._chosen: int | None = None  # the index of the counts whose order will be chosen
        self._words: TriedWords | None = None
        self._words_before: MixedWords | None = None  # those of a mixture that is trained further
        self._parameters = [
            {name: value for name, value in model.get_params(deep=False).items() if name in ("verbose", "max_seconds")}
            for model in models
        ]
        for model, parameters in zip(models, self._parameters, strict=True):
            if "verbose" in parameters and is_int(parameters["verbose"]):
                model.set_params(verbose=max(parameters["verbose"], self._verbose))

    @property
    def all_have_learned(self) -> bool:
        """Whether every network has taken a step of the call; counts come before."""
        steps = zip(self._models, self._steps_before, strict=True)
        return all(model.n_steps_ > before for model, before in steps if isinstance(model, CharRNN))

    def restore_parameters(self) -> None:
        """Give the models the parameters back that training has changed."""
        for model, parameters in zip(self._models, self._parameters, strict=True):
            model.set_params(**parameters)

    def count(self, *, anew: bool = True) -> None:
        """Fit the counts to the text, `anew` or further; they come first, since they take a known time."""
        split = self._split
        of_counts = [i for i, model in enumerate(self._models) if isinstance(model, CharNGram)]
        open_orders = [i for i in of_counts if _is_open_order(self._models[i])]
        may_choose = anew and split.held_out is not None and split.y is None and len(open_orders) == 1
        self._chosen = open_orders[0] if may_choose else None
        if self._time.has_limit and split.held_out is not None:
            import_minimizer()  # now, since the time that is left for the networks should not include it
        start = self._time.elapsed
        for i in of_counts:
            counts = self._models[i]
            assert isinstance(counts, CharNGram)
            arguments: Any = {"y": split.y, "sample_weight": split.sample_weight}
            if anew:
                longest = self._longest(is_only_open_order=len(open_orders) == 1)
                counts._fit(split.X, last=self._time.max_counted, longest=longest, **arguments)
            else:
                counts.partial_fit(split.X, **arguments)
        if self._chosen is not None:
            self._time.reserve(CHOICE * (self._time.elapsed - start))
        if of_counts:
            self._encode_held_out(self._models[of_counts[0]])

    def count_words(self, wanted: bool | Literal["auto"]) -> None:
        """Count the words of the text, after all counts, if that is wanted and may help."""
        held_out = self._held_out
        is_automatic = wanted == "auto"
        if wanted is False or (is_automatic and (held_out is None or held_out.n_symbols < MIN_HELD_OUT_OF_WORDS)):
            return
        start = self._time.elapsed
        counts = next(model for model in self._models if isinstance(model, CharNGram))
        vocabulary = counts.vocabulary_
        ids, _ = source_ids(text_source(self._split.X), vocabulary)
        most = self._time.max_counted
        ids = ids if most is None else ids[-most:]
        if is_automatic and not has_words(ids, vocabulary):
            return
        max_memory = MAX_MEMORY if counts.max_memory is None else int(counts.max_memory)
        self.keep_counted_words(WordCounts.of(ids, vocabulary, max_memory), wanted)
        self._time.reserve(self._time.elapsed - start)

    def keep_counted_words(self, counts: WordCounts, wanted: bool | Literal["auto"]) -> None:
        """Try words that are counted already."""
        self._words = TriedWords(counts, required=wanted is True)
        if self._checkpoint is not None:
            self._checkpoint.pending_words = counts

    def keep_words(self, words: MixedWords | None) -> None:
        """Keep the words of a mixture that is trained further."""
        self._words = None if words is None else TriedWords(words.counts, required=True)
        self._words_before = words

    def _longest(self, *, is_only_open_order: bool) -> int | None:
        """Return the order for counts of which none is given: the longest, or None if `CharNGram` should choose."""
        if not is_only_open_order:
            return None
        if self._chosen is not None:
            return LONGEST
        source = text_source(self._split.X)
        is_short = source.holds_documents and source.max_length < SHORT_DOCUMENTS * source.n_documents
        return None if is_short else LONGEST

    def train_networks(self, *, anew: bool = True, epochs: int | None = None) -> None:
        """Fit all models but the counts, `anew` or further; they share the time that is left equally."""
        split = self._split
        networks = [model for model in self._models if not isinstance(model, CharNGram)]
        for i, network in enumerate(networks):
            left = self._time.left()
            if left is not None and "max_seconds" in network.get_params(deep=False):
                network.set_params(max_seconds=left / (len(networks) - i))
            arguments: dict[str, Any] = {}
            if split.y is not None:
                arguments["y"] = split.y
            if split.sample_weight is not None:
                arguments["sample_weight"] = split.sample_weight
            if self._checkpoint is not None:
                arguments |= self._checkpoint.arguments(self._models)
            if epochs is not None and isinstance(network, CharRNN):
                arguments["epochs"] = epochs
            model: Any = network
            train = model.fit if anew else model.partial_fit
            train(split.X, **arguments)
            self._encode_held_out(network)
        self._time.networks_end()

    def resume_network(self, parts: model_file.Parts, path: str) -> None:
        """Finish the interrupted run of the network in a checkpoint, whose counts are complete."""
        checkpoint = self._checkpoint
        assert checkpoint is not None
        (i,) = [i for i, model in enumerate(self._models) if isinstance(model, CharRNN)]
        self._encode_held_out(self._models[i])
        open_orders = [k for k, model in enumerate(self._models) if _is_open_order(model)]
        may_choose = self._held_out is not None and self._split.y is None and len(open_orders) == 1
        self._chosen = open_orders[0] if may_choose else None
        stream = NamedBytes(parts[i][1], path)
        overrides = {"verbose": self._verbose}
        parameters, state, run = unfinished_run(stream, CharRNN._defaults(), overrides)
        network = CharRNN._from_state(parameters, state)
        checkpoint.interval = Interval(run.checkpoint_every, run.checkpoint_seconds)
        arguments = checkpoint.arguments(self._models)
        call = FitArguments(self._split.X, y=self._split.y, resumed=run, **arguments)
        self._models[i] = network
        network._finish(call, run)
        network.verbose = 0

    def _encode_held_out(self, model: LanguageModel) -> None:
        """Encode the held-out text with a model's symbols, which refuses unknown ones before more is trained."""
        if self._held_out is None and self._split.held_out is not None:
            self._held_out = encode_held_out(self._split.held_out, model.vocabulary_)

    def find_weights(self, given: NDArray[np.float64] | None, *, sum_to_one: bool) -> Members:
        """Return the members: with the given weights, or those that predict the held-out text best, or equal ones.

        With a held-out text, counts become shorter if that is as good, and words join if they help.
        """
        check_members(self._models)
        if given is not None:
            return Members(self._models, given, self._words_before)
        if self._held_out is None:
            return self._members_of_equal_weight()
        fitted = fit_to_held_out(
            self._models,
            self._held_out,
            sum_to_one=sum_to_one,
            chosen=self._chosen,
            shared_time=self._time,
            words=self._words,
        )
        self._models[:] = fitted.members.models
        if self._verbose:
            _print_losses(fitted)
        return fitted.members._replace(models=self._models)

    def _members_of_equal_weight(self) -> Members:
        """Return the models and the words, if they were counted, with equal weights."""
        n = len(self._models)
        equal = checked_weights(None, n)
        if self._words is None:
            return Members(self._models, equal)
        words = MixedWords(self._words.counts, self._models[0].vocabulary_, weights_without=equal)
        return Members(self._models, checked_weights(None, n + 1), words)


def _has_steps(model: LanguageModel) -> bool:
    """Return whether a model is a network that has been trained."""
    return isinstance(model, CharRNN) and model.__sklearn_is_fitted__()


def _is_open_order(model: LanguageModel) -> bool:
    """Return whether a model is counts whose order is not given."""
    return isinstance(model, CharNGram) and model.order is None


def _print_losses(fitted: FittedWeights) -> None:
    """Print the loss of each model and of the mixture on the held-out text."""
    names = member_names(fitted.members.models, has_words=fitted.members.words is not None)
    parts = [f"{name} {loss:.3f}" for name, loss in zip(names, fitted.losses, strict=True)]
    print(f"held-out loss in nats per symbol: {', '.join(parts)}, mixture {fitted.loss:.3f}", file=sys.stderr)
