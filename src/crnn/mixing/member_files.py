"""The members of a mixture as parts of its file, and back; a classifier's file has such parts, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError, ModelFileError
from ..files import model_file
from ..files.sealed_file import NamedBytes, path_name
from ..language_model import LanguageModel
from ..ngram.word_counts import WordCounts
from ..ngram.words_network import MixedWords
from ..parameters.checks import FilePath
from .members import Members, check_members, checked_rows


def mixture_file_parts(members: Members) -> list[memoryview]:
    """Return the bytes of the file of a mixture, whose models are checked: they may have been fitted again."""
    check_members(members.models)
    n = len(members.models) + (members.words is not None)
    weights = checked_rows("weights_", members.weights, n)
    return model_file.mixture_parts(stored_mixture(files_of(members.models), weights, members.words))


def stored_mixture(
    parts: Sequence[tuple[str, bytes]], weights: NDArray[np.float64], words: MixedWords | None
) -> model_file.StoredMixture:
    """Return what a mixture's file contains, given the classes and the files of its models."""
    if words is None:
        return model_file.StoredMixture(parts, weights)
    return model_file.StoredMixture(parts, weights, words.counts.arrays, words.weights_without)


def files_of(models: Sequence[LanguageModel]) -> list[tuple[str, bytes]]:
    """Return the class and the file of each model."""
    return [file_of(model, i) for i, model in enumerate(models)]


def file_of(model: LanguageModel, i: int, *, training_state: bool = True) -> tuple[str, bytes]:
    """Return the class and the file of models[i], of a mixture or a classifier."""
    if isinstance(model, CharRNN):
        return "CharRNN", model._file_content(training_state=training_state)
    if isinstance(model, CharNGram):
        return "CharNGram", model._file_content()
    raise InvalidInputError(
        f"models[{i}] is of type {type(model).__name__}, but a file contains only CharRNN and CharNGram models"
    )


def models_of(parts: model_file.Parts, path: FilePath | BinaryIO) -> list[CharRNN | CharNGram]:
    """Return the models of a file, the reverse of `file_of`; errors name the file and the model."""
    models = list[CharRNN | CharNGram]()
    name = path_name(path)
    for i, (kind, content) in enumerate(parts):
        stream = NamedBytes(content, f"{name}, models[{i}]")
        models.append(CharRNN.load(stream) if kind == "CharRNN" else CharNGram.load(stream))
    return models


def read_members(path: FilePath | BinaryIO) -> Members:
    """Read the members of a mixture from its file."""
    stored = model_file.read_mixture(path)
    models: list[LanguageModel] = [*models_of(stored.parts, path)]
    try:
        check_members(models)
    except InvalidInputError as error:
        raise ModelFileError(f"model file {path_name(path)}: its models do not fit together: {error}") from error
    return Members(models, stored.weights, words_of(stored, models, path))


def words_of(
    stored: model_file.StoredMixture, models: Sequence[LanguageModel], path: FilePath | BinaryIO
) -> MixedWords | None:
    """Return a file's counts of words; None without them, or if they have no weight yet."""
    if stored.words is None or stored.weights_without_words is None:
        return None
    counts = word_counts_of(stored.words, models, path)
    return MixedWords(counts, models[0].vocabulary_, stored.weights_without_words)


def word_counts_of(
    arrays: Mapping[str, NDArray[Any]], models: Sequence[LanguageModel], path: FilePath | BinaryIO
) -> WordCounts:
    """Return counts of words, given their arrays in a file, which is checked against the models; errors name it."""
    vocabulary = models[0].vocabulary_
    name = path_name(path)
    if vocabulary.labels or not any(isinstance(model, CharNGram) for model in models):
        raise ModelFileError(f"model file {name}: its counts of words need a CharNGram without labels")
    if len(arrays["base"]) != len(vocabulary):
        raise ModelFileError(
            f"model file {name}: its counts of words have {len(arrays['base'])} symbols, its models {len(vocabulary)}"
        )
    try:
        return WordCounts(arrays, vocabulary.boundary)
    except InvalidInputError as error:
        raise ModelFileError(f"model file {name}: {error}") from error
