"""The recommended models of a mixture: a network for the time that counting leaves, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..language_model import LanguageModel
from ..text.held_out import MIN_LENGTH
from ..text.sources import IN_MEMORY, TextLike, text_source
from .member_training import CHOICE, MAX_MEMORY
from .shared_time import COUNTED_PER_SECOND, MIN_SHARE

COUNTING_SPEED = 1e6  # symbols counted per second, as assumed before the machine has been measured
OF_MIXTURE = ("weights", "words", "max_seconds")  # overrides that apply to the mixture
OF_COUNTS = ("order", "max_memory", "min_count", "vocabulary", "n_threads")  # overrides that apply to the counts
OF_COUNTS_ALONE = ("order", "max_memory")


def recommended_models(
    X: TextLike, seconds: float, overrides: Mapping[str, Any], *, verbose: int
) -> tuple[list[LanguageModel], dict[str, Any]]:
    """Return a network and counts for a text and a time limit, and the mixture's other parameters.

    Each override replaces a choice, in the mixture, the network or the counts, whichever has a parameter of its name.
    """
    of_mixture = {name: value for name, value in overrides.items() if name in OF_MIXTURE}
    of_counts = {name: value for name, value in overrides.items() if name in OF_COUNTS}
    taken = (*of_mixture, *OF_COUNTS_ALONE)
    of_network = {name: value for name, value in overrides.items() if name not in taken}
    CharRNN().set_params(**of_network)  # rejects unknown parameters
    network = CharRNN._recommended(X, _network_seconds(X, seconds), of_network, verbose=verbose, in_mixture=True)
    counts = CharNGram(**{"max_memory": MAX_MEMORY, **of_counts})
    return [network, counts], {"max_seconds": seconds, "n_threads": overrides.get("n_threads"), **of_mixture}


def _network_seconds(X: TextLike, seconds: float) -> float:
    """Return how much of the time the network will probably have, after the counts and before the weights."""
    n = text_source(X).max_length
    counting = min(n, COUNTED_PER_SECOND * seconds) / COUNTING_SPEED
    has_held_out = MIN_LENGTH <= n <= IN_MEMORY
    reserved = CHOICE * counting if has_held_out else 0.0
    return max(seconds - counting - reserved, MIN_SHARE * seconds)
