"""The embedding folded into the first layer's input weights."""

from __future__ import annotations

import numpy as np
import pytest
from examples import network

from crnn.inference.network import folded_embedding
from crnn.inference.network.folded_embedding import folded_network, folded_weights
from crnn.reference.products import operands_in_bfloat16, product
from crnn.runtime.cancellation import Canceled, Cancellation


@pytest.mark.parametrize(("V", "E", "N"), [(1, 1, 1), (67, 5, 33), (131, 37, 44)])
def test_folded_weights_match_the_product(dtype, V, E, N):
    rng = np.random.default_rng(0)
    embedding, Wx = rng.normal(size=(V, E)).astype(dtype), rng.normal(size=(E, N)).astype(dtype)
    found = folded_weights(embedding, Wx)
    assert found.dtype == dtype
    bound = np.finfo(dtype).eps * (E + 1) * (np.abs(embedding) @ np.abs(Wx))
    assert (np.abs(found - embedding.astype(np.float64) @ Wx) <= bound).all()


def test_operands_are_rounded_if_wanted():
    rng = np.random.default_rng(0)
    embedding, Wx = rng.normal(size=(67, 5)).astype(np.float32), rng.normal(size=(5, 33)).astype(np.float32)
    with operands_in_bfloat16():
        expected = product(embedding, Wx)
    np.testing.assert_allclose(folded_weights(embedding, Wx, bfloat16=True), expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected - embedding @ Wx).max() > 1e-3


@pytest.mark.parametrize("bfloat16", [False, True])
def test_rows_in_pieces_have_the_same_bits(monkeypatch, bfloat16):
    rng = np.random.default_rng(0)
    embedding, Wx = rng.normal(size=(67, 71)).astype(np.float32), rng.normal(size=(71, 33)).astype(np.float32)
    whole = folded_weights(embedding, Wx, bfloat16=bfloat16)
    monkeypatch.setattr(folded_embedding, "CALL_PRODUCTS", 7 * 71 * 33)
    np.testing.assert_array_equal(folded_weights(embedding, Wx, bfloat16=bfloat16), whole)


def test_folding_ends_soon_after_another_thread_fails(monkeypatch):
    monkeypatch.setattr(folded_embedding, "CALL_PRODUCTS", 7 * 5 * 33)
    embedding, Wx, out = np.ones((67, 5)), np.ones((5, 33)), np.zeros((67, 33))
    cancellation, multiply = Cancellation(), folded_embedding.core.multiply

    def fail_meanwhile(*arguments):
        multiply(*arguments)
        cancellation.fail(KeyboardInterrupt())

    monkeypatch.setattr(folded_embedding.core, "multiply", fail_meanwhile)
    with cancellation.shared(), pytest.raises(Canceled):
        folded_weights(embedding, Wx, out=out)
    assert np.flatnonzero(out.any(axis=1)).tolist() == list(range(7))


def test_other_weights_stay_as_they_are():
    layout, params = network(13, 7, "float32", cell="gru", num_layers=2, embedding_size=5)
    plain, flat = folded_network(layout, params)
    before, after = layout.tensors(params), plain.tensors(flat)
    assert (plain.embedding_size, after.embedding) == (None, None)
    np.testing.assert_allclose(after.layers[0].Wx, before.embedding @ before.layers[0].Wx, rtol=1e-5, atol=1e-5)
    rest = list(before)[2:]
    for a, b in zip(rest, list(after)[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_an_embedding_nothing_is_copied():
    layout, params = network(13, 7, "float32")
    assert folded_network(layout, params)[1] is params
