"""ClassifierFile: a classifier, to a model file and back.

The file has the models' files and weights, see `mixture_file`, one model for each direction of each estimator. The
entry ``classifier`` of its ``__metadata__`` contains the classifier's own parameters and the prior in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from . import mixture_file
from .plain_json import plain_json, read_json
from .sealed_file import Path, path_name

DIRECTIONS = ("forward", "backward")
ENTRY = "classifier"
KEYS = {"class_weight", "min_steps", "directions", "listed", "prior"}


class StoredClassifier(NamedTuple):
    """The contents of a classifier's file."""

    parts: mixture_file.Parts  # each model's class and file: the directions of each estimator
    weights: NDArray[np.float64]  # of the estimators
    prior: NDArray[np.float64]
    directions: tuple[str, ...]
    listed: bool  # whether the estimators are a list
    own: dict[str, Any]  # class_weight and min_steps


def write(path: Path, stored: StoredClassifier) -> None:
    """Write a classifier to a file, all or nothing."""
    own = dict(stored.own)
    if isinstance(own["class_weight"], Mapping):
        own["class_weight"] = [*own["class_weight"].items()]
    own |= {"directions": stored.directions, "listed": stored.listed, "prior": stored.prior}
    weights = np.repeat(stored.weights, len(stored.directions))
    mixture_file.write(path, stored.parts, weights, {ENTRY: plain_json(own)})


def read(path: Path) -> StoredClassifier:
    """Return a classifier from a file; the models' bytes are not examined."""
    parts, weights, metadata = mixture_file.read(path, "classifier")
    shown = path_name(path)
    own = read_json(metadata.get(ENTRY, "").encode("ascii", "replace"), "classifier")
    if not isinstance(own, dict) or not _is_classifier(own, len(parts)):
        raise ModelFileError(f"model file {shown}: its classifier is damaged; restore it from a copy, or train again")
    directions, prior = tuple(own.pop("directions")), np.array(own.pop("prior"), np.float64)
    listed, class_weight = own.pop("listed"), own["class_weight"]
    own["class_weight"] = dict(class_weight) if isinstance(class_weight, list) else class_weight
    return StoredClassifier(parts, weights[:: len(directions)], prior, directions, listed, own)


def _is_classifier(own: Mapping[str, Any], n_models: int) -> bool:
    """Return whether values from a file belong to a classifier."""
    if own.keys() != KEYS:
        return False
    weights, directions, prior = own["class_weight"], own["directions"], own["prior"]
    known = directions in ([*DIRECTIONS], ["forward"], ["backward"]) and n_models % len(directions) == 0
    pairs = isinstance(weights, list) and all(
        isinstance(pair, list) and len(pair) == 2 and not isinstance(pair[0], list | dict) for pair in weights
    )
    numbers = isinstance(prior, list) and len(prior) > 1 and all(type(p) is float and 0 <= p <= 1 for p in prior)
    flag = type(own["listed"]) is bool
    good = (weights in (None, "balanced") or pairs) and type(own["min_steps"]) is int
    fits = known and flag and (own["listed"] or n_models == len(directions))
    return fits and numbers and sum(prior) > 0 and good
