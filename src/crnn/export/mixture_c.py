"""Write a mixture as C source: its state, and functions that call the functions of its networks and counts."""

from __future__ import annotations

from typing import NamedTuple

from .c_parts import c_source
from .models import ExportedCounts, ExportedMixture, ExportedNetwork, ExportedWords
from .network_c import renamed_for_network
from .words_c import LATEST


class _Member(NamedTuple):
    """The lines of C with which a mixture uses one of its members."""

    field: str  # of the mixture's state
    starts: str  # statements
    feeds: str
    adds: str  # the statements that add the member's logits to y
    is_network: bool


def mixture_state(mixture: ExportedMixture) -> str:
    """Return the type of the state of a flattened mixture."""
    fields = "".join(member.field for member in _members_of(mixture))
    letters = "    int letters; /* since the start of a word */\n"
    return f"typedef struct crnn_state {{\n{fields}{letters}}} crnn_state;\n"


def mixture_code(mixture: ExportedMixture) -> str:
    """Return the functions of a flattened mixture."""
    members = _members_of(mixture)
    rows = "".join(f"    {{{', '.join(map(float.hex, row))}}},\n" for row in mixture.weights.tolist())
    ranges = mixture.letters or [(0, 0)]  # C has no array of length 0
    sums = [f"    if (weights[{k}] != 0) {{\n{member.adds}    }}\n" for k, member in enumerate(members)]
    has_network = any(member.is_network for member in members)
    has_counts = not all(member.is_network for member in members)
    parts = {
        "{classes}": str(len(mixture.weights)),
        "{members}": str(len(members)),
        "{weights}": rows,
        "{ranges}": str(len(ranges)),
        "{letters}": ", ".join(f"{{{first}, {end}}}" for first, end in ranges),
        "{starts}": "".join(member.starts for member in members),
        "{feeds}": "".join(member.feeds for member in members),
        "{sums}": "".join(sums),
        "{part}": "    float part[CRNN_SYMBOLS];\n" if has_network else "",
        "{p}": "    double p[CRNN_SYMBOLS];\n" if has_counts else "",
        "{of networks}": str(int(has_network)),
        "{of counts}": str(int(has_counts)),
    }
    source = c_source("mixture_model.c")
    for place, text in parts.items():
        source = source.replace(place, text)
    return source


def _members_of(mixture: ExportedMixture) -> list[_Member]:
    """Return how the mixture uses its members; networks and counts are numbered from 1."""
    n_networks = 0
    n_words = 0
    counts: list[ExportedCounts] = []
    members = []
    for k, member in enumerate(mixture.members):
        if isinstance(member, ExportedNetwork):
            n_networks += 1
            members.append(_network_member(k, n_networks, has_documents=mixture.vocabulary.boundary is not None))
        elif isinstance(member, ExportedCounts):
            counts.append(member)
            members.append(_counts_member(k, len(counts), member.counts.order))
        else:
            assert isinstance(member, ExportedWords)
            n_words += 1
            of_characters = next(i for i, each in enumerate(counts, 1) if each is member.characters)
            members.append(_words_member(k, n_words, of_characters))
    return members


def _network_member(k: int, number: int, *, has_documents: bool) -> _Member:
    """Return the C code of member k, the mixture's network with this number; documents start with a boundary."""
    state = f"&state->network_{number}"
    start = f"    crnn_net_feed({state}, CRNN_BOUNDARY);\n" if has_documents else ""
    feed = f"    crnn_net_feed({state}, id);\n"
    adds = f"        crnn_net_logits({state}, part);\n        crnn_add(weights[{k}], part, y);\n"
    return _Member(
        field=renamed_for_network(number, f"    crnn_net_state network_{number};\n"),
        starts=renamed_for_network(number, start),
        feeds=renamed_for_network(number, feed),
        adds=renamed_for_network(number, adds),
        is_network=True,
    )


def _counts_member(k: int, number: int, order: int) -> _Member:
    """Return the C code of member k, the mixture's counts with this number, of n-grams up to `order`."""
    arguments = f"&crnn_counts_{number}, state->counts_{number}"
    return _Member(
        field=f"    int32_t counts_{number}[{order}]; /* contexts */\n",
        starts=f"    crnn_counts_start({arguments});\n",
        feeds=f"    crnn_counts_feed({arguments}, id);\n",
        adds=f"        crnn_counts_proba({arguments}, p);\n        crnn_add_logs(weights[{k}], p, y);\n",
        is_network=False,
    )


def _words_member(k: int, number: int, of_characters: int) -> _Member:
    """Return the C code of member k, the words with this number, which back off to the counts `of_characters`."""
    arguments = f"&crnn_words_{number}, state->words_{number}"
    characters = f"&crnn_counts_{of_characters}, state->counts_{of_characters}"
    return _Member(
        field=f"    int32_t words_{number}[{1 + LATEST}]; /* the number of the latest symbols, and these */\n",
        starts="",  # no symbols
        feeds=f"    crnn_words_feed({arguments}, id);\n",
        adds=(
            f"        double others[CRNN_SYMBOLS];\n        crnn_counts_proba({characters}, others);\n"
            f"        crnn_words_proba({arguments}, others, p);\n        crnn_add_logs(weights[{k}], p, y);\n"
        ),
        is_network=False,
    )
