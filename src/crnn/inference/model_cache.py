"""What is made once for a model's predictions, such as the tree of a pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .network import InferenceNetwork

T = TypeVar("T")

MAX_CACHED_PATTERNS = 8  # patterns of a model

_caches: WeakKeyDictionary[Any, tuple[InferenceNetwork, dict[Any, Any]]] = WeakKeyDictionary()


def cached_per_model(owner: Any, network: InferenceNetwork, key: Any, make: Callable[[], T]) -> T:
    """Return what was made for a key, unless the model's predictions have changed since; the last ones are kept."""
    before, made = _caches.get(owner, (network, {}))
    if not network.same_as(before):
        made = {}
    _caches[owner] = network, made
    if key not in made:
        new = make()
        while len(made) >= MAX_CACHED_PATTERNS:
            made.pop(next(iter(made)), None)
        made[key] = new
    result: T = made[key]
    return result
