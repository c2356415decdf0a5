"""Draft: writable copies of a model's arrays, and the exclusive use of a model by the call that trains or edits it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError
from ..parameters.kinds import OPTIMIZERS
from ..runtime.signals import signals_deferred
from .state import Hidden, ModelState


class LearnedArrays(NamedTuple):
    """The arrays of a state under their public names, as views."""

    params: dict[str, Array]
    optimizer_state: dict[str, Any]
    hidden: Hidden

    @classmethod
    def of(cls, state: ModelState) -> LearnedArrays:
        """Return a state's arrays, and the number of steps if its optimizer counts them."""
        named: dict[str, Any] = {name: state.layout.named(flat) for name, flat in state.optimizer_state.items()}
        if OPTIMIZERS[state.optimizer].counts_steps:
            named["step"] = state.n_steps - state.optimizer_start
        return cls(state.layout.named(state.params), named, state.hidden)

    @classmethod
    def read_only(cls, state: ModelState) -> LearnedArrays:
        """Return read-only views of the arrays."""
        optimizer_state = {name: _read_only(flat) for name, flat in state.optimizer_state.items()}
        hidden = tuple(map(_read_only, state.hidden))
        return cls.of(replace(state, params=_read_only(state.params), optimizer_state=optimizer_state, hidden=hidden))


class Draft:
    """Copies of a state's `arrays` that may be written to, or replaced by others of the same shape, until `commit`."""

    def __init__(self, state: ModelState) -> None:
        state.require_float("editing")
        self._state = state
        self._copy = state.copy()
        self.arrays = LearnedArrays.of(self._copy)

    def commit(self) -> None:
        """Copy the draft into the state, unless an array is missing, added, of another shape or not finite."""
        views = LearnedArrays.of(self._copy)
        _fill("params_", self.arrays.params, views.params)
        _require_same_names("optimizer_state_", self.arrays.optimizer_state, views.optimizer_state)
        for name, arrays in views.optimizer_state.items():
            entry = self.arrays.optimizer_state[name]
            if isinstance(arrays, dict):
                _fill(f"optimizer_state_[{name!r}]", entry, arrays, infinite=True)
            elif entry != arrays:
                raise InvalidInputError(
                    f"optimizer_state_[{name!r}] is {entry!r}, but it is the optimizer's step count, {arrays}. "
                    "Leave it unchanged."
                )
        for name, array in zip(self._copy.layout.states, views.hidden, strict=True):
            _require_finite(f"state_ ({name})" if len(views.hidden) > 1 else "state_", array, infinite=False)
        with signals_deferred():
            self._state.restore(self._copy)


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _fill(what: str, written: Any, views: dict[str, Array], *, infinite: bool = False) -> None:
    """Copy arrays into views of the same names and shapes, and check their numbers."""
    _require_same_names(what, written, views)
    for name, view in views.items():
        array = np.asarray(written[name])
        shown = f"{what}[{name!r}]"
        if array.shape != view.shape or array.dtype.kind not in "biuf":
            raise InvalidInputError(
                f"{shown} is an array of shape {array.shape} and type {array.dtype}, but must be numeric, of shape "
                f"{view.shape}. Write into the existing array. Nothing has been changed."
            )
        with np.errstate(over="ignore"):  # infinities are refused below
            view[...] = array
        _require_finite(shown, view, infinite=infinite)


def _require_same_names(what: str, written: Any, views: Mapping[str, object]) -> None:
    if not isinstance(written, Mapping) or set(written) != set(views):
        names = ", ".join(map(str, written)) if isinstance(written, Mapping) else type(written).__name__
        raise InvalidInputError(
            f"{what} must have the entries {', '.join(views)}, not {names or 'none'}. Nothing has been changed."
        )


def _require_finite(what: str, array: Array, *, infinite: bool) -> None:
    """Raise an error for a non-finite number; an overflowed sum of squares may be `infinite`."""
    wrong = np.isnan(array) if infinite else ~np.isfinite(array)
    if wrong.any():
        place = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        raise InvalidInputError(f"{what} is {array[place]} at {place}. Write finite numbers. Nothing has been changed.")


# ---------------------------------------------------------------- exclusive use


class ExclusiveUse:
    """A call by which a model is "trained" or "edited", and which excludes all others.

    The call holds the lock `running` directly in a ``with`` statement: Ctrl-C cannot strike between the end of the call
    and the release of the lock. `stopped` asks it to end after the current step; `draft` is what the call, or one of
    its callbacks, is editing.
    """

    def __init__(self, what: str = "trained") -> None:
        self.what = what
        self.stopped = False
        self.draft: Draft | None = None
        self.thread = threading.get_ident()
        self.running = threading.Lock()


_in_use: dict[int, ExclusiveUse] = {}  # by the model's id; calls whose lock is free have ended
_register = threading.RLock()  # a signal handler may train another model


def begin_use(model: object, call: ExclusiveUse) -> None:
    """Mark a model as used by a call that holds its lock."""
    with _register:
        for key, other in list(_in_use.items()):
            if not other.running.locked():
                _in_use.pop(key, None)
        other = _in_use.setdefault(id(model), call)
    if other is not call:
        raise InvalidInputError(f"this model is being {other.what} by another call. Wait until it ends, or use a copy.")


def use_for_editing(model: object, call: ExclusiveUse) -> ExclusiveUse:
    """Return the use under which a call edits a model: its own, or training's when a callback edits."""
    other = _in_use.get(id(model))
    if other is None or other.thread != call.thread or not other.running.locked():
        begin_use(model, call)
        return call
    if other.draft is not None or other.what != "trained":
        raise InvalidInputError("this model is already being edited. Write to it within the first editing() block.")
    return other


@contextmanager
def editing(model: object, learned: Callable[[], ModelState]) -> Iterator[None]:
    """Let this thread edit a model's arrays; `learned` is called once no other thread can replace the state."""
    call = ExclusiveUse("edited")
    with call.running:
        use = use_for_editing(model, call)
        try:
            use.draft = Draft(learned())
            yield
            use.draft.commit()
        finally:
            use.draft = None


def draft_of(model: object) -> Draft | None:
    """Return the draft of a model that this thread is editing, or None."""
    call = _in_use.get(id(model))
    return None if call is None or call.thread != threading.get_ident() else call.draft


def request_stop(model: object) -> None:
    """Ask the call that is training a model, if any, to end after the current step."""
    call = _in_use.get(id(model))
    if call is not None:
        call.stopped = True


def _forget_other_threads() -> None:
    """Forget, in the child of a fork, calls of threads that do not exist there."""
    global _register
    this_thread = threading.get_ident()
    _register = threading.RLock()
    for key, call in list(_in_use.items()):
        if call.thread != this_thread:
            del _in_use[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
