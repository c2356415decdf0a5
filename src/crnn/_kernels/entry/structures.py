"""Structures: what entry points of `core` take together, by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from . import core

__all__ = ["DrawScratch", "DrawnTexts", "InferenceWorkspace", "PackedWeights", "Packing"]

Array = NDArray[Any]


class Packing(NamedTuple):
    """Which weights of a network are packed, and in what order: this decides what the network can be used for."""

    one_row: bool  # the recurrence has one stream only
    many: bool = True  # the products over the rows of a chunk use packed weights, not only on the way back
    training: bool = False  # the transposed matrices are packed as well
    one_row_products: bool = False  # the products over the rows of a chunk are packed for a single row, too
    group_size: int = 1  # threads of a group that trains it, each on units of its own
    bfloat16: bool = False  # operands of products are rounded to bfloat16; all products then use packed weights
    # The weights that are multiplied by are integers of 8 bits, times the scales that `core.pack_weights` is given;
    # such a network does not train.
    int8: bool = False
    in_place: bool = False  # the recurrent weights are not packed if a single stream trains and they fit the vectors


class PackedWeights(NamedTuple):
    """A network and its weights, as inference takes them."""

    network: core.Network
    params: Array
    panels: Array


class InferenceWorkspace(NamedTuple):
    """The arrays of inference, in the shapes of `core.inference_workspace`; h[:, 0], c[:, 0], before are the state."""

    h: Array
    c: Array
    before: Array
    gates: Array
    shared: core.SharedStep | None = None  # the threads that share the time steps; None: one thread


class DrawnTexts(NamedTuple):
    """Texts that are drawn in parallel, each with random numbers of its own, and where they stand."""

    symbols: Array  # (texts, width): symbols[i, :lengths[i]] was drawn of text i
    lengths: Array  # (texts,)
    max_length: int
    batch: core.Batch
    random_states: Array  # (texts, 2): of the generators of random numbers
    increment: Array  # (2,): of all of them
    stops: Array  # the symbols of all stops, one stop after another, the longer before the shorter
    stop_ends: Array  # where each of them ends
    start: list[Array]  # the states (L, 1, H) that all texts start from
    start_logits: Array  # (V,): the logits that follow from these


class DrawScratch(NamedTuple):
    """Room for drawing with B rows."""

    y: Array  # (B + 1, V)
    sums: Array  # see `core.sums_size`
    x: Array  # (B,)
