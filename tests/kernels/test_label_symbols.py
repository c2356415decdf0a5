"""The symbols of labels in the kernels: a stream that reads one starts from zeros, as at the boundary before them."""

from __future__ import annotations

import numpy as np
import pytest
from examples import memory, network, states
from reference_checks import check_against_reference, check_scores, expected_scores

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference.network.packed_network import PackedNetwork

V, H, LABELS = 9, 5, 3
BOUNDARY = V - 1 - LABELS


@pytest.fixture(params=[("rnn", 1), ("gru", 2), ("lstm", 1)], ids=lambda kind: f"{kind[0]}{kind[1]}")
def kind(request):
    return {"cell": request.param[0], "num_layers": request.param[1]}


def symbols(n):
    """Return n symbols, many of them labels and boundaries."""
    return np.random.default_rng(3).integers(V, size=n).astype(np.uint8)


@pytest.mark.parametrize(("B", "T", "n_threads"), [(1, 7, 1), (3, 5, 1), (5, 3, 2)])
def test_training_is_its_twin(kernels, kind, B, T, n_threads):
    layout, params = network(V, H, **kind)
    arguments = (layout, params, memory(layout), states(B, H, **kind), symbols(B * (4 * T + 1) + 1))
    check_against_reference(arguments, 5, n_threads=n_threads, rtol=1e-9, T=T, boundary=BOUNDARY)


@pytest.mark.parametrize("B", [1, 3])
def test_scoring_and_feeding_are_their_twins(kernels, kind, B):
    layout, params = network(V, H, **kind)
    x, state = symbols(31 * B).astype(np.int32).reshape(31, B), states(B, H, **kind)
    packed = PackedNetwork.pack(layout, params, one_row=B == 1, boundary=BOUNDARY)
    check_scores(packed, x, state, expected_scores(layout, params, x, state, BOUNDARY), 1e-9)


@pytest.mark.parametrize("labels", [-1, 1, 5])
def test_labels_that_are_no_symbols_are_refused(labels):
    layout, _ = network(V, H)
    boundary = None if labels == 1 else BOUNDARY
    with pytest.raises(ValueError, match=f"{labels} labels"):
        core.Network(layout, Packing(one_row=True, many=False, training=True), boundary=boundary, labels=labels)
