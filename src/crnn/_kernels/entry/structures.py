"""Structures: groups of arguments for entry points of `core`, by name."""

from __future__ import annotations

from typing import NamedTuple

from ...arrays import Array
from . import core


class Packing(NamedTuple):
    """Which weights of a network are packed, and in what order, which determines the network's possible uses."""

    one_row: bool  # the recurrence has only one stream
    many: bool = True  # the products over the rows of a chunk use packed weights, not only in the backward pass
    training: bool = False  # the transposed matrices are packed, too
    one_row_products: bool = False  # the products over the rows of a chunk are packed for a single row, too
    group_size: int = 1  # threads of a group that trains it, each with units of its own
    bfloat16: bool = False  # products round their operands to bfloat16; all products then use packed weights
    # The weights used in products are 8-bit integers, times the scales passed to `core.pack_weights`;
    # such a network cannot be trained.
    int8: bool = False
    in_place: bool = False  # recurrent weights are not packed if a single stream trains and they fit the vectors


class PackedWeights(NamedTuple):
    """A network and its weights, for inference."""

    network: core.Network
    params: Array
    panels: Array


class DrawnTexts(NamedTuple):
    """Texts drawn in parallel, each with its own random numbers, and their progress."""

    batch: core.Batch
    random_states: Array  # (texts, 2): of the random generators
    increment: Array  # (2,): of all generators
    stops: Array  # the concatenated symbols of all stops, longer stops before shorter ones
    stop_ends: Array  # the end of each stop
    start: list[Array] | None = None  # the initial states (L, 1, H) of all texts, padded; for `sample_texts`
    start_logits: Array | None = None  # (V,): the logits that follow from these
    symbols: Array | None = None  # (texts, width): symbols[i, :lengths[i]] has been drawn for text i
    lengths: Array | None = None  # (texts,)
    max_length: int = 0
