"""Coupled gates as the gates of an LSTM, and back."""

from __future__ import annotations

import numpy as np
import pytest

from crnn.model.layout import is_coupled, with_input_gate, without_input_gate


@pytest.mark.parametrize("shape", [(15,), (15, 7)])
def test_the_input_gate_is_the_negated_forget_gate(shape):
    H, rows = 5, np.random.default_rng(0).normal(size=shape)
    wide = with_input_gate(rows)
    assert wide.shape == (4 * H, *shape[1:])
    np.testing.assert_array_equal(wide[:H], -wide[H : 2 * H])
    np.testing.assert_array_equal(wide[H:], rows)
    np.testing.assert_array_equal(without_input_gate(wide), rows)
    assert is_coupled(wide)
    for place in (0, H - 1, H, 2 * H - 1):  # the first and the last row of both gates
        other = wide.copy()
        other[place] += 1.0
        assert not is_coupled(other)
    for place in (2 * H, 4 * H - 1):
        other = wide.copy()
        other[place] += 1.0
        assert is_coupled(other)
