"""Gradients from the compiled kernels: of one chunk at given weights, and of the loss of a text."""

import functools

import numpy as np
import pytest
from examples import network, states
from reference_checks import central_difference
from small_models import learned_state

from crnn import CharRNN, DivergenceError
from crnn.parameters.kinds import CELLS
from crnn.reference.network import text_gradient as reference
from crnn.training.gradients import ChunkGradient


def test_non_finite_loss_leaves_nothing_behind():
    layout, flat = network(5, 3, "float32")
    gradient, symbols, state = ChunkGradient(layout, 4, None), np.array([0, 1, 4, 2, 2]), states(1, 3, "float32")
    gradient.compute(flat, symbols, np.ones(4), state)
    expected = gradient.flat.copy()
    bad = flat.copy()
    layout.tensors(bad).by[0] = np.inf
    assert np.isnan(gradient.compute(bad, symbols, np.ones(4), state))
    gradient.compute(flat, symbols, np.ones(4), state)
    np.testing.assert_array_equal(gradient.flat, expected)


H, L = 7, 2
TEXT = "abcbacdadcbbadcab"


def random_model(cell, dtype="float64", *, documents=False, num_layers=L):
    """Return a model with random weights and biases."""
    model = CharRNN(H, cell=cell, num_layers=num_layers, max_steps=0, dtype=dtype, init_scale=0.5, random_state=0)
    model.fit(["abcd"] if documents else "abcd")
    rng = np.random.default_rng(1)
    with model.editing():
        for array in model.params_.values():
            array[...] = 0.5 * rng.standard_normal(array.shape)
    return model


def expected(model, text, at):
    """Return the loss and the gradients by the reference implementation, in float64."""
    layout, boundary = learned_state(model).layout, model.vocabulary_.boundary
    p = layout.tensors(learned_state(model).params.astype(np.float64))
    loss, tensors, states = reference(p, model.cell, model.vocabulary_.encode(text).astype(np.intp), at, boundary)
    flat = layout.zeros().astype(np.float64)
    for part, gradient in zip(layout.tensors(flat), tensors, strict=True):
        part[...] = gradient
    return loss, layout.named(flat), states


@functools.cache
def expected_once(cell, dtype, documents, at):
    """Return the same of a random model and the text: every instruction set is compared with it."""
    return expected(random_model(cell, dtype, documents=documents), TEXT, at)


@pytest.mark.parametrize(
    ("cell", "documents", "at"),
    [("rnn", False, None), ("gru", True, None), ("lstm", False, 0), ("cifg", True, 0), ("lstm", True, 9),
     ("gru", False, len(TEXT) - 1)],
)  # fmt: skip
def test_gradients_match_reference(kernels, cell, documents, at, dtype):
    model = random_model(cell, dtype, documents=documents)
    tolerance = {"rtol": 1e-9, "atol": 1e-12} if dtype == np.float64 else {"rtol": 2e-3, "atol": 2e-5}
    found = model.gradient(TEXT, at=at)
    loss, params, states = expected_once(cell, dtype, documents, at)
    assert found.loss == pytest.approx(loss, rel=tolerance["rtol"])
    assert list(found.params) == list(model.params_)
    for name, gradient in params.items():
        np.testing.assert_allclose(found.params[name], gradient, **tolerance, err_msg=name)
    parts = found.states if len(CELLS[cell].states) > 1 else (found.states,)
    for part, gradient in zip(parts, states, strict=True):
        assert part.shape == (L, len(TEXT), H)
        np.testing.assert_allclose(part, gradient, **tolerance)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_central_differences_of_the_surprisal(cell):
    model = random_model(cell)
    rng = np.random.default_rng(2)
    at = 11
    found = model.gradient(TEXT, at=at)
    assert found.loss == pytest.approx(model.surprisal(TEXT)[at], rel=1e-12)
    for name, array in model.params_.items():
        for _ in range(3):
            i = tuple(rng.integers(array.shape))
            value = float(array[i])

            def surprisal(step, name=name, i=i, value=value):
                with model.editing():
                    model.params_[name][i] = value + step
                return model.surprisal(TEXT)[at]

            assert found.params[name][i] == pytest.approx(central_difference(surprisal), rel=1e-6, abs=1e-9)
            surprisal(0)


@pytest.mark.parametrize("text", [TEXT[:1], TEXT[:2], TEXT * 30], ids=len)
def test_the_loss_of_a_text_is_its_surprisal(text):
    model = random_model("gru")
    found = model.gradient(text)
    assert found.loss == pytest.approx(model.surprisal(text).sum(), rel=1e-12)
    assert found.states.shape == (L, len(text), H)
    assert not found.states[:, -1].any()


def test_long_texts_are_not_cut():
    model = random_model("lstm", num_layers=1)
    text = TEXT * 20
    found, (_, _, (dh, dc)) = model.gradient(text, at=len(text) - 1), expected(model, text, len(text) - 1)
    np.testing.assert_allclose(found.states[0], dh, rtol=1e-6, atol=1e-300)
    np.testing.assert_allclose(found.states[1], dc, rtol=1e-6, atol=1e-300)
    assert found.states[0][:, 0].any()


def test_nan_loss_is_a_divergence():
    model = random_model("rnn")
    with model.editing():
        model.params_["Why"][:] = 1e308 * np.where(np.arange(H) % 2, 1, -1)
    with pytest.raises(DivergenceError, match="step 1"), np.errstate(all="ignore"):
        model.gradient(TEXT)
