"""The best texts of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInputError, short_repr
from ..inference.network import InferenceNetwork, State
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings
from ..text.vocabulary import Vocabulary, immutable


def best_of_list(
    network: InferenceNetwork,
    vocabulary: Vocabulary,
    state: State,
    among: Any,
    prime: Any,
    count: int,
    n_threads: int | None,
) -> list[tuple[Any, float]]:
    """Return the most probable of the texts that begin with the prime, without it, each with its log P in nats.

    `state` is the one after the prime. The log P of a document includes its end.
    """
    texts = checked_texts_of_list(as_list(among), vocabulary)
    rests = {text[len(prime) :]: i for i, text in reversed([*enumerate(texts)]) if text.startswith(prime)}
    if not rests:
        return []
    in_order = sorted(rests, key=lambda rest: rests[rest])
    end = np.array([] if vocabulary.boundary is None else [vocabulary.boundary], np.int32)
    ids = []
    for rest in in_order:
        encoded = vocabulary.encode(rest, name=f"among[{rests[rest]}]") if rest else end[:0]
        ids.append(np.append(encoded, end))
    log_p = log_likelihoods(network, Strings.join(ids), state, n_threads)
    best = np.argsort(-log_p, kind="stable")[:count]
    return [(in_order[k], float(log_p[k])) for k in best]


def as_list(among: Any) -> list[Any]:
    """Return the items of an iterable of texts as a list, a list itself unchanged."""
    if isinstance(among, str | bytes | bytearray | memoryview | Mapping) or not isinstance(among, Iterable):
        raise InvalidInputError(f"among must be a list of texts, not {short_repr(among)}")
    return among if type(among) is list else list(among)


def checked_texts_of_list(among: list[Any], vocabulary: Vocabulary) -> list[Any]:
    """Return the texts of a list after checking their kind."""
    texts = []
    for i, text in enumerate(among):
        vocabulary.check_kind(text, f"among[{i}]")
        texts.append(immutable(text))
    return texts
