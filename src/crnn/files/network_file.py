"""The file of a network, and the checkpoint of its training run: the parameters and the state, without pickle.

The weights have PyTorch's names, so that ``torch.nn.RNN``, ``GRU`` or ``LSTM`` and ``torch.nn.Linear`` can load them
directly. A ``cifg`` cell is stored as an LSTM in which the input gate has the forget gate's weights, negated (see
`crnn.model.layout`). It is a sealed file (see `sealed_file`), whose ``__metadata__`` also contains

=================== ========================================================================
``configuration``   JSON: the constructor's parameters, including the precision of products
``architecture``    JSON: cell, num_layers, hidden_size, vocab_size, dtype; embedding_size and n_pairs if the model
                    has an embedding or a table of pairs. It implies every weight's shape. With ``int8`` each
                    matrix contains 8-bit integers, to be multiplied by the scales of its outputs, float32, in
                    ``<weight>.scale``
``vocabulary``      JSON: ``kind`` and the ``codes`` (code points or byte values) of the V symbols in id order;
                    ``unknown`` and ``boundary``, each ``true``, if there are such symbols; ``labels`` if any
=================== ========================================================================

In addition to the weights there may be tensors; those in the first column are JSON documents as bytes:

================ ===============================================================================================
``training``     The training state. With it ``state.<name>`` (L, B, H), the hidden state;
                 ``optimizer.<name>.<weight>``, the optimizer state (for one bias per layer, and
                 ``rnn.bias_hn_l<k>`` of a GRU, since crnn has no other biases; not for the input gate of
                 ``cifg``).
``best``         Step and smoothed loss at the lowest validation loss of an unfinished run. With it
                 ``best.<tensor>`` for the weights and each tensor of the training state at that step.
``run``          The state of such a run, with ``run.<name>`` for its arrays: see `StoredRecord`.
``bigrams.pairs`` Not a document: the pairs of symbols with rows in ``bigrams.weight``, int32 (R, 2); -1: none.
``gradient_rms`` Not a document: root mean squares of the gradients, float16; see `gradient_rms`.
================ ===============================================================================================

The header and every document may have up to 16 MB.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..model.layout import (
    SHAPING,
    Layout,
)
from ..model.state import ModelState, gradient_rms, zero_optimizer_state
from ..parameters.checks import checked_bool, generator, pcg64_generator
from ..parameters.settings import Settings
from .entries import checked_configuration
from .int8_tensors import float_tensors, named_scales
from .network_contents import (
    SIZES,
    Architecture,
    NetworkFile,
    StoredRecord,
    expected_tensors,
    network_bytes,
    network_contents,
)
from .network_tensors import (
    flat_weights,
    generator_from_bits,
    hidden_state_of,
    new_hidden_state,
    optimizer_state_of,
    symbol_pairs,
    torch_tensors,
)
from .sealed_file import (
    Path,
    open_model,
)


class StoredNetwork(NamedTuple):
    """The contents of a file: a model, and its unfinished run."""

    parameters: dict[str, Any]
    state: ModelState
    run: StoredRecord | None  # the state of the run
    best: ModelState | None  # at the run's lowest validation loss, if not the current state

    @property
    def final_state(self) -> ModelState:
        """The state that an unfinished run would have kept: at the lowest validation loss, if the file has it."""
        return self.state if self.best is None else self.best


def read(path: Path, defaults: Mapping[str, Any]) -> StoredNetwork:
    """Return everything in a file; `defaults` replace missing parameters. Memory: three times the file plus 16 MB."""
    with open_model(path, "network", expected_tensors) as (entries, tensors):
        file = network_contents(entries, tensors)
        parameters, settings = checked_configuration(file.configuration, defaults, _checked_settings)
        state = _state(
            file,
            optimizer=settings.optimizer,
            batch_size=settings.batch_size,
            seq_length=settings.seq_length,
            random_state=settings.random_state,
        )
        best = None
        if file.best is not None:
            best = replace(
                state,
                **file.best,
                params=flat_weights(state.layout, file.best_tensors),
                optimizer_state=optimizer_state_of(state.layout, state.optimizer, file.best_tensors),
                hidden=hidden_state_of(state.layout, file.best_tensors),
            )
        return StoredNetwork(parameters, state, file.run, best)


def to_bytes(
    state: ModelState,
    parameters: Mapping[str, Any],
    *,
    training_state: bool,
    run: StoredRecord | None = None,
    best: ModelState | None = None,
) -> bytes:
    """Return the bytes of a file, with `training_state` also of optimizer state, hidden state, counters, random state.

    The state must not change during the call. `run` is the state of the run that is training the model, and `best` the
    snapshot at its lowest validation loss.
    """
    _checked_settings(parameters)
    checked_bool("training_state", training_state)
    file = _file_of(state, _portable(parameters), training_state=training_state)
    if not training_state and state.scales is None:
        file = replace(file, gradient_rms=gradient_rms(state, parameters["beta_2"]))
    if best is not None:
        tensors = torch_tensors(state.layout, best.params) | best.training_arrays()
        file = replace(file, best={"n_steps": best.n_steps, "smooth_loss": best.smooth_loss}, best_tensors=tensors)
    return network_bytes(replace(file, run=run))


def _checked_settings(parameters: Mapping[str, Any]) -> Settings:
    """Return the settings, with the seed checked, too."""
    settings = Settings.check(parameters)
    if not hasattr(settings.random_state, "random"):
        generator(settings.random_state)
    return settings


def _portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in a form that JSON can hold; generators, stored separately, and callbacks become None."""
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    out["callbacks"] = None
    del out["vocabulary"]  # the file has the model's vocabulary
    return out


def state_to_bytes(state: ModelState) -> bytes | ModelState:
    """Return a state, for a pickle, as the contents of a model file, or a copy if its weights are not finite."""
    copy = state.copy_between_steps()
    layout = copy.layout
    configuration = {name: getattr(layout, name) for name in SHAPING}
    configuration |= {"dtype": layout.dtype.name, "optimizer": copy.optimizer, "seq_length": copy.loss_length}
    try:
        file = _file_of(copy, configuration, training_state=True)
        return network_bytes(replace(file, gradient_rms=copy.gradient_rms))
    except (ValueError, TypeError):
        return copy


def state_from_bytes(content: bytes) -> ModelState:
    """Return the state written by `state_to_bytes`."""
    with open_model(io.BytesIO(content), "network", expected_tensors) as (entries, tensors):
        file = network_contents(entries, tensors)
        return replace(_state(file, optimizer="adagrad", batch_size=1, seq_length=1), gradient_rms=file.gradient_rms)


def _file_of(state: ModelState, configuration: dict[str, Any], *, training_state: bool) -> NetworkFile:
    """Return the contents of a file, given a state that does not change during the call."""
    layout = state.layout
    training = {
        "n_steps": state.n_steps,
        "smooth_loss": state.smooth_loss,
        "loss_length": state.loss_length,
        "random_state": state.rng.bit_generator.state,
        "history": state.history,
        "optimizer": state.optimizer,
        "optimizer_start": state.optimizer_start,
    }
    return NetworkFile(
        configuration=configuration,
        architecture=Architecture(
            **{name: getattr(layout, name) for name in SIZES},
            dtype=layout.dtype.name,
            int8=None if state.scales is None else True,
        ),
        vocabulary=state.vocabulary,
        tensors=torch_tensors(layout, state.params, state.scales),
        training=training if training_state else None,
        training_tensors=state.training_arrays() if training_state else {},
        pairs=None if layout.pairs is None else layout.pairs.pairs,
    )


def _state(
    file: NetworkFile, *, optimizer: str, batch_size: int, seq_length: int, random_state: Any = None
) -> ModelState:
    """Return the state in a file; the other arguments replace what a file of weights alone lacks."""
    architecture = file.architecture
    training = file.training or {}
    layout = Layout(
        architecture.vocab_size,
        architecture.hidden_size,
        np.dtype(architecture.dtype),
        cell=architecture.cell,
        num_layers=architecture.num_layers,
        embedding_size=architecture.embedding_size,
        pairs=symbol_pairs(file.pairs, file.configuration),
    )
    random_bits = training.get("random_state")
    optimizer = training.get("optimizer", optimizer)
    tensors, by_name = float_tensors(file.tensors)
    scales = named_scales(layout, by_name)
    if scales is not None:
        optimizer_state = {}
    elif training:
        optimizer_state = optimizer_state_of(layout, optimizer, file.training_tensors)
    else:
        optimizer_state = zero_optimizer_state(optimizer, layout)
    return ModelState(
        layout=layout,
        params=flat_weights(layout, tensors),
        optimizer=optimizer,
        optimizer_state=optimizer_state,
        optimizer_start=training.get("optimizer_start", 0),
        hidden=hidden_state_of(layout, file.training_tensors) if training else new_hidden_state(layout, batch_size),
        vocabulary=file.vocabulary,
        rng=pcg64_generator(random_state) if random_bits is None else generator_from_bits(random_bits),
        n_steps=training.get("n_steps", 0),
        smooth_loss=training.get("smooth_loss", seq_length * float(np.log(layout.vocab_size))),
        loss_length=training.get("loss_length", seq_length),
        history=training.get("history", []),
        gradient_rms=None if file.gradient_rms is None else np.array(file.gradient_rms),
        scales=scales,
    )
