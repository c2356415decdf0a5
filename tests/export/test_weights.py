"""Weights as exports read them."""

from dataclasses import replace

import numpy as np
import pytest
from examples import random_language_model
from small_models import learned_state

from crnn import InvalidInputError
from crnn.export.weights import Weights
from crnn.model.layout import SymbolPairs
from crnn.parameters.kinds import CELLS


def test_a_boundary_ends_no_pair():
    """It is read from a state of zeros. A file may hold such a pair, though no text gives it a row."""
    model = random_language_model(["ab", "b"], n_bigrams=3)
    pairs = SymbolPairs(np.array([[1, 2], [2, 1], [0, 1]]))
    learned_state(model).layout = replace(learned_state(model).layout, pairs=pairs)
    weights = Weights.of(model)
    assert weights.pairs.tolist() == [[-1, -1], [2, 1], [0, 1]]
    assert weights.pair_keys().tolist() == [-1, 10, 4]


def test_a_cell_that_only_crnn_has_is_named(monkeypatch):
    monkeypatch.setitem(CELLS, "gru", CELLS["gru"]._replace(torch_class=None))
    weights = Weights.of(random_language_model("abc", cell="gru"))
    with pytest.raises(InvalidInputError, match=r"^cell is 'gru', which PyTorch and ONNX do not have"):
        weights.for_torch()


def test_a_cell_that_the_c_source_lacks_is_named(monkeypatch):
    monkeypatch.setitem(CELLS, "gru", CELLS["gru"]._replace(c_order=()))
    weights = Weights.of(random_language_model("abc", cell="gru"))
    with pytest.raises(InvalidInputError, match=r"^cell is 'gru', which C files and HTML pages do not implement"):
        weights.for_engine()


def test_a_weight_too_large_for_the_file_is_named_by_its_place():
    model = random_language_model("abc", hidden_size=5)
    with model.editing():
        model.params_["Whh_l0"][2, 3] = 1e300
    with (
        np.errstate(over="ignore"),
        pytest.raises(InvalidInputError, match=r"^params_\['Whh_l0'\]\[2, 3\] is 1e\+300, not finite in float32"),
    ):
        Weights.of(model, np.float32)
