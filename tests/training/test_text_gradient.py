"""The gradient of a text's loss, from the compiled kernels."""

import functools

import numpy as np
import pytest
from reference_checks import central_difference
from small_models import learned_state

from crnn import CharRNN, DivergenceError
from crnn.parameters.kinds import CELLS
from crnn.reference.text_gradient import text_gradient as reference

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


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("documents", "at"), [(False, None), (True, None), (False, 0), (True, 0), (True, 9), (False, len(TEXT) - 1)]
)
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
        for _ in range(5):
            i = tuple(rng.integers(array.shape))
            value = float(array[i])

            def surprisal(step, name=name, i=i, value=value):
                with model.editing():
                    model.params_[name][i] = value + step
                return model.surprisal(TEXT)[at]

            assert found.params[name][i] == pytest.approx(central_difference(surprisal), rel=1e-6, abs=1e-9)
            surprisal(0)


def test_the_loss_of_a_text_is_its_surprisal():
    model = random_model("gru")
    assert model.gradient(TEXT * 30).loss == pytest.approx(model.surprisal(TEXT * 30).sum(), rel=1e-12)


def test_long_texts_are_not_cut():
    model = random_model("lstm", num_layers=1)
    text = TEXT * 20
    found, (_, _, (dh, dc)) = model.gradient(text, at=len(text) - 1), expected(model, text, len(text) - 1)
    np.testing.assert_allclose(found.states[0], dh, rtol=1e-6, atol=1e-300)
    np.testing.assert_allclose(found.states[1], dc, rtol=1e-6, atol=1e-300)
    assert found.states[0][:, 0].any()


def test_the_model_stays_as_it_is():
    model = random_model("lstm")
    before = {name: array.copy() for name, array in model.params_.items()}
    model.gradient(TEXT).params["by"][:] = 1
    for name, array in model.params_.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("n", [1, 2])
def test_gradient_of_one_or_two_symbols(n):
    model = random_model("rnn")
    found = model.gradient(TEXT[:n])
    assert found.loss == pytest.approx(model.surprisal(TEXT[:n]).sum())
    assert found.states.shape == (L, n, H)
    assert not found.states[:, -1].any()


@pytest.mark.parametrize(("bias", "loss"), [(1e4, 0.0), (-1e4, 1e4)])
def test_certain_or_impossible_first_symbol(bias, loss):
    model, V = random_model("rnn"), 4
    with model.editing():
        model.params_["by"][:] = 0.0
        model.params_["by"][model.vocabulary_.encode("a")] = bias
    found = model.gradient("a")
    assert found.loss == pytest.approx(model.surprisal("a")[0])
    assert found.loss == pytest.approx(loss + (np.log(V - 1) if loss else 0.0), rel=1e-12)
    expected = np.full(V, 0.0 if bias > 0 else 1 / (V - 1))
    expected[model.vocabulary_.encode("a")] = 0.0 if bias > 0 else -1.0
    np.testing.assert_allclose(found.params["by"], expected)


def test_nan_loss_is_a_divergence():
    model = random_model("rnn")
    with model.editing():
        model.params_["Why"][:] = 1e308 * np.where(np.arange(H) % 2, 1, -1)
    with pytest.raises(DivergenceError, match="step 1"), np.errstate(all="ignore"):
        model.gradient(TEXT)
