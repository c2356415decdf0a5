"""ClassifierFile: a classifier, to a model file and back.

The file contains the first direction's model with labels, and can be loaded as such. Its record ``labels`` contains the
rest: the second network, the prior, and the classifier's own parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..model.int8_weights import Scales
from ..model.layout import Layout, torch_name
from ..model.state import ModelState
from ..model.stored_record import StoredRecord
from ..model.symbol_pairs import SymbolPairs
from . import checkpoint
from .int8_tensors import SCALE, float_tensors, int8_fault, int8_tensors, outputs
from .sealed_file import Path, path_name
from .stored_pairs import PAIRS, pairs_fault

Array = NDArray[Any]

DIRECTIONS = ("forward", "backward")
SECOND_PAIRS = f"second.{PAIRS}"


class StoredClassifier(NamedTuple):
    """The contents of a classifier's file."""

    networks: dict[str, ModelState]
    prior: Array
    parameters: dict[str, Any]  # of the language models
    own: dict[str, Any]  # class_weight, directions, min_steps


def write(
    networks: Mapping[str, ModelState], prior: Array, parameters: Mapping[str, Any], own: Mapping[str, Any],
    path: Path,
) -> None:  # fmt: skip
    """Write a classifier to a file: its networks by direction, prior (K,), the language models' parameters and its own
    (class_weight and min_steps).
    """
    directions = list(networks)
    first, *others = networks.values()
    tensors: dict[str, Array] = {"prior": prior}
    for state in others:
        second = state.layout.torch_named(state.params)
        if state.scales is not None:
            second = int8_tensors(second, {torch_name(name): scale for name, scale in state.scales.items()})
        tensors |= {f"second.{name}": array for name, array in second.items()}
        if state.layout.pairs is not None:
            tensors[SECOND_PAIRS] = state.layout.pairs.pairs
    class_weight = own["class_weight"]
    values = {**own, "directions": directions}
    values["class_weight"] = class_weight if not isinstance(class_weight, Mapping) else [*class_weight.items()]
    state = first.copy_between_steps()
    state.labels = StoredRecord(values, tensors)
    checkpoint.write(state, parameters, path, training_state=False)


def read(path: Path, defaults: Mapping[str, Any]) -> StoredClassifier:
    """Return a classifier from a file."""
    parameters, state = checkpoint.read(path, defaults)
    record = state.labels
    shown = path_name(path)
    if record is None or "directions" not in record.values:
        raise ModelFileError(f"model file {shown}: it does not contain a classifier; load it with CharRNN.load")
    own, tensors, state.labels = dict(record.values), record.tensors, None
    directions, prior = own.pop("directions"), _prior(tensors, len(state.vocabulary.labels))
    known = directions in ([*DIRECTIONS], ["forward"], ["backward"])
    if not known or prior is None or not _are_parameters(own):
        raise ModelFileError(f"model file {shown}: its classifier is damaged; restore it from a copy, or train again")
    networks = {directions[0]: state}
    if len(directions) == 2:
        layout = _layout(state.layout, tensors, shown)
        params, scales = _params(layout, tensors, shown, int8=state.scales is not None)
        networks["backward"] = replace(state.copy(), layout=layout, params=params, scales=scales)
    weights = own["class_weight"]
    own["class_weight"] = dict(weights) if isinstance(weights, list) else weights
    return StoredClassifier(networks, prior, parameters, {**own, "directions": _name(directions)})


def _are_parameters(own: Mapping[str, Any]) -> bool:
    """Return whether values from a file are valid parameters of a classifier."""
    if own.keys() != {"class_weight", "min_steps"}:
        return False
    weights, min_steps = own["class_weight"], own["min_steps"]
    pairs = isinstance(weights, list) and all(
        isinstance(pair, list) and len(pair) == 2 and not isinstance(pair[0], list | dict) for pair in weights
    )
    return (weights in (None, "balanced") or pairs) and type(min_steps) is int


def _name(directions: list[str]) -> str:
    return "both" if len(directions) == 2 else directions[0]


def _prior(tensors: Mapping[str, Array], n_labels: int) -> Array | None:
    prior = tensors.get("prior")
    if prior is None or prior.shape != (n_labels,) or prior.dtype != np.float64 or n_labels < 2:
        return None
    if not (np.isfinite(prior).all() and (prior >= 0).all() and prior.sum() > 0):
        return None
    return prior


def _layout(first: Layout, tensors: Mapping[str, Array], shown: str) -> Layout:
    """Return the layout of the second network, which differs from the first in its pairs of symbols."""
    if first.pairs is None:
        return first
    pairs = tensors.get(SECOND_PAIRS, np.empty(0))
    fits = pairs.dtype == np.int32 and pairs.shape[1:] == (2,) and len(pairs) > 0
    if not fits or pairs_fault(pairs, first.vocab_size):
        raise ModelFileError(f"model file {shown}: its second network has no {PAIRS}; restore it from a copy")
    return replace(first, pairs=SymbolPairs(pairs, first.pairs.limit))


def _params(layout: Layout, tensors: Mapping[str, Array], shown: str, *, int8: bool) -> tuple[Array, Scales | None]:
    """Return the weights of the second network and, if `int8`, their scales; the file then has integers."""
    params, scales = layout.zeros(), Scales()
    for name, view in layout.named(params).items():
        stored = torch_name(name)
        small = int8 and view.ndim == 2
        expected: dict[str, Any] = {stored: (np.int8 if small else view.dtype, view.shape)}
        if small:
            expected[stored + SCALE] = np.float32, (outputs(stored, view.shape),)
        found = {key: tensors.get(f"second.{key}", np.empty(0)) for key in expected}
        as_expected = all((array.dtype, array.shape) == expected[key] for key, array in found.items())
        if not as_expected or not all(np.isfinite(array).all() for array in found.values()) or int8_fault(found):
            raise ModelFileError(f"model file {shown}: its second network has no {stored}; restore it from a copy")
        view[...] = float_tensors(found)[0][stored]
        if small:
            scales[name] = np.array(found[stored + SCALE], np.float32)
    return params, scales or None
