"""Do gradients that have vanished slow a step down, as denormal numbers would?"""

import numpy as np
import pytest

from benchmarks.cases import Case, crnn_model


@pytest.mark.parametrize("gradients", ["usual", "vanished"])
@pytest.mark.parametrize("case", [Case(100, 25, 1, 400), Case(128, 50, 50, 6)], ids=lambda case: case.name)
def test_vanished_gradients(timed, case, gradients):
    model = crnn_model(case).set_params(learning_rate=1e-30)
    if gradients == "vanished":
        # Logits far beyond certainty leave gradients of about 1e-39 and less.
        with model.editing():
            for name in ("Wxh_l0", "Whh_l0"):
                model.params_[name][...] *= 1e-10
            model.params_["Why"][...] = 1e-38
    before = model.params_["by"].copy()
    timed(model.partial_fit, case.text, group=f"{case.name}, {case.steps} steps")
    np.testing.assert_allclose(model.params_["by"], before, atol=1e-20)
