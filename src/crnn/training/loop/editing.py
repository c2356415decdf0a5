"""Editing: a model's arrays as copies, checked before they replace the originals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...model.draft import Draft
from ...model.state import ModelState
from .exclusive import ExclusiveUse, use_for_editing


@contextmanager
def editing(model: object, learned: Callable[[], ModelState]) -> Iterator[None]:
    """Let this thread edit a model's arrays: see `CharRNN.editing`.

    `learned` returns the model's state, and is called once no other thread can replace it.
    """
    call = ExclusiveUse("edited")
    with call.running:
        use = use_for_editing(model, call)
        try:
            use.draft = Draft(learned())
            yield
            use.draft.commit()
        finally:
            use.draft = None
