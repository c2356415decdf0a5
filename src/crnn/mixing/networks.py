"""The network of a mixture: its members' networks, mixed, for all uses; and its reading, which adapts to a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..adaptation.reading import Adapt, AdaptationOptions, MixedReading
from ..char_ngram import CharNGram
from ..errors import InvalidInputError
from ..files.entries import MAX_MODELS
from ..inference.mixed_network import MixedNetwork, letters_of
from ..inference.network import InferenceNetwork, LabelNetworks, Use
from ..inference.packed_network import PackedNetwork
from ..language_model import LanguageModel
from ..ngram.counts_network import AdaptiveCounts, CountsNetwork
from ..ngram.longest_match import AdaptiveMatch
from ..ngram.words_network import MixedWords, WordsNetwork
from ..parameters.checks import checked_threads
from ..text.vocabulary import Vocabulary
from ..text_states.text_state import FixedReading, Reading
from .members import Members, shared_vocabulary


def mixed_network(members: Members, what: str, use: Use, *, n_threads: int | None) -> tuple[MixedNetwork, Vocabulary]:
    """Return the members' networks as one, and its symbols; `what` is the method that needs it, for errors."""
    found = [_member_network(model, what, use, n_threads=n_threads) for model in members.models]
    vocabulary = shared_vocabulary([vocabulary for _, vocabulary in found])
    networks = [network for network, _ in found]
    if members.words is not None:
        networks.append(words_network(members.words, networks, vocabulary))
    return MixedNetwork(networks, members.weights, letters_of(vocabulary)), vocabulary


def _member_network(
    model: LanguageModel, what: str, use: Use, *, n_threads: int | None
) -> tuple[InferenceNetwork, Vocabulary]:
    """Return a model's network, with the mixture's number of threads if set, and its symbols."""
    network, vocabulary = model._network(what, use)
    if n_threads is not None and isinstance(network, PackedNetwork):
        network = network._replace(n_threads=checked_threads(n_threads))
    return network, vocabulary


def words_network(words: MixedWords, networks: Sequence[InferenceNetwork], vocabulary: Vocabulary) -> InferenceNetwork:
    """Return the network of counts of words, which need the network of a `CharNGram` among those of the models."""
    characters = next((network for network in networks if isinstance(network, CountsNetwork)), None)
    if characters is None:
        raise InvalidInputError("the mixture has counts of words, which need a CharNGram, but models_ has none.")
    if vocabulary != words.vocabulary:
        raise InvalidInputError(
            "the models have other symbols than the mixture's counts of words. Use without_words(), or fit the mixture "
            "again."
        )
    return WordsNetwork(words.counts, characters)


def mixed_label_networks(members: Members, what: str, use: Use) -> tuple[LabelNetworks | None, Vocabulary]:
    """Return a mixed network for each label, None without labels, and the symbols of all."""
    found = [model._label_networks(what, use) for model in members.models]
    vocabulary = shared_vocabulary([vocabulary for _, vocabulary in found])
    of_models = [networks for networks, _ in found if networks is not None]
    if len(of_models) < len(found):
        return None, vocabulary
    letters = letters_of(vocabulary.with_labels(()))
    networks = []
    starts = []
    for k in range(len(vocabulary.labels)):
        network = MixedNetwork([of_model.networks[k] for of_model in of_models], members.weights, letters)
        networks.append(network)
        starts.append([*(of_model.starts[k] for of_model in of_models), network.start()[-1]])
    prior = np.mean([np.exp(of_model.log_prior) for of_model in of_models], axis=0)
    return LabelNetworks(networks, starts, np.log(prior / prior.sum())), vocabulary


def mixed_reading(
    members: Members, what: str, adapt: Adapt, *, scoring: bool, n_threads: int | None
) -> tuple[MixedReading, Vocabulary]:
    """Return a reading whose members learn from a text, or only its counts, and its symbols."""
    counts_alone = isinstance(adapt, str) and adapt == "counts"
    if not counts_alone:
        AdaptationOptions.of(adapt)  # checked even if no model uses the options
    elif not any(model._has_counts() for model in members.models):
        raise InvalidInputError("adapt is 'counts', but the mixture has no CharNGram. Pass True, or add one.")
    found: list[tuple[Reading, Vocabulary]] = []
    for model in members.models:
        if counts_alone and not model._has_counts():
            network, vocabulary = _member_network(model, what, Use.ONE_TEXT, n_threads=n_threads)
            found.append((FixedReading(network, network.zero_state(1)), vocabulary))
        else:
            of_model = True if isinstance(model, CharNGram) else adapt
            found.append(model._adaptive_reading(what, of_model, scoring=scoring))
    vocabulary = shared_vocabulary([vocabulary for _, vocabulary in found])
    readings = [reading for reading, _ in found]
    if members.words is not None:
        fixed = [_member_network(model, what, Use.ONE_TEXT, n_threads=n_threads)[0] for model in members.models]
        of_words = words_network(members.words, fixed, vocabulary)
        readings.append(FixedReading(of_words, of_words.zero_state(1)))
    joining = _readings_of_the_text_alone(readings, vocabulary)
    weights = np.array(members.weights, np.float64, ndmin=2)
    weights = np.column_stack([weights, np.zeros((len(weights), len(joining)))])
    return MixedReading([*readings, *joining], weights, letters_of(vocabulary)), vocabulary


def _readings_of_the_text_alone(readings: Sequence[Reading], vocabulary: Vocabulary) -> list[Reading]:
    """Return members that know nothing but the text read: counts and the longest match, if the mixture has counts."""
    counting = [reading for reading in readings if isinstance(reading, AdaptiveCounts)]
    if not counting:
        return []
    joining: list[Reading] = [counting[0].fresh(), AdaptiveMatch.start(len(vocabulary), vocabulary.boundary)]
    return joining[: MAX_MODELS - len(readings)]
