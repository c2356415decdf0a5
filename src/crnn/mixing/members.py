"""The members of a mixture: which models can be mixed, their shared symbols, their names and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..files.entries import MAX_MODELS
from ..inference.mixture_weights import CLASSES
from ..language_model import LanguageModel
from ..ngram.words_network import MixedWords
from ..parameters.checks import checked_floats, has_items
from ..text.vocabulary import Vocabulary

WORDS = "words"  # the name of the last member


class Members(NamedTuple):
    """What a mixture consists of: fitted models, the weights of all members, and counts of words, if they are one."""

    models: list[LanguageModel]
    weights: NDArray[np.float64]  # as `Mixture.weights_`
    words: MixedWords | None = None  # whose weights are the last column


def checked_models(models: Any) -> list[LanguageModel]:
    """Return the parameter `models` as a list of models, fitted or not."""
    if isinstance(models, LanguageModel) or not has_items(models):
        raise InvalidInputError(f"models is of type {type(models).__name__}. Pass a list of models.")
    checked: list[LanguageModel] = models if isinstance(models, list) else list(models)
    if not checked:
        raise InvalidInputError("models is an empty list. Pass at least 1 model.")
    if len(checked) > MAX_MODELS:
        raise InvalidInputError(f"models contains {len(checked)} models. Pass at most {MAX_MODELS}.")
    for i, model in enumerate(checked):
        if not isinstance(model, LanguageModel):
            raise InvalidInputError(f"models[{i}] is of type {type(model).__name__}. Pass a language model.")
    return checked


def check_members(models: list[LanguageModel]) -> None:
    """Raise an error unless a mixture can have these fitted models."""
    checked_models(models)
    shared_vocabulary([model.vocabulary_ for model in models])


def shared_vocabulary(vocabularies: list[Vocabulary]) -> Vocabulary:
    """Return the symbols that all models have, or raise an error.

    They are compared at each use of a mixture, since a model may have been fitted again.
    """
    first = vocabularies[0]
    for i, vocabulary in enumerate(vocabularies):
        if vocabulary.labels != first.labels:
            labels = [list(each.labels) for each in (vocabulary, first)]
            raise InvalidInputError(
                f"models[{i}] has the labels {labels[0]!r}, but models[0] has {labels[1]!r}. Fit all models with the "
                f"same labels, or choose one: models[{i}].for_label(label)."
            )
        if vocabulary != first:
            raise InvalidInputError(_difference(i, vocabulary, first))
    return first


def _difference(i: int, found: Vocabulary, wanted: Vocabulary) -> str:
    """Return an error message that says which symbols models[i] has in addition to those of models[0], or lacks."""
    more = [symbol for symbol in found if symbol not in set(wanted)]
    less = [symbol for symbol in wanted if symbol not in set(found)]
    parts = [f"it has {more[:5]!r}" if more else "", f"it lacks {less[:5]!r}" if less else ""]
    differs = " and ".join(part for part in parts if part) or f"{found}, not {wanted}"
    return (
        f"models[{i}] has different symbols from models[0]: {differs}. Fit all models on the same symbols: construct "
        "each with the same vocabulary=, a string of the characters of all texts."
    )


def unfitted_copy(model: LanguageModel) -> LanguageModel:
    """Return a model with the same parameters that has learned nothing."""
    return type(model)(**model.get_params(deep=False))


def quantized(model: LanguageModel) -> LanguageModel:
    """Return a model with 8-bit numbers, which may be the model itself."""
    if isinstance(model, CharRNN) and model.scales_ is not None:
        return model
    if hasattr(type(model), "quantize"):
        exact: Any = model
        found: LanguageModel = exact.quantize()
        return found
    raise InvalidInputError(f"a {type(model).__name__} has no 8-bit form. Quantize its networks and counts.")


def _kind_of(model: LanguageModel) -> str:
    """Return what a model is called among the members of a mixture."""
    if isinstance(model, CharRNN):
        return "network"
    return "counts" if isinstance(model, CharNGram) else "mixture"


def member_names(models: Sequence[LanguageModel], *, has_words: bool) -> list[str]:
    """Return the names of the columns of a mixture's weights."""
    kinds = [_kind_of(model) for model in models]
    names = []
    for i, kind in enumerate(kinds):
        number = kinds[: i + 1].count(kind)
        names.append(kind if kinds.count(kind) == 1 else f"{kind} {number}")
    return [*names, WORDS] if has_words else names


def checked_weights(weights: Any, n: int) -> NDArray[np.float64]:
    """Return the weights of n models as an array, after checking them; None means 1/n each."""
    if weights is None:
        return np.full(n, 1 / n)
    checked = checked_rows("weights", weights, n)
    if not checked.any(axis=-1).all():
        raise InvalidInputError("weights are all 0. Pass at least one positive weight.")
    return checked


def checked_rows(name: str, weights: Any, n: int) -> NDArray[np.float64]:
    """Return weights of n models as an array, after checking them: one row, or one for each class."""
    if isinstance(weights, (list, tuple, np.ndarray)) and len(weights) == CLASSES and np.ndim(weights[0]):
        return np.array([checked_floats(f"{name}[{c}]", row, n, "model") for c, row in enumerate(weights)])
    return np.array(checked_floats(name, weights, n, "model"))
