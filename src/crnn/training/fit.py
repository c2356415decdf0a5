"""Fit: a call of `fit`, `partial_fit` or `resume`, from its arguments to a plan, with every check before any change."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InvalidInputError
from ..model.layout import Layout, SymbolPairs, layout_of
from ..model.state import ModelState, extended_vocabulary, places, widened_state
from ..parameters.budget import Budget
from ..parameters.checks import FilePath, checked_bool, checked_path, checked_sample_weights, pcg64_generator
from ..parameters.settings import Settings, rounds_operands
from ..runtime.atomic_file import check_writable
from ..runtime.build_info import slower_build
from ..text.documents import warn_caller
from ..text.id_cache import Fingerprint
from ..text.labels import LabeledSource
from ..text.sources import TextLike, TextSource, text_source
from ..text.vocabulary import Ids, Vocabulary
from .checkpoints import CheckpointWriter, RunState, checkpoint_interval
from .data import check_memory, data_summary, streams_for, training_and_validation_ids
from .plan import TrainingPlan
from .processes import Processes, processes_of

Validation = TextLike | tuple[TextLike, ArrayLike | None]  # a text, or documents and their labels


@dataclass(frozen=True)
class FitArguments:
    """The arguments of `fit` or `partial_fit`; `resumed` is an interrupted run, from which all but the texts follow."""

    X: TextLike
    y: ArrayLike | None = None
    validation: Validation | None = None
    sample_weight: ArrayLike | None = None
    max_epochs: int | None = None
    extend_vocabulary: bool = False
    checkpoint: FilePath | None = None
    checkpoint_every: int | None = None
    checkpoint_seconds: float | None = None
    comm: Any = None
    resumed: RunState | None = None


def plan_training(
    call: FitArguments, parameters: Mapping[str, Any], state: ModelState | None, write: Callable[..., None]
) -> TrainingPlan:
    """Return the plan of a call with the constructor's `parameters`, to continue from a `state` or make a new one.

    `write` writes a checkpoint, given the state and, by keyword, the run, the parameters and the path. With several
    processes, an invalid argument of one raises InvalidInputError in all.
    """
    start = time.perf_counter()
    processes = processes_of(call.comm)
    check = partial(_settings_and_writer, call, parameters, write, first=not processes or processes.rank == 0)
    if processes is None:
        return _plan(call, *check(), state, start)
    # Weights, dropout and the order of documents follow from rank 0's generator.
    settings, writer = processes.call_in_all(check)
    rng = processes.call_in_all(partial(pcg64_generator, settings.random_state))
    settings = replace(settings, random_state=processes.from_first(rng))
    state = None if state is None else replace(state, rng=processes.from_first(state.rng))
    plan = processes.call_in_all(partial(_plan, call, settings, writer, state, start, processes))
    may_differ: Any = {"random_state": None, "n_threads": None, "verbose": 0, "callbacks": ()}
    processes.require_same("a parameter of the model", repr(replace(settings, **may_differ)))
    for name, values in (("sample_weight", call.sample_weight), ("y", call.y)):
        processes.require_same(name, None if values is None else _digest(values))
    processes.require_same("a text", repr(plan.texts))  # includes the labels: see `LabeledSource.fingerprint`
    if state is not None:
        processes.require_same("the model", state.digest())
    return plan


def _settings_and_writer(
    call: FitArguments, parameters: Mapping[str, Any], write: Callable[..., None], *, first: bool
) -> tuple[Settings, CheckpointWriter | None]:
    """Return the settings and the checkpoint writer; only the first of several processes prints and writes."""
    settings = Settings.check(parameters)
    if not first:
        return replace(settings, verbose=0), None
    bfloat16 = rounds_operands(settings.matmul_precision, settings.dtype)
    if message := slower_build("bfloat16" if bfloat16 else settings.dtype.name):
        warn_caller(message)
    if call.checkpoint is None:
        return settings, None
    path = checked_path("checkpoint", call.checkpoint)
    check_writable(path)
    to_path = partial(write, parameters=parameters, path=path)
    return settings, CheckpointWriter(
        to_path, path, checkpoint_interval(call.checkpoint_every, call.checkpoint_seconds)
    )


def _digest(values: ArrayLike) -> str:
    """Return a digest of numbers or labels, whatever their container, for comparison between processes."""
    return hashlib.sha256(repr(np.asarray(values).tolist()).encode("utf-8", "surrogatepass")).hexdigest()


def _plan(
    call: FitArguments,
    settings: Settings,
    writer: CheckpointWriter | None,
    state: ModelState | None,
    start: float,
    processes: Processes | None = None,
) -> TrainingPlan:
    """Return the plan of a call that began at `start`; the arguments not in `call` are `plan_training`'s, checked."""
    resumed = call.resumed
    source, held_out = _sources(call, None if state is None else state.vocabulary.labels)
    vocabulary = _vocabulary(call, settings, source, state)
    texts = _fingerprints(source, held_out) if resumed or writer or processes else {}
    if resumed is not None:
        _require_same_texts(resumed.texts, texts)
    ids, validation_ids = training_and_validation_ids(source, held_out, vocabulary, settings)
    rng = pcg64_generator(settings.random_state)  # checked even if unused
    rng = rng if state is None else state.rng
    if processes:
        processes.check_batch_size(settings.batch_size)
    weights = None if resumed is None else resumed.sample_weight
    if call.sample_weight is not None:
        if vocabulary.boundary is None:
            raise InvalidInputError("sample_weight needs documents, but X is a single text. Pass a list of texts.")
        weights = checked_sample_weights(call.sample_weight, source.n_documents)
    if state is None:
        first_step = 0
    elif resumed is None:
        first_step = state.n_steps
    else:
        first_step = resumed.first_step
    streams = streams_for(ids, vocabulary, settings, rng, first_step, weights)
    layout = layout_of(settings, len(vocabulary), _pairs(settings, ids, vocabulary, state))
    check_memory(
        layout,
        streams,
        settings,
        keep_best=validation_ids is not None and settings.restore_best,
        checkpoints=writer is not None,
        own_streams=processes.own_streams(settings.batch_size) if processes else None,
    )
    if resumed is None:
        budget = Budget.of_call(settings, streams.steps_per_epoch, call.max_epochs)
    else:
        budget = Budget(resumed.max_steps, resumed.max_seconds)
        start -= resumed.seconds
    return TrainingPlan(
        _initial_state(settings, layout, vocabulary, rng, state),
        settings,
        streams,
        budget,
        start,
        validation_ids=validation_ids,
        sample_weight=weights,
        texts=texts,
        summary=data_summary(ids, validation_ids, vocabulary) if settings.verbose else "",
        writer=writer,
        resumed=resumed,
        processes=processes,
    )


def _vocabulary(call: FitArguments, settings: Settings, source: TextSource, state: ModelState | None) -> Vocabulary:
    """Return the vocabulary after the call: the text's, or the continued model's, perhaps extended."""
    if state is None:
        return source.vocabulary(settings.min_count, given=settings.vocabulary)
    state.check(settings)
    vocabulary = state.vocabulary
    if checked_bool("extend_vocabulary", call.extend_vocabulary):
        return extended_vocabulary(vocabulary, source.vocabulary(boundary=vocabulary.boundary is not None))
    return vocabulary


def _initial_state(
    settings: Settings, layout: Layout, vocabulary: Vocabulary, rng: np.random.Generator, state: ModelState | None
) -> ModelState:
    """Return the state before the first step: a new one, or the continued model's."""
    options: Any = {name: getattr(settings, name) for name in ("optimizer", "batch_size", "seq_length")}
    if state is None:
        return ModelState.initial(layout, vocabulary, rng, init_scale=settings.init_scale, **options)
    new = state.carried_on(**options)
    return new if vocabulary is state.vocabulary else widened_state(new, vocabulary, layout)


def _pairs(settings: Settings, ids: Ids, vocabulary: Vocabulary, state: ModelState | None) -> SymbolPairs | None:
    """Return the symbol pairs with rows of their own: the text's, or the continued model's."""
    if state is None:
        if settings.n_bigrams is None:
            return None
        n = settings.n_bigrams
        V = len(vocabulary)
        return SymbolPairs.most_frequent(ids, n, vocab_size=V, boundary=vocabulary.boundary)
    pairs = state.layout.pairs
    if pairs is None or vocabulary is state.vocabulary:
        return pairs
    return pairs.renumber(places(state.vocabulary, vocabulary))


def check_texts(expected: dict[str, Fingerprint], call: FitArguments, model_labels: tuple[Any, ...] = ()) -> None:
    """Raise InvalidInputError if a text is not the one that an interrupted call was reading."""
    _require_same_texts(expected, _fingerprints(*_sources(call, model_labels)))


def _sources(call: FitArguments, model_labels: tuple[Any, ...] | None) -> tuple[TextSource, TextSource | None]:
    """Return the sources of the texts; the labels are those of the model to be continued, if any."""
    source = text_source(call.X)
    validation, validation_y = _validation_pair(call.validation)
    held_out = None if validation is None else text_source(validation, "validation")
    if call.y is None:
        if model_labels:
            raise InvalidInputError("y is missing, but the model has labels. Pass one label per document.")
        if validation_y is not None:
            raise InvalidInputError("validation has labels, but y is missing. Pass one label per document of X.")
        return source, held_out
    if model_labels == ():
        raise InvalidInputError("y is given, but the model was fitted without labels. Omit y, or call fit.")
    labeled = LabeledSource(source, call.y, model_labels)
    if held_out is not None:
        if validation_y is None:
            raise InvalidInputError("validation has no labels. Pass a pair: validation=(X, y).")
        held_out = LabeledSource(held_out, validation_y, model_labels or labeled.labels, "validation[1]")
    return labeled, held_out


def _validation_pair(validation: Any) -> tuple[TextLike | None, ArrayLike | None]:
    """Return the validation text, if any, and its documents' labels, if any; a tuple is always a pair of the two."""
    if not isinstance(validation, tuple):
        return validation, None
    if len(validation) != 2:
        raise InvalidInputError(
            f"validation is a tuple of {len(validation)}, but a tuple must be a pair (X, y) of documents and their "
            "labels. Pass a list of texts for documents without labels."
        )
    X, y = validation
    return X, y


def _require_same_texts(expected: dict[str, Fingerprint], found: dict[str, Fingerprint]) -> None:
    """Raise an error unless a run is resumed with the texts that it began with."""
    for name in ("X", "validation"):
        if name in found and name not in expected:
            raise InvalidInputError(f"{name} is given, but the interrupted run has none. Omit it.", argument=name)
        if name in expected and name not in found:
            raise InvalidInputError(
                f"{name} is missing. Pass the text on which the interrupted run measures its loss.", argument=name
            )
        difference = expected[name].difference(found[name]) if name in expected else None
        if difference:
            raise InvalidInputError(f"{name} is not the text of the interrupted run: {difference}", argument=name)


def _fingerprints(source: TextSource, held_out: TextSource | None) -> dict[str, Fingerprint]:
    texts = {"X": source.fingerprint()}
    return texts if held_out is None else texts | {"validation": held_out.fingerprint()}
