"""The entries of model files: JSON documents that are believed only after a check.

`ENTRIES` has the check of every document, and `KINDS` the documents of every kind of file; only `read_entry` uses the
checks.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import InvalidInputError, ModelFileError, short_repr
from ..parameters.checks import MAX_SIZE, checked_bool, checked_choice, checked_float, checked_int, is_int
from ..parameters.kinds import CELLS, MAX_LAYERS, OPTIMIZERS
from ..scoring.reductions import checked_reduce
from ..text.mask import checked_mask
from ..text.vocabulary import Vocabulary

MAX_JSON = 16 << 20  # bytes: all existing code points, as numbers in JSON, need 9 million
MAX_STEPS = 2**62  # training continues counting from there with 64 bits
MAX_MODELS = 64  # in a mixture; the kernels take no more
MEMBERS = ("CharRNN", "CharNGram")  # the classes of models in the file of a mixture or a classifier
DIRECTIONS = ("forward", "backward")  # in which the models of a classifier read

# Returns the value to use, given an entry's or field's name and value; raises an InvalidInputError.
Check = Callable[[str, Any], Any]
T = TypeVar("T")


class Kind(NamedTuple):
    """A kind of file."""

    loader: str  # the class that loads it
    entries: tuple[str, ...]


KINDS = {
    "network": Kind("CharRNN", ("configuration", "architecture", "vocabulary")),
    "classifier": Kind("TextClassifier", ("models", "classifier")),
    "ngram": Kind("CharNGram", ("configuration", "vocabulary")),
    "mixture": Kind("Mixture", ("models",)),
}
WITH_DETECTOR = ("network", "ngram", "mixture")
"""The kinds of files that may also have the entry ``detector``."""


def read_entry(name: str, text: bytes | str | None) -> Any:
    """Return the checked value of an entry, given its JSON."""
    if text is None:
        raise ModelFileError(f"it has no {name}")
    document = read_json(text, name)
    try:
        return ENTRIES[name](name, document)
    except InvalidInputError as error:
        raise ModelFileError(f"its {name} cannot be used: {error}") from error


def checked_configuration(
    configuration: Mapping[str, Any], defaults: Mapping[str, Any], check: Callable[[dict[str, Any]], T]
) -> tuple[dict[str, Any], T]:
    """Return the parameters in an entry ``configuration``, by default `defaults`, and what a class's check returns."""
    parameters = {**defaults, **configuration}
    try:
        if unknown := parameters.keys() - defaults.keys():
            raise InvalidInputError(f"{short_repr(min(unknown))} is not a parameter")
        return parameters, check(parameters)
    except InvalidInputError as error:
        raise ModelFileError(f"its configuration cannot be used: {error}") from error


def vocabulary_document(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return a vocabulary as JSON, for the entry ``vocabulary``."""
    document: dict[str, Any] = {"kind": vocabulary.kind, "codes": vocabulary.codes}
    document |= {key: True for key in ("unknown", "boundary") if getattr(vocabulary, key) is not None}
    return document | ({"labels": list(vocabulary.labels)} if vocabulary.labels else {})


PARTS = ("training", "best", "run")  # JSON documents stored as tensors of bytes

# ----------------------------------------------------------------- the table


def _must_be(description: str, test: Callable[[Any], bool]) -> Check:
    """Make a check for the table below that returns a value unchanged, or raises an error with the description."""

    def check(name: str, value: Any) -> Any:
        if not test(value):
            raise InvalidInputError(f"{name} must be {description}, not {short_repr(value)}")
        return value

    return check


def _one_of(names: Collection[str]) -> Check:
    description = f"one of {', '.join(names)} (others need a newer crnn)"
    return _must_be(description, lambda value: isinstance(value, str) and value in names)


def _fields(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, others: bool = False
) -> Check:
    """Make a check of a JSON object with these fields, each with its check; with `others`, it may have more."""
    checks = {**required, **(optional or {})}

    def check(name: str, value: Any) -> dict[str, Any]:
        document: dict[str, Any] = OBJECT(name, value)
        if missing := required.keys() - document.keys():
            raise InvalidInputError(f"{name} has no {min(missing)}")
        unknown = document.keys() - checks.keys()
        if unknown and not others:
            raise InvalidInputError(f"{name} has an unknown field {short_repr(min(unknown))}")
        return {key: item if key in unknown else checks[key](key, item) for key, item in document.items()}

    return check


def labels_are_sorted(labels: list[Any]) -> bool:
    """Return whether values from a file are distinct labels of one type, in order."""
    if {type(label) for label in labels} - {str, int, float, bool} or len({type(label) for label in labels}) > 1:
        return False
    return all(a < b for a, b in itertools.pairwise(labels))


def _vocabulary(name: str, value: Any) -> Vocabulary:
    document = VOCABULARY(name, value)
    if document.get("labels") and "boundary" not in document:
        raise InvalidInputError(f"{name} has labels, but no boundary")
    return Vocabulary(**document)


def _random_state(name: str, value: Any) -> Any:
    """NumPy itself would accept any numbers."""
    try:
        return None if value is None else PCG64(name, value)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} is not a valid state of NumPy's PCG64: {error}") from error


def _class_weight(name: str, value: Any) -> Any:
    """Check the parameter `class_weight`, whose labels JSON holds as pairs, and make a dict of them."""
    is_pairs = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and not isinstance(pair[0], list | dict) for pair in value
    )
    if is_pairs:
        return dict(value)
    return _must_be("None, 'balanced' or pairs of a label and a weight", lambda it: it in (None, "balanced"))(
        name, value
    )


def _detector(name: str, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = DETECTOR(name, value)
    if document["rank"] > document["n_texts"]:
        raise InvalidInputError("rank exceeds n_texts")
    return document


def _contamination(name: str, value: Any) -> Any:
    """Return "auto", or a rate."""
    if isinstance(value, str) and value == "auto":
        return value
    return checked_float(name, value, above=0.0, maximum=0.5)


def _is_prior(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) > 1
    return is_list and all(type(p) is float and 0 <= p <= 1 for p in value) and sum(value) > 0


def _is_kept_text(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    text, n, score = value
    return isinstance(text, str) and is_int(n) and n > 0 and (score is None or (type(score) is float and score <= 0))


OBJECT = _must_be("a JSON object", lambda value: isinstance(value, dict))
SIZE = partial(checked_int, minimum=1, maximum=MAX_SIZE)
TRUE = _must_be("true", lambda value: value is True)
COUNTERS: dict[str, Check] = {
    "n_steps": partial(checked_int, minimum=0, maximum=MAX_STEPS),
    "smooth_loss": partial(checked_float, minimum=-sys.float_info.max),
}
PCG64 = _fields(
    {
        "bit_generator": _must_be("PCG64", lambda value: value == "PCG64"),
        "state": _fields(
            {
                "state": partial(checked_int, minimum=0, maximum=2**128 - 1),
                "inc": _must_be("odd", lambda value: is_int(value) and 0 < value < 2**128 and value % 2 == 1),
            }
        ),
        "has_uint32": partial(checked_int, minimum=0, maximum=1),  # whether half of a 64-bit random number is unused
        "uinteger": partial(checked_int, minimum=0, maximum=2**32 - 1),
    }
)
VOCABULARY = _fields(
    {
        "kind": partial(checked_choice, known=("characters", "bytes")),
        "codes": _must_be("a list of integers", lambda value: isinstance(value, list) and all(map(is_int, value))),
    },
    {
        "unknown": TRUE,
        "boundary": TRUE,
        "labels": _must_be(
            "sorted words or numbers of one type", lambda value: isinstance(value, list) and labels_are_sorted(value)
        ),
    },
)
# The parameters of an `AnomalyDetector`, except the estimator and the random state.
DETECTOR_PARAMETERS: dict[str, Check] = {
    "contamination": _contamination,
    "reduce": lambda _, value: checked_reduce(value),
    "calibration_fraction": partial(checked_float, above=0.0, below=1.0),
    "mask": checked_mask,
    "folds": partial(checked_int, minimum=2, maximum=MAX_SIZE),
    "unique": checked_bool,
    "max_seconds": partial(checked_float, above=0.0),
    "keep_texts": checked_bool,
    "verbose": partial(checked_int, minimum=0, maximum=MAX_SIZE),
}
DETECTOR = _fields(
    {
        **DETECTOR_PARAMETERS,
        "held": _must_be(
            "texts with their numbers of occurrences and scores",
            lambda value: isinstance(value, list) and all(map(_is_kept_text, value)),
        ),
        "random_state": _must_be(
            "null or a whole number of at least 0", lambda value: value is None or (is_int(value) and value >= 0)
        ),
        "chosen": checked_bool,
        "scored_by": lambda _, value: checked_reduce(value),
        "offset": partial(checked_float, minimum=-sys.float_info.max, maximum=0.0),
        "n_texts": partial(checked_float, minimum=1.0),
        "rank": partial(checked_float, minimum=1.0),
        "variance": partial(checked_float, minimum=1.0),
        "rate": partial(checked_float, above=0.0, maximum=0.5),
    }
)

ENTRIES: dict[str, Check] = {
    "configuration": OBJECT,  # the constructor's parameters, which the class checks
    "architecture": _fields(
        {
            "cell": _one_of(CELLS),
            "num_layers": partial(checked_int, minimum=1, maximum=MAX_LAYERS),
            "hidden_size": SIZE,
            "vocab_size": SIZE,
            "dtype": partial(checked_choice, known=("float32", "float64")),
        },
        {"embedding_size": SIZE, "n_pairs": SIZE, "int8": TRUE},
    ),
    "vocabulary": _vocabulary,
    "training": _fields(
        {
            **COUNTERS,
            "loss_length": SIZE,
            "random_state": _random_state,
            "history": _must_be(
                "a list of records",
                lambda value: isinstance(value, list) and all(isinstance(record, dict) for record in value),
            ),
            "optimizer": _one_of(OPTIMIZERS),
            "optimizer_start": partial(checked_int, minimum=0),
        },
        others=True,
    ),
    "best": _fields(COUNTERS),
    "run": OBJECT,  # which `RunState` checks
    "models": _must_be(
        f"a list of 1 to {MAX_MODELS} of {', '.join(MEMBERS)}",
        lambda value: isinstance(value, list) and 1 <= len(value) <= MAX_MODELS and all(x in MEMBERS for x in value),
    ),
    "classifier": _fields(
        {
            "class_weight": _class_weight,
            "min_steps": partial(checked_int, minimum=0),
            "directions": _must_be(
                "a list of forward, backward or both",
                lambda value: value in ([*DIRECTIONS], [DIRECTIONS[0]], [DIRECTIONS[1]]),
            ),
            "listed": checked_bool,
            "prior": _must_be("a list of probabilities", _is_prior),
        }
    ),
    "detector": _detector,
    "fitting": _fields(
        {
            "finished": _must_be("true or false", lambda value: isinstance(value, bool)),
            "fits_weights": _must_be("true or false", lambda value: isinstance(value, bool)),
            "has_validation": _must_be("true or false", lambda value: isinstance(value, bool)),
            "max_seconds": _must_be(
                "null or a number above 0",
                lambda value: value is None or (isinstance(value, int | float) and 0 < value < math.inf),
            ),
        },
        {"words": _must_be('true, false or "auto"', lambda value: isinstance(value, bool) or value == "auto")},
    ),
}


# ---------------------------------------------------------------------- JSON


def plain_json(document: Any) -> str:
    """Return a document as JSON, with NumPy scalars and arrays as numbers and lists."""
    try:
        return json.dumps(document, default=_plain)
    except ValueError as error:
        raise ModelFileError(f"a value cannot be stored ({error})") from error


def _plain(value: Any) -> Any:
    """Return a NumPy scalar or array as JSON values; the encoder asks for all values that JSON lacks."""
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    if isinstance(plain, np.longdouble):  # tolist() does not convert extended precision: Python has no such number
        plain = float(plain)
    if plain is value or isinstance(plain, np.generic):
        raise TypeError(f"a model file cannot store {value!r} of type {type(value).__name__}; use JSON values")
    return plain


def read_json(text: bytes | str, what: str) -> Any:
    """Return a JSON document, or raise a ModelFileError if it is too long, not JSON, or has a name twice."""
    content = text.encode("ascii", "replace") if isinstance(text, str) else text
    if len(content) > MAX_JSON:
        raise ModelFileError(f"its {what} has {len(content)} bytes, more than the {MAX_JSON} that crnn reads")
    try:
        return json.loads(content.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {what} cannot be read as JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document
