"""The optimizers of the kernels with options that test_kernels.py leaves at their defaults."""

from __future__ import annotations

import pytest
from examples import Run, memory, network, states, symbols
from reference_checks import check_run, expected_in_double


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.7, 0.96), (0.0, 0.5)])
def test_several_steps_of_adam_with_other_betas(kernels, dtype, beta_1, beta_2):
    V, H, B, T = 11, 7, 3, 5
    layout, params = network(V, H, dtype, cell="gru", num_layers=2)
    state = states(B, H, dtype, cell="gru", num_layers=2)
    start = layout, params, memory(layout, "adam"), state, symbols(V, B * (4 * T + 1) + 1)
    options = {"T": T, "optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.1}
    options |= {"optimizer_start": 2, "beta_1": beta_1, "beta_2": beta_2}
    run = Run(*start, n_steps=5, n_threads=2, **options).steps(*[1] * 7)
    wanted = expected_in_double(start, 7, n_before=5, **options)
    check_run(run, wanted)
    usual = expected_in_double(start, 7, n_before=5, **options | {"beta_1": 0.9, "beta_2": 0.999})
    assert abs(usual[1] - wanted[1]).max() > 0.003  # the betas matter this much
