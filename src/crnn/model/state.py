"""ModelState: everything that a model has learned, and the gate that separates its readers from its writers."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..parameters.kinds import OPTIMIZERS
from ..parameters.settings import Settings
from ..text.vocabulary import Vocabulary
from .int8_weights import Scales, int8_weights
from .layout import SHAPING, Layout, copy_in_pieces, initial_weights

MAX_REFERENCES = 100  # references to gates, including dead ones, kept before cleaning up


class Gate:
    """Separates training steps from copies of the state, without starving the copies.

    A copy takes the turn first, and then waits for the running steps; the next steps wait for the turn. Both locks are
    reentrant, since a signal handler may save the model between two steps, and held directly by ``with``, which is
    compiled code: Ctrl-C cannot come before the release. `changes` counts the changes of the weights; code that changes
    them holds the gate, and adds 1 in a ``finally`` clause, which calls no function.
    """

    def __init__(self) -> None:
        self.changes = 0
        # The lock that lets a copy go before the next steps; and the lock of the state, for changes within a step or
        # outside training, which need not let copies go first.
        self.turn = threading.RLock()
        self.arrays = threading.RLock()
        with _register:
            if len(_gates) >= MAX_REFERENCES:
                _gates[:] = [gate for gate in _gates if gate() is not None]
            _gates.append(ref(self))

    def steps(self) -> AbstractContextManager[object]:
        """Return the lock of the state once no other thread is waiting to copy it."""
        with self.turn:
            pass
        return self.arrays

    def __reduce__(self) -> tuple[Any, ...]:
        """Give a pickled or copied state a gate of its own."""
        return Gate, ()

    def open(self) -> None:
        """Forget the holders of the locks: after a fork these threads do not exist, and changes may be incomplete."""
        if not self.arrays.acquire(blocking=False):
            self.changes += 1
        self.turn = threading.RLock()
        self.arrays = threading.RLock()


# No function is called when a gate is deleted: Python would ignore a KeyboardInterrupt in it.
_gates: list[ref[Gate]] = []
_register = threading.RLock()  # a signal handler may save a model


def _open_all() -> None:
    global _register
    _register = threading.RLock()
    for each in list(_gates):
        if (gate := each()) is not None:
            gate.open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)


def gradient_rms(state: ModelState, beta_2: float) -> Array | None:
    """Return the root mean square of each weight's gradient in training, as float16, or None if unknown.

    The values are in the order of `Layout.torch_named` without padding. `beta_2` is Adam's, for its bias correction.
    """
    steps = state.n_steps - state.optimizer_start
    if steps <= 0:
        return state.gradient_rms
    kind = OPTIMIZERS[state.optimizer]
    if kind.squares is None or kind.mean_factor is None:
        return None
    return gather_rms(state.layout, np.sqrt(state.optimizer_state[kind.squares] * kind.mean_factor(steps, beta_2)))


def gather_rms(layout: Layout, flat: Array) -> Array:
    """Return the elements of a flat vector in the order of `gradient_rms`, in half precision."""
    limit = float(np.finfo(np.float16).max)
    parts = [np.clip(array.ravel(), 0.0, limit) for array in layout.torch_named(flat).values()]
    return np.concatenate(parts).astype(np.float16)


def spread_rms(layout: Layout, rms: Array) -> Array:
    """Return a layout's flat vector with the elements of `gradient_rms`; the padding is 0."""
    flat = layout.zeros()
    done = 0
    for array in layout.torch_named(flat).values():
        array[...] = rms[done : done + array.size].reshape(array.shape)
        done += array.size
    return flat


Hidden = tuple[Array, ...]  # (h,), or (h, c) of an LSTM, each (L, B, H); with pairs then the previous symbol
Records = list[dict[str, Any]]

MAX_INT8_UNITS = 1 << 16  # sums of this many products of two bytes fit into 32 bits


@dataclass(eq=False)  # arrays have no single truth value
class ModelState:
    """Weights, optimizer state, hidden state and counters of one model, which training changes in place."""

    layout: Layout  # shapes of the tensors in `params` and in each array of `optimizer_state`
    params: Array  # (layout.size,): the weights
    optimizer: str  # name of the optimizer to which `optimizer_state` belongs
    # (layout.size,): arrays under PyTorch's names, such as ``exp_avg``
    optimizer_state: dict[str, Array]
    # The value of `n_steps` when `optimizer_state` was zero. Adam's bias correction counts from this step.
    optimizer_start: int
    hidden: Hidden  # the states carried from the last chunk to the next, as given by `Layout.state_shapes`
    vocabulary: Vocabulary
    # Seeds dropout and the order of documents. Training reads copies of it and does not advance it.
    rng: np.random.Generator
    n_steps: int  # training steps so far
    smooth_loss: float  # the smoothed loss in nats per chunk of `loss_length` symbols
    loss_length: int  # T of the chunks to which `smooth_loss` refers
    history: Records = field(default_factory=list)  # the records of training
    # Root mean squares of the gradients before `optimizer_state` was zero, from a file: see `state.py`.
    gradient_rms: Array | None = None
    # The scales of 8-bit matrices, see `int8_weights`. A model with 8-bit weights has no optimizer state.
    scales: Scales | None = None
    # Separates changes of the arrays from copies by other threads, and counts the changes. States that share arrays
    # share the gate.
    gate: Gate = field(default_factory=Gate, repr=False)

    @classmethod
    def initial(
        cls,
        layout: Layout,
        vocabulary: Vocabulary,
        rng: np.random.Generator,
        *,
        optimizer: str,
        batch_size: int,
        seq_length: int,
        init_scale: float | None = None,
    ) -> Self:
        """Return the state of a model that has not read any text yet; `rng` draws the weights, and is kept."""
        return cls(
            layout=layout,
            params=initial_weights(layout, rng, init_scale),
            optimizer=optimizer,
            optimizer_state=zero_optimizer_state(optimizer, layout),
            optimizer_start=0,
            hidden=zero_hidden(layout, batch_size),
            vocabulary=vocabulary,
            rng=rng,
            n_steps=0,
            smooth_loss=seq_length * math.log(layout.vocab_size),
            loss_length=seq_length,
        )

    def carried_on(self, *, optimizer: str, batch_size: int, seq_length: int) -> Self:
        """Return the initial state of a new training call, sharing arrays that still fit; others become zero."""
        self.require_float("partial_fit")
        new = replace(self)
        if self.hidden[0].shape[1] != batch_size:
            new.hidden = zero_hidden(self.layout, batch_size)
        if self.optimizer != optimizer:
            new.optimizer = optimizer
            new.optimizer_state = zero_optimizer_state(optimizer, self.layout)
            new.optimizer_start = self.n_steps
        new.smooth_loss = min(self.smooth_loss * (seq_length / self.loss_length), sys.float_info.max)
        new.loss_length = seq_length
        return new

    def copy(self) -> Self:
        """Return a snapshot that shares no arrays or counters with this state."""
        return replace(
            self,
            params=copy_in_pieces(self.params),
            optimizer_state={name: copy_in_pieces(flat) for name, flat in self.optimizer_state.items()},
            hidden=tuple(array.copy() for array in self.hidden),
            rng=copy.deepcopy(self.rng),
            history=list(self.history),
            gate=Gate(),
        )

    def copy_between_steps(self) -> Self:
        """Return a snapshot, taken after a complete step, of a state that another thread may be training."""
        with self.gate.turn, self.gate.steps():
            return self.copy()

    def restore(self, snapshot: ModelState) -> None:
        """Copy a snapshot of this state back into its arrays; `history` keeps the records of undone steps."""
        self.overwrite(snapshot.params, snapshot.optimizer_state, snapshot.hidden)
        self.n_steps = snapshot.n_steps
        self.smooth_loss = snapshot.smooth_loss

    def training_arrays(self) -> dict[str, Array]:
        """Return views of hidden state and optimizer state under their names in files (PyTorch's for the latter)."""
        layout = self.layout
        arrays = {f"state.{name}": array for name, array in zip(layout.states, self.hidden, strict=True)}
        for part, flat in self.optimizer_state.items():
            arrays |= {f"optimizer.{part}.{name}": array for name, array in layout.torch_named(flat).items()}
        return arrays

    def digest(self) -> str:
        """Return a digest that identifies this state; records and the generator do not count."""
        steps = self.optimizer_start, self.n_steps, self.smooth_loss
        digest = hashlib.sha256(repr((self.layout, self.scales is None, self.optimizer, *steps)).encode())
        for array in (self.vocabulary.codes, self.params, *self.optimizer_state.values(), *self.hidden):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def overwrite(self, params: Array, optimizer_state: dict[str, Array], hidden: Hidden) -> None:
        """Copy arrays into this state's, so that views of them stay valid."""
        with self.gate.arrays:
            try:
                self.params[...] = params
                for name, flat in self.optimizer_state.items():
                    flat[...] = optimizer_state[name]
                for array, other in zip(self.hidden, hidden, strict=True):
                    array[...] = other
            finally:
                self.gate.changes += 1

    def check(self, settings: Settings) -> None:
        """Raise InvalidInputError if the settings do not fit the weights."""
        for name in SHAPING:
            if getattr(settings, name) != getattr(self.layout, name):
                raise InvalidInputError(
                    f"{name} is now {getattr(settings, name)}, but the model was fitted with "
                    f"{getattr(self.layout, name)}. Set it back, or call fit to start anew."
                )

    def quantized(self) -> ModelState:
        """Return a state with 8-bit weights, which shares no array with this one; another thread may be training it."""
        if self.scales is not None:
            raise InvalidInputError("the model already has 8-bit weights. Call quantize on the float model.")
        if self.layout.dtype != np.float32:
            raise InvalidInputError(
                f"quantize needs float32 weights, but the model has {self.layout.dtype}. Fit it with dtype='float32'."
            )
        if self.layout.hidden_size > MAX_INT8_UNITS:
            raise InvalidInputError(
                f"hidden_size is {self.layout.hidden_size}, but quantize supports at most {MAX_INT8_UNITS}, because it "
                "sums products in 32 bits. Fit a smaller model."
            )
        rounded = self.copy_between_steps()
        rounded.check_finite("quantize")
        params, scales = int8_weights(rounded.layout, rounded.params)
        return replace(rounded, params=params, scales=scales, optimizer_state={}, gradient_rms=None)

    def require_float(self, what: str) -> None:
        """Raise InvalidInputError if the weights have 8 bits; `what` is the method that needs floats."""
        if self.scales is not None:
            raise InvalidInputError(
                f"{what} needs float weights, but this model has 8-bit weights from quantize(). Call {what} on the "
                f"float model, and quantize the result."
            )

    def check_finite(self, what: str) -> None:
        """Raise InvalidInputError if a weight is not finite; `what` is the method that needs the weights."""
        if np.isfinite(self.params).all():
            return
        name, array = next((n, a) for n, a in self.layout.named(self.params).items() if not np.isfinite(a).all())
        place = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(array)))
        raise InvalidInputError(
            f"params_[{name!r}] is {array[place]} at {place}, but {what} needs finite weights. Fit the model again, or "
            f"write finite weights within model.editing()."
        )


def zero_hidden(layout: Layout, batch_size: int) -> Hidden:
    """Return the initial hidden state of training."""
    shapes = layout.state_shapes(batch_size)
    return tuple(np.zeros(shape, np.int32 if name == "symbol" else layout.dtype) for name, shape in shapes.items())


def zero_optimizer_state(optimizer: str, layout: Layout) -> dict[str, Array]:
    """Return the state of an optimizer before its first step."""
    return {name: layout.zeros() for name in OPTIMIZERS[optimizer].state}


# ---------------------------------------------------------------- changes of the vocabulary


def state_of_label(state: ModelState, number: int) -> ModelState:
    """Return the state of a model of the documents with one label, whose symbol replaces the boundary as an input.

    Without the labels' output weights the softmax gives the probabilities conditional on the label.
    """
    vocabulary = state.vocabulary.with_labels(())
    places = _places(state.layout.vocab_size, len(vocabulary), number)
    pairs = None if state.layout.pairs is None else state.layout.pairs.renumber(places)
    layout = replace(state.layout, vocab_size=len(vocabulary), pairs=pairs)
    rms = None if state.gradient_rms is None else spread_rms(state.layout, state.gradient_rms)
    return replace(
        state.copy(),
        vocabulary=vocabulary,
        layout=layout,
        hidden=state.layout.renumbered_states(tuple(array.copy() for array in state.hidden), places),
        params=_narrowed_vector(state.params, state.layout, layout, number),
        optimizer_state={
            name: _narrowed_vector(flat, state.layout, layout, number) for name, flat in state.optimizer_state.items()
        },
        gradient_rms=None if rms is None else gather_rms(layout, _narrowed_vector(rms, state.layout, layout, number)),
        scales=None if state.scales is None else {**state.scales, "Why": state.scales["Why"][: len(vocabulary)]},
    )


def _places(V: int, new_V: int, number: int) -> NDArray[np.intp]:
    """Return the new id of each symbol: labels are removed, except one that replaces the boundary."""
    places = np.where(np.arange(V) < new_V - 1, np.arange(V), -1)
    places[new_V + number] = new_V - 1
    return places


def _narrowed_vector(flat: Array, old: Layout, new: Layout, number: int) -> Array:
    """Return a flat vector without the labels' symbols, except one that replaces the boundary as an input."""
    out = new.zeros()
    before = old.tensors(flat)
    after = new.tensors(out)
    V = new.vocab_size
    for a, b in zip(before, after, strict=True):
        if a.shape == b.shape:  # no axis of symbols
            b[...] = a
    after.lookup[...] = before.lookup[:V]
    after.lookup[V - 1] = before.lookup[V + number]
    after.Wy[...] = before.Wy[:, :V]
    after.by[...] = before.by[:V]
    return out


def extended_vocabulary(vocabulary: Vocabulary, other: Vocabulary) -> Vocabulary:
    """Return a vocabulary with the characters of both, and the special symbols of the first."""
    if other.kind != vocabulary.kind:
        return vocabulary  # encoding the text will raise the error
    codes = np.union1d(vocabulary.codes, other.codes)
    if len(codes) == len(vocabulary.codes):
        return vocabulary
    unknown = vocabulary.unknown is not None
    boundary = vocabulary.boundary is not None
    return Vocabulary(codes, vocabulary.kind, unknown=unknown, boundary=boundary, labels=vocabulary.labels)


def widened_state(state: ModelState, vocabulary: Vocabulary, layout: Layout) -> ModelState:
    """Return a model's state for a larger vocabulary and its layout.

    New symbols add nothing to the hidden units, and copy the output weights of the old symbol with the lowest bias.
    """
    sizes = (state.layout, layout, places(state.vocabulary, vocabulary))
    rms = state.gradient_rms
    # Do not copy the end of a document if there is another symbol: the new symbols would be likely wherever it is.
    rarest = int(state.layout.tensors(state.params).by[: state.vocabulary.boundary or None].argmin())
    return replace(
        state,
        vocabulary=vocabulary,
        layout=layout,
        gradient_rms=None
        if rms is None
        else gather_rms(layout, _widened_vector(spread_rms(state.layout, rms), *sizes)),
        hidden=state.layout.renumbered_states(state.hidden, sizes[2]),
        params=_widened_vector(state.params, *sizes, pattern=rarest),
        optimizer_state={name: _widened_vector(flat, *sizes) for name, flat in state.optimizer_state.items()},
    )


def places(old: Vocabulary, new: Vocabulary) -> NDArray[np.intp]:
    """Return the new id of each old symbol."""
    specials = [
        after for before, after in ((old.unknown, new.unknown), (old.boundary, new.boundary)) if before is not None
    ]
    characters = np.searchsorted(new.codes, old.codes)
    labels = np.arange(len(new) - len(new.labels), len(new))
    return np.concatenate([characters, np.array(specials, np.intp), labels])


def _widened_vector(
    flat: Array, old: Layout, new: Layout, places: NDArray[np.intp], *, pattern: int | None = None
) -> Array:
    """Return a flat vector of the larger layout; the new symbols get the output weights of `pattern`, or zeros."""
    out = new.zeros()
    before = old.tensors(flat)
    after = new.tensors(out)
    if pattern is not None:
        after.by[:] = before.by[pattern]
        after.Wy[...] = before.Wy[:, pattern, None]
    after.by[places] = before.by
    after.Wy[:, places] = before.Wy
    after.lookup[places] = before.lookup
    for a, b in zip(before, after, strict=True):
        if a.shape == b.shape:  # no axis of symbols
            b[...] = a
    return out
