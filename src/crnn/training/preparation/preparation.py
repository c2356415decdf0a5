"""Preparation: from the arguments of `fit` to a run, with every check before any change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from ...errors import InvalidInputError
from ...model.extension import extended, places, widened
from ...model.layout import copied, layout_of
from ...model.state import WEIGHT_AVERAGE, ModelState
from ...model.symbol_pairs import SymbolPairs
from ...parameters.checks import checked_bool, generator
from ...parameters.optimizers import OPTIMIZERS
from ...parameters.settings import Settings, rounds_operands
from ...text.sources.fingerprint import Fingerprint
from ...text.sources.labeled_source import LabeledSource
from ...text.sources.sources import TextLike, text_source
from ...text.sources.stored_ids import TextIds
from ...text.sources.text_source import TextSource
from ...text.symbols.vocabulary import Vocabulary
from ..checkpoints.checkpoint_writer import CheckpointWriter
from ..checkpoints.run_state import RunState
from ..distributed.averaging_trainer import checked_average_every
from ..distributed.processes import Processes
from ..loop.budget import Budget
from ..loop.exclusive import ExclusiveUse
from ..loop.run import Checkpoints, TrainingRun, streams_for
from ..loop.validation import training_and_validation_ids
from .data_summary import data_summary
from .memory_need import check_memory
from .sample_weight import checked_weights

MAX_STEPS_BEFORE = 2**61  # limit of `n_steps` when a call begins: a file holds up to 2**62, which no call can reach


@dataclass(frozen=True)
class Call:
    """The arguments of a call of `fit` or `partial_fit`, or of a call that finishes one."""

    X: TextLike
    validation: TextLike | None = None
    sample_weight: ArrayLike | None = None
    labels: ArrayLike | None = None  # `labels`, `validation_labels`: labels of the documents of `X` and of `validation`
    validation_labels: ArrayLike | None = None
    max_epochs: int | None = None
    extend_vocabulary: bool = False
    average_every: int = 1  # steps each process takes alone before the processes average
    resumed: RunState | None = None  # the interrupted run; all arguments above except the texts then follow from it


@dataclass(frozen=True)
class Hooks:
    """The functions that a run calls and the flag that it polls."""

    callbacks: Sequence[Callable[[dict[str, Any]], Any]]
    sample: Callable[[], Iterable[str | bytes]]  # returns the samples that ``verbose=2`` shows
    stop: ExclusiveUse
    writer: CheckpointWriter | None
    processes: Processes | None = None  # the processes that train together


def prepared_run(call: Call, settings: Settings, state: ModelState | None, start: float, hooks: Hooks) -> TrainingRun:
    """Return the run for a call of training, which continues from a state or, without one, starts anew; `start` is when
    the call began, by `time.perf_counter`.
    """
    resumed = call.resumed
    average_every = checked_average_every(call.average_every) if resumed is None else resumed.average_every
    source, held_out = _sources(call, None if state is None else state.vocabulary.labels)
    if state is not None and resumed is None:
        state = state.averaged()
    if state is None:
        vocabulary, n_steps = source.vocabulary(settings.min_count, given=settings.vocabulary), 0
    else:
        state.check(settings)
        _check_steps(state)
        vocabulary, n_steps = state.vocabulary, state.n_steps if resumed is None else resumed.first_step
        if checked_bool("extend_vocabulary", call.extend_vocabulary):
            vocabulary = extended(vocabulary, source.vocabulary(boundary=vocabulary.boundary is not None))
    texts = _fingerprints(source, held_out) if resumed or hooks.writer or hooks.processes else {}
    if resumed is not None:
        _compare(resumed.texts, texts)
    ids, validation_ids = training_and_validation_ids(source, held_out, vocabulary, settings)
    rng = generator(settings.random_state)  # checked even if unused
    rng = rng if state is None else state.rng
    if hooks.processes:
        hooks.processes.check_batch_size(settings.batch_size)
    weights = None if resumed is None else resumed.sample_weight
    if call.sample_weight is not None:
        weights = checked_weights(call.sample_weight, source, vocabulary)
    streams = streams_for(ids, vocabulary, settings, rng, n_steps, weights)
    layout = layout_of(settings, len(vocabulary), _pairs(settings, ids, vocabulary, state))
    check_memory(
        layout,
        streams,
        len(OPTIMIZERS[settings.optimizer].state) + (settings.weight_average > 0),
        keep_best=validation_ids is not None and settings.restore_best,
        checkpoints=hooks.writer is not None,
        own=hooks.processes.own(settings.batch_size) if hooks.processes else None,
        bfloat16=rounds_operands(settings.matmul_precision, settings.dtype),
        sampled_softmax=settings.sampled_softmax or 0,
        dropout=settings.dropout > 0,
    )
    options: Any = {name: getattr(settings, name) for name in ("optimizer", "batch_size", "seq_length")}
    if state is None:
        state = ModelState.initial(layout, vocabulary, rng, init_scale=settings.init_scale, **options)
    else:
        state = state.carried_on(**options)
        if vocabulary is not state.vocabulary:
            state = widened(state, vocabulary, layout)
    if settings.weight_average and resumed is None:
        state.optimizer_state = {**state.optimizer_state, WEIGHT_AVERAGE: copied(state.params)}
    budget = Budget.of_call(settings, streams.steps_per_epoch, call.max_epochs)
    if resumed is not None:
        budget = Budget(resumed.max_steps, resumed.max_seconds)
    return TrainingRun(
        state,
        settings,
        streams,
        budget,
        validation_ids,
        start=start if resumed is None else start - resumed.seconds,
        callbacks=hooks.callbacks,
        summary=data_summary(ids, validation_ids, vocabulary) if settings.verbose else "",
        sample=hooks.sample,
        stop=hooks.stop,
        texts=texts,
        checkpoints=None if hooks.writer is None else Checkpoints(hooks.writer, weights),
        resumed=resumed,
        processes=hooks.processes,
        average_every=average_every,
    )


def _pairs(settings: Settings, ids: TextIds, vocabulary: Vocabulary, state: ModelState | None) -> SymbolPairs | None:
    """Return the symbol pairs with rows of their own: the text's, or the continued model's."""
    if state is None:
        if settings.n_bigrams is None:
            return None
        n, V = settings.n_bigrams, len(vocabulary)
        return SymbolPairs.most_frequent(ids, n, vocab_size=V, boundary=vocabulary.boundary)
    pairs = state.layout.pairs
    if pairs is None or vocabulary is state.vocabulary:
        return pairs
    return pairs.renumbered(places(state.vocabulary, vocabulary))


def _check_steps(state: ModelState) -> None:
    """Raise InvalidInputError unless a file can hold the number of steps after any call."""
    if not state.optimizer_start <= state.n_steps <= MAX_STEPS_BEFORE:
        raise InvalidInputError(
            f"n_steps_ is {state.n_steps}, but training started at {state.optimizer_start} and can continue only up to "
            "2**61 steps. Call fit to start anew."
        )


def check_texts(expected: dict[str, Fingerprint], call: Call, labels: tuple[Any, ...] = ()) -> None:
    """Raise InvalidInputError if a text is not the one that an interrupted call was reading.

    Examples
    --------
    >>> check_texts({"X": text_source("to be").fingerprint()}, Call("to be!"))
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: X is not the text of the interrupted run: it has 6 characters, not 5
    """
    _compare(expected, _fingerprints(*_sources(call, labels)))


def _sources(call: Call, known: tuple[Any, ...] | None) -> tuple[TextSource, TextSource | None]:
    """Return the sources of the texts; `known` are the labels of the model to be continued, if any."""
    source = text_source(call.X)
    held_out = None if call.validation is None else text_source(call.validation, "validation")
    if call.labels is None and (known or call.validation_labels is not None):
        raise InvalidInputError("labels is missing, but the model has labels. Pass one label per document.")
    if call.labels is not None:
        if known == ():
            raise InvalidInputError("labels is given, but the model was fitted without labels. Omit it, or call fit.")
        if held_out is not None and call.validation_labels is None:
            raise InvalidInputError("validation_labels is missing. Pass one label per document of validation.")
        if held_out is None and call.validation_labels is not None:
            raise InvalidInputError("validation_labels is given without validation. Pass its documents, too.")
        source = labeled = LabeledSource(source, call.labels, known)
        if held_out is not None and call.validation_labels is not None:
            of_model = known or labeled.labels
            held_out = LabeledSource(held_out, call.validation_labels, of_model, "validation_labels")
    return source, held_out


def _compare(expected: dict[str, Fingerprint], given: dict[str, Fingerprint]) -> None:
    for name in ("X", "validation"):
        if name in given and name not in expected:
            raise InvalidInputError(f"{name} is given, but the interrupted run has none. Omit it.")
        if name in expected and name not in given:
            raise InvalidInputError(f"{name} is missing. Pass the text on which the interrupted run measures its loss.")
        difference = expected[name].difference(given[name]) if name in expected else None
        if difference:
            raise InvalidInputError(f"{name} is not the text of the interrupted run: {difference}")


def _fingerprints(source: TextSource, held_out: TextSource | None) -> dict[str, Fingerprint]:
    texts = {"X": source.fingerprint()}
    return texts if held_out is None else texts | {"validation": held_out.fingerprint()}
