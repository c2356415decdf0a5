"""How fast are characters drawn, one text at a time and many side by side?"""

import pytest

from benchmarks import work
from benchmarks.conftest import needs


@pytest.mark.parametrize("contender", ["crnn", "numpy", "torch", "jax"])
@pytest.mark.parametrize("num_samples", ["1", "64"])
@pytest.mark.parametrize("H", ["100", "512"])
def test_sampling(timed, H, num_samples, contender):
    needs(contender)
    n = "200" if num_samples == "64" else "1000"
    if contender == "numpy" and num_samples != "1":
        pytest.skip("min-char-rnn draws one text at a time")
    drawn = timed(work.sample(contender, H, n, num_samples, "1"), group=f"{num_samples} samples of {n}, H = {H}")
    assert drawn == int(n) * int(num_samples)
