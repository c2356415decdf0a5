"""What a model has learned, as its attributes: new ones, or those of a fitted model to be carried on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..settings import OPTIMIZERS, Settings
from ..text.vocabulary import Vocabulary
from .layout import Layout, initialise

if TYPE_CHECKING:
    from ..char_rnn import CharRNN

Array = NDArray[Any]
State = Array | tuple[Array, ...]  # (L, B, H); for an LSTM two of them, h and c


def started(settings: Settings, layout: Layout, vocabulary: Vocabulary, rng: np.random.Generator) -> dict[str, Any]:
    """Return the attributes of a model that has seen no text yet."""
    return {
        "_layout": layout,
        "_params": initialise(layout, rng, settings.init_scale),
        **_no_memory(settings, layout, 0),
        "_rng": rng,
        "vocabulary_": vocabulary,
        "state_": zero_state(layout, settings.batch_size),
        "n_steps_": 0,
        "smooth_loss_": settings.seq_length * math.log(len(vocabulary)),
        "_loss_length": settings.seq_length,
        "history_": [],
    }


def carried(model: CharRNN, settings: Settings) -> dict[str, Any]:
    """Return the attributes of a fitted model, for settings under which they are carried on."""
    learned = dict(vars(model))
    if states(model.state_)[0].shape[1] != settings.batch_size:
        learned["state_"] = zero_state(model._layout, settings.batch_size)
    if model._memory_of != settings.optimizer:
        learned |= _no_memory(settings, model._layout, model.n_steps_)
    learned["smooth_loss_"] *= settings.seq_length / model._loss_length
    learned["_loss_length"] = settings.seq_length
    return learned


def check_fits(model: CharRNN, settings: Settings) -> None:
    """Raise if a parameter was changed, or the state replaced, so that the weights no longer go with it."""
    layout = model._layout
    for name in ("hidden_size", "num_layers", "cell", "dtype"):
        if getattr(settings, name) != getattr(layout, name):
            raise InvalidInputError(
                f"{name} is now {getattr(settings, name)}, but the model was fitted with {getattr(layout, name)}; "
                f"set it back, or call fit to start anew"
            )
    found = states(model.state_)
    kinds = layout.kind.states
    right = len(found) == len(kinds) and all(
        isinstance(state, np.ndarray) and state.dtype == layout.dtype and state.ndim == 3 for state in found
    )
    if right:
        streams = found[0].shape[1]
        right = streams > 0 and all(
            state.shape == (layout.num_layers, streams, layout.hidden_size) for state in found
        )
    if not right:
        shown = ", ".join(f"shape {np.shape(s)} and type {getattr(s, 'dtype', type(s).__name__)}" for s in found)
        raise InvalidInputError(
            f"state_ has {shown or 'nothing'}, not shape "
            f"({layout.num_layers}, {settings.batch_size}, {layout.hidden_size}) and {layout.dtype}"
            f"{' for each of ' + ' and '.join(kinds) if len(kinds) > 1 else ''}; write into it in place"
        )


def zero_state(layout: Layout, batch_size: int) -> State:
    """Return the state that training starts from, as `CharRNN.state_` holds it.

    Examples
    --------
    >>> h, c = zero_state(Layout(5, 3, np.dtype("float32"), cell="lstm", num_layers=2), batch_size=4)
    >>> c.shape
    (2, 4, 3)
    """
    shape = (layout.num_layers, batch_size, layout.hidden_size)
    return state_of(tuple(np.zeros(shape, layout.dtype) for _ in layout.kind.states))


def states(state: Any) -> tuple[Any, ...]:
    """Return the arrays of a `CharRNN.state_`."""
    return state if isinstance(state, tuple) else (state,)


def state_of(arrays: tuple[Array, ...]) -> State:
    """Return arrays as a `CharRNN.state_`."""
    return arrays if len(arrays) > 1 else arrays[0]


def _no_memory(settings: Settings, layout: Layout, n_steps: int) -> dict[str, Any]:
    """Return the attributes of an optimiser that begins after so many steps."""
    return {
        "_memory": {name: layout.zeros() for name in OPTIMIZERS[settings.optimizer].memory},
        "_memory_of": settings.optimizer,
        "_optimizer_start": n_steps,
    }
