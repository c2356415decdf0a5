"""How long does a step of min-char-rnn take: the NumPy script, the compiled gist, crnn and its peers?

pytest benchmarks/test_min_char_rnn.py -n 0 --benchmark-json steps.json
python -m benchmarks.table steps.json
"""

import numpy as np
import pytest

from benchmarks.cases import Case, ready
from benchmarks.conftest import needs

CASE = Case(100, 25, 1, 100)
CONTENDERS = ["numpy", "classic-float64", "crnn-float64", "classic", "crnn", "torch", "jax"]


@pytest.mark.benchmark(group="a step of min-char-rnn: H = 100, T = 25, V = 65, one stream")
@pytest.mark.parametrize("contender", CONTENDERS)
def test_step(contender, benchmark):
    needs(contender.replace("classic", "crnn"))
    run = ready(contender, CASE, 1)
    loss = run()
    assert np.isclose(loss, ready("crnn-float64", CASE, 1)(), rtol=2e-3), "it does something else"
    benchmark.extra_info["steps"] = CASE.steps
    benchmark.extra_info["dtype"] = "float64" if "float64" in contender or contender == "numpy" else "float32"
    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
